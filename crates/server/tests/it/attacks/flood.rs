//! A78: too much, too deep, too slow. Each is refused, others are served meanwhile, and memory
//! does not grow with what is sent.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::people::{STAFF, Z1};
use crate::harness::raw::exchange;
use crate::harness::{TestApp, database, on_each_database};

const LOGIN: &str = "/api/auth/login";
const MIB: usize = 1024 * 1024;

/// Bytes of this process that are in memory.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// So many fields of a form, with a name of their own each.
fn numbered(count: usize) -> String {
    let names: Vec<_> = (0..count).map(|number| format!("f{number}=")).collect();
    names.join("&")
}

/// Bodies that no handler should see, and what is said of them.
fn bad_bodies() -> Vec<(&'static str, &'static str, String, u16)> {
    let json = "application/json";
    let form = "application/x-www-form-urlencoded";
    let multipart = "multipart/form-data; boundary=x";
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(10_000), close.repeat(10_000));
    let field =
        |n: usize| format!("--x\r\nContent-Disposition: form-data; name=\"f{n}\"\r\n\r\n\r\n");
    let with_password = |password: &str| json!({"username": "a", "password": password}).to_string();
    vec![
        ("nested arrays", json, deep("[", "]"), 400),
        (
            "nested objects",
            json,
            format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000)),
            400,
        ),
        ("nested in a field", json, format!("{{\"username\":{}}}", deep("[", "]")), 400),
        ("unclosed", json, "[".repeat(500_000), 400),
        ("a password of a million", json, with_password(&"p".repeat(1_000_000)), 400),
        ("a password of 1025 bytes", json, with_password(&"p".repeat(1025)), 400),
        (
            "a name of a million",
            json,
            json!({"username": "u".repeat(1_000_000), "password": "p"}).to_string(),
            400,
        ),
        ("a number for a name", json, json!({"username": 1, "password": "p"}).to_string(), 400),
        ("a huge number", json, "{\"username\":1e999999999}".to_owned(), 400),
        ("NUL in a name", json, json!({"username": "a\0", "password": "p"}).to_string(), 400),
        ("half a surrogate", json, "{\"username\":\"\\ud800\",\"password\":\"p\"}".to_owned(), 400),
        ("a key twice", json, "{\"username\":\"a\",\"username\":\"b\"}".to_owned(), 400),
        ("100 000 fields", form, "a=1&".repeat(100_000), 400),
        ("300 fields", form, numbered(300), 400),
        ("300 parts", multipart, (0..300).map(field).collect::<String>() + "--x--\r\n", 400),
        ("a part without end", multipart, field(1), 400),
        ("10 MB", json, with_password(&"p".repeat(10 * MIB)), 413),
        ("10 MB of form", form, "a".repeat(10 * MIB), 413),
    ]
}

#[tokio::test]
async fn a78_bodies_that_are_too_much() {
    on_each_database(async |server| {
        for (why, kind, body, status) in bad_bodies() {
            let request = format!(
                "POST {LOGIN} HTTP/1.1\r\nHost: {}\r\nContent-Type: {kind}\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                server.address,
                body.len()
            );
            let answer = exchange(server.address, request.as_bytes()).await;
            assert_eq!(answer.status(), status, "{why}: {:.300}", answer.text);
        }
        let not_text = b"{\"username\":\"\xff\xfe\",\"password\":\"p\"}";
        let client = server.client();
        let post = client.post(LOGIN).body("application/json", not_text.to_vec());
        assert_eq!(post.send().await.verdict(), "400 bad_json");
        let many = format!("/api/csrf?{}", "a=1&".repeat(100_000));
        let request = format!("GET {many} HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
        assert_eq!(exchange(server.address, request.as_bytes()).await.status(), 400, "the query");
        server.add(&STAFF).await;
        server.sign_in(&STAFF).await;
    })
    .await;
}

/// Ten thousand nested brackets are the application's business, and nothing of ours breaks on them.
#[tokio::test]
async fn a78_deep_json_through_the_gate() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&Z1).await;
        let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
        let post = async |body: &str| {
            let post = browser.post("/api/jobs/1").body("application/json", body.to_owned());
            post.send().await.verdict()
        };
        let token = browser.fetch_csrf().await;
        let beside = format!("{{\"deep\":{deep},\"csrf_token\":\"{token}\"}}");
        assert_eq!(post(&format!("{{\"csrf_token\":{deep}}}")).await, "403 csrf_missing");
        assert_eq!(post(&deep).await, "403 csrf_missing");
        assert_eq!(post(&beside).await, "201", "control");
        assert_eq!(server.upstream.last().body, beside);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a78_memory_does_not_grow_with_what_is_sent() {
    for kind in database::kinds() {
        let server = TestApp::start(kind, &crate::harness::Setup::default()).await;
        let browser = server.by_cookie(&Z1).await;
        let session = browser.cookie("sessionid").unwrap();
        let body = "x".repeat(10 * MIB);
        let send = async |path: &str, content_type: &str| {
            let head = format!(
                "POST {path} HTTP/1.1\r\nHost: {}\r\nCookie: sessionid={session}\r\n\
                 Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
                server.address,
                body.len()
            );
            let mut socket = TcpStream::connect(server.address).await.unwrap();
            socket.write_all(head.as_bytes()).await.unwrap();
            drop(socket.write_all(body.as_bytes()).await);
            let mut answer = Vec::new();
            let read = socket.read_to_end(&mut answer);
            drop(tokio::time::timeout(Duration::from_secs(2), read).await);
            String::from_utf8_lossy(&answer).into_owned()
        };
        send(LOGIN, "application/json").await;
        let before = resident();
        for _ in 0..10 {
            let path = "/api/jobs/1";
            let sent = (0..10).map(|number| match number % 2 {
                0 => send(LOGIN, "application/json"),
                _ => send(path, "application/json"),
            });
            for answer in join_all(sent).await {
                assert!(answer.starts_with("HTTP/1.1 413 "), "{answer:.200}");
            }
        }
        let grown = resident().saturating_sub(before);
        // Other tests run beside this one; 1000 MiB were sent.
        assert!(grown < 250 * MIB, "{kind:?}: {} MiB more", grown / MIB);
        assert_eq!(browser.get("/api/auth/me").send().await.status, 200, "control");
        server.finish().await;
    }
}

/// What the server says to a client that sends this and then nothing more, and after how long.
async fn silent_after(server: &TestApp, bytes: &[u8]) -> (String, Duration) {
    let started = tokio::time::Instant::now();
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = socket.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(20), read).await.expect("held for ever").ok();
    (String::from_utf8_lossy(&answer).into_owned(), started.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a78_slow_clients_are_sent_away_and_hold_up_nobody() {
    for kind in database::kinds() {
        let server = TestApp::start(kind, &crate::harness::Setup::default()).await;
        let browser = server.by_cookie(&Z1).await;
        let head = format!("POST {LOGIN} HTTP/1.1\r\nHost: {}\r\n", server.address);
        let body = format!("{head}Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{{");
        let slow_heads = (0..300).map(|_| silent_after(&server, head.as_bytes()));
        let slow_bodies = (0..50).map(|_| silent_after(&server, body.as_bytes()));
        let others = async {
            for _ in 0..50 {
                let me = browser.get("/api/auth/me").send();
                let me = tokio::time::timeout(Duration::from_secs(2), me).await;
                assert_eq!(me.expect("others wait").status, 200, "control");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let (heads, bodies, ()) = tokio::join!(join_all(slow_heads), join_all(slow_bodies), others);
        for (answer, took) in heads {
            assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
            assert!(took < Duration::from_secs(10), "{took:?}");
        }
        for (answer, took) in bodies {
            assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
            let (_, json) = answer.split_once("\r\n\r\n").unwrap();
            let body: Value = serde_json::from_str(json).unwrap();
            assert_eq!(body["code"], "request_timeout");
            assert!(took < Duration::from_secs(15), "{took:?}");
        }
        server.finish().await;
    }
}
