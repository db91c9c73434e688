//! TLS from certificate files: read and judged at the start, and read again when they change. A new
//! pair that cannot be used is logged and the old one kept, because a renewal writes two files and
//! nothing says when it is done with both. Not where certificates come from, and not the TLS that is
//! spoken to upstreams.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use portcullis_domain::time::Time;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::app::App;
use crate::config::TlsFiles;
use crate::stamp::Stamp;

/// How long a client may take to agree on keys: two round trips over a poor line, with room.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What speaks TLS with clients.
pub struct Tls {
    acceptor: TlsAcceptor,
    files: TlsFiles,
    /// What the files looked like before they were read.
    marks: Marks,
    served: Arc<Served>,
}

/// Why there can be no TLS with these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    #[error("{key}: {} cannot be read", path.display())]
    Unreadable {
        key: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{key}: {} is no PEM file", path.display())]
    NotPem {
        key: &'static str,
        path: PathBuf,
        #[source]
        source: pem::Error,
    },
    #[error("server.tls_cert: there is no certificate in {}", .0.display())]
    NoCertificate(PathBuf),
    #[error("server.tls_key: there is no private key in {}", .0.display())]
    NoKey(PathBuf),
    #[error("server.tls_key: {} is not the key of {}", key.display(), cert.display())]
    OtherKey { key: PathBuf, cert: PathBuf },
    #[error("server.tls_cert, server.tls_key: {} and {} cannot be used", cert.display(), key.display())]
    Unusable {
        key: PathBuf,
        cert: PathBuf,
        #[source]
        source: rustls::Error,
    },
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
}

impl Tls {
    /// Reads the files.
    pub fn new(files: &TlsFiles) -> Result<Self, TlsFault> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let marks = marks(files);
        let pair = read(files, &provider)?;
        let served = Arc::new(Served(RwLock::new(Arc::new(pair))));
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsFault::Setup)?;
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Served>::clone(&served);
        let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Self { acceptor, files: files.clone(), marks, served })
    }

    /// Agrees with a client on keys; fails if it speaks something else, or is too slow.
    pub async fn accept<IO>(&self, io: IO) -> io::Result<TlsStream<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let accepted = tokio::time::timeout(HANDSHAKE, self.acceptor.accept(io)).await;
        accepted.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Reads the files again; what cannot be used changes nothing.
    fn renew(&self) -> Result<(), TlsFault> {
        let pair = read(&self.files, self.acceptor.config().crypto_provider())?;
        *self.served.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pair);
        Ok(())
    }
}

/// Looks at the files now and then until the server stops.
pub async fn watch(app: App) {
    let Some(known) = app.tls.as_ref().map(|tls| tls.marks) else { return };
    let mut watched = Watched { known, is_good: true };
    loop {
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let app = app.clone();
        let looked = tokio::task::spawn_blocking(move || watched.look(&app)).await;
        let Ok(after) = looked else { return };
        watched = after;
    }
}

/// What was last seen of the files.
struct Watched {
    known: Marks,
    /// Whether what was seen is what is served.
    is_good: bool,
}

/// What changes when a file is written or replaced, of both files.
type Marks = [Option<Stamp>; 2];

impl Watched {
    /// Takes new files over. Bad ones are tried again, and complained about once.
    fn look(self, app: &App) -> Self {
        let Some(tls) = &app.tls else { return self };
        let marks = marks(&tls.files);
        let has_changed = marks != self.known;
        if !has_changed && self.is_good {
            return self;
        }
        match tls.renew() {
            Ok(()) => tracing::info!("the certificate was read again"),
            Err(fault) if has_changed => {
                let error = &fault as &dyn std::error::Error;
                tracing::error!(error, "the new certificate cannot be used; the old one stays");
                return Self { known: marks, is_good: false };
            }
            Err(_) => return Self { known: marks, is_good: false },
        }
        Self { known: marks, is_good: true }
    }
}

fn marks(files: &TlsFiles) -> Marks {
    [&files.cert, &files.key].map(|path| Stamp::of(path))
}

/// The pair that is shown to clients now.
#[derive(Debug)]
struct Served(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Served {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// When the certificate in these files begins and ends, if it can be served at all.
pub fn validity(files: &TlsFiles) -> Result<Validity, TlsFault> {
    let pair = read(files, &aws_lc_rs::default_provider())?;
    let first = pair.end_entity_cert().ok();
    let parsed = first.and_then(|cert| x509_parser::parse_x509_certificate(cert).ok());
    let (_, cert) = parsed.ok_or_else(|| TlsFault::NoCertificate(files.cert.clone()))?;
    let millis = |seconds: i64| Time(seconds.saturating_mul(1000));
    let of = cert.validity();
    Ok(Validity {
        from: millis(of.not_before.timestamp()),
        until: millis(of.not_after.timestamp()),
    })
}

/// When a certificate is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    pub from: Time,
    pub until: Time,
}

/// Reads both files, and checks that they belong together.
fn read(files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, TlsFault> {
    let TlsFiles { cert, key } = files;
    let chain = CertificateDer::pem_slice_iter(&bytes("server.tls_cert", cert)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| not_pem("server.tls_cert", cert, source))?;
    if chain.is_empty() {
        return Err(TlsFault::NoCertificate(cert.clone()));
    }
    let private = match PrivateKeyDer::from_pem_slice(&bytes("server.tls_key", key)?) {
        Ok(private) => private,
        Err(pem::Error::NoItemsFound) => return Err(TlsFault::NoKey(key.clone())),
        Err(source) => return Err(not_pem("server.tls_key", key, source)),
    };
    CertifiedKey::from_der(chain, private, provider).map_err(|source| {
        let (key, cert) = (key.clone(), cert.clone());
        if matches!(source, rustls::Error::InconsistentKeys(_)) {
            TlsFault::OtherKey { key, cert }
        } else {
            TlsFault::Unusable { key, cert, source }
        }
    })
}

fn bytes(key: &'static str, path: &Path) -> Result<zeroize::Zeroizing<Vec<u8>>, TlsFault> {
    let read = fs::read(path).map(Into::into);
    read.map_err(|source| TlsFault::Unreadable { key, path: path.to_owned(), source })
}

fn not_pem(key: &'static str, path: &Path, source: pem::Error) -> TlsFault {
    TlsFault::NotPem { key, path: path.to_owned(), source }
}
