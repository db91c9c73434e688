//! Upstreams that lie about their answers, break off, or never end. The client gets an answer or a
//! closed connection, never a second answer that the first one smuggled in, and whoever asks next is
//! answered as ever.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{application, before, read_head};
use crate::harness::on_each_database_with;
use crate::harness::raw::exchange;

/// What stands behind an answer, for the next reader of the connection.
const SECOND: &str = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nSMUGGLED";

/// What the client should see of an answer.
#[derive(Clone, Copy)]
enum Seen {
    /// An answer with this status and this end, and then the next one on the same connection.
    Whole(u16, &'static str),
    /// The beginning of one, and then the end of the connection.
    CutOff,
}
use Seen::{CutOff, Whole};

/// How the upstream answers; `{}` is [`SECOND`].
const LIES: [(&str, &str, Seen); 31] = [
    ("control", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", Whole(200, "abc")),
    ("short-length", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc{}", Whole(200, "abc")),
    ("long-length", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", CutOff),
    ("no-length", "HTTP/1.1 200 OK\r\n\r\nabc", Whole(200, "abc\r\n0\r\n\r\n")),
    (
        "te-and-cl",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n\
         5\r\nhello\r\n0\r\n\r\n{}",
        Whole(200, "hello\r\n0\r\n\r\n"),
    ),
    (
        "two-lengths",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc{}",
        BROKEN,
    ),
    ("list-of-lengths", "HTTP/1.1 200 OK\r\ncontent-length: 3, 4\r\n\r\nabc{}", BROKEN),
    ("plus-length", "HTTP/1.1 200 OK\r\ncontent-length: +3\r\n\r\nabc{}", BROKEN),
    ("negative", "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n{}", BROKEN),
    ("huge", "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n{}", BROKEN),
    ("bad-chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}", CutOff),
    ("half-chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nabc", CutOff),
    ("no-last-chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", CutOff),
    (
        "trailers",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-auth-user\r\n\r\n\
         3\r\nabc\r\n0\r\nx-auth-user: SMUGGLED\r\n\r\n",
        Whole(200, "abc\r\n0\r\n\r\n"),
    ),
    ("body-of-204", "HTTP/1.1 204 No Content\r\ncontent-length: 8\r\n\r\nSMUGGLED", Whole(204, "")),
    ("body-of-304", "HTTP/1.1 304 Not Modified\r\n\r\nSMUGGLED", Whole(304, "")),
    ("nothing", "", BROKEN),
    ("half-a-head", "HTTP/1.1 200 OK\r\ncontent-le", BROKEN),
    ("no-http", "SSH-2.0-OpenSSH_9.2\r\n", BROKEN),
    ("no-version", "200 OK\r\n\r\n{}", BROKEN),
    ("other-version", "HTTP/9.9 200 OK\r\n\r\n{}", BROKEN),
    ("words-for-status", "HTTP/1.1 abc OK\r\n\r\n{}", BROKEN),
    ("short-status", "HTTP/1.1 20 OK\r\n\r\n{}", BROKEN),
    ("folded", "HTTP/1.1 200 OK\r\nx: a\r\n b: c\r\n\r\n{}", BROKEN),
    ("space-in-name", "HTTP/1.1 200 OK\r\nx y: a\r\n\r\n{}", BROKEN),
    ("nul", "HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n{}", BROKEN),
    ("lone-cr", "HTTP/1.1 200 OK\r\nx: a\rb: c\r\n\r\n{}", BROKEN),
    ("switches", "HTTP/1.1 101 X\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n{}", BROKEN),
    (
        "early-hints",
        "HTTP/1.1 103 Early Hints\r\nx-auth-user: SMUGGLED\r\n\r\n\
         HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc",
        Whole(200, "abc"),
    ),
    (
        "speaks-for-us",
        "HTTP/1.1 200 OK\r\nset-cookie: sessionid=SMUGGLED\r\nset-cookie: csrftoken=SMUGGLED\r\n\
         x-auth-user: SMUGGLED\r\nX-Auth-Assertion: SMUGGLED\r\nx-request-id: SMUGGLED\r\n\
         x_auth_user: SMUGGLED\r\nkeep-alive: SMUGGLED\r\nconnection: x-mine\r\n\
         x-mine: SMUGGLED\r\nset-cookie: theirs=1\r\ncontent-length: 3\r\n\r\nabc",
        Whole(200, "abc"),
    ),
    (
        "upgrade-in-passing",
        "HTTP/1.1 200 OK\r\nupgrade: h2c\r\nconnection: upgrade\r\ncontent-length: 3\r\n\r\nabc",
        Whole(200, "abc"),
    ),
];

const BROKEN: Seen = Whole(502, "");

/// The upstream: answers by the last segment of the path, and closes.
async fn lie(mut socket: TcpStream) {
    let head = read_head(&mut socket).await;
    let path = head.split(' ').nth(1).unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let known = LIES.iter().find(|(known, _, _)| *known == name);
    match (known, name) {
        (Some((_, answer, _)), _) => {
            drop(socket.write_all(answer.replace("{}", SECOND).as_bytes()).await);
        }
        (None, "endless-headers") => repeat(socket, "HTTP/1.1 200 OK\r\n", "x: aaaaaaaa\r\n").await,
        (None, "endless-line") => repeat(socket, "HTTP/1.1 200 OK\r\nx: ", "aaaaaaaa").await,
        (None, "endless-reason") => repeat(socket, "HTTP/1.1 200 ", "aaaaaaaa").await,
        (None, "many-continues") => {
            let flood = "HTTP/1.1 100 Continue\r\n\r\n".repeat(1000);
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc";
            drop(socket.write_all(format!("{flood}{answer}").as_bytes()).await);
        }
        (None, _) => {
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhonest";
            drop(socket.write_all(answer.as_bytes()).await);
        }
    }
}

/// Sends without end, until nobody listens.
async fn repeat(mut socket: TcpStream, start: &str, piece: &str) {
    let piece = piece.repeat(1024);
    let mut sent = socket.write_all(start.as_bytes()).await;
    while sent.is_ok() {
        sent = socket.write_all(piece.as_bytes()).await;
    }
}

#[tokio::test]
async fn a76_an_upstream_that_lies_smuggles_nothing_in() {
    let upstream = application(lie).await;
    on_each_database_with(before(upstream, ""), async |server| {
        let host = server.address;
        for (name, _, seen) in LIES {
            let request = format!(
                "GET /public/{name} HTTP/1.1\r\nHost: {host}\r\n\r\n\
                 GET /public/next HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            );
            let told = exchange(server.address, request.as_bytes()).await;
            let text = &told.text;
            assert!(told.closed, "{name}: {text}");
            assert!(!text.contains("SMUGGLED"), "{name}: {text}");
            match seen {
                Whole(status, end) => {
                    assert_eq!(told.status(), status, "{name}: {text}");
                    let (first, second) = text[1..].split_once("HTTP/1.1 200 OK\r\n").expect(name);
                    assert!(first.ends_with(end), "{name}: {text}");
                    assert!(second.ends_with("\r\n\r\nhonest"), "{name}: {text}");
                    assert!(
                        status != 502 || first.contains("\"upstream_broken\""),
                        "{name}: {text}"
                    );
                }
                CutOff => {
                    assert!(text.matches("HTTP/1.1 ").count() <= 1, "{name}: {text}");
                    assert!(
                        !text.contains("honest") && !text.ends_with("0\r\n\r\n"),
                        "{name}: {text}"
                    );
                }
            }
        }
        let head = format!("HEAD /public/short-length HTTP/1.1\r\nHost: {host}\r\n");
        let told = exchange(host, format!("{head}Connection: close\r\n\r\n").as_bytes()).await;
        assert!(told.status() == 200 && told.text.ends_with("\r\n\r\n"), "HEAD: {}", told.text);
    })
    .await;
}

#[tokio::test]
async fn a78_an_upstream_that_never_ends_its_head_is_left() {
    let upstream = application(lie).await;
    on_each_database_with(before(upstream, ""), async |server| {
        for (name, verdict) in [
            ("endless-headers", "502 upstream_broken"),
            ("endless-line", "502 upstream_broken"),
            ("endless-reason", "502 upstream_broken"),
            ("many-continues", "200"),
            ("next", "200"),
        ] {
            let asked = server.client();
            let path = format!("/public/{name}");
            let answer = asked.get(&path).send();
            let answer = tokio::time::timeout(std::time::Duration::from_secs(10), answer).await;
            assert_eq!(answer.expect(name).verdict(), verdict, "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_pooled_connection_carries_nothing_over_to_the_next_caller() {
    // Answers the first request of a connection, and slips a second answer in while nobody asks.
    let upstream = application(async |mut socket| {
        read_head(&mut socket).await;
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhonest";
        socket.write_all(answer.as_bytes()).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        drop(socket.write_all(SECOND.as_bytes()).await);
        drop(socket.read_to_end(&mut Vec::new()).await);
    })
    .await;
    on_each_database_with(before(upstream, ""), async |server| {
        for pause in [50, 100, 200] {
            for _ in 0..3 {
                let answer = server.client().get("/public").send().await;
                assert_eq!(answer.text(), "honest", "after {pause} ms");
                tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
            }
        }
    })
    .await;
}
