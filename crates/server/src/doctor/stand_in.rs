//! Stands in for the application while it is stopped, to see what reaches it. Requests of others get
//! 503, as they would from a stopped application behind most proxies.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The longest head that is read.
const LONGEST: usize = 64 * 1024;
/// How long a connection may take to send one.
const PATIENCE: Duration = Duration::from_secs(2);

/// In the application's place.
pub struct StandIn {
    listener: TcpListener,
    /// The heads of marked requests.
    arrived: Mutex<Vec<Arrived>>,
}

/// A request that reached the application's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
}

impl StandIn {
    /// Takes the application's place; fails while somebody else is there.
    pub async fn take(place: SocketAddr) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(place).await?, arrived: Mutex::default() })
    }

    /// Answers for as long as it is awaited.
    pub async fn serve(&self) -> Infallible {
        loop {
            match self.listener.accept().await {
                Ok((socket, _)) => {
                    let answered = tokio::time::timeout(PATIENCE, self.answer(socket)).await;
                    // Whoever breaks off has not reached the application.
                    drop(answered);
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// What reached the application's place under this mark.
    pub fn arrived(&self, mark: &str) -> Option<Arrived> {
        let arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |one: &&Arrived| one.all("user-agent").any(|agent| agent.ends_with(mark));
        arrived.iter().find(is_it).cloned()
    }

    async fn answer(&self, mut socket: TcpStream) -> io::Result<()> {
        let mut bytes = Vec::new();
        let mut buffer = vec![0; 8 * 1024];
        let head = loop {
            let count = socket.read(&mut buffer).await?;
            bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
            match read_head(&bytes) {
                Some(head) => break head,
                None if count == 0 || bytes.len() > LONGEST => return Ok(()),
                None => {}
            }
        };
        let is_ours = head.all("user-agent").any(|agent| agent.contains("portcullis-doctor/"));
        if is_ours {
            self.arrived.lock().unwrap_or_else(PoisonError::into_inner).push(head);
        }
        let status = if is_ours { "200 OK" } else { "503 Service Unavailable" };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        socket.write_all(answer.as_bytes()).await?;
        socket.shutdown().await
    }
}

impl Arrived {
    /// Every value of a header.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

fn read_head(bytes: &[u8]) -> Option<Arrived> {
    let mut lines = [httparse::EMPTY_HEADER; 128];
    let mut head = httparse::Request::new(&mut lines);
    if !head.parse(bytes).ok()?.is_complete() {
        return None;
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let line = |line: &httparse::Header<'_>| (line.name.to_ascii_lowercase(), text(line.value));
    Some(Arrived { headers: head.headers.iter().map(line).collect() })
}
