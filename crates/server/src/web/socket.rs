//! The socket of a client: it keeps the client's place among the connections for as long as it is
//! open, whatever is spoken on it, and breaks when the client takes nothing of what is sent to it.
//! Not the framing of requests, which is in [`super::framing`], and not TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use crate::connections::Place;
use crate::telemetry::metrics::OpenConnection;

/// How long a client may leave untouched what is sent to it. Long enough for a telephone in a
/// tunnel; without it a client that stops reading holds an upstream's answer for ever. Silence of
/// the upstream does not count: then there is nothing to take.
pub const STALL: Duration = Duration::from_mins(5);

/// A client's connection.
pub struct Socket {
    tcp: TcpStream,
    limit: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
    _held: (Place, OpenConnection),
}

impl Socket {
    /// With the usual limit.
    pub fn new(tcp: TcpStream, place: Place, open: OpenConnection) -> Self {
        Self { tcp, limit: STALL, stalled: None, _held: (place, open) }
    }

    /// What came of a write, or that it has been waiting for too long.
    fn judge(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let limit = self.limit;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        stalled.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, out)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        self.judge(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write_vectored(cx, parts);
        self.judge(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::connections::Connections;
    use crate::telemetry::metrics::Metrics;

    const LIMIT: Duration = Duration::from_millis(300);

    /// A client, and its socket here.
    async fn pair() -> (TcpStream, Socket) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (tcp, peer) = listener.accept().await.unwrap();
        let place = Arc::new(Connections::default()).admit(peer.ip(), &[]).unwrap();
        (client, Socket { limit: LIMIT, ..Socket::new(tcp, place, Metrics::new().connection()) })
    }

    #[tokio::test]
    async fn a78_a_client_that_takes_nothing_is_let_go() {
        let (client, mut socket) = pair().await;
        let endless = vec![7; 64 * 1024];
        let broken = loop {
            if let Err(error) = socket.write_all(&endless).await {
                break error;
            }
        };
        assert_eq!(broken.kind(), io::ErrorKind::TimedOut);
        drop(client);
    }

    #[tokio::test]
    async fn a_client_that_takes_a_little_now_and_then_is_waited_for() {
        let (mut client, mut socket) = pair().await;
        let total = 16 * 1024 * 1024;
        let sending = async { socket.write_all(&vec![7; total]).await.unwrap() };
        let taking = async {
            let mut left = total;
            // Slow at first, for longer than the limit in all.
            for _ in 0..6 {
                tokio::time::sleep(LIMIT / 3).await;
                left -= client.read_exact(&mut vec![0; 1024 * 1024]).await.unwrap();
            }
            client.read_exact(&mut vec![0; left]).await.unwrap();
        };
        tokio::join!(sending, taking);
    }

    #[tokio::test]
    async fn silence_is_no_stall() {
        let (mut client, mut socket) = pair().await;
        tokio::time::sleep(LIMIT * 2).await;
        socket.write_all(b"x").await.unwrap();
        tokio::time::sleep(LIMIT * 2).await;
        socket.write_all(b"y").await.unwrap();
        let mut read = [0; 2];
        client.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"xy");
    }
}
