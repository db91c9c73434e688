//! A large body through the gate, down and up: how much memory it takes on the way.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::http::{Answer, Connection, request};
use crate::portcullis::{self, Credentials, Portcullis, csrf_token};
use crate::process::{Server, forget_peak, memory_mb, peak_mb};
use crate::report::{Figure, Findings};
use crate::run::say;
use crate::upstream::{DOWN, LENGTH, PIECE, UP};

/// What the server may take beyond what it has when idle.
const OWED_MB: f64 = 32.0;

/// Sends the body both ways, through an instance that has done nothing else.
pub(crate) async fn measure(gate: &Portcullis, findings: &mut Findings) -> Result<()> {
    say("1 GiB down and up through the gate");
    let (server, _) = gate.start().await?;
    let who = portcullis::sign_in(server.address).await?;
    findings.figures.extend([
        figure("1 GiB down through the gate", &server, down(&server, &who)).await?,
        figure("1 GiB up through the gate", &server, up(&server, &who)).await?,
    ]);
    server.stop().await
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
async fn figure(
    name: &str,
    server: &Server,
    transfer: impl Future<Output = Result<u64>>,
) -> Result<Figure> {
    let idle = memory_mb(server.pid)?;
    forget_peak(server.pid)?;
    let started = Instant::now();
    let length = transfer.await.with_context(|| name.to_owned())?;
    let seconds = started.elapsed().as_secs_f64();
    ensure!(length == LENGTH, "{name}: {length} bytes came through");
    let more = (peak_mb(server.pid)? - idle).max(0.0);
    let rate = f64::from(u32::try_from(LENGTH / 1_000_000)?) / seconds;
    let name = format!("{name} at {rate:.0} MB/s, memory over idle");
    Ok(Figure::below(&name, more, OWED_MB, "MB"))
}

async fn down(server: &Server, who: &Credentials) -> Result<u64> {
    let mut stream = Connection::open(server.address).await?.into_stream();
    stream.write_all(&request("GET", DOWN, &who.cookie, "")).await?;
    let mut piece = vec![0; PIECE];
    let mut read = Vec::new();
    let head = loop {
        let count = stream.read_buf(&mut read).await?;
        ensure!(count > 0, "closed early: {}", String::from_utf8_lossy(&read));
        if let Some(at) = read.windows(4).position(|end| end == b"\r\n\r\n") {
            break at + 4;
        }
    };
    ensure!(read.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&read));
    let mut length = u64::try_from(read.len() - head)?;
    while length < LENGTH {
        let count = stream.read(&mut piece).await?;
        ensure!(count > 0, "closed after {length} bytes");
        length += u64::try_from(count)?;
    }
    Ok(length)
}

async fn up(server: &Server, who: &Credentials) -> Result<u64> {
    let mut connection = Connection::open(server.address).await?;
    let token = csrf_token(&mut connection, who).await?;
    let mut stream = connection.into_stream();
    let head = format!(
        "POST {UP} HTTP/1.1\r\nhost: 127.0.0.1\r\n{}x-csrf-token: {token}\r\n\
         content-type: application/octet-stream\r\ncontent-length: {LENGTH}\r\n\r\n",
        who.cookie
    );
    stream.write_all(head.as_bytes()).await?;
    let piece = vec![0; PIECE];
    for _ in 0..LENGTH / u64::try_from(PIECE)? {
        stream.write_all(&piece).await?;
    }
    let answer = answer(&mut stream).await?;
    std::str::from_utf8(&answer.body)?.parse().with_context(|| answer.text())
}

async fn answer(stream: &mut TcpStream) -> Result<Answer> {
    let mut read = Vec::new();
    loop {
        if let Some(answer) = Answer::parse(&read)? {
            return Ok(answer);
        }
        ensure!(stream.read_buf(&mut read).await? > 0, "closed before the answer");
    }
}
