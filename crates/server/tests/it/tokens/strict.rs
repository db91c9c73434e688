//! A34, A35 and A38–A44 for access tokens, and the vulnerabilities of other libraries (peers D4, 60 and 61). Each refusal is of a token
//! whose signature is good, or would be to a lenient reader, and has a control.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Forger, claims, encode, part, token, verdict};
use crate::harness::people::{AGENT, STAFF};
use crate::harness::{Setup, TestApp, on_each_database, on_each_database_with};

const INVALID: &str = "401 access_token_invalid";

async fn check(server: &TestApp, what: &str, token: &str) {
    assert_eq!(verdict(server, token).await, INVALID, "{what}: {token}");
}

#[tokio::test]
async fn a34_a35_a_token_counts_in_one_header_alone() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let good = token(server, &STAFF).await;
        let client = server.client();
        let me = || client.get(super::ME);
        let bearer = format!("Bearer {good}");
        for (name, value) in
            [("authorization", &bearer), ("Authorization", &format!("bEARER {good}"))]
        {
            assert_eq!(me().header(name, value).send().await.status, 200, "control: {value}");
        }
        for (name, value, expected) in [
            ("authorization", format!("Bearer  {good}"), INVALID),
            ("authorization", format!("Bearer {good}, {good}"), "401 credential_unknown"),
            ("authorization", format!("JWT {good}"), "401 credential_unknown"),
            ("authorization", good.clone(), "401 credential_unknown"),
            ("cookie", format!("sessionid={good}"), "401 session_unknown"),
            ("cookie", format!("access_token={good}"), "401 credential_missing"),
            ("x-access-token", good.clone(), "401 credential_missing"),
            ("x-api-key", good.clone(), "401 credential_unknown"),
        ] {
            assert_eq!(
                me().header(name, &value).send().await.verdict(),
                expected,
                "{name}: {value}"
            );
        }
        let twice = me().header("authorization", &bearer).header("authorization", &bearer);
        assert_eq!(twice.send().await.verdict(), "400 several_credentials");
        let asked = server.client();
        let asked = asked.get(&format!("{}?access_token={good}&token={good}", super::ME));
        assert_eq!(asked.send().await.verdict(), "401 credential_missing");
    })
    .await;
}

#[tokio::test]
async fn a39_no_algorithm_but_the_keys_own() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let forger = Forger::with_key_of(server).await;
        let good = token(server, &STAFF).await;
        assert_eq!(verdict(server, &good).await, "200", "control");
        let (header, said) = (part(&good, 0), part(&good, 1));
        assert_eq!(verdict(server, &forger.sign(&header, &said)).await, "200", "control");
        for alg in ["none", "None", "NONE", "nOnE", "HS256", "HS512", "RS256", "ES256", "PS256", ""]
        {
            let header = header.replace("EdDSA", alg);
            check(server, alg, &forger.sign(&header, &said)).await;
            check(server, alg, &format!("{}.{}.AA", encode(&header), encode(&said))).await;
        }
        let signed = format!("{}.{}", encode(&header.replace("EdDSA", "none")), encode(&said));
        let unsigned = format!("{signed}.");
        assert_eq!(verdict(server, &unsigned).await.split(' ').next(), Some("401"));
        check(
            server,
            "a signature of nothing",
            &format!("{}.{}.AA", encode(&header), encode(&said)),
        )
        .await;
        // The public key, which everybody has, as the secret of an HMAC.
        let keys = server.client().get("/.well-known/jwks.json").send().await;
        for key in [keys.text().into_bytes(), keys.json()["keys"][0]["x"].to_string().into_bytes()]
        {
            let signed = format!("{}.{}", encode(&header.replace("EdDSA", "HS256")), encode(&said));
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes());
            let tag = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(tag.as_ref());
            check(server, "HS256 by the public key", &format!("{signed}.{tag}")).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a40_no_key_but_ours_and_nobody_is_asked_for_one() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let forger = Forger::with_key_of(server).await;
        let good = token(server, &STAFF).await;
        let (header, said) = (part(&good, 0), part(&good, 1));
        assert_eq!(verdict(server, &forger.sign(&header, &said)).await, "200", "control");
        let theirs = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys.json", theirs.local_addr().unwrap());
        let kid = forger.kid.as_str();
        for kid in ["../../dev/null", "' or 1=1 --", "http://x", "", "AAAAAAAAAAA", "*"] {
            check(server, kid, &forger.sign(&header.replace(&forger.kid, kid), &said)).await;
        }
        let with = |member: &str| header.replace('}', &format!(",{member}}}"));
        let key = json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": "AA"});
        for member in [
            format!(r#""jku":"{url}""#),
            format!(r#""x5u":"{url}""#),
            format!(r#""jwk":{key}"#),
            format!(r#""cwk":{key}"#),
            r#""x5c":["AA"]"#.to_owned(),
            r#""crit":["exp"]"#.to_owned(),
            r#""crit":["b64"],"b64":false"#.to_owned(),
            r#""b64":true"#.to_owned(),
            r#""zip":"DEF""#.to_owned(),
            r#""enc":"A256GCM""#.to_owned(),
            r#""cty":"JWT""#.to_owned(),
        ] {
            check(server, &member, &forger.sign(&with(&member), &said)).await;
        }
        let asked = tokio::time::timeout(Duration::from_millis(200), theirs.accept()).await;
        assert!(asked.is_err(), "somebody asked for a key");
    })
    .await;
}

#[tokio::test]
async fn a41_claims_count_only_as_we_write_them() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let forger = Forger::with_key_of(server).await;
        let good = token(server, &STAFF).await;
        let (header, said) = (forger.header(), claims(&good));
        let now = server.app.clock.now().secs();
        let with = |name: &str, value: Value| {
            let mut said = said.clone();
            said[name] = value;
            forger.sign(&header, &said.to_string())
        };
        assert_eq!(verdict(server, &with("role", json!("other"))).await, "200", "control");
        for (name, value) in [
            ("exp", json!((now + 60).to_string())),
            ("exp", json!(1e308)),
            ("exp", json!(null)),
            ("exp", json!(now + 90_000)),
            ("iat", json!(now + 120)),
            ("nbf", json!(now + 120)),
            ("nbf", json!(-1)),
            ("aud", json!("https://other.example")),
            ("aud", json!([said["aud"]])),
            ("iss", json!("https://other.example")),
            ("sub", json!("")),
            ("sid", json!("sess_")),
            ("jti", json!("7")),
            ("admin", json!(true)),
        ] {
            check(server, name, &with(name, value)).await;
        }
        for name in ["exp", "iat", "nbf", "iss", "aud", "sub", "sid", "jti"] {
            let mut without = said.clone();
            without.as_object_mut().unwrap().remove(name);
            check(server, name, &forger.sign(&header, &without.to_string())).await;
        }
        for typ in ["JWT", "fwd+jwt", "application/at+jwt", "AT+JWT", ""] {
            let header = header.replace("at+jwt", typ);
            check(server, typ, &forger.sign(&header, &said.to_string())).await;
        }
        // Whoever has the key still needs a token that was given out, of that session and that user.
        for (name, value) in [
            ("jti", json!("0".repeat(32))),
            ("sid", json!(format!("sess_{}", "0".repeat(24)))),
            ("sub", json!("0198c0de-0000-7000-8000-000000000001")),
        ] {
            let forged = with(name, value);
            assert_eq!(verdict(server, &forged).await, "401 credential_unknown", "{name}");
        }
        server.advance(Duration::from_hours(24));
        assert_eq!(verdict(server, &good).await, "401 access_token_expired");
    })
    .await;
}

#[tokio::test]
async fn a41_what_an_application_is_told_opens_no_door_of_ours() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&STAFF).await;
        browser.get("/page").send().await;
        let seen = server.upstream.last();
        let assertion = seen.headers["x-auth-assertion"].to_str().unwrap();
        assert!(part(assertion, 0).contains("fwd+jwt"));
        check(server, "an assertion", assertion).await;
        // Not even under the header of an access token.
        let good = token(server, &STAFF).await;
        assert_eq!(verdict(server, &good).await, "200", "control");
        let mut parts: Vec<&str> = assertion.split('.').collect();
        parts[0] = good.split('.').next().unwrap();
        check(server, "under another header", &parts.join(".")).await;
    })
    .await;
}

#[tokio::test]
async fn a42_a_token_has_one_spelling() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let forger = Forger::with_key_of(server).await;
        let good = token(server, &STAFF).await;
        assert_eq!(verdict(server, &good).await, "200", "control, and remembered from now on");
        let parts: Vec<&str> = good.split('.').collect();
        let [header, said, signature] = parts[..] else { panic!("{good}") };
        // 64 bytes: the last of 86 characters has four bits to spare.
        let mut spare = signature.to_owned();
        let last = spare.pop().unwrap();
        let next = char::from(u8::try_from(last).unwrap() + 1);
        for (what, other) in [
            ("padded", format!("{header}.{said}.{signature}==")),
            ("bits to spare", format!("{header}.{said}.{spare}{next}")),
            ("a padded header", format!("{header}=.{said}.{signature}")),
            ("a fourth part", format!("{header}.{said}.{signature}.")),
            ("a part inside", format!("{header}..{said}.{signature}")),
            ("a byte more", format!("{header}.{said}.{signature}A")),
            ("white space", format!("{header}.{said}. {signature}")),
        ] {
            let verdict = verdict(server, &other).await;
            assert!(verdict.starts_with("401 "), "{what}: {verdict}");
        }
        // Signed as it is spelled, so that the signature is no obstacle.
        let (own, json) = (forger.header(), claims(&good).to_string());
        assert_eq!(verdict(server, &forger.sign(&own, &json)).await, "200", "control");
        let marked = forger.sign(&own, &json.replace("owner", "??????"));
        assert_eq!(verdict(server, &marked).await, "200", "control");
        let padded = format!("{json}{}", " ".repeat((4 - json.len() % 3) % 3));
        for (what, part) in [
            ("padding", URL_SAFE.encode(format!("{padded} "))),
            ("the other alphabet", STANDARD_NO_PAD.encode(json.replace("owner", "??????"))),
        ] {
            let is_other = part.contains(['=', '+', '/']);
            assert!(is_other, "{what}: {part}");
            check(server, what, &forger.sign_parts(&encode(&own), &part)).await;
        }
        check(server, "white space in the header", &forger.sign(&format!(" {own}"), &json)).await;
        let spaced = own.replace(',', ", ");
        check(server, "another header of the same members", &forger.sign(&spaced, &json)).await;
    })
    .await;
}

#[tokio::test]
async fn a43_no_member_is_there_twice() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        server.add(&AGENT).await;
        let forger = Forger::with_key_of(server).await;
        let good = token(server, &AGENT).await;
        let (header, said) = (forger.header(), claims(&good).to_string());
        assert_eq!(verdict(server, &forger.sign(&header, &said)).await, "200", "control");
        for member in [r#""sub":"x""#, r#""exp":4102444800"#, r#""\u0065xp":4102444800"#] {
            let first = said.replacen('{', &format!("{{{member},"), 1);
            check(server, member, &forger.sign(&header, &first)).await;
        }
        for member in [r#""alg":"none""#, r#""kid":"x""#, r#""typ":"JWT""#] {
            let first = header.replacen('{', &format!("{{{member},"), 1);
            check(server, member, &forger.sign(&first, &said)).await;
            let last = header.replace('}', &format!(",{member}}}"));
            check(server, member, &forger.sign(&last, &said)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a44_a_long_token_is_not_looked_at() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let forger = Forger::with_key_of(server).await;
        let good = token(server, &STAFF).await;
        let mut said = claims(&good);
        said["role"] = json!("r".repeat(2_000));
        assert_eq!(verdict(server, &forger.sign(&forger.header(), &said.to_string())).await, "200");
        said["role"] = json!("r".repeat(4_000));
        let long = forger.sign(&forger.header(), &said.to_string());
        assert_eq!(verdict(server, &long).await, "401 credential_unknown");
    })
    .await;
}

#[tokio::test]
async fn d4_60_tokens_that_share_their_claims_never_mix() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        server.add(&AGENT).await;
        let (one, two) = (token(server, &STAFF).await, token(server, &AGENT).await);
        for _ in 0..2 {
            for (token, email) in [(&one, STAFF.email), (&two, AGENT.email)] {
                let answer = server.client().bearer(token).get(super::ME).send().await;
                assert_eq!(answer.json()["email"], email);
            }
        }
        // All but the last part of one, remembered as good, with the signature of the other.
        let (signed, _) = one.rsplit_once('.').unwrap();
        let (_, signature) = two.rsplit_once('.').unwrap();
        check(server, "another's signature", &format!("{signed}.{signature}")).await;
        let mut parts: Vec<&str> = one.split('.').collect();
        parts[1] = two.split('.').nth(1).unwrap();
        check(server, "another's claims", &parts.join(".")).await;
    })
    .await;
}

#[tokio::test]
async fn a38_revoking_does_not_care_how_a_signature_is_spelled() {
    let setup = Setup::with("[tokens]\nsigning = \"ES256\"");
    on_each_database_with(setup, async |server| {
        server.add(&STAFF).await;
        let good = token(server, &STAFF).await;
        let other = negated(&good);
        assert_ne!(good, other);
        // Both are signatures of the key, as the standard has it.
        assert_eq!(verdict(server, &good).await, "200", "control");
        assert_eq!(verdict(server, &other).await, "200", "control");
        let answer = server.client().bearer(&other).post("/api/auth/logout").send().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        for token in [&good, &other] {
            assert_eq!(verdict(server, token).await, "401 session_ended");
        }
    })
    .await;
}

/// The same token with the other signature that ECDSA takes for it: n - s in the place of s.
fn negated(token: &str) -> String {
    const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = engine.decode(signature).unwrap();
    let order = hex::decode(ORDER).unwrap();
    let mut borrow = 0_i16;
    for at in (0..32).rev() {
        let difference = i16::from(order[at]) - i16::from(bytes[32 + at]) - borrow;
        borrow = i16::from(difference < 0);
        bytes[32 + at] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    format!("{signed}.{}", engine.encode(bytes))
}
