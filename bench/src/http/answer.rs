//! Reading an answer from the bytes that have come so far. Not here: connections.

use anyhow::{Context as _, Result, ensure};

/// One answer, with header names in lower case.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    /// As it came: of an answer in chunks, with their sizes.
    pub(crate) body: Vec<u8>,
    /// How many bytes it took on the wire.
    pub(super) length: usize,
}

/// What is wanted of an answer besides its status.
#[derive(Clone, Copy)]
pub(crate) enum Wanted {
    Nothing,
    /// The header `X-CSRF-Token`.
    Token,
    /// Whether the body has this text.
    Text(&'static str),
}

/// What was wanted of an answer.
pub(crate) struct Brief {
    pub(crate) status: u16,
    pub(crate) token: Option<String>,
    /// `false` if a text was wanted and is not there.
    pub(crate) has_text: bool,
    /// How many bytes the answer took on the wire.
    pub(super) length: usize,
}

impl Answer {
    /// `None` while the answer is not complete.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        let mut slots = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Response::new(&mut slots);
        let httparse::Status::Complete(start) = head.parse(bytes)? else { return Ok(None) };
        let Some(length) = end(bytes, start, &head)? else { return Ok(None) };
        let body = bytes.get(start..length).unwrap_or_default().to_vec();
        let headers = head.headers.iter().map(|header| {
            let value = String::from_utf8_lossy(header.value).into_owned();
            (header.name.to_ascii_lowercase(), value)
        });
        let status = head.code.unwrap_or_default();
        Ok(Some(Self { status, headers: headers.collect(), body, length }))
    }

    /// For messages.
    pub(crate) fn text(&self) -> String {
        format!("{} {}", self.status, String::from_utf8_lossy(&self.body))
    }
}

impl Brief {
    /// `None` while the answer is not complete.
    pub(crate) fn parse(bytes: &[u8], wanted: Wanted) -> Result<Option<Self>> {
        let mut slots = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Response::new(&mut slots);
        let httparse::Status::Complete(start) = head.parse(bytes)? else { return Ok(None) };
        let Some(length) = end(bytes, start, &head)? else { return Ok(None) };
        let status = head.code.unwrap_or_default();
        let mut brief = Self { status, token: None, has_text: true, length };
        match wanted {
            Wanted::Nothing => {}
            Wanted::Token => {
                let value = value(&head, "x-csrf-token").context("no X-CSRF-Token came back")?;
                brief.token = Some(std::str::from_utf8(value)?.to_owned());
            }
            Wanted::Text(text) => {
                let body = bytes.get(start..length).unwrap_or_default();
                brief.has_text = body.windows(text.len()).any(|part| part == text.as_bytes());
            }
        }
        Ok(Some(brief))
    }
}

/// Where the answer ends: by its length, or by its last chunk. `None` while that has not come.
fn end(bytes: &[u8], start: usize, head: &httparse::Response) -> Result<Option<usize>> {
    if matches!(head.code, Some(204 | 304)) {
        return Ok(Some(start));
    }
    if let Some(length) = value(head, "content-length") {
        let end = start + std::str::from_utf8(length)?.parse::<usize>()?;
        return Ok((bytes.len() >= end).then_some(end));
    }
    let coding = value(head, "transfer-encoding").unwrap_or_default();
    ensure!(coding.eq_ignore_ascii_case(b"chunked"), "an answer without a length");
    last_chunk(bytes, start)
}

fn last_chunk(bytes: &[u8], start: usize) -> Result<Option<usize>> {
    let mut at = start;
    while let Some(rest) = bytes.get(at..) {
        let size = httparse::parse_chunk_size(rest);
        let httparse::Status::Complete((line, size)) = size.ok().context("a bad chunk")? else {
            return Ok(None);
        };
        at += line + usize::try_from(size)? + 2;
        if size == 0 {
            return Ok((bytes.len() >= at).then_some(at));
        }
    }
    Ok(None)
}

fn value<'a>(head: &httparse::Response<'_, 'a>, name: &str) -> Option<&'a [u8]> {
    let header = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
    Some(header.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "HTTP/1.1 200 OK\r\nX-CSRF-Token: abc\r\n";

    fn check(rest: &str, body: &str) {
        let whole = format!("{HEAD}{rest}HTTP").into_bytes();
        let length = whole.len() - 4;
        for cut in 0..length {
            assert!(Answer::parse(&whole[..cut]).unwrap().is_none(), "{cut}");
            assert!(Brief::parse(&whole[..cut], Wanted::Token).unwrap().is_none(), "{cut}");
        }
        let answer = Answer::parse(&whole).unwrap().unwrap();
        assert_eq!((answer.status, answer.length), (200, length));
        assert_eq!(answer.body, body.as_bytes());
        let brief = Brief::parse(&whole, Wanted::Token).unwrap().unwrap();
        assert_eq!(
            (brief.status, brief.token.as_deref(), brief.length),
            (200, Some("abc"), length)
        );
        for (text, has) in [("ok", true), ("ko", false), ("X-CSRF", false)] {
            let brief = Brief::parse(&whole, Wanted::Text(text)).unwrap().unwrap();
            assert_eq!(brief.has_text, has, "{text}");
        }
    }

    #[test]
    fn an_answer_is_read_when_it_is_complete() {
        check("Content-Length: 2\r\n\r\nok", "ok");
        let chunks = "1\r\n.\r\n2\r\nok\r\n0\r\n\r\n";
        check(&format!("Transfer-Encoding: chunked\r\n\r\n{chunks}"), chunks);
    }

    #[test]
    fn an_answer_that_cannot_be_measured_is_a_fault() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        assert!(Brief::parse(bytes, Wanted::Token).is_err(), "no token");
        assert!(Answer::parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err(), "no length");
        assert!(Answer::parse(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().is_some());
    }
}
