//! As much of an HTTP/1.1 client as a benchmark needs: one connection, kept open, and answers with
//! a `Content-Length` or in chunks without trailers. Not a client for anything else.

mod answer;

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;

use anyhow::{Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) use answer::{Answer, Brief, Wanted};

const BUFFER: usize = 16 * 1024;

/// A connection that is kept open.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// The same for a thread of its own, which sleeps with less delay than a task.
pub(crate) struct BlockingConnection {
    stream: std::net::TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(BUFFER) })
    }

    /// Sends a whole request and reads the whole answer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<Answer> {
        self.stream.write_all(request).await?;
        loop {
            if let Some(answer) = Answer::parse(&self.buffer)? {
                self.buffer.drain(..answer.length);
                return Ok(answer);
            }
            self.read_more().await?;
        }
    }

    /// The same without copying the answer: only what is wanted of it.
    pub(crate) async fn ask_briefly(&mut self, request: &[u8], wanted: Wanted) -> Result<Brief> {
        self.stream.write_all(request).await?;
        loop {
            if let Some(brief) = Brief::parse(&self.buffer, wanted)? {
                self.buffer.drain(..brief.length);
                return Ok(brief);
            }
            self.read_more().await?;
        }
    }

    /// The bytes of an answer as they came, for a yardstick to repeat.
    pub(crate) async fn record(&mut self, request: &[u8]) -> Result<Vec<u8>> {
        self.stream.write_all(request).await?;
        while Answer::parse(&self.buffer)?.is_none() {
            self.read_more().await?;
        }
        Ok(std::mem::take(&mut self.buffer))
    }

    /// What lies underneath, for bodies too long to be kept.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    async fn read_more(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}

impl BlockingConnection {
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        let stream = std::net::TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(BUFFER) })
    }

    /// As [`Connection::ask_briefly`].
    pub(crate) fn ask_briefly(&mut self, request: &[u8], wanted: Wanted) -> Result<Brief> {
        self.stream.write_all(request)?;
        let mut bytes = [0; BUFFER];
        loop {
            if let Some(brief) = Brief::parse(&self.buffer, wanted)? {
                self.buffer.drain(..brief.length);
                return Ok(brief);
            }
            let count = self.stream.read(&mut bytes)?;
            let Some(read @ [_, ..]) = bytes.get(..count) else {
                bail!("the server closed the connection");
            };
            self.buffer.extend_from_slice(read);
        }
    }
}

/// A request with its `Content-Length`. `headers` are whole lines, each with its line end.
pub(crate) fn request(method: &str, target: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = match (method, body.len()) {
        ("GET", 0) => String::new(),
        (_, length) => format!("content-length: {length}\r\n"),
    };
    format!("{method} {target} HTTP/1.1\r\nhost: 127.0.0.1\r\n{headers}{length}\r\n{body}")
        .into_bytes()
}
