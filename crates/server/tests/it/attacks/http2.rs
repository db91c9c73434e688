//! A76 over HTTP/2, frame by frame: bytes that HTTP/1 would take for the end of a line never reach
//! the application, and what only HTTP/1 knows is refused.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{TestApp, on_each_database};

/// A field of a header block: literal, without indexing, not compressed (RFC 7541, section 6.2.2).
fn field(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut block = vec![0];
    for text in [name, value] {
        block.push(u8::try_from(text.len()).unwrap());
        block.extend_from_slice(text);
    }
    block
}

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags, 0, 0, 0, stream]);
    frame.extend_from_slice(payload);
    frame
}

/// Sends one request and says whether it was answered with headers on its stream.
async fn is_answered(server: &TestApp, fields: &[(&[u8], &[u8])]) -> bool {
    const SETTINGS: u8 = 4;
    const HEADERS: u8 = 1;
    const END_OF_STREAM_AND_HEADERS: u8 = 5;
    let block: Vec<u8> = fields.iter().flat_map(|(name, value)| field(name, value)).collect();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    bytes.extend(frame(HEADERS, END_OF_STREAM_AND_HEADERS, 1, &block));
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    socket.write_all(&bytes).await.unwrap();
    loop {
        let mut head = [0; 9];
        let read = socket.read_exact(&mut head);
        match tokio::time::timeout(Duration::from_millis(500), read).await {
            Err(_) | Ok(Err(_)) => return false,
            Ok(Ok(_)) => {}
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        socket.read_exact(&mut payload).await.unwrap();
        let [.., kind, _, _, _, _, stream] = head;
        if kind == HEADERS && stream == 1 {
            return true;
        }
    }
}

#[tokio::test]
async fn a76_http2_cannot_write_lines_of_http1() {
    on_each_database(async |server| {
        let authority = server.address.to_string();
        let check = async |extra: &[(&[u8], &[u8])], path: &[u8], reaches: bool, why: &str| {
            let before = server.upstream.seen().len();
            let mut fields: Vec<(&[u8], &[u8])> = vec![
                (b":method", b"GET"),
                (b":scheme", b"http"),
                (b":path", path),
                (b":authority", authority.as_bytes()),
            ];
            fields.extend_from_slice(extra);
            let is_answered = is_answered(server, &fields).await;
            let seen = server.upstream.seen().split_off(before);
            assert_eq!(!seen.is_empty(), reaches, "{why}: {seen:?}");
            assert!(is_answered || !reaches, "{why}");
            assert!(!format!("{seen:?}").contains("evil"), "{why}: {seen:?}");
        };
        check(&[], b"/public", true, "control").await;
        check(&[(b"x-fine", b"1")], b"/public", true, "control").await;
        check(&[(b"x", b"1\r\nX-Auth-User: evil")], b"/public", false, "CR LF in a value").await;
        check(&[(b"x", b"1\nX-Auth-User: evil")], b"/public", false, "LF in a value").await;
        check(&[(b"x", b"1\rX-Auth-User: evil")], b"/public", false, "CR in a value").await;
        check(&[(b"x", b"a\0evil")], b"/public", false, "NUL in a value").await;
        check(&[(b"x: evil\r\ny", b"1")], b"/public", false, "CR LF in a name").await;
        check(&[(b"X-Auth-User", b"evil")], b"/public", false, "a name in capitals").await;
        check(&[(b"transfer-encoding", b"chunked")], b"/public", false, "Transfer-Encoding").await;
        check(&[(b"connection", b"x-auth-user")], b"/public", false, "Connection").await;
        check(&[(b"host", b"evil.example")], b"/public", false, "another host").await;
        check(&[(b":path", b"/admin")], b"/public", false, "two paths").await;
        check(&[], b"/public HTTP/1.1\r\nX: evil", false, "a line in the path").await;
        check(&[], b"/public /evil", false, "a space in the path").await;
        check(&[], b"/public/../admin", false, "dots").await;
        check(&[], b"", false, "no path").await;
        check(&[(b"x-auth-user", b"evil")], b"/public", true, "identity is taken away").await;
        check(&[(b"x_auth_user", b"evil")], b"/public", true, "in any spelling").await;
    })
    .await;
}
