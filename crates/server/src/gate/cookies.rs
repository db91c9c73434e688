//! Cookies that cross the gate: ours do not reach the upstream, and the upstream cannot set them.
//!
//! Works on bytes, because an application's cookies need not be text. Names are compared exactly,
//! as servers must (RFC 6265bis): which names are ours follows from the active cookie profile.

use http::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};

/// Take the cookies named in `own` out of the request; the others go on in their order, in one
/// header line.
pub fn remove_own_cookies(headers: &mut HeaderMap, own: &[&str]) {
    let lines: Vec<HeaderValue> = headers.get_all(COOKIE).iter().cloned().collect();
    let is_own = |pair: &[u8]| own.iter().any(|own| own.as_bytes() == name_of(pair));
    let nothing_to_do = lines.len() <= 1 && !lines.iter().flat_map(pairs).any(is_own);
    if nothing_to_do {
        return;
    }
    let mut rest: Vec<u8> = Vec::new();
    for pair in lines.iter().flat_map(pairs).filter(|pair| !pair.is_empty() && !is_own(pair)) {
        if !rest.is_empty() {
            rest.extend_from_slice(b"; ");
        }
        rest.extend_from_slice(pair);
    }
    headers.remove(COOKIE);
    if let Ok(value) = HeaderValue::from_bytes(&rest)
        && !rest.is_empty()
    {
        headers.insert(COOKIE, value);
    }
}

/// Take out of an answer every `Set-Cookie` that a browser would send back to us under a name in
/// `own`; give the names found.
pub(super) fn remove_set_cookies(headers: &mut HeaderMap, own: &[&str]) -> Vec<String> {
    let own_name = |value: &HeaderValue| {
        let pair = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        own.iter().copied().find(|own| own.as_bytes() == name_of(pair.trim_ascii()))
    };
    let lines = headers.get_all(SET_COOKIE);
    let refused: Vec<String> = lines.iter().filter_map(own_name).map(String::from).collect();
    if !refused.is_empty() {
        let kept: Vec<HeaderValue> =
            lines.iter().filter(|value| own_name(value).is_none()).cloned().collect();
        headers.remove(SET_COOKIE);
        for value in kept {
            headers.append(SET_COOKIE, value);
        }
    }
    refused
}

fn pairs(line: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    line.as_bytes().split(|byte| *byte == b';').map(<[u8]>::trim_ascii)
}

/// The name under which a browser would send this pair, or a server read it.
///
/// A cookie without a name (`=sessionid=x`) is sent back as its bare value, `sessionid=x`, so a
/// leading `=` does not hide a name.
fn name_of(pair: &[u8]) -> &[u8] {
    let start = pair.iter().position(|byte| !matches!(byte, b'=' | b' ' | b'\t'));
    let pair = pair.get(start.unwrap_or(pair.len())..).unwrap_or_default();
    pair.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii()
}
