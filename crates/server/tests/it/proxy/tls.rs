//! TLS from certificate files: both versions of HTTP over it, the guard inside it, files that change
//! under it, and clients that speak something else.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use portcullis_server::config::TlsFiles;
use portcullis_server::tls::Tls;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{application, read_head};
use crate::harness::people::{PASSWORD, Z1};
use crate::harness::raw::exchange;
use crate::harness::{Setup, TestApp, on_each_database_with, spawn};

/// Two PEM files, and the directory they are in.
struct Files {
    directory: TempDir,
}

/// A certificate for this machine, and its key.
struct Pair {
    cert: String,
    key: String,
    der: CertificateDer<'static>,
}

impl Pair {
    fn new() -> Self {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let (cert, der) = (made.cert.pem(), made.cert.der().clone());
        Self { cert, key: made.signing_key.serialize_pem(), der }
    }
}

impl Files {
    fn of(pair: &Pair) -> Self {
        let files = Self { directory: tempfile::tempdir().unwrap() };
        files.write(&pair.cert, &pair.key);
        files
    }

    fn write(&self, cert: &str, key: &str) {
        let TlsFiles { cert: cert_file, key: key_file } = self.paths();
        fs::write(cert_file, cert).unwrap();
        fs::write(key_file, key).unwrap();
    }

    fn paths(&self) -> TlsFiles {
        let file = |name: &str| self.directory.path().join(name);
        TlsFiles { cert: file("cert.pem"), key: file("key.pem") }
    }

    fn setup(&self, more: &str) -> Setup {
        let TlsFiles { cert, key } = self.paths();
        let (cert, key) = (cert.display(), key.display());
        Setup::with(&format!("[server]\ntls_cert = \"{cert}\"\ntls_key = \"{key}\"\n{more}"))
    }
}

/// A client that trusts these certificates, and speaks these protocols.
async fn connect_with(
    address: SocketAddr,
    trusted: &[&Pair],
    versions: &[&'static SupportedProtocolVersion],
    protocol: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for pair in trusted {
        roots.add(pair.der.clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let mut config = builder
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.into()];
    let socket = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, socket).await
}

async fn connect(address: SocketAddr, trusted: &Pair) -> TlsStream<TcpStream> {
    connect_with(address, &[trusted], rustls::ALL_VERSIONS, "http/1.1").await.unwrap()
}

/// Sends a request that closes the connection, and reads all that comes.
async fn say(stream: &mut TlsStream<TcpStream>, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    drop(read.expect("no end came"));
    String::from_utf8_lossy(&answer).into_owned()
}

/// The session cookie of somebody who signs in over TLS, and the whole answer.
async fn sign_in(server: &TestApp, pair: &Pair) -> (String, String) {
    let body = json!({"username": Z1.username, "password": PASSWORD}).to_string();
    let request = format!(
        "POST /api/auth/login HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        server.address.port(),
        body.len()
    );
    let answer = say(&mut connect(server.address, pair).await, &request).await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let (_, rest) = answer.split_once("set-cookie: sessionid=").unwrap();
    (rest.split(';').next().unwrap().to_owned(), answer)
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_over_tls() {
    let pair = Pair::new();
    let files = Files::of(&pair);
    on_each_database_with(files.setup(""), async |server| {
        server.add(&Z1).await;
        let (cookie, answer) = sign_in(server, &pair).await;
        assert!(answer.contains("; Secure") && answer.contains("strict-transport-security"));
        let host = format!("localhost:{}", server.address.port());
        for version in [&version::TLS12, &version::TLS13] {
            let stream = connect_with(server.address, &[&pair], &[version], "http/1.1").await;
            let mut stream = stream.unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
            let request = format!(
                "GET /page HTTP/1.1\r\nHost: {host}\r\nCookie: sessionid={cookie}\r\n\
                 Connection: close\r\n\r\n"
            );
            let answer = say(&mut stream, &request).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
        assert_eq!(server.upstream.last().headers["x-forwarded-proto"], "https");

        let stream =
            connect_with(server.address, &[&pair], rustls::ALL_VERSIONS, "h2").await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        #[expect(clippy::disallowed_methods, reason = "a client of the tests, not of the product")]
        let handshake = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
            .handshake::<_, Empty<Bytes>>(TokioIo::new(stream));
        let (sender, connection) = handshake.await.unwrap();
        spawn(async move { drop(connection.await) });
        // Several at once on one connection.
        let asked = (0..20).map(|number| {
            let mut sender = sender.clone();
            let uri = format!("https://{host}/page/{number}");
            let request = Request::get(uri).header("cookie", format!("sessionid={cookie}"));
            async move { sender.send_request(request.body(Empty::new()).unwrap()).await.unwrap() }
        });
        for answer in futures_util::future::join_all(asked).await {
            assert_eq!((answer.status().as_u16(), answer.version()), (200, http::Version::HTTP_2));
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes().len(), 17);
        }
        let seen = server.upstream.last();
        assert_eq!(seen.headers["x-auth-email"], Z1.email);
        assert_eq!(seen.headers["host"], host);
        assert!(!seen.headers.contains_key("cookie"), "{seen:?}");
    })
    .await;
}

#[tokio::test]
async fn the_guard_and_tunnels_work_inside_tls() {
    let upstream = application(async |mut socket| {
        let head = read_head(&mut socket).await;
        assert!(head.contains("x-forwarded-proto: https"), "{head}");
        let agreed = "HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhey";
        socket.write_all(agreed.as_bytes()).await.unwrap();
        let mut said = [0; 3];
        socket.read_exact(&mut said).await.unwrap();
        socket.write_all(&said).await.unwrap();
    })
    .await;
    let pair = Pair::new();
    let files = Files::of(&pair);
    let gate = format!("[gate]\nupstream = \"http://{upstream}\"");
    on_each_database_with(files.setup(&gate), async |server| {
        let host = format!("localhost:{}", server.address.port());
        let mut stream = connect(server.address, &pair).await;
        let bad = format!("GET /public HTTP/1.1\r\nHost: {host}\nX: y\r\n\r\n");
        let answer = say(&mut stream, &bad).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("bare_lf"), "{answer}");

        let mut stream = connect(server.address, &pair).await;
        let shake = format!(
            "GET /public/chat HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(shake.as_bytes()).await.unwrap();
        assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 101 "));
        stream.write_all(b"you").await.unwrap();
        let mut said = [0; 6];
        stream.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"heyyou");
    })
    .await;
}

#[tokio::test]
async fn who_speaks_no_tls_is_sent_away_and_hurts_nobody() {
    let pair = Pair::new();
    let files = Files::of(&pair);
    on_each_database_with(files.setup(""), async |server| {
        let request = format!("GET /public HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
        let garbage = vec![0xff; 10_000];
        for bytes in [request.as_bytes(), &garbage, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
            let answer = exchange(server.address, bytes).await;
            assert!(answer.closed && !answer.text.contains("HTTP"), "{answer:?}");
        }
        let other = connect_with(server.address, &[&pair], rustls::ALL_VERSIONS, "smtp").await;
        assert!(other.is_err(), "a protocol that we do not speak");
        let public = format!(
            "GET /public HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\r\n",
            server.address.port()
        );
        let answer = say(&mut connect(server.address, &pair).await, &public).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "control: {answer}");
        assert_eq!(server.upstream.seen().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a78_a_handshake_that_does_not_go_on_is_given_up() {
    let pair = Pair::new();
    let files = Files::of(&pair);
    on_each_database_with(files.setup(""), async |server| {
        let mut silent = TcpStream::connect(server.address).await.unwrap();
        let mut begun = TcpStream::connect(server.address).await.unwrap();
        begun.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
        let wait = async |socket: &mut TcpStream| {
            let mut bytes = Vec::new();
            let read = socket.read_to_end(&mut bytes);
            tokio::time::timeout(Duration::from_secs(15), read).await.expect("held for ever").ok();
        };
        tokio::join!(wait(&mut silent), wait(&mut begun));
    })
    .await;
}

/// The certificate that is shown now is of this pair, soon.
async fn shows(address: SocketAddr, pair: &Pair, why: &str) {
    for _ in 0..100 {
        if connect_with(address, &[pair], rustls::ALL_VERSIONS, "http/1.1").await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{why}: never shown");
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_without_a_restart_and_a_broken_one_is_not() {
    let (first, second, third) = (Pair::new(), Pair::new(), Pair::new());
    let files = Files::of(&first);
    on_each_database_with(files.setup(""), async |server| {
        files.write(&first.cert, &first.key);
        shows(server.address, &first, "at the start").await;
        let mut old = connect(server.address, &first).await;
        files.write(&second.cert, &second.key);
        shows(server.address, &second, "renewed").await;
        let is_first = connect_with(server.address, &[&first], rustls::ALL_VERSIONS, "h2").await;
        assert!(is_first.is_err(), "the old one is not shown any longer");
        let request = format!(
            "GET /public HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\r\n",
            server.address.port()
        );
        let answer = say(&mut old, &request).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "who was there stays: {answer}");

        // Half-written, of another key, empty, gone.
        let half = &third.cert[..third.cert.len() / 2];
        for (cert, key) in [(half, &third.key), (&third.cert, &first.key), ("", &third.key)] {
            files.write(cert, key);
            tokio::time::sleep(Duration::from_millis(2500)).await;
            shows(server.address, &second, "a broken one came").await;
        }
        fs::remove_file(files.paths().cert).unwrap();
        tokio::time::sleep(Duration::from_millis(2500)).await;
        shows(server.address, &second, "the file is gone").await;
        files.write(&third.cert, &third.key);
        shows(server.address, &third, "renewed at last").await;
    })
    .await;
}

#[test]
fn what_is_wrong_with_the_files_is_said_at_the_start() {
    let (pair, other) = (Pair::new(), Pair::new());
    let files = Files::of(&pair);
    let check = |cert: &str, key: &str, expected: &str| {
        files.write(cert, key);
        let fault = Tls::new(&files.paths()).err().map(|fault| fault.to_string());
        let directory = files.directory.path().display().to_string();
        let told = fault.map(|fault| fault.replace(&format!("{directory}/"), ""));
        assert_eq!(told.as_deref(), Some(expected));
    };
    assert!(Tls::new(&files.paths()).is_ok(), "control");
    check("", &pair.key, "server.tls_cert: there is no certificate in cert.pem");
    check(&pair.key, &pair.key, "server.tls_cert: there is no certificate in cert.pem");
    check(&pair.cert, "", "server.tls_key: there is no private key in key.pem");
    check(&pair.cert, &pair.cert, "server.tls_key: there is no private key in key.pem");
    check(&pair.cert, &other.key, "server.tls_key: key.pem is not the key of cert.pem");
    let half = &pair.cert[..pair.cert.len() / 2];
    check(half, &pair.key, "server.tls_cert: cert.pem is no PEM file");
    let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    check(
        nonsense,
        &pair.key,
        "server.tls_cert, server.tls_key: cert.pem and key.pem cannot be used",
    );
    let nowhere = TlsFiles { key: Path::new("/nowhere/key.pem").to_owned(), ..files.paths() };
    files.write(&pair.cert, &pair.key);
    let told = Tls::new(&nowhere).err().unwrap().to_string();
    assert_eq!(told, "server.tls_key: /nowhere/key.pem cannot be read");
}
