//! A17–A24 and cookies tossed in by a sibling site: sessions that somebody else chose, kept or
//! stretched.

use std::time::Duration;

use http::Method;
use serde_json::json;

use super::{JOBS, reaches, refused};
use crate::harness::client::{Answer, Client};
use crate::harness::people::{PASSWORD, STAFF, Z1, sign_in};
use crate::harness::{TestApp, on_each_database};

async fn me(client: &Client) -> Answer {
    client.get("/api/auth/me").send().await
}

/// A client with nothing but this session cookie.
fn holding(server: &TestApp, session: &str) -> Client {
    let client = server.client();
    client.set_cookie("sessionid", session);
    client
}

#[tokio::test]
async fn a17_another_site_cannot_sign_somebody_in() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let client = server.client();
        let fields = [("username", "staff"), ("password", PASSWORD)];
        let paths = ["/api/auth/login", "/-/sign-in", "/api/security/mobile-auth"];
        for path in paths {
            for (name, value) in [
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-site", "same-site"),
                ("origin", "https://evil.example"),
                ("origin", "null"),
            ] {
                let answer = client.post(path).form(&fields).header(name, value).send().await;
                assert_eq!(answer.verdict(), "403 csrf_origin", "{path} {name}: {value}");
                assert_eq!(answer.header("set-cookie"), None, "{path} {name}: {value}");
            }
        }
        let own = client.post("/api/auth/login").form(&fields).from_own_page().send().await;
        assert_eq!(own.status, 201, "control");
        assert!(own.set_cookie("sessionid").is_some());
    })
    .await;
}

#[tokio::test]
async fn a18_a_picture_signs_nobody_out() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&Z1).await;
        let tries: [&[(&str, &str)]; 7] = [
            &[("sec-fetch-site", "cross-site"), ("sec-fetch-dest", "image")],
            &[("sec-fetch-site", "same-site"), ("sec-fetch-dest", "image")],
            &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-dest", "image")],
            &[("sec-fetch-site", "none"), ("sec-purpose", "prefetch")],
            &[("referer", "https://evil.example/")],
            &[("origin", "https://evil.example")],
        ];
        for headers in tries {
            let mut get = browser.get("/logout");
            for (name, value) in headers {
                get = get.header(name, value);
            }
            let answer = get.send().await;
            assert_eq!(answer.status, 200, "{headers:?}: it asks first");
            assert_eq!(answer.set_cookie("sessionid"), None, "{headers:?}");
            assert_eq!(me(&browser).await.status, 200, "{headers:?}: the session lives");
        }
        let head = browser.request(Method::HEAD, "/logout").send().await;
        assert_eq!((head.status.as_u16(), me(&browser).await.status.as_u16()), (200, 200));
        let session = browser.cookie("sessionid").unwrap();
        let own = browser.get("/logout").header("sec-fetch-site", "same-origin").send().await;
        assert_eq!(own.status, 302, "control");
        assert_eq!(me(&holding(server, &session)).await.verdict(), "401 session_ended");
    })
    .await;
}

#[tokio::test]
async fn a19_the_method_is_the_one_in_the_request_line() {
    on_each_database(async |server| {
        let overrides = ["x-http-method-override", "x-http-method", "x-method-override"];
        for name in overrides {
            let browser = server.client();
            server_sign_in(server, &browser).await;
            let token = browser.fetch_csrf().await;
            let post = browser.post("/api/auth/logout?_method=DELETE");
            let post = post.header("x-csrf-token", &token).header(name, "DELETE");
            let answer = post.form(&[("_method", "DELETE")]).send().await;
            // DELETE would answer 204 without a body.
            assert_eq!(answer.status, 201, "{name}: {answer:?}");
        }
        let browser = server.sign_in(&Z1).await;
        for name in overrides {
            let get = browser.get("/api/leads").header(name, "DELETE");
            reaches(server, get, name).await;
            let seen = server.upstream.last();
            assert_eq!(seen.method, "GET");
            assert!(!seen.headers.contains_key(name), "{name} went on: {seen:?}");
        }
        let delete = browser.request(Method::DELETE, "/api/auth/logout");
        let delete = delete.header("x-csrf-token", &browser.fetch_csrf().await);
        assert_eq!(delete.send().await.status, 204, "control");
    })
    .await;
}

async fn server_sign_in(server: &TestApp, browser: &Client) {
    if sign_in(browser, "Fredkiss3", PASSWORD).await.status != 201 {
        server.add(&Z1).await;
        assert_eq!(sign_in(browser, "Fredkiss3", PASSWORD).await.status, 201);
    }
}

#[tokio::test]
async fn a20_a_session_id_that_somebody_else_chose() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let chosen = "a".repeat(64);
        let browser = holding(server, &chosen);
        assert_eq!(me(&browser).await.verdict(), "401 credential_unknown");
        browser.set_cookie("sessionid", &chosen);
        assert_eq!(sign_in(&browser, "Fredkiss3", PASSWORD).await.status, 201);
        let given = browser.cookie("sessionid").unwrap();
        assert_ne!(given, chosen);
        assert_eq!(me(&browser).await.status, 200, "control");
        assert_eq!(me(&holding(server, &chosen)).await.verdict(), "401 credential_unknown");
    })
    .await;
}

#[tokio::test]
async fn a21_signing_in_replaces_what_was_there() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        server.add(&STAFF).await;
        for (next, why) in [("staff", "another person"), ("Fredkiss3", "the same person")] {
            let browser = server.sign_in(&Z1).await;
            let old = browser.cookie("sessionid").unwrap();
            let old_csrf = browser.cookie("csrftoken").unwrap();
            assert_eq!(me(&browser).await.status, 200, "control");
            assert_eq!(sign_in(&browser, next, PASSWORD).await.status, 201);
            assert_ne!(browser.cookie("sessionid").unwrap(), old, "{why}");
            assert_eq!(me(&browser).await.json()["user"]["username"], next, "{why}");
            assert_eq!(me(&holding(server, &old)).await.verdict(), "401 session_ended", "{why}");
            // The token of the session before is worth nothing in the one after.
            let post = browser.post(JOBS).header("x-csrf-token", &old_csrf).json(&json!({}));
            refused(server, post, "403 csrf_invalid", why).await;
            let fresh = browser.fetch_csrf().await;
            let post = browser.post(JOBS).header("x-csrf-token", &fresh).json(&json!({}));
            reaches(server, post, why).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a23_sessions_end_when_they_should() {
    let (second, minute, day) =
        (Duration::from_secs(1), Duration::from_mins(1), Duration::from_hours(24));
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let by_email = async || {
            let browser = server.client();
            let body = json!({"email": STAFF.email, "password": PASSWORD});
            let answer = browser.post("/api/auth/login").json(&body).send().await;
            assert_eq!(answer.status, 201);
            browser
        };
        let browser = by_email().await;
        server.advance(29 * minute);
        assert_eq!(me(&browser).await.status, 200, "control: in use");
        let session = browser.cookie("sessionid").unwrap();
        server.advance(30 * minute + 61 * second);
        assert_eq!(me(&browser).await.verdict(), "401 session_idle");
        // A24: the client keeps the cookie, whatever its Max-Age said.
        assert_eq!(me(&holding(server, &session)).await.verdict(), "401 session_idle");

        let browser = by_email().await;
        let session = browser.cookie("sessionid").unwrap();
        for _ in 0..11 {
            server.advance(10 * minute);
            assert_eq!(me(&browser).await.status, 200, "steady use");
        }
        server.advance(Duration::from_secs(599));
        assert_eq!(me(&browser).await.status, 200, "control: a second before two hours");
        server.advance(2 * second);
        assert_eq!(me(&browser).await.verdict(), "401 session_expired");
        assert_eq!(me(&holding(server, &session)).await.verdict(), "401 session_expired");

        let bearer = server.mobile(&STAFF).await;
        server.advance(364 * day + Duration::from_secs(86_399));
        assert_eq!(me(&bearer).await.status, 200, "control: a second before its end");
        server.advance(2 * second);
        assert_eq!(me(&bearer).await.verdict(), "401 session_expired");
    })
    .await;
}

#[tokio::test]
async fn a24_the_server_decides_when_a_cookie_is_over() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&Z1).await;
        let session = browser.cookie("sessionid").unwrap();
        let day = Duration::from_hours(24);
        server.advance(11 * day);
        assert_eq!(me(&holding(server, &session)).await.status, 200, "control");
        server.advance(3 * day + Duration::from_secs(1));
        let answer = me(&holding(server, &session)).await;
        assert_eq!(answer.verdict(), "401 session_expired");
        let challenge = "Bearer realm=\"auth\", error=\"invalid_token\"";
        assert_eq!(answer.header("www-authenticate"), Some(challenge));
        assert!(answer.set_cookie("sessionid").unwrap().contains("Max-Age=0"), "{answer:?}");
        let kept = holding(server, &session);
        refused(server, kept.get("/api/leads"), "401 session_expired", "through the gate").await;
    })
    .await;
}

#[tokio::test]
async fn tossed_cookies_sign_nobody_in() {
    on_each_database(async |server| {
        let mine = server.by_cookie(&Z1).await.cookie("sessionid").unwrap();
        let evil = server.by_cookie(&STAFF).await.cookie("sessionid").unwrap();
        let client = server.client();
        let lines: [&[String]; 4] = [
            &[format!("sessionid={mine}; sessionid={evil}")],
            &[format!("sessionid={evil}; a=b; sessionid={mine}")],
            &[format!("sessionid={mine}"), format!("sessionid={evil}")],
            &[format!("sessionid={mine};sessionid=")],
        ];
        for lines in lines {
            for path in ["/api/auth/me", "/api/leads"] {
                let mut get = client.get(path);
                for line in lines {
                    get = get.header("cookie", line);
                }
                let answer = refused(server, get, "401 cookie_tossed", path).await;
                assert!(answer.set_cookie("sessionid").unwrap().contains("Max-Age=0"));
            }
        }
        server.events("cookie_toss", 8).await;
        for same in [
            format!("sessionid={mine}; sessionid={mine}"),
            format!("SESSIONID={evil}; sessionid={mine}; __Host-sessionid={evil}; =sessionid"),
        ] {
            let answer = client.get("/api/auth/me").header("cookie", &same).send().await;
            assert_eq!(answer.json()["user"]["username"], "Fredkiss3", "control: {same}");
        }
    })
    .await;
}

/// A cookie of the application, or one that a sibling tossed in, must not sign anybody out.
#[tokio::test]
async fn a_foreign_cookie_that_is_not_ascii_changes_nothing() {
    on_each_database(async |server| {
        let session = server.by_cookie(&Z1).await.cookie("sessionid").unwrap();
        let client = server.client();
        for line in [
            format!("theme=caf\u{e9}; sessionid={session}"),
            format!("sessionid={session}; \u{1f36a}=1"),
        ] {
            let get = |path: &'static str| client.get(path).header("cookie", &line);
            assert_eq!(get("/api/auth/me").send().await.status, 200, "{line}");
            reaches(server, get("/api/leads"), &line).await;
            let seen = server.upstream.last().headers;
            let cookie = String::from_utf8(seen["cookie"].as_bytes().to_vec()).unwrap();
            assert!(!cookie.contains("sessionid"), "{cookie}");
        }
    })
    .await;
}
