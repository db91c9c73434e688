//! A76: bytes that two readers could take apart differently are answered 400, and the connection
//! is closed.

use crate::harness::people::Z1;
use crate::harness::raw::exchange;
use crate::harness::{Setup, TestApp, on_each_database, on_each_database_with};

/// What smuggling is made of. `{host}` stands for the server's address.
const SMUGGLING: [(&str, &str); 24] = [
    (
        "both lengths",
        "POST /public HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "both lengths, turned",
        "POST /public HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    ),
    (
        "two lengths",
        "POST /public HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
    ),
    (
        "two lengths that agree",
        "POST /public HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab",
    ),
    (
        "a list of lengths",
        "POST /public HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2, 2\r\n\r\nab",
    ),
    ("a signed length", "POST /public HTTP/1.1\r\nHost: {host}\r\nContent-Length: +2\r\n\r\nab"),
    ("a hex length", "POST /public HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0x2\r\n\r\nab"),
    (
        "xchunked",
        "POST /public HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    ),
    ("identity", "POST /public HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: identity\r\n\r\n"),
    (
        "chunked twice",
        "POST /public HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "gzip, chunked",
        "POST /public HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "an underscore",
        "POST /public HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding:\u{b}chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "a space before the colon",
        "POST /public HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "a folded line",
        "POST /public HTTP/1.1\r\nHost: {host}\r\nX: 1\r\n Transfer-Encoding: chunked\r\n\r\n",
    ),
    ("LF alone", "GET /public HTTP/1.1\nHost: {host}\n\n"),
    (
        "LF alone in the middle",
        "GET /public HTTP/1.1\r\nHost: {host}\r\nX: 1\nX-Auth-User: evil\r\n\r\n",
    ),
    ("CR alone", "GET /public HTTP/1.1\r\nHost: {host}\r\nX: 1\rX-Auth-User: evil\r\n\r\n"),
    ("NUL", "GET /public HTTP/1.1\r\nHost: {host}\r\nX: a\0b\r\n\r\n"),
    ("two hosts", "GET /public HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\n\r\n"),
    ("no host", "GET /public HTTP/1.1\r\n\r\n"),
    ("a name with a space", "GET /public HTTP/1.1\r\nHost: {host}\r\nX Y: 1\r\n\r\n"),
    ("two spaces", "GET  /public HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    (
        "chunked in HTTP/1.0",
        "POST /public HTTP/1.0\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    ("another version", "GET /public HTTP/1.2\r\nHost: {host}\r\n\r\n"),
];

/// Behind each fault stands a second request, which must never be answered.
const SECOND: &str = "GET /public/smuggled HTTP/1.1\r\nHost: {host}\r\n\r\n";

fn filled(server: &TestApp, text: &str) -> String {
    text.replace("{host}", &server.address.to_string())
}

async fn assert_refused(server: &TestApp, bytes: &[u8], why: &str) {
    let before = server.upstream.seen().len();
    let answer = exchange(server.address, bytes).await;
    assert_eq!(answer.status(), 400, "{why}: {answer:?}");
    assert!(answer.closed, "{why}: the connection stays open: {answer:?}");
    assert_eq!(answer.text.matches("HTTP/1.1 ").count(), 1, "{why}: {answer:?}");
    assert!(answer.text.contains("The request cannot be read"), "{why}: {answer:?}");
    assert_eq!(server.upstream.seen().len(), before, "{why}: it reached the application");
}

#[tokio::test]
async fn a76_doubtful_framing_ends_the_connection() {
    on_each_database(async |server| {
        for (why, text) in SMUGGLING {
            let bytes = filled(server, &format!("{text}{SECOND}"));
            assert_refused(server, bytes.as_bytes(), why).await;
        }
        let many = "X: 1\r\n".repeat(101);
        let bytes = format!("GET /public HTTP/1.1\r\nHost: {{host}}\r\n{many}\r\n");
        assert_refused(server, filled(server, &bytes).as_bytes(), "101 headers").await;
        let long = "x".repeat(17 * 1024);
        let bytes = format!("GET /public HTTP/1.1\r\nHost: {{host}}\r\nX: {long}\r\n\r\n");
        assert_refused(server, filled(server, &bytes).as_bytes(), "17 KiB of head").await;
        let bytes = format!("GET /public?{long} HTTP/1.1\r\nHost: {{host}}\r\n\r\n");
        assert_refused(server, filled(server, &bytes).as_bytes(), "17 KiB of target").await;
        let whole =
            filled(server, &format!("GET /public HTTP/1.1\r\nHost: {{host}}\r\n\r\n{SECOND}"));
        let answer = exchange(server.address, whole.as_bytes()).await;
        assert_eq!(answer.text.matches("HTTP/1.1 200").count(), 2, "control: {answer:?}");
    })
    .await;
}

#[tokio::test]
async fn a76_a_chunked_body_that_breaks_reaches_nobody_whole() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&Z1).await;
        let session = browser.cookie("sessionid").unwrap();
        for (why, body) in [
            ("a size that is none", "zz\r\n{}\r\n0\r\n\r\n"),
            ("a negative size", "-2\r\n{}\r\n0\r\n\r\n"),
            ("a size with 0x", "0x2\r\n{}\r\n0\r\n\r\n"),
            ("a size that overflows", "fffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
            ("a chunk that is too long", "2\r\n{}{}\r\n0\r\n\r\n"),
            ("LF alone", "2\n{}\n0\n\n"),
            ("LF in an extension", "2;a\n=b\r\n{}\r\n0\r\n\r\n"),
            ("a space in the size", "2 \r\n{}\r\n0\r\n\r\n"),
        ] {
            let token = browser.fetch_csrf().await;
            let before = server.upstream.seen().len();
            let request = format!(
                "POST /api/jobs/1 HTTP/1.1\r\nHost: {}\r\nCookie: sessionid={session}\r\n\
                 X-CSRF-Token: {token}\r\nTransfer-Encoding: chunked\r\n\r\n{body}",
                server.address
            );
            let bytes = format!("{request}{}", filled(server, SECOND));
            let answer = exchange(server.address, bytes.as_bytes()).await;
            assert!(answer.closed, "{why}: {answer:?}");
            assert!(matches!(answer.status(), 400 | 0), "{why}: {answer:?}");
            let smuggled = server.upstream.seen().split_off(before);
            let is_whole = |body: &[u8]| body == b"{}" || body == b"{}{}";
            assert!(smuggled.iter().all(|seen| !is_whole(&seen.body)), "{why}: {smuggled:?}");
            assert!(smuggled.iter().all(|seen| !seen.target.contains("smuggled")), "{why}");
        }
    })
    .await;
}

/// The refusal does not depend on what the server is called.
#[tokio::test]
async fn a76_behind_a_public_address_it_is_still_400() {
    let config = Setup::with(
        "[server]\npublic_url = \"https://auth.example\"\n[mail]\ntransport = \"file:outbox\"",
    );
    on_each_database_with(config, async |server| {
        assert_refused(server, b"GET /x HTTP/1.1\nHost: auth.example\n\n", "LF alone").await;
        let good = b"GET /public HTTP/1.1\r\nHost: auth.example\r\nConnection: close\r\n\r\n";
        assert_eq!(exchange(server.address, good).await.status(), 200, "control");
    })
    .await;
}
