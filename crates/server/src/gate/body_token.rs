//! Looking for a CSRF token in a body that goes on to the upstream unchanged. JSON and forms are
//! read whole, up to a limit; of a multipart body only the beginning, because what follows may be
//! large files.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use portcullis_domain::csrf::BodyToken;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::web::error::Error;
use crate::web::input::{BodyType, body_type};

/// How much of a multipart body is searched.
const MULTIPART_PREFIX: usize = 64 * 1024;
/// How long a client may be silent meanwhile.
const SILENCE: Duration = Duration::from_secs(10);
/// How long it may take to send what is searched.
const DEADLINE: Duration = Duration::from_mins(1);
/// The field that holds the token.
const FIELD: &str = "csrf_token";

/// A body of which the beginning may have been read: given on from its first byte.
pub struct Replay {
    read: Option<Bytes>,
    rest: Option<Incoming>,
}

impl Replay {
    /// A body that nobody has looked into.
    pub fn whole(body: Incoming) -> Self {
        Self { read: None, rest: Some(body) }
    }
}

/// The token in the body, and the body to send on. `limit`: bytes of JSON or a form; more is
/// refused as too large, because the token could stand behind.
pub async fn find(
    headers: &HeaderMap,
    body: Incoming,
    limit: u64,
) -> Result<(BodyToken, Replay), Error> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    match body_type(headers) {
        BodyType::Json => {
            let read = read_whole(body, limit).await?;
            Ok((in_json(&read), Replay { read: Some(read), rest: None }))
        }
        BodyType::Form => {
            let read = read_whole(body, limit).await?;
            Ok((in_form(&read), Replay { read: Some(read), rest: None }))
        }
        BodyType::Multipart => {
            let (read, rest) = read_up_to(body, MULTIPART_PREFIX).await?;
            let token = in_multipart(headers, read.clone()).await;
            Ok((token, Replay { read: Some(read), rest }))
        }
        BodyType::Absent | BodyType::Other => Ok((BodyToken::None, Replay::whole(body))),
    }
}

async fn read_whole(body: Incoming, limit: usize) -> Result<Bytes, Error> {
    match read_up_to(body, limit).await? {
        (read, None) => Ok(read),
        (_, Some(_)) => Err(Error::TooLarge),
    }
}

/// Reads until the end, or until more than `limit` bytes have come; then the rest comes along.
async fn read_up_to(body: Incoming, limit: usize) -> Result<(Bytes, Option<Incoming>), Error> {
    tokio::time::timeout(DEADLINE, read_pieces(body, limit)).await.map_err(|_| Error::Slow)?
}

async fn read_pieces(mut body: Incoming, limit: usize) -> Result<(Bytes, Option<Incoming>), Error> {
    let mut read = BytesMut::new();
    while read.len() <= limit {
        let frame = tokio::time::timeout(SILENCE, body.frame()).await.map_err(|_| Error::Slow)?;
        let Some(frame) = frame else { return Ok((read.freeze(), None)) };
        let frame = frame.map_err(|_| Error::Malformed("body_broken_off"))?;
        if let Ok(data) = frame.into_data() {
            read.extend_from_slice(&data);
        }
    }
    Ok((read.freeze(), Some(body)))
}

fn in_json(bytes: &[u8]) -> BodyToken {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    // Whether the JSON is any good is for the application to say.
    reader.deserialize_map(TokenVisitor).unwrap_or(BodyToken::None)
}

struct TokenVisitor;

impl<'de> Visitor<'de> for TokenVisitor {
    type Value = BodyToken;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<BodyToken, A::Error> {
        let mut token = None;
        while let Some(key) = map.next_key::<String>()? {
            if key != FIELD {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = map.next_value::<serde_json::Value>()?;
            // Which of two values the application would read is not for us to guess.
            token = Some(match (token, value) {
                (None, serde_json::Value::String(text)) => BodyToken::One(text),
                (None, _) => BodyToken::None,
                (Some(_), _) => BodyToken::Several,
            });
        }
        Ok(token.unwrap_or(BodyToken::None))
    }
}

fn in_form(bytes: &[u8]) -> BodyToken {
    let values = form_urlencoded::parse(bytes).filter(|(name, _)| name == FIELD);
    values.fold(BodyToken::None, |token, (_, value)| join(token, value.into_owned()))
}

/// Reads the fields that are whole within what was read; the first that is not ends the search.
async fn in_multipart(headers: &HeaderMap, read: Bytes) -> BodyToken {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let Ok(boundary) = multer::parse_boundary(content_type.unwrap_or_default()) else {
        return BodyToken::None;
    };
    let stream = futures_util::stream::iter([Ok::<_, std::io::Error>(read)]);
    let mut parts = multer::Multipart::new(stream, boundary);
    let mut token = BodyToken::None;
    while let Ok(Some(part)) = parts.next_field().await {
        let is_token = part.name() == Some(FIELD) && part.file_name().is_none();
        let Ok(value) = part.text().await else { break };
        if is_token {
            token = join(token, value);
        }
    }
    token
}

/// A second field must say the same as the first.
fn join(token: BodyToken, value: String) -> BodyToken {
    match token {
        BodyToken::None | BodyToken::NotLooked => BodyToken::One(value),
        BodyToken::One(first) if first == value => BodyToken::One(first),
        BodyToken::One(_) | BodyToken::Several => BodyToken::Several,
    }
}

impl Body for Replay {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(read) = self.read.take().filter(|read| !read.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(read))));
        }
        match &mut self.rest {
            Some(rest) => Pin::new(rest).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        let nothing_read = self.read.as_ref().is_none_or(Bytes::is_empty);
        nothing_read && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.read.as_ref().map_or(0, |read| read.len() as u64);
        let rest = self.rest.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint);
        let mut hint = SizeHint::new();
        hint.set_lower(read.saturating_add(rest.lower()));
        if let Some(upper) = rest.upper() {
            hint.set_upper(read.saturating_add(upper));
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(token: BodyToken) -> String {
        match token {
            BodyToken::One(token) => token,
            BodyToken::Several => "several".to_owned(),
            BodyToken::None | BodyToken::NotLooked => "-".to_owned(),
        }
    }

    #[test]
    fn the_token_of_a_body_that_is_somebody_elses() {
        let check = |body: &str, expected: &str| {
            assert_eq!(word(in_json(body.as_bytes())), expected, "{body}");
        };
        check(r#"{"csrf_token":"t","title":"x"}"#, "t");
        check(r#"{"a":{"csrf_token":"nested"}}"#, "-");
        check(r#"{"csrf_token":"t","csrf_token":"t"}"#, "several");
        check(r#"{"csrf_token":7}"#, "-");
        check(r#"{"csrf_token":7,"csrf_token":"t"}"#, "several");
        check(r#"[{"csrf_token":"t"}]"#, "-");
        check("{", "-");
        assert_eq!(word(in_form(b"a=1&csrf_token=t")), "t");
        assert_eq!(word(in_form(b"csrf_token=t&csrf_token=u")), "several");
        assert_eq!(word(in_form(b"csrf_tokens=t")), "-");
    }

    #[tokio::test]
    async fn a_token_before_a_large_file() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, "multipart/form-data; boundary=x".parse().unwrap());
        let part = |name: &str, value: &str| {
            format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let file =
            "--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\nbeginning";
        let body = format!("{}{}{file}", part("title", "a"), part(FIELD, "t"));
        assert_eq!(word(in_multipart(&headers, body.into()).await), "t");
        let body = format!("{}{}", part("title", "a"), file);
        assert_eq!(word(in_multipart(&headers, body.into()).await), "-");
    }
}
