//! A request's body, read once: size and time bounded, one JSON object or one form, parsed into
//! named values. What the values mean is for the handlers; the CSRF token is taken out here.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use portcullis_domain::csrf::BodyToken;
use portcullis_domain::text::steers;
use serde_json::{Map, Value};

use super::error::{Error, Fault};

/// How long a client may be silent while it sends a body.
const SILENCE: Duration = Duration::from_secs(10);
/// How long it may take to send the whole of one to us.
const DEADLINE: Duration = Duration::from_mins(1);
/// How deep JSON may nest; deeper is refused before it is built.
const MAX_DEPTH: usize = 32;
/// How many fields a form may have.
const MAX_FIELDS: usize = 256;

/// The fields of a body, whatever its type was.
#[derive(Default)]
pub struct Fields {
    values: Map<String, Value>,
    token: Option<BodyToken>,
}

/// Two fields, or the faults of both.
pub fn both<A, B>(first: Result<A, Fault>, second: Result<B, Fault>) -> Result<(A, B), Vec<Fault>> {
    match (first, second) {
        (Ok(first), Ok(second)) => Ok((first, second)),
        (first, second) => Err(first.err().into_iter().chain(second.err()).collect()),
    }
}

impl Fields {
    /// The text of a field; numbers and booleans are not text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(Value::as_str)
    }

    /// Whether the field is there at all.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The value as it came.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// The names of all fields.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// A fault for each field that is none of these, where a documented family refuses such (contract
    /// C36). The CSRF token is none of the fields.
    pub fn others_than(&self, known: &[&str]) -> Vec<Fault> {
        let others = self.names().filter(|name| !known.contains(name));
        let fault = |name: &str| {
            let name: String = name.chars().filter(|char| !steers(*char)).take(64).collect();
            Fault {
                field: "property",
                code: "invalid",
                detail: format!("{name} should not exist").into(),
            }
        };
        others.map(fault).collect()
    }

    /// Refuses a body with other fields, where a documented family does (contract C36).
    pub fn must_be_among(&self, known: &[&str]) -> Result<(), Error> {
        let others = self.others_than(known);
        if others.is_empty() { Ok(()) } else { Err(Error::Invalid(others)) }
    }

    /// Whether the field says yes: `true`, `1`, `yes` or `on`, which a ticked box sends.
    pub fn says_yes(&self, name: &str) -> bool {
        match self.values.get(name) {
            Some(Value::Bool(yes)) => *yes,
            Some(Value::Number(number)) => number.as_u64() == Some(1),
            Some(Value::String(text)) => {
                ["true", "1", "yes", "on"].iter().any(|word| text.eq_ignore_ascii_case(word))
            }
            Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => false,
        }
    }

    /// A text that must be there, not be empty, and not be longer than `max` characters.
    pub fn required(&self, name: &'static str, max: usize) -> Result<&str, Fault> {
        match self.values.get(name) {
            None | Some(Value::Null) => Err(Fault::required(name)),
            Some(Value::String(text)) if text.is_empty() => Err(Fault::required(name)),
            // No name, password or description of ours holds one, and PostgreSQL stores none.
            Some(Value::String(text)) if text.contains('\0') => {
                Err(Fault::invalid(name, "must not hold a NUL character"))
            }
            Some(Value::String(text)) if text.chars().count() > max => {
                Err(Fault::invalid(name, "is too long"))
            }
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(Fault::invalid(name, "must be a string")),
        }
    }

    /// A whole number that must be there: as JSON writes one, or in the digits of a form.
    pub fn integer(&self, name: &'static str) -> Result<i64, Fault> {
        let fault = || Fault::invalid(name, "must be an integer");
        match self.values.get(name) {
            None | Some(Value::Null) => Err(Fault::required(name)),
            Some(Value::Number(number)) => number.as_i64().ok_or_else(fault),
            Some(Value::String(text)) if text.is_empty() => Err(Fault::required(name)),
            Some(Value::String(text)) => whole_number(text).ok_or_else(fault),
            Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => Err(fault()),
        }
    }

    /// A text that may be absent; `null` is absent.
    pub fn optional(&self, name: &'static str, max: usize) -> Result<Option<&str>, Fault> {
        match self.values.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => self.required(name, max).map(Some),
        }
    }

    /// A whole number that may be absent; forms send it as text.
    pub fn number(&self, name: &'static str) -> Result<Option<i64>, Fault> {
        let number = match self.values.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) => whole_number(text),
            Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => None,
        };
        number.map(Some).ok_or_else(|| Fault::invalid(name, "must be a whole number"))
    }

    /// Yes or no, which may be absent; forms send it as text.
    pub fn flag(&self, name: &'static str) -> Result<Option<bool>, Fault> {
        let flag = match self.values.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Bool(flag)) => Some(*flag),
            Some(Value::String(text)) => text.to_ascii_lowercase().parse().ok(),
            Some(Value::Number(_) | Value::Array(_) | Value::Object(_)) => None,
        };
        flag.map(Some).ok_or_else(|| Fault::invalid(name, "must be a boolean"))
    }

    /// What was found where a CSRF token may stand.
    pub fn token(&self) -> BodyToken {
        self.token.clone().unwrap_or(BodyToken::None)
    }
}

/// A whole number in digits, with a minus sign where it is below zero: `parse` also takes a plus sign.
pub fn whole_number(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| text.parse().ok()).flatten()
}

/// The type of a body, as far as we read any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyType {
    /// No body was announced.
    Absent,
    /// `application/json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data`.
    Multipart,
    /// Anything else.
    Other,
}

/// What type the headers announce. Parameters such as a charset do not matter.
pub fn body_type(headers: &HeaderMap) -> BodyType {
    let Some(value) = headers.get(CONTENT_TYPE) else { return BodyType::Absent };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    match essence.to_ascii_lowercase().as_str() {
        "application/json" => BodyType::Json,
        "application/x-www-form-urlencoded" => BodyType::Form,
        "multipart/form-data" => BodyType::Multipart,
        _ => BodyType::Other,
    }
}

/// Reads at most `limit` bytes, waits for none longer than ten seconds and for all of them no
/// longer than a minute.
pub async fn read_bytes(body: Incoming, limit: u64) -> Result<Bytes, Error> {
    tokio::time::timeout(DEADLINE, read_pieces(body, limit)).await.map_err(|_| Error::Slow)?
}

async fn read_pieces(mut body: Incoming, limit: u64) -> Result<Bytes, Error> {
    let announced = http_body::Body::size_hint(&body).lower();
    if announced > limit {
        return Err(Error::TooLarge);
    }
    let mut bytes = BytesMut::new();
    loop {
        let frame = tokio::time::timeout(SILENCE, body.frame()).await.map_err(|_| Error::Slow)?;
        let Some(frame) = frame else { return Ok(bytes.freeze()) };
        let frame = frame.map_err(|_| Error::Malformed("body_broken_off"))?;
        if let Ok(data) = frame.into_data() {
            if bytes.len().saturating_add(data.len()) as u64 > limit {
                return Err(Error::TooLarge);
            }
            bytes.extend_from_slice(&data);
        }
    }
}

/// Parses the bytes of a body that was read whole.
pub async fn parse(headers: &HeaderMap, bytes: &Bytes) -> Result<Fields, Error> {
    if bytes.is_empty() {
        return Ok(Fields::default());
    }
    match body_type(headers) {
        BodyType::Json => parse_json(bytes),
        BodyType::Form => parse_form(bytes),
        BodyType::Multipart => parse_multipart(headers, bytes.clone()).await,
        BodyType::Absent | BodyType::Other => Err(Error::UnsupportedType),
    }
}

fn parse_json(bytes: &[u8]) -> Result<Fields, Error> {
    if depth(bytes) > MAX_DEPTH {
        return Err(Error::Malformed("json_too_deep"));
    }
    let mut object: UniqueObject =
        serde_json::from_slice(bytes).map_err(|_| Error::Malformed("bad_json"))?;
    // None of the fields, whatever it is.
    let token = object.values.remove("csrf_token");
    let token = match (object.repeated.iter().any(|name| name == "csrf_token"), token) {
        (true, _) => BodyToken::Several,
        (false, Some(Value::String(token))) => BodyToken::One(token),
        (false, _) => BodyToken::None,
    };
    // Two readers of one body must not see two different values.
    if object.repeated.iter().any(|name| name != "csrf_token") {
        return Err(Error::Malformed("repeated_key"));
    }
    Ok(Fields { values: object.values, token: Some(token) })
}

fn parse_form(bytes: &[u8]) -> Result<Fields, Error> {
    let mut fields = Fields::default();
    for (name, value) in form_urlencoded::parse(bytes) {
        add_field(&mut fields, name.into_owned(), value.into_owned())?;
    }
    Ok(fields)
}

async fn parse_multipart(headers: &HeaderMap, bytes: Bytes) -> Result<Fields, Error> {
    let unreadable = || Error::Malformed("bad_multipart");
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let boundary =
        multer::parse_boundary(content_type.unwrap_or_default()).map_err(|_| unreadable())?;
    let stream = futures_util::stream::iter([Ok::<_, std::io::Error>(bytes)]);
    let mut parts = multer::Multipart::new(stream, boundary);
    let mut fields = Fields::default();
    while let Some(part) = parts.next_field().await.map_err(|_| unreadable())? {
        let Some(name) = part.name().map(ToOwned::to_owned) else { continue };
        // Files are none of our fields; reading on skips their bytes.
        if part.file_name().is_none() {
            let value = part.text().await.map_err(|_| unreadable())?;
            add_field(&mut fields, name, value)?;
        }
    }
    Ok(fields)
}

fn add_field(fields: &mut Fields, name: String, value: String) -> Result<(), Error> {
    if fields.values.len() >= MAX_FIELDS {
        return Err(Error::Malformed("too_many_fields"));
    }
    if name == "csrf_token" {
        let differs = matches!(&fields.token, Some(BodyToken::One(first)) if *first != value);
        fields.token = Some(if differs { BodyToken::Several } else { BodyToken::One(value) });
        return Ok(());
    }
    if fields.values.contains_key(&name) {
        return Err(Error::Malformed("repeated_key"));
    }
    fields.values.insert(name, Value::String(value));
    Ok(())
}

/// How deep brackets nest, strings left out. Cheaper than building the value to find out.
fn depth(bytes: &[u8]) -> usize {
    let (mut deepest, mut now, mut in_string, mut escaped) = (0_usize, 0_usize, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                now += 1;
                deepest = deepest.max(now);
            }
            b'}' | b']' if !in_string => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// A JSON object that remembers which of its keys came twice.
struct UniqueObject {
    values: Map<String, Value>,
    repeated: Vec<String>,
}

impl<'de> serde::Deserialize<'de> for UniqueObject {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UniqueVisitor)
    }
}

struct UniqueVisitor;

impl<'de> serde::de::Visitor<'de> for UniqueVisitor {
    type Value = UniqueObject;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<UniqueObject, A::Error> {
        let mut object = UniqueObject { values: Map::new(), repeated: Vec::new() };
        while let Some((key, value)) = map.next_entry::<String, Value>()? {
            if object.values.insert(key.clone(), value).is_some() {
                object.repeated.push(key);
            }
        }
        Ok(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(content_type: &str, body: &str, expected: &str) {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        let found = match parse(&headers, &Bytes::copy_from_slice(body.as_bytes())).await {
            Err(error) => error.code().to_owned(),
            Ok(fields) => {
                let token = match fields.token() {
                    BodyToken::One(token) => token,
                    BodyToken::Several => "several".to_owned(),
                    BodyToken::None | BodyToken::NotLooked => "-".to_owned(),
                };
                assert!(!fields.has("csrf_token"), "it is none of the fields");
                format!("{} {token}", fields.text("a").unwrap_or("-"))
            }
        };
        assert_eq!(found, expected, "{content_type}: {body}");
    }

    #[test]
    fn whole_numbers_are_digits() {
        let check = |text, expected| assert_eq!(whole_number(text), expected, "{text:?}");
        check("0", Some(0));
        check("-7", Some(-7));
        check("9223372036854775807", Some(i64::MAX));
        for refused in [
            "",
            "-",
            "+7",
            " 7",
            "7 ",
            "7.0",
            "7e0",
            "--7",
            "-+7",
            "٧",
            "0x7",
            "9223372036854775808",
        ] {
            check(refused, None);
        }
    }

    #[tokio::test]
    async fn bodies() {
        let json = "application/json; charset=utf-8";
        let form = "application/x-www-form-urlencoded";
        let multipart = "multipart/form-data; boundary=x";
        check(json, r#"{"a":"1","csrf_token":"t"}"#, "1 t").await;
        check(json, r#"{"a":1}"#, "- -").await;
        check(json, r#"{"csrf_token":"t","csrf_token":"t"}"#, "- several").await;
        check(json, r#"{"csrf_token":7}"#, "- -").await;
        check(json, r#"{"a":"1","a":"2"}"#, "repeated_key").await;
        check(json, r#"["a"]"#, "bad_json").await;
        check(json, r#"{"a":"#, "bad_json").await;
        check(json, &format!("{}{}", "[".repeat(40), "]".repeat(40)), "json_too_deep").await;
        check(
            json,
            r#"{"a":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["}"#,
            &format!("{} -", "[".repeat(36)),
        )
        .await;
        check(form, "a=1&csrf_token=t", "1 t").await;
        check(form, "a=%E2%82%AC", "€ -").await;
        check(form, "csrf_token=t&csrf_token=u", "- several").await;
        check(form, "a=1&a=2", "repeated_key").await;
        let part = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--\r\n";
        check(multipart, part, "1 -").await;
        check(multipart, "nonsense", "bad_multipart").await;
        check("text/plain", r#"{"a":"1"}"#, "unsupported_type").await;
    }
}
