//! A78: ten thousand connections that do nothing, while others are served.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::harness::client::Client;
use crate::harness::program::Program;
use crate::harness::upstream::Upstream;

/// How many are held, where the machine allows that many descriptors.
const WANTED: usize = 10_000;
/// How many come from one address: fewer than one may have.
const FROM_ONE: usize = 500;
/// Descriptors for everything else in this process.
const OTHERS: usize = 1000;
/// What one may cost the server, in bytes: two buffers of 8 KiB, and what is known of it.
const MOST_EACH: usize = 28 * 1024;
/// How long anybody else waits for an answer.
const PROMPT: Duration = Duration::from_secs(1);

/// As many descriptors as the machine allows; how many connections may be held with them.
fn room() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let allowed = maximum.map_or(usize::MAX, |most| usize::try_from(most).unwrap());
    WANTED.min(allowed.saturating_sub(OTHERS))
}

/// Opens a connection from the address of this number, asks for something, and then says no more.
async fn idler(server: SocketAddr, number: usize) -> TcpStream {
    let last = u8::try_from(number / FROM_ONE + 1).unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 7, 7, last), 0))).unwrap();
    let mut stream = socket.connect(server).await.unwrap();
    let request = format!("GET /public HTTP/1.1\r\nHost: {server}\r\n\r\n");
    ask_again(&mut stream, &request).await;
    stream
}

async fn ask_again(stream: &mut TcpStream, request: &str) {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = [0; 2048];
    let mut length = 0;
    while !answer[..length].ends_with(b"{\"upstream\":true}") {
        let read = stream.read(&mut answer[length..]).await.unwrap();
        assert!(read > 0, "closed: {}", String::from_utf8_lossy(&answer[..length]));
        length += read;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a78_ten_thousand_idle_connections_hold_up_nobody_and_cost_little() {
    let upstream = Upstream::start().await;
    let program = Program::serve(&format!(
        "[gate]\nupstream = \"http://{}\"\nrule = [{{ id = \"all\", path = \"/\", allow = \"anyone\" }}]",
        upstream.address
    ));
    let count = room();
    let server = program.address;
    // What the first requests need is no cost of a connection.
    for number in 0..100 {
        drop(idler(server, number).await);
    }
    let before = program.resident();
    let mut held = Vec::with_capacity(count);
    let mut slowest = Duration::ZERO;
    while held.len() < count {
        let next = (held.len()..count.min(held.len() + 100)).map(|number| idler(server, number));
        held.extend(futures_util::future::join_all(next).await);
        let started = tokio::time::Instant::now();
        assert_eq!(Client::new(server).get("/public").send().await.status, 200);
        slowest = slowest.max(started.elapsed());
    }
    let each = program.resident().saturating_sub(before) / count;
    println!("{count} idle connections: {each} bytes each; others waited {slowest:?} at most");
    if count < WANTED {
        println!("no more, because of the limit on descriptors");
    }
    assert!(each < MOST_EACH, "{each} bytes each");
    assert!(slowest < PROMPT, "{slowest:?}");
    // They are all there still, and served when they wake up.
    let request = format!("GET /public HTTP/1.1\r\nHost: {server}\r\n\r\n");
    for stream in held.iter_mut().step_by(97) {
        ask_again(stream, &request).await;
    }
}
