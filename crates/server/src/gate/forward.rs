//! The way to the upstream and back: one pooled client, bodies streamed in both directions.
//!
//! Decides nothing: rule, permission, CSRF and headers (see [`super::headers`]) are settled before
//! [`Forwarder::forward`] is called. Memory is bounded by hyper's buffers and the sockets',
//! whatever the size of a body. Dropping the future, or the answer's body, ends the upstream's
//! request: so a client that goes away cancels it.

mod answer;
mod body;
mod relay;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Request, Response, StatusCode, Uri, Version};
use hyper::body::{Body, Incoming};
use hyper::upgrade::OnUpgrade;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use url::Url;

pub use answer::ResponseBody;
pub use body::BoxError;
use body::{End, Progress, Upload};

/// An idle connection to the upstream is closed after this time: less than the five seconds of
/// Node and uvicorn, so that a request rarely meets a connection that the upstream is closing.
const POOL_IDLE: Duration = Duration::from_secs(4);

/// The most idle connections kept to one upstream.
const POOL_SIZE: usize = 256;

/// The read and write buffers of one upstream connection, in bytes; also the longest answer head.
const BUFFER: usize = 64 * 1024;

/// How long we wait for the upstream and for the client.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For a TCP connection to the upstream.
    pub connect: Duration,
    /// For the head of the answer, counted from the last movement of the request's body: a long
    /// upload may take its time. May take up to twice as long after an upload.
    pub response_head: Duration,
    /// For the next byte of the request's body from the client.
    pub upload_idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            response_head: Duration::from_mins(1),
            upload_idle: Duration::from_secs(30),
        }
    }
}

/// Why there is no answer from the upstream. The texts are for the log, not for the client.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// No connection: 502.
    #[error("the upstream cannot be reached")]
    Unreachable(#[source] BoxError),
    /// Connected, and no answer in time: 504.
    #[error("the upstream did not answer in time")]
    Timeout,
    /// Connected, and the connection broke or the answer is no HTTP: 502.
    #[error("the upstream broke off its answer")]
    Broken(#[source] BoxError),
    /// The client stopped sending its body: 408.
    #[error("the client stopped sending its body")]
    ClientStalled,
    /// The client went away within its body, or the body is malformed: 400.
    #[error("the client's body broke off")]
    ClientBroken(#[source] BoxError),
}

/// The client for every upstream. Built once; clones share one pool.
#[derive(Clone, Debug)]
pub struct Forwarder {
    client: Client<HttpsConnector<HttpConnector>, Upload>,
    limits: Limits,
}

impl Forwarder {
    /// Build the client with the usual limits. `https` upstreams are verified against Mozilla's
    /// roots.
    ///
    /// Fails only if the cryptographic library offers no protocol version.
    pub fn new() -> Result<Self, rustls::Error> {
        Self::with_limits(Limits::default())
    }

    /// The same, with limits of one's own.
    pub fn with_limits(limits: Limits) -> Result<Self, rustls::Error> {
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(limits.connect));
        http.set_nodelay(true);
        http.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::aws_lc_rs::default_provider())?
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        #[expect(clippy::disallowed_methods, reason = "this is the gate's one client")]
        let mut builder = Client::builder(TokioExecutor::new());
        let client = builder
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_SIZE)
            .http1_max_buf_size(BUFFER)
            .build(connector);
        Ok(Self { client, limits })
    }

    /// Send a request on and give the answer as soon as its head has come.
    ///
    /// `parts` holds the headers as the upstream shall see them, Host unchanged;
    /// `path_and_query` is the canonical reading on which the rule was decided and replaces the
    /// one in `parts`, behind the path of `upstream` if that has one. Trailers are dropped in both
    /// directions. The answer's headers are the upstream's: see
    /// [`strip_response`](super::headers::strip_response).
    pub async fn forward<B>(
        &self,
        parts: Parts,
        body: B,
        upstream: &Url,
        path_and_query: &str,
    ) -> Result<Response<ResponseBody>, ForwardError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let parts = prepare(parts, upstream, path_and_query)?;
        let is_repeatable = parts.method.is_safe() && body.is_end_stream();
        let upload = Upload::new(body, self.limits.upload_idle);
        let answer = self.send(parts, upload, is_repeatable).await?;
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(ForwardError::Broken("an upgrade that nobody asked for".into()));
        }
        Ok(answer.map(ResponseBody::new))
    }

    /// The same for a request that asks to speak WebSocket from then on. `parts` holds the headers
    /// that ask for it.
    pub async fn upgrade(
        &self,
        parts: Parts,
        upstream: &Url,
        path_and_query: &str,
    ) -> Result<Upgraded, ForwardError> {
        let parts = prepare(parts, upstream, path_and_query)?;
        let mut answer = self.send(parts, Upload::empty(), true).await?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Upgraded::Not(answer.map(ResponseBody::new)));
        }
        if !speaks_websocket(&answer) {
            return Err(ForwardError::Broken("an upgrade to another protocol".into()));
        }
        let connection = hyper::upgrade::on(&mut answer);
        Ok(Upgraded::Switched { answer: answer.map(ResponseBody::new), connection })
    }

    /// Sends a request; once more where that can do no harm and the connection broke.
    async fn send(
        &self,
        parts: Parts,
        upload: Upload,
        is_repeatable: bool,
    ) -> Result<Response<Incoming>, ForwardError> {
        let again = is_repeatable.then(|| parts.clone());
        match (self.attempt(parts, upload).await, again) {
            // Most likely a pooled connection that the upstream was just closing.
            (Err(ForwardError::Broken(_)), Some(parts)) => {
                self.attempt(parts, Upload::empty()).await
            }
            (outcome, _) => outcome,
        }
    }

    async fn attempt(
        &self,
        parts: Parts,
        upload: Upload,
    ) -> Result<Response<Incoming>, ForwardError> {
        let progress = upload.progress();
        let answer = self.client.request(Request::from_parts(parts, upload));
        let mut answer = std::pin::pin!(answer);
        let answer = loop {
            let moved = progress.moved();
            match tokio::time::timeout(self.limits.response_head, &mut answer).await {
                Ok(answer) => break answer,
                Err(_) if progress.moved() == moved => return Err(ForwardError::Timeout),
                Err(_) => {}
            }
        };
        answer.map_err(|error| explain(error, &progress))
    }
}

/// What the upstream said to a request for an upgrade.
pub enum Upgraded {
    /// Yes: after this answer the connection speaks WebSocket.
    Switched { answer: Response<ResponseBody>, connection: OnUpgrade },
    /// An answer like any other.
    Not(Response<ResponseBody>),
}

/// The request as it goes over the wire.
fn prepare(mut parts: Parts, upstream: &Url, path_and_query: &str) -> Result<Parts, ForwardError> {
    name_host(&mut parts);
    let uri = target(upstream, path_and_query);
    parts.uri = uri.map_err(|error| ForwardError::Broken(error.into()))?;
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    // We have answered `Expect` ourselves, by reading the body.
    parts.headers.remove(header::EXPECT);
    parts.headers.remove(header::TRANSFER_ENCODING);
    Ok(parts)
}

/// Whether a 101 switches to what was asked for.
fn speaks_websocket(answer: &Response<Incoming>) -> bool {
    let mut protocols = answer.headers().get_all(header::UPGRADE).iter();
    let protocol = protocols.next().map(HeaderValue::as_bytes).unwrap_or_default();
    protocol.eq_ignore_ascii_case(b"websocket") && protocols.next().is_none()
}

/// HTTP/2 names the host in its target; HTTP/1 in a header.
fn name_host(parts: &mut Parts) {
    if parts.headers.contains_key(header::HOST) {
        return;
    }
    let host = parts.uri.authority().map(|authority| HeaderValue::from_str(authority.as_str()));
    if let Some(Ok(host)) = host {
        parts.headers.insert(header::HOST, host);
    }
}

/// Where to send it: scheme and authority of the upstream, its path as a prefix, then ours.
fn target(upstream: &Url, path_and_query: &str) -> Result<Uri, http::Error> {
    let host = upstream.host_str().unwrap_or_default();
    let authority = match upstream.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    let prefix = upstream.path().trim_end_matches('/');
    Uri::builder()
        .scheme(upstream.scheme())
        .authority(authority)
        .path_and_query(format!("{prefix}{path_and_query}"))
        .build()
}

/// Whose fault it is that there is no answer.
fn explain(error: ClientError, progress: &Arc<Progress>) -> ForwardError {
    match progress.end() {
        End::Stalled => ForwardError::ClientStalled,
        End::Broken => ForwardError::ClientBroken(error.into()),
        End::None if error.is_connect() => ForwardError::Unreachable(error.into()),
        End::None => ForwardError::Broken(error.into()),
    }
}
