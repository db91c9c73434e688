//! What credential a request carries: exactly one, in exactly one spelling. An explicit credential
//! is never overridden by a cookie, and a bad one never falls back to a cookie.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use portcullis_domain::api_key;
use portcullis_domain::secret::Opaque;

use crate::web::cookies::CookieStyle;

/// The header of API keys.
pub const API_KEY_HEADER: HeaderName = HeaderName::from_static("x-api-key");

/// The one credential of a request.
pub enum Presented {
    /// None at all.
    Nothing,
    /// The session cookie.
    Cookie(Opaque),
    /// `Authorization: Bearer` with 64 lower-case hex digits.
    Bearer(Opaque),
    /// `Authorization: Bearer` with a compact JWS (RFC 7515, section 7.1).
    AccessToken(String),
    /// `X-API-Key` with `sk_` and 64 lower-case hex digits.
    ApiKey(Opaque),
    /// Something that is no credential of ours: 401.
    Unusable(&'static str),
    /// More than one, or a header that cannot be read in one way: 400.
    Malformed(&'static str),
    /// Two session cookies that differ: somebody tossed one in.
    Tossed,
}

/// Reads the credential out of the headers.
pub fn present(headers: &HeaderMap, cookies: &CookieStyle) -> Presented {
    let mut authorizations = headers.get_all(AUTHORIZATION).iter();
    let authorization = authorizations.next();
    if authorizations.next().is_some() {
        return Presented::Malformed("several_credentials");
    }
    let mut keys = headers.get_all(API_KEY_HEADER).iter();
    match (authorization, keys.next()) {
        (Some(_), Some(_)) => Presented::Malformed("several_credentials"),
        (None, Some(_)) if keys.next().is_some() => Presented::Malformed("several_credentials"),
        (Some(value), None) => {
            value.to_str().map_or(Presented::Malformed("bad_authorization"), bearer)
        }
        (None, Some(value)) => {
            let key = value.to_str().ok().and_then(api_key::parse);
            key.map_or(Presented::Unusable("credential_unknown"), Presented::ApiKey)
        }
        (None, None) => session_cookie(headers, cookies),
    }
}

/// The same where an API key may also come as the password of HTTP Basic: servers that ask after tokens
/// know no other way (RFC 6749, section 2.3.1). Whatever stands as the name is not looked at.
pub fn present_or_basic(headers: &HeaderMap, cookies: &CookieStyle) -> Presented {
    let presented = present(headers, cookies);
    if let Presented::Unusable(_) = presented {
        return basic_key(headers).map_or(presented, Presented::ApiKey);
    }
    presented
}

/// RFC 7617. There is one header of this name, or the request is not understood at all.
fn basic_key(headers: &HeaderMap) -> Option<Opaque> {
    let (scheme, encoded) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (_, password) = decoded.split_once(':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| api_key::parse(password))?
}

/// RFC 6750, section 2.1. Only the scheme's case is free.
fn bearer(value: &str) -> Presented {
    let Some((scheme, token)) = value.split_once(' ') else {
        return Presented::Unusable("credential_unknown");
    };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Presented::Unusable("credential_unknown");
    }
    if let Some(opaque) = Opaque::parse(token) {
        return Presented::Bearer(opaque);
    }
    let looks_like_jws = token.len() <= 4096 && token.split('.').count() == 3;
    if looks_like_jws {
        Presented::AccessToken(token.to_owned())
    } else {
        Presented::Unusable("credential_unknown")
    }
}

fn session_cookie(headers: &HeaderMap, cookies: &CookieStyle) -> Presented {
    let mut values = cookies.session_values(headers);
    let Some(first) = values.next() else { return Presented::Nothing };
    if values.any(|other| other != first) {
        return Presented::Tossed;
    }
    match Opaque::parse(first) {
        Some(opaque) => Presented::Cookie(opaque),
        None => Presented::Unusable("session_unknown"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Cookies, Profile};

    fn check(lines: &[(&'static str, &str)], expected: &str) {
        check_as(present, lines, expected);
    }

    fn check_as(
        read: impl Fn(&HeaderMap, &CookieStyle) -> Presented,
        lines: &[(&'static str, &str)],
        expected: &str,
    ) {
        let style = CookieStyle::new(&Cookies { profile: Profile::Compat, domain: None }, false);
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        let found = match read(&headers, &style) {
            Presented::Nothing => "nothing",
            Presented::Cookie(_) => "cookie",
            Presented::Bearer(_) => "bearer",
            Presented::AccessToken(_) => "access token",
            Presented::ApiKey(_) => "key",
            Presented::Unusable(code) | Presented::Malformed(code) => code,
            Presented::Tossed => "tossed",
        };
        assert_eq!(found, expected, "{lines:?}");
    }

    #[test]
    fn one_credential_in_one_spelling() {
        let hex = "0f".repeat(32);
        let upper = "0F".repeat(32);
        let bearer = |token: &str| format!("Bearer {token}");
        check(&[], "nothing");
        check(&[("authorization", &bearer(&hex))], "bearer");
        check(&[("authorization", &format!("bEaReR {hex}"))], "bearer");
        check(&[("authorization", &bearer(&upper))], "credential_unknown");
        check(&[("authorization", &bearer(&hex[1..]))], "credential_unknown");
        check(&[("authorization", &bearer(&format!("{hex}0")))], "credential_unknown");
        check(&[("authorization", &format!("Bearer  {hex}"))], "credential_unknown");
        check(&[("authorization", "Basic YTpi")], "credential_unknown");
        check(&[("authorization", &bearer("a.b.c"))], "access token");
        check(&[("authorization", &bearer(&hex)), ("authorization", "x")], "several_credentials");
        check(&[("authorization", &bearer(&hex)), ("x-api-key", "x")], "several_credentials");
        check(&[("x-api-key", "x")], "credential_unknown");
        let key = format!("sk_{hex}");
        check(&[("x-api-key", &key)], "key");
        check(&[("X-Api-Key", &key)], "key");
        check(&[("x-api-key", &key), ("cookie", &format!("sessionid={hex}"))], "key");
        check(&[("x-api-key", &hex)], "credential_unknown");
        check(&[("x-api-key", &format!("sk_{upper}"))], "credential_unknown");
        check(&[("x-api-key", &key.to_uppercase())], "credential_unknown");
        check(&[("x-api-key", &format!("{key}, {key}"))], "credential_unknown");
        check(&[("x-api-key", &key), ("x-api-key", &key)], "several_credentials");
        check(&[("x-api-key", &key), ("x-api-key", "")], "several_credentials");
        check(&[("authorization", &bearer(&key))], "credential_unknown");
        check(&[("authorization", "Basic YTpi"), ("x-api-key", &key)], "several_credentials");
        check(&[("cookie", &format!("sessionid={hex}"))], "cookie");
        check(&[("cookie", "sessionid=chosen")], "session_unknown");
        check(&[("cookie", &format!("sessionid={hex}; sessionid={hex}"))], "cookie");
        check(&[("cookie", &format!("sessionid={hex}; sessionid={upper}"))], "tossed");
        let both = [("authorization", "Bearer x"), ("cookie", &*format!("sessionid={hex}"))];
        check(&both, "credential_unknown");
    }

    #[test]
    fn a_key_as_a_password_has_one_spelling_too() {
        let key = format!("sk_{}", "0f".repeat(32));
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        let check = |lines: &[(&'static str, &str)], expected: &str| {
            check_as(present_or_basic, lines, expected);
        };
        for name in ["a", "", "sk_0f0f0f0f0", "\u{e9}"] {
            check(&[("authorization", &basic(&format!("{name}:{key}")))], "key");
        }
        let good = basic(&format!("a:{key}"));
        check(&[("authorization", &good.replace("Basic", "bASIC"))], "key");
        check_as(present, &[("authorization", &good)], "credential_unknown");
        for pair in [key.as_str(), &format!("{key}:"), &format!("a:{key} "), &format!("a:b:{key}")]
        {
            check(&[("authorization", &basic(pair))], "credential_unknown");
        }
        for other in [good.replace("Basic", "Bearer"), good.replace(' ', "  "), format!("{good}=")]
        {
            check(&[("authorization", &other)], "credential_unknown");
        }
        check(&[("authorization", &good), ("x-api-key", &key)], "several_credentials");
        check(&[("authorization", &good), ("authorization", &good)], "several_credentials");
        // Everything else is as it always is.
        let hex = "0f".repeat(32);
        check(&[], "nothing");
        check(&[("authorization", &format!("Bearer {hex}"))], "bearer");
        check(&[("x-api-key", &key)], "key");
        check(&[("cookie", "sessionid=chosen")], "session_unknown");
    }
}
