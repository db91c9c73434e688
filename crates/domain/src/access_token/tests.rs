//! One token has one spelling, and counts in one way.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::signing_key::Algorithm;
use crate::time::Time;

const NOW: Time = Time(1_795_309_323_000);
const ISSUER: &str = "https://gate.example";
const DAY: Duration = Duration::from_hours(24);

fn claims() -> Value {
    let now = NOW.secs();
    json!({
        "iss": ISSUER,
        "aud": ISSUER,
        "sub": "0198c0de-0000-7000-8000-000000000001",
        "sid": "sess_6b9d0c1f2e3a4b5c6d7e8f90",
        "jti": "0123456789abcdef0123456789abcdef",
        "iat": now,
        "nbf": now - 30,
        "exp": now + 86_400,
        "email": "ada@example.com",
        "role": "user",
        "organizationId": null,
    })
}

/// What becomes of claims at a time: read and counted.
fn judged(json: &str, now: Time) -> &'static str {
    let Some(claims) = Claims::parse(json.as_bytes()) else { return "unreadable" };
    match claims.count(ISSUER, DAY, now) {
        Ok(_) => "good",
        Err(NotCounted::Expired) => "expired",
        Err(NotCounted::NotOurs) => "not ours",
    }
}

#[test]
fn a41_claims_count_while_they_say_what_we_write() {
    let check = |name: &str, value: Value, expected: &str| {
        let mut claims = claims();
        claims[name] = value.clone();
        assert_eq!(judged(&claims.to_string(), NOW), expected, "{name} {value}");
    };
    let now = NOW.secs();
    assert_eq!(judged(&claims().to_string(), NOW), "good", "control");
    check("exp", json!(now + 1), "good");
    check("exp", json!(now), "not ours");
    check("exp", json!(now - 1), "not ours");
    check("exp", json!((now + 60).to_string()), "unreadable");
    check("exp", json!(1e308), "unreadable");
    check("exp", json!(1_795_309_383.5), "unreadable");
    check("exp", json!(null), "unreadable");
    check("exp", json!(-1), "not ours");
    check("exp", json!(i64::MAX), "not ours");
    check("exp", json!(u64::MAX), "unreadable");
    check("exp", json!(now + 86_401), "not ours");
    check("iat", json!(i64::MIN), "not ours");
    check("iat", json!(now + 60), "good");
    check("iat", json!(now + 61), "not ours");
    check("nbf", json!(now + 60), "good");
    check("nbf", json!(now + 61), "not ours");
    check("nbf", json!(-1), "not ours");
    check("nbf", json!("0"), "unreadable");
    check("aud", json!("https://other.example"), "not ours");
    check("aud", json!([ISSUER]), "unreadable");
    check("iss", json!("https://gate.example/"), "not ours");
    check("iss", json!(""), "not ours");
    check("sub", json!(""), "not ours");
    check("sub", json!(7), "unreadable");
    check("sid", json!("sess_6B9D0C1F2E3A4B5C6D7E8F90"), "not ours");
    check("jti", json!("0123456789abcdef"), "not ours");
    check("jti", json!("0123456789ABCDEF0123456789ABCDEF"), "not ours");
    check("admin", json!(true), "unreadable");
    for name in ["iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp", "email", "role"] {
        let mut without = claims();
        without.as_object_mut().unwrap().remove(name);
        assert_eq!(judged(&without.to_string(), NOW), "unreadable", "without {name}");
    }
}

#[test]
fn a41_no_leeway_lengthens_a_life() {
    let text = claims().to_string();
    let check = |after: Duration, expected: &str| {
        assert_eq!(judged(&text, NOW.plus(after)), expected, "{after:?}");
    };
    check(DAY.saturating_sub(Duration::from_secs(1)), "good");
    check(DAY, "expired");
    assert_eq!(judged(&text, NOW.minus(Duration::from_mins(1))), "good", "a clock that is behind");
    assert_eq!(judged(&text, NOW.minus(Duration::from_secs(61))), "not ours");
}

#[test]
fn a43_a_member_that_is_there_twice_makes_claims_unreadable() {
    let text = claims().to_string();
    assert_eq!(judged(&text, NOW), "good", "control");
    for twice in [r#""sub":"x""#, r#""exp":9999999999"#, r#""organizationId":null"#] {
        for double in [text.replacen('{', &format!("{{{twice},"), 1), {
            let mut text = text.clone();
            text.truncate(text.len() - 1);
            format!("{text},{twice}}}")
        }] {
            assert_eq!(judged(&double, NOW), "unreadable", "{double}");
        }
    }
    // The same name in other letters of JSON.
    let escaped = text.replacen('{', r#"{"\u0073ub":"x","#, 1);
    assert_eq!(judged(&escaped, NOW), "unreadable");
    assert_eq!(judged(&format!("{text} {text}"), NOW), "unreadable");
    assert_eq!(judged("[]", NOW), "unreadable");
    assert_eq!(judged("", NOW), "unreadable");
}

#[test]
fn a_header_has_exactly_three_members_in_one_spelling() {
    let part = |json: &str| encode(json.as_bytes());
    let check = |part: &str, expected: Option<&str>| {
        let header = Header::parse(part);
        assert_eq!(header.as_ref().map(Header::kid), expected, "{part}");
    };
    let good = r#"{"alg":"EdDSA","typ":"at+jwt","kid":"0123456789-"}"#;
    check(&part(good), Some("0123456789-"));
    for algorithm in Algorithm::ALL {
        let written = Header::new(algorithm, Kind::Access, "0123456789-").to_part();
        check(&written, Some("0123456789-"));
    }
    check(&Header::new(Algorithm::EdDsa, Kind::Assertion, "0123456789-").to_part(), None);
    for other in [
        // A39.
        good.replace("EdDSA", "none"),
        good.replace("EdDSA", "nOnE"),
        good.replace("EdDSA", "HS256"),
        // A40.
        good.replace("0123456789-", "../../dev/null"),
        good.replace("0123456789-", "' or 1=1 --"),
        good.replace("0123456789-", "0123456789"),
        good.replace('}', r#","jku":"http://127.0.0.1/keys"}"#),
        good.replace('}', r#","x5u":"http://127.0.0.1/keys"}"#),
        good.replace('}', r#","jwk":{"kty":"OKP"}}"#),
        good.replace('}', r#","cwk":{"kty":"OKP"}}"#),
        good.replace('}', r#","crit":["exp"]}"#),
        good.replace('}', r#","crit":["b64"],"b64":false}"#),
        good.replace('}', r#","zip":"DEF"}"#),
        good.replace('}', r#","enc":"A256GCM"}"#),
        good.replace("at+jwt", "JWT"),
        good.replace("at+jwt", "application/at+jwt"),
        good.replace("at+jwt", "AT+JWT"),
        // Two ways to read it, or two ways to write it.
        good.replacen('{', r#"{"alg":"none","#, 1),
        good.replacen('{', r#"{"kid":"0123456789-","#, 1),
        good.replacen("alg", r"\u0061lg", 1),
        good.replace(',', ", "),
        good.replace("EdDSA", r"Ed\u0044SA"),
        r#"{"typ":"at+jwt","alg":"EdDSA","kid":"0123456789-"}"#.to_owned(),
        r#"{"alg":"EdDSA","kid":"0123456789-"}"#.to_owned(),
        format!(" {good}"),
        format!("{good}\n"),
        "{}".to_owned(),
        "[]".to_owned(),
    ] {
        check(&part(&other), None);
    }
}

#[test]
fn a42_a_part_has_one_spelling() {
    // Two bytes: the last character has two bits to spare.
    assert_eq!(decode("AAE").as_deref(), Some(&[0, 1][..]), "control");
    assert_eq!(decode("-_-_").as_deref(), Some(&[0xfb, 0xff, 0xbf][..]), "control");
    for other in ["AAE=", "AAF", "AAG", "AAH", "+/+/", "AA E", " AAE", "AAE\n", "A", "AAE!", "ÄAE"]
    {
        assert_eq!(decode(other), None, "{other}");
    }
}

#[test]
fn a_token_has_three_parts_and_an_end() {
    let check = |token: &str, expected: bool| {
        assert_eq!(Compact::parse(token).is_some(), expected, "{token:.40}");
    };
    check("a.b.c", true);
    for other in ["", ".", "..", "a.b", "a..c", ".b.c", "a.b.", "a.b.c.d", "a.b.c.d.e"] {
        check(other, false);
    }
    check(&format!("a.{}.c", "b".repeat(MAX_BYTES - 4)), true);
    check(&format!("a.{}.c", "b".repeat(MAX_BYTES - 3)), false);
    let parts = Compact::parse("a.b.c").unwrap();
    assert_eq!((parts.signed, parts.header, parts.claims, parts.signature), ("a.b", "a", "b", "c"));
}

proptest! {
    /// Whatever is read as a header is what would be written.
    #[test]
    fn a_header_is_read_only_as_it_is_written(part in "[A-Za-z0-9_=+/-]{0,90}") {
        if let Some(header) = Header::parse(&part) {
            prop_assert_eq!(header.to_part(), part);
        }
    }

    #[test]
    fn a_part_that_is_read_is_written_alike(part in "[A-Za-z0-9_=+/ -]{0,40}") {
        if let Some(bytes) = decode(&part) {
            prop_assert_eq!(encode(&bytes), part);
        }
    }

    #[test]
    fn nothing_that_is_sent_is_read_in_two_ways(token in "\\PC{0,60}") {
        if let Some(parts) = Compact::parse(&token) {
            prop_assert_eq!(format!("{}.{}", parts.signed, parts.signature), token.clone());
            prop_assert_eq!(format!("{}.{}", parts.header, parts.claims), parts.signed);
        }
    }

    #[test]
    fn one_changed_byte_of_a_header_makes_another(at in 0_usize..70, byte in any::<u8>()) {
        let part = Header::new(Algorithm::EdDsa, Kind::Access, "0123456789-").to_part();
        let mut bytes = part.clone().into_bytes();
        if let Some(there) = bytes.get_mut(at) {
            *there = byte;
        }
        let Ok(changed) = String::from_utf8(bytes) else { return Ok(()) };
        let kid = Header::parse(&changed).map(|header| header.kid().to_owned());
        prop_assert!(changed == part || kid.is_none_or(|kid| kid != "0123456789-"));
    }
}
