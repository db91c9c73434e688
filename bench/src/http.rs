//! As much of an HTTP/1.1 client as a benchmark needs: one connection, kept open, answers with a
//! `Content-Length`. Not a client for anything else.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// One answer, with header names in lower case.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// How many bytes it took on the wire.
    length: usize,
}

/// Where an answer ends, and the one header that may be asked for.
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) token: Option<String>,
}

/// A connection that is kept open.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Answer {
    /// `None` while the answer is not complete.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        let mut slots = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Response::new(&mut slots);
        let httparse::Status::Complete(start) = head.parse(bytes)? else { return Ok(None) };
        let length = start + body_length(&head)?;
        let Some(body) = bytes.get(start..length) else { return Ok(None) };
        let headers = head.headers.iter().map(|header| {
            let value = String::from_utf8_lossy(header.value).into_owned();
            (header.name.to_ascii_lowercase(), value)
        });
        let status = head.code.unwrap_or_default();
        Ok(Some(Self { status, headers: headers.collect(), body: body.to_vec(), length }))
    }
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 * 1024) })
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

    /// The same without copying the answer: its status, and `X-CSRF-Token` if that is wanted.
    pub(crate) async fn ask_briefly(&mut self, request: &[u8], token: bool) -> Result<Head> {
        self.stream.write_all(request).await?;
        loop {
            if let Some((head, length)) = brief(&self.buffer, token)? {
                self.buffer.drain(..length);
                return Ok(head);
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

    async fn read_more(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
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

fn brief(bytes: &[u8], token: bool) -> Result<Option<(Head, usize)>> {
    let mut slots = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut slots);
    let httparse::Status::Complete(start) = head.parse(bytes)? else { return Ok(None) };
    let length = start + body_length(&head)?;
    if bytes.len() < length {
        return Ok(None);
    }
    let mut found = None;
    if token {
        let named = |header: &&httparse::Header| header.name.eq_ignore_ascii_case("x-csrf-token");
        let header = head.headers.iter().find(named).context("no X-CSRF-Token came back")?;
        found = Some(std::str::from_utf8(header.value)?.to_owned());
    }
    Ok(Some((Head { status: head.code.unwrap_or_default(), token: found }, length)))
}

fn body_length(head: &httparse::Response) -> Result<usize> {
    if matches!(head.code, Some(204 | 304)) {
        return Ok(0);
    }
    let named = |header: &&httparse::Header| header.name.eq_ignore_ascii_case("content-length");
    let header = head.headers.iter().find(named).context("an answer without Content-Length")?;
    Ok(std::str::from_utf8(header.value)?.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_when_it_is_complete() {
        let whole = b"HTTP/1.1 200 OK\r\nX-CSRF-Token: abc\r\nContent-Length: 2\r\n\r\nokHTTP";
        for cut in 0..whole.len() - 4 {
            assert!(Answer::parse(&whole[..cut]).unwrap().is_none(), "{cut}");
            assert!(brief(&whole[..cut], true).unwrap().is_none(), "{cut}");
        }
        let answer = Answer::parse(whole).unwrap().unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"ok"[..]));
        assert_eq!(answer.length, whole.len() - 4);
        let (head, length) = brief(whole, true).unwrap().unwrap();
        assert_eq!((head.status, head.token.as_deref()), (200, Some("abc")));
        assert_eq!(length, whole.len() - 4);
    }

    #[test]
    fn an_answer_that_cannot_be_measured_is_a_fault() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        assert!(brief(bytes, true).is_err(), "no token");
        assert!(Answer::parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err(), "no length");
        assert!(Answer::parse(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().is_some());
    }
}
