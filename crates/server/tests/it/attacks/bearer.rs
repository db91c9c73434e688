//! A34–A37: explicit credentials in one spelling, in one place, one at a time.

use http::Method;
use serde_json::json;

use super::{JOBS, reaches, refused};
use crate::harness::client::Answer;
use crate::harness::on_each_database;
use crate::harness::people::STAFF;

const CHALLENGE: &str = "Bearer realm=\"auth\"";
const INVALID: &str = "Bearer realm=\"auth\", error=\"invalid_token\"";
const BAD_REQUEST: &str = "Bearer realm=\"auth\", error=\"invalid_request\"";

fn assert_challenge(answer: &Answer, verdict: &str, challenge: &str, why: &str) {
    assert_eq!(answer.verdict(), verdict, "{why}: {answer:?}");
    assert_eq!(answer.header("www-authenticate"), Some(challenge), "{why}");
}

#[tokio::test]
async fn a34_a_bearer_token_has_one_spelling() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let token = server.mobile_token(&STAFF).await;
        let cookie = server.sign_in(&STAFF).await.cookie("sessionid").unwrap();
        let client = server.client();
        let me = |value: &str| client.get("/api/auth/me").header("authorization", value);
        let upper = token.to_uppercase();
        let unknown = "credential_unknown";
        let wrong = [
            format!("Bearer {upper}"),
            format!("Bearer {}", &token[..63]),
            format!("Bearer {token}0"),
            format!("Bearer  {token}"),
            format!("Bearer\t{token}"),
            format!("Bearer {token},"),
            format!("Bearer \"{token}\""),
            format!("Bearer {token} {token}"),
            format!("Bearer{token}"),
            format!("Token {token}"),
            format!("Basic {token}"),
            format!("Bearer {cookie}"),
            "Bearer ".to_owned(),
            "Bearer".to_owned(),
            token.clone(),
            String::new(),
        ];
        for value in &wrong {
            let answer = me(value).send().await;
            assert_challenge(&answer, &format!("401 {unknown}"), INVALID, value);
            // It never falls back to a cookie that would be good.
            let beside = me(value).header("cookie", &format!("sessionid={cookie}"));
            assert_challenge(&beside.send().await, &format!("401 {unknown}"), INVALID, value);
        }
        let twice = me(&format!("Bearer {token}")).header("authorization", "Bearer x");
        let several = "400 several_credentials";
        assert_challenge(&twice.send().await, several, BAD_REQUEST, "two that differ");
        let value = format!("Bearer {token}");
        let twice = me(&value).header("authorization", &value).send().await;
        assert_challenge(&twice, several, BAD_REQUEST, "two that agree");
        for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
            assert_eq!(me(&format!("{scheme} {token}")).send().await.status, 200, "{scheme}");
        }
        // White space around a value is none of it (RFC 9110, section 5.5).
        assert_eq!(me(&format!("Bearer {token} \t")).send().await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a35_a_token_that_is_not_in_the_header_is_ignored() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let token = server.mobile_token(&STAFF).await;
        let client = server.client();
        let missing = "401 credential_missing";
        for name in ["access_token", "token", "bearer", "Authorization"] {
            let path = format!("/api/auth/me?{name}={token}");
            let answer = client.get(&path).send().await;
            assert_challenge(&answer, missing, CHALLENGE, &path);
            let form = client.post("/api/auth/logout").form(&[(name, &token)]).send().await;
            assert_challenge(&form, missing, CHALLENGE, name);
            let body = json!({(name): token});
            let post = client.post(JOBS).json(&body);
            refused(server, post, missing, name).await;
            let cookie = client.get("/api/auth/me").header("cookie", &format!("{name}={token}"));
            assert_challenge(&cookie.send().await, missing, CHALLENGE, name);
        }
        let as_session = client.get("/api/auth/me").header("cookie", &format!("sessionid={token}"));
        assert_eq!(as_session.send().await.verdict(), "401 credential_unknown");
        let answer = client.bearer(&token).get("/api/auth/me").send().await;
        assert_eq!(answer.status, 200, "control");
    })
    .await;
}

#[tokio::test]
async fn a36_two_credentials_are_none() {
    on_each_database(async |server| {
        let bearer = server.by_bearer(&STAFF).await;
        for (path, method) in [("/api/auth/me", Method::GET), (JOBS, Method::POST)] {
            let token = bearer.fetch_csrf().await;
            let send = || bearer.request(method.clone(), path).header("x-csrf-token", &token);
            let both = send().header("x-api-key", "sk_0000");
            let answer = refused(server, both, "400 several_credentials", path).await;
            assert_challenge(&answer, "400 several_credentials", BAD_REQUEST, path);
            assert!(send().send().await.status.is_success(), "control");
        }
        let login = server.login_by_email(&STAFF).await.json();
        let access = server.client().bearer(login["accessToken"].as_str().unwrap());
        let both = access.post(JOBS).header("x-api-key", "sk_0000").json(&json!({}));
        refused(server, both, "400 several_credentials", "an access token and a key").await;
        reaches(server, access.post(JOBS).json(&json!({})), "control").await;
        // A key alone is explicit, too: no cookie helps it.
        let browser = server.sign_in(&STAFF).await;
        let answer = browser.get("/api/auth/me").header("x-api-key", "sk_0000").send().await;
        assert_challenge(&answer, "401 credential_unknown", INVALID, "key beside a cookie");
        // And a good bearer beside a cookie is judged by itself alone.
        let token = bearer.fetch_csrf().await;
        let post = bearer.post(JOBS).header("cookie", "sessionid=rubbish; csrftoken=rubbish");
        reaches(server, post.header("x-csrf-token", &token).json(&json!({})), "control").await;
    })
    .await;
}

#[tokio::test]
async fn a37_a_revoked_token_is_dead() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let bearer = server.mobile(&STAFF).await;
        let other = server.mobile(&STAFF).await;
        assert_eq!(bearer.get("/api/auth/me").send().await.status, 200, "control");
        let revoke = || bearer.request(Method::DELETE, "/api/security/mobile-auth");
        assert_eq!(revoke().send().await.status, 200);
        let ended = "401 session_ended";
        assert_challenge(&bearer.get("/api/auth/me").send().await, ended, INVALID, "reuse");
        refused(server, bearer.get("/api/leads"), ended, "reuse through the gate").await;
        assert_challenge(&revoke().send().await, ended, INVALID, "the second time");
        assert_eq!(other.get("/api/auth/me").send().await.status, 200, "another token lives");
        // A cookie would make it an act that another site can cause.
        let browser = server.sign_in(&STAFF).await;
        let token = browser.fetch_csrf().await;
        let by_cookie = browser.request(Method::DELETE, "/api/security/mobile-auth");
        let answer = by_cookie.header("x-csrf-token", &token).send().await;
        assert_eq!(answer.verdict(), "401 bearer_required");
    })
    .await;
}
