//! Bytes on a socket, for requests that no honest client would send.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What came back, and whether the server closed the connection afterwards.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) text: String,
    pub(crate) closed: bool,
}

/// A request of which only the beginning was sent.
pub(crate) struct Begun(TcpStream);

/// Sends bytes and reads until the server closes, or is silent for half a second.
pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8]) -> Exchange {
    begin(address, bytes).await.finish(b"").await
}

/// Sends the beginning of a request.
pub(crate) async fn begin(address: SocketAddr, bytes: &[u8]) -> Begun {
    let mut socket = TcpStream::connect(address).await.unwrap();
    // A server that has closed already is an answer, too.
    drop(socket.write_all(bytes).await);
    Begun(socket)
}

impl Begun {
    /// Sends the rest, and reads until the server closes, or is silent for half a second.
    pub(crate) async fn finish(self, rest: &[u8]) -> Exchange {
        let Self(mut socket) = self;
        drop(socket.write_all(rest).await);
        let mut received = Vec::new();
        let mut buffer = vec![0; 16 * 1024];
        let closed = loop {
            let reading = socket.read(&mut buffer);
            match tokio::time::timeout(Duration::from_millis(500), reading).await {
                Err(_) => break false,
                Ok(Ok(0) | Err(_)) => break true,
                Ok(Ok(count)) => received.extend_from_slice(&buffer[..count]),
            }
        };
        Exchange { text: String::from_utf8_lossy(&received).into_owned(), closed }
    }
}

impl Exchange {
    /// The status of the first answer.
    pub(crate) fn status(&self) -> u16 {
        self.text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }
}
