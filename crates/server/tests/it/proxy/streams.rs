//! Answers and uploads that last: events as they come, until the credential or the server ends;
//! hundreds of megabytes in little memory; clients that do not keep up.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{application, ask, before, read_head};
use crate::harness::client::Client;
use crate::harness::people::Z1;
use crate::harness::program::Program;
use crate::harness::{TestApp, on_each_database_with};

const MIB: usize = 1024 * 1024;
/// What is sent each way.
const LARGE: usize = 200 * MIB;

/// An application that answers with events: one at once and, under `/talk`, one every 100 ms.
async fn events(mut socket: TcpStream) {
    let head = read_head(&mut socket).await;
    let start = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                 transfer-encoding: chunked\r\n\r\n9\r\ndata: 0\n\n\r\n";
    socket.write_all(start.as_bytes()).await.unwrap();
    let is_silent = !head.contains("/talk");
    while !is_silent && socket.write_all(b"9\r\ndata: 1\n\n\r\n").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    drop(socket.read_to_end(&mut Vec::new()).await);
}

/// Opens a stream of events and reads the first.
async fn listen(server: &TestApp, path: &str, client: &Client) -> TcpStream {
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let cookie = client.cookie("sessionid").unwrap_or_default();
    let host = server.address;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: sessionid={cookie}\r\n\r\n");
    let head = ask(&mut socket, &request).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let mut first = [0; 14];
    let read = tokio::time::timeout(Duration::from_secs(5), socket.read_exact(&mut first)).await;
    read.expect("the first event was held back").unwrap();
    assert_eq!(&first, b"9\r\ndata: 0\n\n\r\n");
    socket
}

/// Reads to the end of the stream, which must come soon; whether the last chunk came.
async fn ends(mut socket: TcpStream, why: &str) -> bool {
    let mut bytes = Vec::new();
    let reading = socket.read_to_end(&mut bytes);
    let ended = tokio::time::timeout(Duration::from_secs(5), reading).await;
    assert!(ended.is_ok(), "{why}: the stream lives on");
    bytes.ends_with(b"\r\n0\r\n\r\n") || bytes == b"0\r\n\r\n"
}

/// More events come.
async fn lives(socket: &mut TcpStream) {
    for _ in 0..5 {
        let mut event = [0; 14];
        let read =
            tokio::time::timeout(Duration::from_secs(5), socket.read_exact(&mut event)).await;
        read.expect("no event").expect("the stream has ended");
        assert_eq!(&event, b"9\r\ndata: 1\n\n\r\n");
    }
}

#[tokio::test]
async fn a22_a_stream_of_events_ends_with_the_credential_that_opened_it() {
    let application = application(events).await;
    on_each_database_with(before(application, ""), async |server| {
        let browser = server.by_cookie(&Z1).await;
        let other = server.sign_in(&Z1).await;
        let talking = listen(server, "/talk", &browser).await;
        let silent = listen(server, "/silent", &browser).await;
        let mut kept = listen(server, "/talk", &other).await;
        let mut nobodys = listen(server, "/public/talk", &server.client()).await;
        let token = browser.fetch_csrf().await;
        let out = browser.post("/api/auth/logout").header("x-csrf-token", &token).from_own_page();
        assert!(out.send().await.status.is_success());
        // Broken off: half an answer must not look like a whole one.
        assert!(!ends(talking, "signed out").await);
        assert!(!ends(silent, "signed out, silent").await);
        for _ in 0..3 {
            lives(&mut kept).await;
            lives(&mut nobodys).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_stream_of_events_ends_when_the_caller_may_no_longer_have_it() {
    let application = application(events).await;
    on_each_database_with(before(application, ""), async |server| {
        let browser = server.by_cookie(&Z1).await;
        let jobs = listen(server, "/api/jobs/talk", &browser).await;
        let mut home = listen(server, "/talk", &browser).await;
        let key = portcullis_domain::permission::Grant::parse("api.jobs.manage.manage").unwrap();
        let mut tx = server.app.db.write().await.unwrap();
        let role = portcullis_store::roles::by_name(&mut tx, Z1.role).await.unwrap().unwrap();
        portcullis_store::roles::revoke(&mut tx, role.id, &key).await.unwrap();
        tx.commit().await.unwrap();
        server.advance(Duration::from_secs(3));
        ends(jobs, "the permission is gone").await;
        lives(&mut home).await;
    })
    .await;
}

#[tokio::test]
async fn a_stream_of_events_ends_well_when_the_server_stops() {
    let application = application(events).await;
    on_each_database_with(before(application, ""), async |server| {
        let silent = listen(server, "/public/silent", &server.client()).await;
        server.ask_to_stop();
        assert!(ends(silent, "stopped").await, "the client should come again, not fail");
    })
    .await;
}

/// An application that reads uploads whole and answers everything else with [`LARGE`].
async fn large(mut socket: TcpStream) {
    let head = read_head(&mut socket).await;
    if head.starts_with("POST ") {
        let mut left = LARGE;
        let mut buffer = vec![0; 64 * 1024];
        while left > 0 {
            left -= socket.read(&mut buffer).await.unwrap();
        }
        return drop(socket.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await);
    }
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\nconnection: close\r\n\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    let piece = vec![7; 64 * 1024];
    for _ in 0..LARGE / piece.len() {
        if socket.write_all(&piece).await.is_err() {
            return;
        }
    }
    drop(socket.read_to_end(&mut Vec::new()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_megabytes_pass_in_little_memory() {
    let application = application(large).await;
    let gate = format!("[gate]\nupstream = \"http://{application}\"\n");
    let rule = "rule = [{ id = \"all\", path = \"/\", allow = \"anyone\" }]";
    let program = Program::serve(&format!("{gate}{rule}"));
    let host = program.address;
    let get = format!("GET /file HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let post = format!("POST /file HTTP/1.1\r\nHost: {host}\r\nContent-Length: {LARGE}\r\n\r\n");
    // Warm: what a first request needs is no growth.
    let mut early = TcpStream::connect(host).await.unwrap();
    ask(&mut early, &get).await;
    drop(early);
    let before = program.resident();
    let mut most = before;
    let mut buffer = vec![0; MIB];

    let mut slow = TcpStream::connect(host).await.unwrap();
    ask(&mut slow, &get).await;
    let mut socket = TcpStream::connect(host).await.unwrap();
    let head = ask(&mut socket, &get).await;
    assert!(head.contains(&format!("content-length: {LARGE}")), "{head}");
    let mut read = 0;
    while read < LARGE {
        read += socket.read(&mut buffer).await.unwrap();
        most = most.max(program.resident());
    }
    socket.write_all(post.as_bytes()).await.unwrap();
    for _ in 0..LARGE / MIB {
        socket.write_all(&buffer).await.unwrap();
        most = most.max(program.resident());
    }
    assert!(read_head(&mut socket).await.starts_with("HTTP/1.1 204 "));
    // The one that did not read has held up nobody, and is served still.
    slow.read_exact(&mut buffer).await.unwrap();
    let grown = (most - before) / 1024;
    println!("2 x {} MiB through the proxy: {grown} KiB more", LARGE / MIB);
    assert!(grown < 16 * 1024, "{grown} KiB");
}
