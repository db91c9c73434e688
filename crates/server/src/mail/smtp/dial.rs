//! A connection to the mail server, guarded as the configuration says before anything else is sent.
//! Written here and not left to the library, because of what is read before TLS: bytes that somebody
//! put behind the answer to `STARTTLS` must never be taken for the server's.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use lettre::transport::smtp::client::AsyncTokioStream;
use rustls::ClientConfig;
use rustls::pki_types::{ServerName, pem};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::config::{MailSecurity, SmtpServer};
use crate::mail::sending::inert;
use crate::outgoing::{self, TrustFault};

/// The most bytes of an answer before TLS.
const MOST_BYTES: usize = 16 * 1024;

/// Connects to one mail server.
pub(super) struct Dialer {
    host: String,
    port: u16,
    way: Way,
    /// How we introduce ourselves.
    hello: String,
}

/// How the conversation is guarded.
enum Way {
    Tls(TlsConnector, ServerName<'static>),
    StartTls(TlsConnector, ServerName<'static>),
    Plain,
}

/// What cannot be used of the configuration.
#[derive(Debug, thiserror::Error)]
pub enum DialerFault {
    #[error("mail.tls_ca: the file cannot be read as PEM")]
    Roots(#[source] pem::Error),
    #[error(
        "mail.tls_ca: there is no certificate in the file, or not one that can vouch for others"
    )]
    NoRoots,
    #[error("mail.transport: the host cannot stand in a certificate")]
    Name,
    #[error("TLS cannot be set up")]
    Setup(#[from] rustls::Error),
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error("no connection")]
    Connect(#[source] io::Error),
    #[error("the server is not on this machine, and tls=none is for this machine only")]
    NotHere,
    #[error("the server shows no certificate that can be believed")]
    Tls(#[source] io::Error),
    #[error("the connection broke before TLS")]
    Broken(#[source] io::Error),
    #[error("the server offers no STARTTLS")]
    NoStartTls,
    #[error("the server refuses the conversation: {0}")]
    Refused(String),
    #[error("somebody put words behind the server's answer to STARTTLS")]
    Injected,
}

impl Dialer {
    pub(super) fn new(server: &SmtpServer, hello: String) -> Result<Self, DialerFault> {
        let host = server.host.as_str().trim_matches(['[', ']']).to_owned();
        let connector = || -> Result<_, DialerFault> {
            let name = ServerName::try_from(host.clone()).map_err(|_| DialerFault::Name)?;
            Ok((TlsConnector::from(Arc::new(tls_config(server)?)), name))
        };
        let way = match server.security {
            MailSecurity::Tls => {
                let (tls, name) = connector()?;
                Way::Tls(tls, name)
            }
            MailSecurity::StartTls => {
                let (tls, name) = connector()?;
                Way::StartTls(tls, name)
            }
            MailSecurity::Plain => Way::Plain,
        };
        Ok(Self { host, port: server.port, way, hello })
    }

    /// A stream on which the server greets next.
    pub(super) async fn dial(&self) -> Result<Box<dyn AsyncTokioStream>, DialError> {
        let connected = TcpStream::connect((self.host.as_str(), self.port)).await;
        let stream = connected.map_err(DialError::Connect)?;
        let here = stream.peer_addr().map_err(DialError::Connect)?.ip().is_loopback();
        match &self.way {
            Way::Plain if here => Ok(Box::new(stream)),
            Way::Plain => Err(DialError::NotHere),
            Way::Tls(tls, name) => {
                let stream = tls.connect(name.clone(), stream).await.map_err(DialError::Tls)?;
                Ok(Box::new(Secure { greeting: Vec::new(), stream }))
            }
            Way::StartTls(tls, name) => {
                let mut stream = stream;
                let greeting = self.ask_for_tls(&mut stream).await?;
                let stream = tls.connect(name.clone(), stream).await.map_err(DialError::Tls)?;
                Ok(Box::new(Secure { greeting, stream }))
            }
        }
    }

    /// The conversation before TLS (RFC 3207). Returns the greeting, which the server gives once,
    /// for whoever reads on.
    async fn ask_for_tls(&self, stream: &mut TcpStream) -> Result<Vec<u8>, DialError> {
        let greeting = answer(stream).await?.good()?;
        say(stream, &format!("EHLO {}\r\n", self.hello)).await?;
        let abilities = answer(stream).await?.good()?;
        let offers = abilities.text.lines().any(|line| {
            line.get(4..).is_some_and(|ability| ability.trim().eq_ignore_ascii_case("STARTTLS"))
        });
        if !offers {
            return Err(DialError::NoStartTls);
        }
        say(stream, "STARTTLS\r\n").await?;
        let begin = answer(stream).await?.good()?;
        if begin.followed { Err(DialError::Injected) } else { Ok(greeting.text.into_bytes()) }
    }
}

fn tls_config(server: &SmtpServer) -> Result<ClientConfig, DialerFault> {
    outgoing::tls(server.roots.as_deref()).map_err(|fault| match fault {
        TrustFault::Roots(source) => DialerFault::Roots(source),
        TrustFault::NoRoots => DialerFault::NoRoots,
        TrustFault::Setup(fault) => DialerFault::Setup(fault),
    })
}

/// One answer of the server before TLS: every line of it.
struct Said {
    text: String,
    /// Whether more came with it, though it is our turn.
    followed: bool,
}

impl Said {
    fn good(self) -> Result<Self, DialError> {
        if self.text.starts_with('2') {
            Ok(self)
        } else {
            Err(DialError::Refused(inert(&self.text)))
        }
    }
}

/// Reads up to the last line of an answer, whose fourth character is not a dash.
async fn answer(stream: &mut TcpStream) -> Result<Said, DialError> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let count = stream.read(&mut buffer).await.map_err(DialError::Broken)?;
        bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
        if let Some(said) = whole(&bytes) {
            return Ok(said);
        }
        if count == 0 || bytes.len() > MOST_BYTES {
            return Err(DialError::Broken(io::ErrorKind::UnexpectedEof.into()));
        }
    }
}

/// The first whole answer among these bytes, if there is one.
fn whole(bytes: &[u8]) -> Option<Said> {
    let mut end = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        end += line.len();
        let is_last = line.ends_with(b"\n") && line.get(3) != Some(&b'-');
        if is_last {
            let text = String::from_utf8_lossy(bytes.get(..end)?).into_owned();
            return Some(Said { text, followed: end < bytes.len() });
        }
    }
    None
}

async fn say(stream: &mut TcpStream, line: &str) -> Result<(), DialError> {
    stream.write_all(line.as_bytes()).await.map_err(DialError::Broken)
}

/// A stream under TLS that first repeats the greeting that was given before.
struct Secure {
    greeting: Vec<u8>,
    stream: TlsStream<TcpStream>,
}

impl AsyncTokioStream for Secure {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.get_ref().0.peer_addr()
    }
}

impl fmt::Debug for Secure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secure")
    }
}

impl AsyncRead for Secure {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.greeting.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let count = self.greeting.len().min(buffer.remaining());
        let given: Vec<u8> = self.greeting.drain(..count).collect();
        buffer.put_slice(&given);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Secure {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_with_the_line_that_says_so() {
        let check = |bytes: &[u8], expected: Option<(&str, bool)>| {
            let said = whole(bytes);
            let found = said.as_ref().map(|said| (said.text.as_str(), said.followed));
            assert_eq!(found, expected, "{bytes:?}");
        };
        check(b"", None);
        check(b"220 mail", None);
        check(b"220 mail\r\n", Some(("220 mail\r\n", false)));
        check(b"250-mail\r\n", None);
        check(b"250-mail\r\n250 STARTTLS\r\n", Some(("250-mail\r\n250 STARTTLS\r\n", false)));
        check(b"220 go\r\n250 AUTH PLAIN\r\n", Some(("220 go\r\n", true)));
        check(b"\n", Some(("\n", false)));
    }
}
