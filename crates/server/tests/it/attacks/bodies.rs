//! CSRF tokens in bodies that pass through the gate: found in each type, and the body goes on
//! unchanged to the byte.

use std::fmt::Write as _;

use serde_json::json;

use super::{JOBS, reaches, refused};
use crate::harness::client::Client;
use crate::harness::people::Z1;
use crate::harness::raw::exchange;
use crate::harness::{Setup, TestApp, on_each_database, on_each_database_with};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=\"a b\"";

/// Makes a body of a token and a large text.
type MakeBody = fn(&str, &str) -> String;

fn part(name: &str, value: &str) -> String {
    format!("--a b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

fn file(bytes: usize) -> String {
    let head = "--a b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f.bin\"\r\n\r\n";
    format!("{head}{}\r\n--a b--\r\n", "x".repeat(bytes))
}

#[tokio::test]
async fn a_token_in_the_body_counts_and_the_body_goes_on_unchanged() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&Z1).await;
        let large = "y".repeat(900_000);
        let bodies: [(&str, MakeBody); 9] = [
            (JSON, |t, _| format!(r#"{{"csrf_token":"{t}","title":"x"}}"#)),
            (JSON, |t, _| {
                format!(" {{ \"title\" : \"\\u00e9\",\r\n \"csrf\\u005ftoken\" : \"{t}\" }}\n")
            }),
            ("Application/JSON;charset=utf-8", |t, _| {
                format!(r#"{{"a":[{{"b":1}}],"csrf_token":"{t}"}}"#)
            }),
            (JSON, |t, large| format!(r#"{{"large":"{large}","csrf_token":"{t}"}}"#)),
            (FORM, |t, _| format!("title=a+b%20c&csrf_token={t}&empty=&&x")),
            (FORM, |t, large| format!("large={large}&csrf%5Ftoken={t}")),
            (MULTIPART, |t, _| {
                format!("{}{}{}", part("title", "a"), part("csrf_token", t), file(3))
            }),
            (MULTIPART, |t, _| format!("{}{}", part("csrf_token", t), file(3_000_000))),
            (MULTIPART, |t, _| format!("preamble\r\n{}--a b--\r\nepilogue", part("csrf_token", t))),
        ];
        for (kind, body) in bodies {
            let token = browser.fetch_csrf().await;
            let body = body(&token, &large);
            let why: String = body.chars().take(80).collect();
            reaches(server, browser.post(JOBS).body(kind, body.clone()), &why).await;
            let seen = server.upstream.last();
            assert!(seen.body == body.as_bytes(), "{kind} {why}: the body was changed");
            assert_eq!(seen.headers["content-type"], kind);
            let again = browser.post(JOBS).body(kind, body);
            refused(server, again, "403 csrf_used", &why).await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_no_token_in_a_body() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&Z1).await;
        let token = browser.fetch_csrf().await;
        let other = browser.fetch_csrf().await;
        let (missing, ambiguous) = ("403 csrf_missing", "403 csrf_ambiguous");
        for (kind, body, expected) in [
            (JSON, format!(r#"{{"a":{{"csrf_token":"{token}"}}}}"#), missing),
            (JSON, format!(r#"[{{"csrf_token":"{token}"}}]"#), missing),
            (JSON, format!(r#"{{"csrf_token":["{token}"]}}"#), missing),
            (JSON, format!(r#"{{"CSRF_TOKEN":"{token}"}}"#), missing),
            (JSON, format!(r#"{{"csrf_token":"{token}""#), missing),
            (JSON, format!(r#"{{"csrf_token":"{token}","csrf_token":"{other}"}}"#), ambiguous),
            (JSON, format!(r#"{{"csrf_token":1,"csrf_token":"{token}"}}"#), ambiguous),
            (JSON, format!("csrf_token={token}"), missing),
            (FORM, format!(r#"{{"csrf_token":"{token}"}}"#), missing),
            (FORM, format!("csrf_token={token}&csrf_token={other}"), ambiguous),
            (FORM, format!("csrf_token[]={token}"), missing),
            (FORM, "csrf_token=".to_owned(), missing),
            (FORM, "csrf_token=%00".to_owned(), "403 csrf_invalid"),
            (MULTIPART, format!("{}{}", file(70_000), part("csrf_token", &token)), missing),
            (MULTIPART, part("CSRF_token", &token), missing),
            ("multipart/form-data", part("csrf_token", &token), missing),
            ("multipart/mixed; boundary=\"a b\"", part("csrf_token", &token), missing),
            ("text/plain", format!("csrf_token={token}"), missing),
            ("application/xml", format!("<csrf_token>{token}</csrf_token>"), missing),
        ] {
            let post = browser.post(JOBS).body(kind, body.clone());
            refused(server, post, expected, &format!("{kind}: {body:.120}")).await;
        }
        // A header goes first; one that contradicts another header is no token.
        let post = browser.post(JOBS).header("x-csrf-token", "rubbish");
        let post = post.body(JSON, format!(r#"{{"csrf_token":"{token}"}}"#));
        refused(server, post, "403 csrf_invalid", "a bad header before a good body").await;
        let post = browser.post(JOBS).header("x-csrf-token", &token);
        let post = post.header("x-csrftoken", &other).body(JSON, "{}");
        refused(server, post, ambiguous, "two headers").await;
        let post = browser.post(JOBS).header("x-csrf-token", &token).body(JSON, "{}");
        reaches(server, post, "control: nothing of it was spent").await;
    })
    .await;
}

#[tokio::test]
async fn a_body_that_is_too_large_to_search() {
    let config = Setup::with("[gate]\ncsrf_body = \"64KiB\"");
    on_each_database_with(config, async |server| {
        let browser = server.by_cookie(&Z1).await;
        let pad = "p".repeat(64 * 1024);
        let json = |token: &str| format!(r#"{{"pad":"{pad}","csrf_token":"{token}"}}"#);
        let token = browser.fetch_csrf().await;
        refused(server, browser.post(JOBS).body(JSON, json(&token)), "413 too_large", JSON).await;
        let form = format!("pad={pad}&csrf_token={token}");
        refused(server, browser.post(JOBS).body(FORM, form), "413 too_large", FORM).await;
        let chunked = chunked(server, &browser, &json(&token)).await;
        assert_eq!(chunked, 413, "without a length");
        let post = browser.post(JOBS).header("x-csrf-token", &token).body(JSON, json("none"));
        reaches(server, post, "control: with a header any size goes").await;
        assert_eq!(server.upstream.last().body.len(), json("none").len());
    })
    .await;
}

/// The same body without an announced length; the status.
async fn chunked(server: &TestApp, browser: &Client, body: &str) -> u16 {
    let mut request = format!(
        "POST {JOBS} HTTP/1.1\r\nHost: {}\r\nCookie: sessionid={}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        server.address,
        browser.cookie("sessionid").unwrap()
    );
    for piece in body.as_bytes().chunks(1000) {
        let text = std::str::from_utf8(piece).unwrap();
        write!(request, "{:x}\r\n{text}\r\n", piece.len()).unwrap();
    }
    request.push_str("0\r\n\r\n");
    exchange(server.address, request.as_bytes()).await.status()
}

#[tokio::test]
async fn a_bearer_may_put_its_token_into_the_body_as_well() {
    on_each_database(async |server| {
        let bearer = server.by_bearer(&Z1).await;
        let token = bearer.fetch_csrf().await;
        let body = json!({"csrf_token": token, "title": "x"});
        reaches(server, bearer.post(JOBS).json(&body), "control").await;
        refused(server, bearer.post(JOBS).json(&body), "403 csrf_used", "again").await;
        let none = bearer.post(JOBS).json(&json!({"title": "x"}));
        refused(server, none, "403 csrf_missing", "none").await;
    })
    .await;
}
