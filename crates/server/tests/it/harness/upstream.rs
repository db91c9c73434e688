//! An application behind the gate that remembers what reached it: method, target, headers, body.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Collected, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::spawn;

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The application. Answers 201 to POST and 200 to everything else, as JSON, unless told otherwise.
#[derive(Clone)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    next: Arc<Mutex<Option<Response<Full<Bytes>>>>>,
    switches: Arc<AtomicBool>,
}

impl Upstream {
    /// Starts it on a free port.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let upstream =
            Self { address, seen: Arc::default(), next: Arc::default(), switches: Arc::default() };
        let serving = upstream.clone();
        spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let upstream = serving.clone();
                spawn(async move {
                    let service = service_fn(|request| upstream.answer(request));
                    let io = TokioIo::new(socket);
                    let served = hyper::server::conn::http1::Builder::new();
                    drop(served.serve_connection(io, service).await);
                });
            }
        });
        upstream
    }

    /// Everything that has arrived so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The last request that arrived.
    pub(crate) fn last(&self) -> Seen {
        self.seen().pop().expect("nothing has reached the upstream")
    }

    /// How the next request is answered.
    pub(crate) fn answer_next(&self, response: Response<Full<Bytes>>) {
        *self.next.lock().unwrap() = Some(response);
    }

    /// From now on it switches to whatever protocol a request offers first.
    pub(crate) fn switch_to_anything(&self) {
        self.switches.store(true, Ordering::Relaxed);
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
        let is_post = parts.method == http::Method::POST;
        let switch = self.switches.load(Ordering::Relaxed).then(|| switched(&parts.headers));
        self.seen.lock().unwrap().push(Seen {
            method: parts.method.to_string(),
            target: parts.uri.to_string(),
            headers: parts.headers,
            body,
        });
        if let Some(response) = self.next.lock().unwrap().take() {
            return Ok(response);
        }
        if let Some(response) = switch.flatten() {
            return Ok(response);
        }
        let status = if is_post { StatusCode::CREATED } else { StatusCode::OK };
        let response =
            Response::builder().status(status).header("content-type", "application/json");
        Ok(response.body(Full::new(Bytes::from_static(b"{\"upstream\":true}"))).unwrap())
    }
}

/// 101 for the first protocol that these headers offer. The WebSocket is the one with the key that
/// the RFC has as its example.
fn switched(headers: &HeaderMap) -> Option<Response<Full<Bytes>>> {
    let offered = headers.get("upgrade")?.to_str().unwrap();
    let response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header("connection", "Upgrade")
        .header("upgrade", offered.split(',').next().unwrap().trim())
        .header("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    Some(response.body(Full::default()).unwrap())
}
