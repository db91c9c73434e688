//! The gate's other doors: rules for applications with tokens of their own, open paths, and an
//! application that is not there.

use http::Method;
use serde_json::json;
use tokio::net::TcpListener;

use super::{JOBS, reaches, refused};
use crate::harness::database::Kind;
use crate::harness::people::{STAFF, Z1};
use crate::harness::{Setup, TestApp, on_each_database, on_each_database_with, spawn};

#[tokio::test]
async fn a_rule_that_asks_for_the_origin_alone() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&Z1).await;
        let post = |path: &'static str| browser.post(path).form(&[("title", "x")]);
        reaches(server, post("/forms/new"), "a script").await;
        reaches(server, post("/forms/new").from_own_page(), "our own page").await;
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
        ] {
            let forged = post("/forms/new").header(name, value);
            refused(server, forged, "403 csrf_origin", value).await;
        }
        refused(server, post("/formsx"), "403 csrf_missing", "a neighbour").await;
        let stranger = server.client();
        refused(server, stranger.post("/forms/new"), "401 credential_missing", "a stranger").await;
    })
    .await;
}

#[tokio::test]
async fn a_rule_without_protection_lends_nobodys_name_to_another_site() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&Z1).await;
        let post = || browser.post("/public/comment").form(&[("text", "x")]);
        reaches(server, post().from_own_page(), "control").await;
        assert!(server.upstream.last().headers.contains_key("x-auth-user"));
        for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")]
        {
            reaches(server, post().header(name, value), value).await;
            let seen = server.upstream.last().headers;
            assert!(!seen.contains_key("x-auth-user"), "{value}: {seen:?}");
            assert!(!seen.contains_key("cookie"), "{value}: {seen:?}");
        }
        // A bad explicit credential is the application's own business here.
        let foreign = server.client().bearer("not-ours");
        reaches(server, foreign.get("/public/x"), "another's bearer").await;
        assert_eq!(server.upstream.last().headers["authorization"], "Bearer not-ours");
    })
    .await;
}

#[tokio::test]
async fn an_application_that_is_down_is_said_to_be_down() {
    // Nobody listens on the discard port of this machine.
    let config = Setup::with("[gate]\nupstream = \"http://127.0.0.1:9\"");
    on_each_database_with(config, async |server| {
        let browser = server.by_cookie(&STAFF).await;
        let data = browser.get("/jobs").send().await;
        assert_eq!(data.verdict(), "502 upstream_unreachable");
        assert_eq!(data.json()["error"], "The application behind this gate does not answer");
        let page = browser.get("/jobs").header("sec-fetch-mode", "navigate").send().await;
        assert_eq!(page.status, 502);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(page.text().contains("upstream_unreachable"), "{}", page.text());
        assert!(!page.text().contains("127.0.0.1:9"), "the address is nobody's business");
        let api = browser.get(JOBS).header("accept", "text/html").send().await;
        assert_eq!(api.verdict(), "502 upstream_unreachable", "an API answers JSON");
        let token = browser.fetch_csrf().await;
        let post = || browser.post(JOBS).header("x-csrf-token", &token).json(&json!({}));
        assert_eq!(post().send().await.verdict(), "502 upstream_unreachable");
        // The token was spent before anybody could know.
        assert_eq!(post().send().await.verdict(), "403 csrf_used");
        assert_eq!(browser.get("/api/auth/me").send().await.status, 200, "control");
    })
    .await;
}

#[tokio::test]
async fn an_application_that_breaks_off_or_speaks_no_http() {
    for (says, why) in [
        (&b""[..], "nothing"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "half a head"),
        (b"rubbish\r\n\r\n", "rubbish"),
        (b"HTTP/1.1 200 OK\r\nX: a\x01b\r\n\r\n", "a control character"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "two lengths"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "an upgrade"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        spawn(async move {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = [0; 4096];
                drop(socket.read(&mut request).await);
                drop(socket.write_all(says).await);
            }
        });
        let config = Setup::with(&format!("[gate]\nupstream = \"http://{address}\""));
        on_each_database_with(config, async |server| {
            let browser = server.by_cookie(&STAFF).await;
            let answer = browser.get("/jobs").send().await;
            assert_eq!(answer.verdict(), "502 upstream_broken", "{why}");
        })
        .await;
    }
}

/// Waits as long as the gate does, a minute, beside the other tests; the database plays no part.
#[tokio::test]
async fn an_application_that_does_not_answer_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    spawn(async move {
        let mut held = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            held.push(socket);
        }
    });
    let config = Setup::with(&format!("[gate]\nupstream = \"http://{address}\""));
    let server = TestApp::start(Kind::Sqlite, &config).await;
    let browser = server.by_cookie(&STAFF).await;
    let data = browser.get("/jobs").send();
    let page = browser.get("/jobs").header("sec-fetch-mode", "navigate").send();
    let me = browser.get("/api/auth/me").send();
    let (data, page, me) = tokio::join!(data, page, me);
    assert_eq!(data.verdict(), "504 upstream_timeout");
    assert_eq!(page.status, 504);
    assert!(page.text().contains("upstream_timeout"), "{}", page.text());
    assert_eq!(me.status, 200, "control");
    server.finish().await;
}

#[tokio::test]
async fn methods_that_no_application_is_asked() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&STAFF).await;
        for method in [Method::TRACE, Method::from_bytes(b"TRACK").unwrap()] {
            let token = browser.fetch_csrf().await;
            let send = browser.request(method.clone(), JOBS).header("x-csrf-token", &token);
            refused(server, send, "405 method_not_allowed", method.as_str()).await;
        }
        reaches(server, browser.request(Method::OPTIONS, JOBS), "control").await;
    })
    .await;
}
