//! WebSocket through the gate: who may open one, what both sides see, and when it ends.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{application, ask, before, lines_of, read_head, rest};
use crate::harness::people::{STAFF0, Z1};
use crate::harness::{Setup, TestApp, on_each_database_with};

const AGREED: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                      Upgrade: WebSocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
                      Set-Cookie: sessionid=evil\r\nX-Auth-User: evil\r\n\r\n";

/// The lines of a good handshake, without the request line and `Host`.
const GOOD: [&str; 4] = [
    "Connection: keep-alive, Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/// An application that agrees to every handshake and sends back what it gets, however it looks. At
/// the end of what the client has to say it says `bye`.
struct Echo {
    setup: Setup,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Echo {
    async fn start(config: &str) -> Self {
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&heads);
        let address = application(move |mut socket| {
            let seen = Arc::clone(&seen);
            async move {
                let head = read_head(&mut socket).await;
                let is_handshake = head.contains("upgrade: websocket");
                seen.lock().unwrap().push(head);
                if !is_handshake {
                    let plain = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nplain";
                    return socket.write_all(plain).await.unwrap();
                }
                socket.write_all(AGREED.as_bytes()).await.unwrap();
                let mut buffer = [0; 1024];
                loop {
                    match socket.read(&mut buffer).await {
                        Ok(0) => break drop(socket.write_all(b"bye").await),
                        Ok(count) => socket.write_all(&buffer[..count]).await.unwrap(),
                        Err(_) => break,
                    }
                }
            }
        })
        .await;
        Self { setup: before(address, config), heads }
    }

    fn last_head(&self) -> String {
        self.heads.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

/// Sends a handshake of these lines; the connection, and the head of the answer.
async fn dial(server: &TestApp, path: &str, lines: &[&str]) -> (TcpStream, String) {
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let lines = lines_of(lines);
    let host = server.address;
    let head =
        ask(&mut socket, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n")).await;
    (socket, head)
}

/// The same with a good handshake and these lines beside it.
async fn dial_well(server: &TestApp, path: &str, beside: &[&str]) -> (TcpStream, String) {
    dial(server, path, &[&GOOD, beside].concat()).await
}

fn status(head: &str) -> &str {
    head.split(' ').nth(1).unwrap_or("none")
}

/// Says something and reads it back.
async fn echoes(socket: &mut TcpStream, text: &[u8]) {
    socket.write_all(text).await.unwrap();
    let mut read = vec![0; text.len()];
    let reading = tokio::time::timeout(Duration::from_secs(5), socket.read_exact(&mut read)).await;
    reading.expect("no echo").expect("the tunnel has ended");
    assert_eq!(read, text);
}

async fn session_line(server: &TestApp) -> String {
    let browser = server.by_cookie(&Z1).await;
    format!("Cookie: theirs=1; sessionid={}", browser.cookie("sessionid").unwrap())
}

#[tokio::test]
async fn a_websocket_carries_bytes_both_ways_for_the_caller_the_gate_names() {
    let echo = Echo::start("").await;
    on_each_database_with(echo.setup.clone(), async |server| {
        let cookie = session_line(server).await;
        let origin = format!("Origin: http://{}", server.address);
        let forged = ["X-Auth-User: 1", "X_Auth_User: 1", "Sec-WebSocket-Protocol: chat"];
        let beside = [&[cookie.as_str(), &origin][..], &forged].concat();
        let (mut socket, head) = dial_well(server, "/chat?room=1", &beside).await;
        assert_eq!(status(&head), "101", "{head}");
        let head = head.to_lowercase();
        for line in
            ["connection: upgrade\r\n", "upgrade: websocket\r\n", "sec-websocket-accept: s3p"]
        {
            assert_eq!(head.matches(line).count(), 1, "{line} {head}");
        }
        assert!(head.contains("x-request-id: ") && !head.contains("evil"), "{head}");

        let seen = echo.last_head();
        assert!(seen.starts_with("GET /chat?room=1 HTTP/1.1\r\n"), "{seen}");
        for line in [
            "\r\nconnection: upgrade\r\n",
            "\r\nupgrade: websocket\r\n",
            "\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
            "\r\nsec-websocket-protocol: chat\r\n",
            "\r\ncookie: theirs=1\r\n",
            "\r\nx-auth-email: fred@example.com\r\n",
        ] {
            assert_eq!(seen.matches(line).count(), 1, "{line} {seen}");
        }
        assert_eq!(seen.matches("x-auth-user: ").count(), 1, "{seen}");
        assert!(!seen.contains("sessionid") && !seen.contains("keep-alive"), "{seen}");

        // What would be refused as a request is theirs to say now.
        echoes(&mut socket, b"\x81\x05hello").await;
        echoes(&mut socket, b"GET / HTTP/1.1\nTransfer-Encoding: x\n\nPRI * HTTP/2.0\r\n").await;
        echoes(&mut socket, &vec![0; 300_000][..1024]).await;
        socket.shutdown().await.unwrap();
        assert_eq!(rest(&mut socket).await, b"bye", "the other half stays open");
    })
    .await;
}

#[tokio::test]
async fn a_handshake_that_two_could_read_differently_is_refused() {
    let echo = Echo::start("").await;
    on_each_database_with(echo.setup.clone(), async |server| {
        let cookie = session_line(server).await;
        let [connection, upgrade, version, key] = GOOD;
        let tables: &[(&str, &[&str])] = &[
            ("no Connection", &[upgrade, version, key]),
            ("Connection names others", &["Connection: keep-alive", upgrade, version, key]),
            ("no key", &[connection, upgrade, version]),
            ("two keys", &[connection, upgrade, version, key, key]),
            ("a short key", &[connection, upgrade, version, "Sec-WebSocket-Key: dGhl"]),
            ("no version", &[connection, upgrade, key]),
            ("an old version", &[connection, upgrade, "Sec-WebSocket-Version: 8", key]),
            ("two versions", &[connection, upgrade, "Sec-WebSocket-Version: 13, 8", key]),
            ("a body", &[connection, upgrade, version, key, "Content-Length: 3"]),
            ("chunks", &[connection, upgrade, version, key, "Transfer-Encoding: chunked"]),
            (
                "Connection drops the key",
                &["Connection: Upgrade, Sec-WebSocket-Key", upgrade, version, key],
            ),
        ];
        for (why, lines) in tables {
            let before = echo.heads.lock().unwrap().len();
            let (mut socket, head) =
                dial(server, "/chat", &[lines, &[cookie.as_str()][..]].concat()).await;
            assert_eq!(status(&head), "400", "{why}: {head}");
            let mut body = vec![0; 400];
            let count = socket.read(&mut body).await.unwrap();
            let body = String::from_utf8_lossy(&body[..count]).into_owned();
            assert!(body.contains("\"websocket_handshake\""), "{why}: {body}");
            assert_eq!(echo.heads.lock().unwrap().len(), before, "{why}: it went on");
        }
        let (_, head) = dial(server, "/chat", &[&GOOD[..], &[&cookie]].concat()).await;
        assert_eq!(status(&head), "101", "control");
    })
    .await;
}

#[tokio::test]
async fn no_other_protocol_is_offered_to_the_application() {
    let echo = Echo::start("").await;
    on_each_database_with(echo.setup.clone(), async |server| {
        let cookie = session_line(server).await;
        for lines in [
            ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"],
            ["Connection: Upgrade", "Upgrade: TLS/1.0", "X-A: 1"],
            ["Connection: Upgrade", "Upgrade: websocket2", GOOD[3]],
        ] {
            let (_, head) = dial(server, "/chat", &[&lines[..], &[&cookie]].concat()).await;
            assert_eq!(status(&head), "200", "{head}");
            let seen = echo.last_head();
            assert!(!seen.contains("upgrade") && !seen.contains("http2-settings"), "{seen}");
        }
        let (_, head) = dial(server, "/-/sign-in", &[&GOOD[..], &[&cookie]].concat()).await;
        assert_ne!(status(&head), "101", "our own pages speak HTTP only");
    })
    .await;
}

/// Cross-site WebSocket hijacking: the browser sends cookies along, and CORS does not apply.
#[tokio::test]
async fn a_websocket_that_a_cookie_opens_must_come_from_our_own_pages() {
    let config = "[sign_in]\ntrusted_origins = [\"https://partner.example\"]";
    let echo = Echo::start(config).await;
    on_each_database_with(echo.setup.clone(), async |server| {
        let cookie = session_line(server).await;
        let bearer = server.mobile_token(&Z1).await;
        let own = format!("Origin: http://{}", server.address);
        let check = async |path: &str, credential: &str, beside: &[&str], expected: &str| {
            let (_, head) = dial_well(server, path, &[&[credential], beside].concat()).await;
            assert_eq!(status(&head), expected, "{path} {beside:?} {head}");
        };
        let bearer = format!("Authorization: Bearer {bearer}");
        for path in ["/chat", "/forms/chat", "/public/chat"] {
            check(path, &cookie, &[], "101").await;
            check(path, &cookie, &[&own], "101").await;
            check(path, &cookie, &[&own, "Sec-Fetch-Site: same-origin"], "101").await;
            check(path, &cookie, &["Origin: https://partner.example"], "101").await;
            check(path, &cookie, &["Origin: https://evil.example"], "403").await;
            check(path, &cookie, &["Origin: null"], "403").await;
            check(path, &cookie, &[&own, "Sec-Fetch-Site: cross-site"], "403").await;
            check(path, &cookie, &["Sec-Fetch-Mode: websocket"], "403").await;
            // A page cannot make a browser send this.
            check(path, &bearer, &["Origin: https://evil.example"], "101").await;
        }
        check("/public/chat", "X-A: 1", &["Origin: https://evil.example"], "101").await;
        server.events("csrf_fail", 12).await;
    })
    .await;
}

#[tokio::test]
async fn the_rules_decide_about_a_websocket_as_about_any_request() {
    let echo = Echo::start("").await;
    on_each_database_with(echo.setup.clone(), async |server| {
        let cookie = session_line(server).await;
        let without = server.by_cookie(&STAFF0).await.cookie("sessionid").unwrap();
        let without = format!("Cookie: sessionid={without}");
        let check = async |path: &str, credential: &str, expected: &str| {
            let (_, head) = dial_well(server, path, &[credential]).await;
            assert_eq!(status(&head), expected, "{path} {head}");
        };
        check("/chat", "X-A: 1", "401").await;
        check("/chat", "Authorization: Bearer nobody", "401").await;
        check("/api/jobs/chat", &without, "403").await;
        check("/api/jobs/chat", &cookie, "101").await;
        check("/%2e%2e/chat", &cookie, "400").await;
    })
    .await;
}

#[tokio::test]
async fn what_is_no_agreement_is_an_answer_like_any_other() {
    let address = application(async |mut socket| {
        for (path, answer) in [
            (
                "/refuses",
                "HTTP/1.1 426 Upgrade Required\r\nconnection: upgrade\r\nupgrade: websocket\r\n",
            ),
            ("/ignores", "HTTP/1.1 200 OK\r\n"),
        ] {
            let head = read_head(&mut socket).await;
            if head.starts_with(&format!("GET {path} ")) {
                let answer = format!("{answer}content-length: 3\r\n\r\nhey");
                socket.write_all(answer.as_bytes()).await.unwrap();
            } else {
                let other = "HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n";
                return socket.write_all(other.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    on_each_database_with(before(address, ""), async |server| {
        let cookie = session_line(server).await;
        let lines = lines_of(&[&GOOD[..], &[&cookie]].concat());
        let request =
            |path| format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{lines}\r\n", server.address);
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        // One connection: after an answer that is no agreement it still speaks HTTP, guarded.
        for (path, expected) in [("/refuses", "426"), ("/ignores", "200")] {
            let head = ask(&mut socket, &request(path)).await;
            assert_eq!(status(&head), expected, "{head}");
            assert!(!head.to_lowercase().contains("upgrade: "), "{head}");
            socket.read_exact(&mut [0; 3]).await.unwrap();
        }
        let head = ask(&mut socket, &request("/lies")).await;
        assert_eq!(status(&head), "502", "{head}");
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        ask(&mut socket, &request("/refuses")).await;
        socket.read_exact(&mut [0; 3]).await.unwrap();
        let head = ask(&mut socket, "GET / HTTP/1.1\nHost: a\n\n").await;
        assert_eq!(status(&head), "400", "{head}");
    })
    .await;
}

/// How long after a revocation a tunnel may live: the default bound of two seconds, and some
/// time for a busy machine.
const SOON: Duration = Duration::from_secs(5);

/// The tunnel ends by itself, and soon.
async fn ends(mut socket: TcpStream, why: &str) {
    let mut bytes = Vec::new();
    let ended = tokio::time::timeout(SOON, socket.read_to_end(&mut bytes)).await;
    assert!(ended.is_ok(), "{why}: the tunnel lives on");
}

#[tokio::test]
async fn a22_a_tunnel_ends_with_the_credential_that_opened_it() {
    let echo = Echo::start("").await;
    on_each_database_with(echo.setup.clone(), async |server| {
        let browser = server.by_cookie(&Z1).await;
        let line = |client: &crate::harness::client::Client| {
            format!("Cookie: sessionid={}", client.cookie("sessionid").unwrap())
        };
        let other = server.sign_in(&Z1).await;
        let (mut ended, head) = dial_well(server, "/chat", &[&line(&browser)]).await;
        assert_eq!(status(&head), "101", "{head}");
        let (mut kept, _) = dial_well(server, "/chat", &[&line(&other)]).await;
        let (mut nobodys, _) = dial_well(server, "/public/chat", &[]).await;
        echoes(&mut ended, b"before").await;
        let out =
            browser.post("/api/auth/logout").header("x-csrf-token", &browser.fetch_csrf().await);
        assert!(out.from_own_page().send().await.status.is_success());
        ends(ended, "signed out").await;
        for lives in [&mut kept, &mut nobodys] {
            echoes(lives, b"control").await;
        }
        // Time runs out for the other one.
        server.advance(Duration::from_hours(100 * 24));
        ends(kept, "expired").await;
        echoes(&mut nobodys, b"control").await;
    })
    .await;
}

#[tokio::test]
async fn a_tunnel_ends_when_the_store_cannot_tell() {
    let echo = Echo::start("[session]\nrevocation_bound = \"0s\"").await;
    on_each_database_with(echo.setup.clone(), async |server| {
        let cookie = session_line(server).await;
        let (mut socket, _) = dial_well(server, "/chat", &[&cookie]).await;
        echoes(&mut socket, b"before").await;
        tokio::time::sleep(Duration::from_millis(1200)).await;
        echoes(&mut socket, b"asked about, and fine").await;
        server.app.db.close().await;
        ends(socket, "no store").await;
    })
    .await;
}

#[tokio::test]
async fn tunnels_end_with_the_server() {
    let echo = Echo::start("").await;
    on_each_database_with(echo.setup.clone(), async |server| {
        let (mut socket, _) = dial_well(server, "/public/chat", &[]).await;
        echoes(&mut socket, b"before").await;
        server.ask_to_stop();
        ends(socket, "stopped").await;
    })
    .await;
}
