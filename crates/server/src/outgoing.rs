//! How others are spoken to that the operator named: by TLS with the roots that he named or with Mozilla's,
//! and over HTTP. Not here: the upstreams of the gate.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use http_body::Body;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Builder, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::{ClientConfig, RootCertStore};

/// Speaks HTTP/1.1, by TLS or not, as the address says.
pub type HttpsClient<B> = Client<HttpsConnector<HttpConnector>, B>;

/// Why TLS cannot be spoken by a configuration.
#[derive(Debug, thiserror::Error)]
pub enum TrustFault {
    #[error("the roots cannot be read as PEM")]
    Roots(#[source] pem::Error),
    #[error("there is no certificate that can vouch for others")]
    NoRoots,
    #[error("TLS cannot be set up")]
    Setup(#[from] rustls::Error),
}

/// Mozilla's roots, or those of a file and no others.
pub fn tls(roots: Option<&Path>) -> Result<ClientConfig, TrustFault> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?;
    let Some(path) = roots else {
        return Ok(builder.with_webpki_roots().with_no_client_auth());
    };
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(read.map_err(TrustFault::Roots)?);
    if added == 0 {
        return Err(TrustFault::NoRoots);
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// What asks over HTTP: how long it waits for a connection, and how long it keeps an idle one.
pub fn client<B>(tls: ClientConfig, connect: Duration, idle: Duration) -> HttpsClient<B>
where
    B: Body + Send,
    B::Data: Buf + Send,
{
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(connect));
    connector.enforce_http(false);
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(connector);
    #[expect(clippy::disallowed_methods, reason = "who is asked is no upstream of the gate")]
    let mut builder: Builder = Client::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new()).pool_idle_timeout(idle).build(connector)
}
