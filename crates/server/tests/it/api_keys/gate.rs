//! Keys at the gate: one credential in one spelling, what the application is told, and forward-auth.

use base64::Engine as _;
use http::Method;

use super::{ask, program};
use crate::harness::people::{STAFF, Z1};
use crate::harness::{Setup, on_each_database, on_each_database_with};

#[tokio::test]
async fn a36_a_key_has_one_spelling_and_comes_alone() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let (client, _) = program(server, &Z1, &["read"]).await;
        let made =
            super::create(&server.mobile(&Z1).await, &serde_json::json!({"name": "k"})).await;
        let key = super::text(&made["key"]);
        let nobody = server.client();
        let token = server.mobile_token(&Z1).await;
        let bearer = format!("Bearer {token}");
        let check = async |lines: &[(&str, &str)], expected: &str| {
            let mut sending = nobody.get("/");
            for (name, value) in lines {
                sending = sending.header(name, value);
            }
            assert_eq!(sending.send().await.verdict(), expected, "{lines:?}");
        };
        check(&[("x-api-key", key)], "200").await;
        check(&[("X-Api-Key", key)], "200").await;
        check(&[("x-api-key", key), ("authorization", &bearer)], "400 several_credentials").await;
        check(&[("authorization", &bearer)], "200").await;
        check(&[("x-api-key", key), ("x-api-key", key)], "400 several_credentials").await;
        check(&[("x-api-key", &key.to_uppercase())], "401 credential_unknown").await;
        check(&[("x-api-key", &format!("SK_{}", &key[3..]))], "401 credential_unknown").await;
        check(&[("x-api-key", &key[3..])], "401 credential_unknown").await;
        check(&[("authorization", &format!("Bearer {key}"))], "401 credential_unknown").await;
        check(&[("authorization", &format!("Bearer {}", &key[3..]))], "401 credential_unknown")
            .await;
        check(&[("cookie", &format!("sessionid={}", &key[3..]))], "401 credential_unknown").await;
        // A good cookie beside a bad key does not count.
        let signed_in = server.sign_in(&Z1).await;
        let answer = signed_in.get("/").header("x-api-key", "sk_x").send().await;
        assert_eq!(answer.verdict(), "401 credential_unknown");
        assert_eq!(signed_in.get("/").send().await.status, 200, "control");
        assert_eq!(client.get("/").send().await.status, 200, "control");
    })
    .await;
}

#[tokio::test]
async fn the_application_is_told_who_it_is_and_never_the_key() {
    on_each_database(async |server| {
        let user = server.add(&Z1).await;
        let (client, id) = program(server, &Z1, &["write"]).await;
        let answer = client.post("/api/projects").header("x-api_key", "sk_other").send().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let seen = server.upstream.seen();
        let last = seen.last().unwrap();
        assert_eq!(last.headers["x-auth-user"], user.id.to_string());
        assert!(!last.headers.contains_key("x-api-key"), "{:?}", last.headers);
        assert!(!last.headers.contains_key("x-auth-csrf-token"), "a key needs none");
        let assertion = last.headers["x-auth-assertion"].to_str().unwrap();
        let claims = assertion.split('.').nth(1).unwrap();
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["sid"], id);
    })
    .await;
}

#[tokio::test]
async fn where_anyone_may_pass_a_key_that_may_not_do_it_is_nobody() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let (reader, _) = program(server, &Z1, &["read"]).await;
        for (method, is_named) in [(Method::GET, true), (Method::POST, false)] {
            let answer = ask(&reader, method.clone(), "/public/about").await;
            assert!(answer.status.is_success(), "{method}: {answer:?}");
            let seen = server.upstream.seen();
            let headers = &seen.last().unwrap().headers;
            assert_eq!(headers.contains_key("x-auth-user"), is_named, "{method}");
        }
    })
    .await;
}

#[tokio::test]
async fn forward_auth_decides_by_key_and_method() {
    let setup = Setup::with("[server]\ntrusted_proxies = [\"127.0.0.1\"]");
    on_each_database_with(setup, async |server| {
        server.add(&STAFF).await;
        let (reader, _) = program(server, &STAFF, &["read"]).await;
        let host = server.address.to_string();
        for (method, expected) in [("GET", "200"), ("POST", "403 scope_missing")] {
            let answer = reader
                .get("/forward-auth/caddy")
                .header("x-forwarded-method", method)
                .header("x-forwarded-uri", "/api/jobs")
                .header("x-forwarded-host", &host)
                .header("x-forwarded-proto", "http")
                .header("x-forwarded-for", "203.0.113.7")
                .send()
                .await;
            assert_eq!(answer.verdict(), expected, "{method}: {answer:?}");
            if method == "GET" {
                assert_eq!(answer.header("x-auth-email"), Some(STAFF.email));
                assert!(answer.header("x-auth-csrf-token").is_none());
            } else {
                assert_eq!(answer.header("x-auth-code"), Some("scope_missing"));
            }
        }
    })
    .await;
}
