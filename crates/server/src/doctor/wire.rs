//! A small HTTP/1.1 client that sends exactly the bytes it is given, one connection a request. No
//! honest client would send some of them, and a library would repair others.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use hyper_rustls::ConfigBuilderExt as _;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long to wait for a connection and for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most bytes of an answer that are read.
const LONGEST: usize = 512 * 1024;
/// The most headers of an answer.
const MOST_HEADERS: usize = 128;

/// Where requests go.
#[derive(Clone)]
pub struct Place {
    host: String,
    port: u16,
    /// As it stands in `Host`.
    pub authority: String,
    tls: Option<TlsConnector>,
}

/// Which certificates are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Those that Mozilla's roots vouch for.
    Roots,
    /// Every one.
    Anybody,
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("no connection to {host}:{port} ({source})")]
    Connect { host: String, port: u16, source: std::io::Error },
    #[error("{host} shows no certificate that can be believed ({source})")]
    Tls { host: String, source: std::io::Error },
    #[error("{host}:{port} does not answer in time")]
    Timeout { host: String, port: u16 },
    #[error("{host}:{port} closes the connection without an answer")]
    Silent { host: String, port: u16 },
    #[error("TLS cannot be used")]
    Library(#[from] rustls::Error),
}

impl Place {
    /// In plain HTTP.
    pub fn plain(host: String, port: u16, authority: String) -> Self {
        Self { host, port, authority, tls: None }
    }

    /// Over TLS.
    pub fn secure(
        host: String,
        port: u16,
        authority: String,
        trust: Trust,
    ) -> Result<Self, WireError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions()?;
        let config = match trust {
            Trust::Roots => builder.with_webpki_roots().with_no_client_auth(),
            Trust::Anybody => {
                let verifier = Arc::new(Believer(provider));
                builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
            }
        };
        Ok(Self { host, port, authority, tls: Some(TlsConnector::from(Arc::new(config))) })
    }

    /// Sends these bytes and reads one answer.
    pub async fn exchange(&self, bytes: &[u8]) -> Result<Answer, WireError> {
        let talk = tokio::time::timeout(PATIENCE, self.talk(bytes));
        talk.await.unwrap_or_else(|_| {
            Err(WireError::Timeout { host: self.host.clone(), port: self.port })
        })
    }

    /// Whether somebody accepts connections there.
    pub async fn accepts(&self) -> Result<(), WireError> {
        let connected = tokio::time::timeout(PATIENCE, self.connect()).await;
        let late = || WireError::Timeout { host: self.host.clone(), port: self.port };
        connected.map_err(|_| late())?.map(drop)
    }

    async fn connect(&self) -> Result<TcpStream, WireError> {
        let connected = TcpStream::connect((self.host.as_str(), self.port)).await;
        connected.map_err(|source| WireError::Connect {
            host: self.host.clone(),
            port: self.port,
            source,
        })
    }

    async fn talk(&self, bytes: &[u8]) -> Result<Answer, WireError> {
        let stream = self.connect().await?;
        let Some(tls) = &self.tls else { return self.converse(stream, bytes).await };
        let refused = |source| WireError::Tls { host: self.host.clone(), source };
        let name = ServerName::try_from(self.host.clone())
            .map_err(|error| refused(std::io::Error::other(error)))?;
        let stream = tls.connect(name, stream).await.map_err(refused)?;
        self.converse(stream, bytes).await
    }

    async fn converse(
        &self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
        bytes: &[u8],
    ) -> Result<Answer, WireError> {
        // Whoever refuses early may close before everything is written, and has answered.
        let written = stream.write_all(bytes).await;
        drop(written.and(stream.flush().await));
        let mut received = Vec::new();
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let count = stream.read(&mut buffer).await.unwrap_or_default();
            received.extend_from_slice(buffer.get(..count).unwrap_or_default());
            let is_end = count == 0 || received.len() > LONGEST;
            match read_answer(&received) {
                Some((answer, rest)) if is_end || rest == Rest::Nothing => return Ok(answer),
                None if is_end => {
                    let (host, port) = (self.host.clone(), self.port);
                    return Err(WireError::Silent { host, port });
                }
                Some(_) | None => {}
            }
        }
    }
}

/// Whether more of an answer is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Nothing,
    More,
}

/// Reads what has come so far; `None` while the head is not whole.
fn read_answer(bytes: &[u8]) -> Option<(Answer, Rest)> {
    let mut lines = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut head = httparse::Response::new(&mut lines);
    let httparse::Status::Complete(length) = head.parse(bytes).ok()? else { return None };
    let status = head.code?;
    let mut headers = HeaderMap::new();
    for line in head.headers.iter() {
        let name = http::HeaderName::from_bytes(line.name.as_bytes()).ok()?;
        headers.append(name, http::HeaderValue::from_bytes(line.value).ok()?);
    }
    let body = bytes.get(length..)?.to_vec();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let wanted = text("content-length").and_then(|length| length.parse::<usize>().ok());
    let is_whole = matches!(status, 101 | 204 | 304)
        || wanted.is_some_and(|wanted| body.len() >= wanted)
        || text("transfer-encoding").is_some() && body.ends_with(b"0\r\n\r\n");
    let rest = if is_whole { Rest::Nothing } else { Rest::More };
    Some((Answer { status, headers, body }, rest))
}

impl Answer {
    /// The value of a header that is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Believes every certificate, and still checks that its holder speaks.
#[derive(Debug)]
struct Believer(Arc<CryptoProvider>);

impl ServerCertVerifier for Believer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_head_says_so() {
        let check = |text: &str, expected: Option<(u16, &str, Rest)>| {
            let read = read_answer(text.as_bytes());
            let read = read.map(|(answer, rest)| {
                (answer.status, String::from_utf8(answer.body).unwrap(), rest)
            });
            let expected = expected.map(|(status, body, rest)| (status, body.to_owned(), rest));
            assert_eq!(read, expected, "{text:?}");
        };
        check("HTTP/1.1 200 OK\r\nContent-Le", None);
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n";
        check(&format!("{head}ab"), Some((200, "ab", Rest::More)));
        check(&format!("{head}abc"), Some((200, "abc", Rest::Nothing)));
        check("HTTP/1.1 101 Switching\r\n\r\n", Some((101, "", Rest::Nothing)));
        check("HTTP/1.0 400 Bad\r\n\r\n<html>", Some((400, "<html>", Rest::More)));
        let chunked = "HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n";
        check(chunked, Some((401, "1\r\na\r\n", Rest::More)));
        let whole = format!("{chunked}0\r\n\r\n");
        check(&whole, Some((401, "1\r\na\r\n0\r\n\r\n", Rest::Nothing)));
    }
}
