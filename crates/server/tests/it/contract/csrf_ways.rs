//! The places that a CSRF token may come in (C12), the methods that need one (C16), and the
//! endpoints that do without (C14).

use http::Method;
use serde_json::json;

use super::{me, post_job};
use crate::harness::client::Client;
use crate::harness::on_each_database;
use crate::harness::people::{PASSWORD, STAFF, Z1};

const PATH: &str = "/api/jobs/manage";

#[tokio::test]
async fn tx05_c12_every_documented_place_is_looked_at() {
    on_each_database(async |server| {
        let bearer = server.by_bearer(&STAFF).await;
        let cookie = server.sign_in(&STAFF).await;
        for client in [&bearer, &cookie] {
            for place in
                ["x-csrf-token", "X-CSRF-Token", "x-csrftoken", "X-CSRFToken", "X-Csrftoken"]
            {
                let token = client.fetch_csrf().await;
                let answer = post_job(client).header(place, &token).send().await;
                assert_eq!(answer.verdict(), "201", "{place}");
            }
            let token = client.fetch_csrf().await;
            let sent = client.post(PATH).json(&json!({"title": "a", "csrf_token": token}));
            assert_eq!(sent.send().await.verdict(), "201");
            let token = client.fetch_csrf().await;
            let sent = client.post(PATH).form(&[("title", "a"), ("csrf_token", &token)]);
            assert_eq!(sent.send().await.verdict(), "201");
            let token = client.fetch_csrf().await;
            let (content_type, body) = multipart(&token);
            let sent = client.post(PATH).body(content_type, body.clone()).send().await;
            assert_eq!(sent.verdict(), "201");
            // What is looked into goes on unchanged.
            assert_eq!(server.upstream.last().body, body);
        }
    })
    .await;
}

#[tokio::test]
async fn c12_no_other_place_is_looked_at() {
    on_each_database(async |server| {
        let bearer = server.by_bearer(&STAFF).await;
        let token = bearer.fetch_csrf().await;
        let in_query = bearer.post(&format!("{PATH}?csrf_token={token}")).json(&json!({}));
        assert_eq!(in_query.send().await.verdict(), "403 csrf_missing");
        let deeper = bearer.post(PATH).json(&json!({"data": {"csrf_token": token}}));
        assert_eq!(deeper.send().await.verdict(), "403 csrf_missing");
        let as_text = bearer.post(PATH).body("text/plain", format!("csrf_token={token}"));
        assert_eq!(as_text.send().await.verdict(), "403 csrf_missing");
        let browser = server.by_cookie(&Z1).await;
        let cookie_alone = post_job(&browser).send().await;
        assert_eq!(cookie_alone.verdict(), "403 csrf_missing");
        assert!(server.upstream.seen().is_empty());
        let control = post_job(&bearer).header("x-csrf-token", &token).send().await;
        assert_eq!(control.verdict(), "201");
    })
    .await;
}

#[tokio::test]
async fn c16_every_method_that_changes_something_needs_a_token() {
    on_each_database(async |server| {
        let cookie = server.by_cookie(&STAFF).await;
        let body = server.login_by_email(&STAFF).await.json();
        let access = server.client().bearer(&super::text(&body, "/accessToken"));
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            for client in [&cookie, &access] {
                let send = || client.request(method.clone(), PATH).from_own_page();
                let without = send().send().await;
                assert_eq!(without.verdict(), "403 csrf_missing", "{method}");
                let token = client.fetch_csrf().await;
                let with = send().header("x-csrf-token", &token).send().await;
                assert!(with.status.is_success(), "{method}: {with:?}");
            }
        }
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            let safe = cookie.request(method.clone(), PATH).send().await;
            assert!(safe.status.is_success(), "{method}: {safe:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn c14_exactly_the_sample_requests_go_without_a_token() {
    on_each_database(async |server| {
        let token = {
            server.add(&STAFF).await;
            server.mobile_token(&STAFF).await
        };
        let bearer = server.client().bearer(&token);
        let validate = json!({"action": "validate_token", "token": token});
        assert_eq!(mobile(&bearer).json(&validate).send().await.status, 200);
        assert_eq!(mobile(&bearer).json(&json!({"action": "logout"})).send().await.status, 200);
        let bearer = server.mobile(&STAFF).await;
        let revoke = bearer.request(Method::DELETE, "/api/security/mobile-auth");
        assert_eq!(revoke.send().await.status, 200);

        // A sign-in needs none either, with or without a session.
        let browser = server.sign_in(&STAFF).await;
        let name = json!({"username": "staff", "password": PASSWORD});
        assert_eq!(browser.post("/api/auth/login").json(&name).send().await.status, 201);

        let bearer = server.mobile(&STAFF).await;
        for (client, method, path) in [
            (&bearer, Method::POST, PATH),
            (&bearer, Method::POST, "/api/auth/logout"),
            (&bearer, Method::DELETE, "/api/auth/logout"),
            (&browser, Method::POST, "/api/auth/logout"),
            (&browser, Method::DELETE, "/api/auth/logout"),
            (&browser, Method::POST, "/-/sign-out"),
        ] {
            let answer = client.request(method.clone(), path).send().await;
            assert_eq!(answer.verdict(), "403 csrf_missing", "{method} {path}");
            assert_eq!(me(client).await, 200, "{method} {path}");
        }
    })
    .await;
}

fn mobile(client: &Client) -> crate::harness::client::Sending<'_> {
    client.post("/api/security/mobile-auth")
}

fn multipart(token: &str) -> (&'static str, String) {
    let body = format!(
        "--line\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nBoiler\r\n\
         --line\r\nContent-Disposition: form-data; name=\"csrf_token\"\r\n\r\n{token}\r\n--line--\r\n"
    );
    ("multipart/form-data; boundary=line", body)
}
