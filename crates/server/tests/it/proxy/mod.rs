//! The reverse proxy before applications with manners of their own: WebSocket, streams, lies, silence;
//! over plain connections and TLS. What the rules decide is in `attacks/` and `contract/`.

mod assertion;
mod idle;
mod liars;
mod streams;
mod tls;
mod upstreams;
mod websocket;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Setup, spawn};

/// An application that treats each connection by `handler`.
async fn application<F, W>(handler: F) -> SocketAddr
where
    F: Fn(TcpStream) -> W + Send + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            spawn(handler(socket));
        }
    });
    address
}

/// The gate before this application, with rules of the test's own (TOML) before the usual ones.
fn before(application: SocketAddr, config: &str) -> Setup {
    Setup::with(&format!("[gate]\nupstream = \"http://{application}\"\n{config}"))
}

/// Reads up to the empty line behind a head; nothing behind it is taken.
async fn read_head(socket: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let read = tokio::time::timeout(Duration::from_secs(20), socket.read_u8()).await;
        match read.expect("no head came") {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// Sends this and reads the head of the answer.
pub(super) async fn ask(socket: &mut TcpStream, request: &str) -> String {
    socket.write_all(request.as_bytes()).await.unwrap();
    read_head(socket).await
}

/// The bytes up to the end of the connection, which must come soon.
async fn rest(socket: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut bytes)).await;
    drop(read.expect("the connection was held open"));
    bytes
}

/// These lines as they stand in a head.
fn lines_of(lines: &[&str]) -> String {
    lines.iter().flat_map(|line| [line, "\r\n"]).collect()
}
