//! What is told of one request, in the log and in its span, and how it is made harmless first: no
//! query, no path segment that may be a secret, no character that means something to a terminal.

use std::net::IpAddr;
use std::time::Duration;

use super::metrics::Surface;

/// One request.
pub(super) struct Line<'a> {
    pub(super) request_id: &'a str,
    pub(super) surface: Surface,
    pub(super) method: &'a str,
    /// As [`path`] makes it.
    pub(super) path: String,
    pub(super) status: u16,
    /// The reason code, if the gate itself refused.
    pub(super) code: Option<&'static str>,
    /// The gate's rule for the request.
    pub(super) rule: Option<&'a str>,
    pub(super) user: Option<i64>,
    pub(super) client: IpAddr,
    pub(super) took: Duration,
    /// Of the answer's body, if that is known when it begins.
    pub(super) bytes: Option<u64>,
}

/// Where the line is written; `RUST_LOG` can name it.
pub(super) const TARGET: &str = "portcullis::request";

impl Line<'_> {
    /// Writes it to the log.
    pub(super) fn log(&self) {
        tracing::info!(
            target: TARGET,
            request_id = self.request_id,
            surface = self.surface.word(),
            method = self.method,
            path = self.path,
            status = self.status,
            code = self.code,
            rule = self.rule,
            user = self.user,
            client = %self.client,
            duration_ms = self.milliseconds(),
            bytes = self.bytes,
        );
    }

    /// To the microsecond.
    fn milliseconds(&self) -> f64 {
        let microseconds = u32::try_from(self.took.as_micros()).unwrap_or(u32::MAX);
        f64::from(microseconds) / 1000.0
    }
}

/// What stands for a segment that may be a secret.
const MASKED: &str = "***";
/// Hexadecimal digits in a row that may be a secret.
const HEX_RUN: usize = 32;
/// Letters and digits in a row that may be one in another notation.
const TOKEN_RUN: usize = 40;
/// The longest path that is told, in characters.
const LONGEST: usize = 300;

/// A path to be told of, without its query. What is not plain ASCII is written as an escape.
pub fn path(raw: &str) -> String {
    let path = raw.split(['?', '#']).next().unwrap_or_default();
    let mut told = String::with_capacity(path.len());
    for (index, segment) in path.split('/').enumerate() {
        if index > 0 {
            told.push('/');
        }
        if may_be_secret(segment) {
            told.push_str(MASKED);
        } else {
            push_inert(&mut told, segment);
        }
        if told.len() > LONGEST {
            told.truncate(LONGEST);
            told.push_str("...");
            break;
        }
    }
    told
}

/// Whether a segment holds a long row of hexadecimal digits, or a longer one of letters and digits
/// together, whether or not they are percent-encoded.
fn may_be_secret(segment: &str) -> bool {
    if segment.len() < HEX_RUN {
        return false;
    }
    let (mut hex, mut token, mut letters, mut digits) = (0, 0, false, false);
    let mut rest = segment.as_bytes();
    while let Some((byte, after)) = next_decoded(rest) {
        rest = after;
        hex = if byte.is_ascii_hexdigit() { hex + 1 } else { 0 };
        let in_token = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
        if in_token {
            token += 1;
            letters |= byte.is_ascii_alphabetic();
            digits |= byte.is_ascii_digit();
        } else {
            (token, letters, digits) = (0, false, false);
        }
        if hex >= HEX_RUN || (token >= TOKEN_RUN && letters && digits) {
            return true;
        }
    }
    false
}

/// The next byte, percent-decoded once, and what follows it.
fn next_decoded(bytes: &[u8]) -> Option<(u8, &[u8])> {
    if let [b'%', high, low, rest @ ..] = bytes {
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        let decoded = digit(high).zip(digit(low)).map(|(high, low)| high * 16 + low);
        if let Some(byte) = decoded.and_then(|byte| u8::try_from(byte).ok()) {
            return Some((byte, rest));
        }
    }
    bytes.split_first().map(|(byte, rest)| (*byte, rest))
}

/// Letters, digits and signs as they are; everything else, such as a line feed or a mark that turns
/// the direction of writing, as an escape.
fn push_inert(told: &mut String, text: &str) {
    for c in text.chars() {
        if c.is_ascii_graphic() {
            told.push(c);
        } else {
            told.extend(c.escape_unicode());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_without_what_it_may_give_away() {
        let hex = "0123456789abcdef0123456789ABCDEF";
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
        let encoded = hex.bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02x}"));
        let long = "x".repeat(400);
        for (raw, expected) in [
            ("/", "/"),
            ("/api/jobs/17", "/api/jobs/17"),
            ("/api/jobs?token=secret", "/api/jobs"),
            ("/a#secret", "/a"),
            (&format!("/reset/{hex}/now"), "/reset/***/now"),
            (&format!("/reset/{hex}{hex}"), "/reset/***"),
            (&format!("/reset/x-{hex}"), "/reset/***"),
            (&format!("/reset/{encoded}"), "/reset/***"),
            (&format!("/magic/{token}"), "/magic/***"),
            // One digit less is no secret of ours.
            (&format!("/reset/{}", &hex[1..]), &format!("/reset/{}", &hex[1..])),
            (
                "/a-very-long-name-of-a-page-about-nothing-at-all",
                "/a-very-long-name-of-a-page-about-nothing-at-all",
            ),
            ("/a\nb", "/a\\u{a}b"),
            ("/a\u{202e}b\u{1b}[31m", "/a\\u{202e}b\\u{1b}[31m"),
            (&format!("/{long}"), &format!("/{}...", &long[..LONGEST - 1])),
        ] {
            assert_eq!(path(raw), expected, "{raw}");
        }
    }
}
