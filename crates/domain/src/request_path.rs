//! The one canonical reading of a request target.
//!
//! Not a repair shop: what two programs could read differently is refused, so that the bytes a rule
//! decided on are the bytes that the upstream receives. The query is carried along and never
//! matched.

use std::fmt;

/// Why a request target was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    #[error("A path starts with a slash.")]
    NotRooted,
    #[error("A path holds printable ASCII only, without '#' and '?'; write others as %XX.")]
    Byte,
    #[error("A backslash, plain or encoded, is not allowed in a path.")]
    Backslash,
    #[error("An encoded slash is not allowed in a path.")]
    EncodedSlash,
    #[error("Every % in a path is followed by two hex digits.")]
    Escape,
    #[error("An encoded control character is not allowed in a path.")]
    Control,
    #[error("Double encoding is not allowed in a path.")]
    DoubleEncoding,
    #[error("The decoded path must be UTF-8.")]
    Utf8,
    #[error("The segments . and .. are not allowed in a path.")]
    DotSegment,
    #[error("Two slashes in a row are not allowed in a path.")]
    EmptySegment,
    #[error("Parameters after a semicolon are not allowed in a path.")]
    Parameter,
    #[error("A query holds printable ASCII only, without '#'.")]
    Query,
}

/// A path in its canonical spelling: unreserved characters (RFC 3986 section 2.3) are not encoded,
/// all other escapes have upper-case digits, and there is nothing in it that a second decoding or a
/// second look at its dots could change.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestPath {
    canonical: String,
    /// All escapes decoded, for matching; absent when there are none. So `/a%21` and `/a!` are
    /// matched alike, though each is forwarded as it was spelled.
    decoded: Option<String>,
}

impl RequestPath {
    /// Reads a path without its query, from a request line or from the configuration.
    pub fn parse(raw: &str) -> Result<Self, PathFault> {
        if !raw.starts_with('/') {
            return Err(PathFault::NotRooted);
        }
        let canonical = canonicalised(raw)?;
        let decoded = if canonical.contains('%') { Some(decoded(&canonical)?) } else { None };
        check_segments(decoded.as_deref().unwrap_or(&canonical))?;
        Ok(Self { canonical, decoded })
    }

    /// The canonical spelling: what is forwarded and logged.
    pub fn as_str(&self) -> &str {
        &self.canonical
    }

    /// The decoded segments; a slash at the end makes no segment, and `/` has none.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.matched().split('/').skip(1)
    }

    /// Whether `target` is this path or lies below it by whole segments: `/admin` covers `/admin`,
    /// `/admin/` and `/admin/x`, not `/administrator`; `/` covers everything. Allocates nothing.
    pub fn covers(&self, target: &Self) -> bool {
        match target.matched().strip_prefix(self.matched()) {
            Some(rest) => rest.is_empty() || rest.starts_with('/'),
            None => false,
        }
    }

    /// The length by which a longer rule wins, in decoded bytes.
    pub(crate) fn depth(&self) -> usize {
        self.matched().len()
    }

    /// The decoded path without a slash at its end; empty for `/`.
    fn matched(&self) -> &str {
        let decoded = self.decoded.as_deref().unwrap_or(&self.canonical);
        decoded.strip_suffix('/').unwrap_or(decoded)
    }
}

impl fmt::Display for RequestPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.canonical)
    }
}

/// A request target in origin form (RFC 9112 section 3.2.1): a path and perhaps a query.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestTarget {
    path: RequestPath,
    query: Option<String>,
}

impl RequestTarget {
    /// Reads a raw request target; the query starts after the first `?`.
    pub fn parse(raw: &str) -> Result<Self, PathFault> {
        let (path, query) = match raw.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (raw, None),
        };
        let path = RequestPath::parse(path)?;
        let in_order = |byte| matches!(byte, 0x21..=0x7e) && byte != b'#';
        if !query.is_none_or(|query| query.bytes().all(in_order)) {
            return Err(PathFault::Query);
        }
        Ok(Self { path, query: query.map(str::to_owned) })
    }

    /// The path, which rules match.
    pub fn path(&self) -> &RequestPath {
        &self.path
    }

    /// The query as it came, without the `?`; `Some("")` when only the `?` came.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }
}

/// The target to forward: the canonical path and the query as it came.
impl fmt::Display for RequestTarget {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.path.canonical)?;
        match &self.query {
            Some(query) => write!(out, "?{query}"),
            None => Ok(()),
        }
    }
}

/// Checks every byte and every escape, and brings the escapes into canonical spelling.
fn canonicalised(raw: &str) -> Result<String, PathFault> {
    // Most paths are canonical as they come.
    if raw.bytes().all(is_plain) {
        return Ok(raw.to_owned());
    }
    let mut canonical = String::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let high = bytes.next().and_then(hex_value).ok_or(PathFault::Escape)?;
                let low = bytes.next().and_then(hex_value).ok_or(PathFault::Escape)?;
                push_escaped(&mut canonical, high << 4 | low)?;
            }
            b'\\' => return Err(PathFault::Backslash),
            b';' => return Err(PathFault::Parameter),
            b'#' | b'?' | 0..=0x20 | 0x7f.. => return Err(PathFault::Byte),
            _ => canonical.push(char::from(byte)),
        }
    }
    // Looked for at the end: `%25%32%66` is a double encoding only once its digits are decoded.
    let doubly = |rest: &str| rest.bytes().take(2).filter_map(hex_value).count() == 2;
    if canonical.split("%25").skip(1).any(doubly) {
        return Err(PathFault::DoubleEncoding);
    }
    Ok(canonical)
}

/// A byte that stands for itself in every path.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~')
}

fn push_escaped(canonical: &mut String, byte: u8) -> Result<(), PathFault> {
    match byte {
        b'/' => return Err(PathFault::EncodedSlash),
        b'\\' => return Err(PathFault::Backslash),
        b';' => return Err(PathFault::Parameter),
        0..=0x1f | 0x7f => return Err(PathFault::Control),
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            canonical.push(char::from(byte));
        }
        _ => canonical.extend(['%', hex_digit(byte >> 4), hex_digit(byte & 0x0f)]),
    }
    Ok(())
}

/// Decodes all escapes of a canonical path, whose escapes are known to be well formed.
fn decoded(canonical: &str) -> Result<String, PathFault> {
    let mut decoded = Vec::with_capacity(canonical.len());
    let mut bytes = canonical.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = bytes.next().and_then(hex_value).ok_or(PathFault::Escape)?;
            let low = bytes.next().and_then(hex_value).ok_or(PathFault::Escape)?;
            decoded.push(high << 4 | low);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).map_err(|_| PathFault::Utf8)
}

/// Refuses dot segments, and empty segments other than the one after a slash at the end.
fn check_segments(decoded: &str) -> Result<(), PathFault> {
    let is_suspicious = |pair: &[u8]| matches!(pair, b"//" | b"/.");
    if !decoded.as_bytes().windows(2).any(is_suspicious) {
        return Ok(());
    }
    if decoded.contains("//") {
        return Err(PathFault::EmptySegment);
    }
    let is_dots = |segment: &str| matches!(segment, "." | "..");
    if decoded.split('/').any(is_dots) { Err(PathFault::DotSegment) } else { Ok(()) }
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn hex_digit(value: u8) -> char {
    char::from_digit(u32::from(value), 16).unwrap_or_default().to_ascii_uppercase()
}

#[cfg(test)]
mod tests;
