//! Traces: what a collector receives of a server, and whom the server believes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::served::Served;
use crate::harness::spawn;

/// A collector that keeps what it is sent.
struct Collector {
    address: SocketAddr,
    received: Arc<Mutex<Vec<u8>>>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received: Arc<Mutex<Vec<u8>>> = Arc::default();
        let kept = Arc::clone(&received);
        spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                let service = service_fn(move |request| take(request, Arc::clone(&kept)));
                let builder = hyper::server::conn::http1::Builder::new();
                spawn(async move {
                    drop(builder.serve_connection(TokioIo::new(socket), service).await);
                });
            }
        });
        Self { address, received }
    }

    /// Whether the bytes stand in what was received.
    fn has(&self, wanted: &[u8]) -> bool {
        self.received.lock().unwrap().windows(wanted.len()).any(|window| window == wanted)
    }
}

async fn take(
    request: Request<Incoming>,
    kept: Arc<Mutex<Vec<u8>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/v1/traces"));
    assert_eq!(request.headers()["content-type"], "application/x-protobuf");
    let body = request.into_body().collect().await.unwrap().to_bytes();
    kept.lock().unwrap().extend_from_slice(&body);
    Ok(Response::new(Full::default()))
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// Starts a server that exports to a collector, with this configuration.
async fn traced(config: &str, more: &[(&str, &str)]) -> (Collector, Served) {
    let collector = Collector::start().await;
    let endpoint = format!("http://{}", collector.address);
    let environment = [&[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())], more].concat();
    let served = Served::start(config, &environment).await;
    (collector, served)
}

#[tokio::test]
async fn the_spans_of_requests_reach_the_collector_without_secrets() {
    let (collector, mut served) = traced("", &[("OTEL_SERVICE_NAME", "front-gate")]).await;
    let (_, secrets) = served.visit().await;
    // The last spans are sent when it stops.
    assert_eq!(served.stop().await, 0, "{}", served.log());
    for wanted in [
        "front-gate",
        "own POST",
        "gate POST",
        "verify credential",
        "read credential",
        "upstream",
        "portcullis.code",
        "csrf_invalid",
        "/-/magic/***",
        "portcullis.rule",
        "enduser.id",
    ] {
        assert!(collector.has(wanted.as_bytes()), "no span has {wanted:?}");
    }
    for secret in secrets {
        assert!(!collector.has(secret.as_bytes()), "{secret} is in a span");
    }
    assert!(!served.log().contains("spans are lost"), "{}", served.log());
}

#[tokio::test]
async fn only_a_trusted_proxy_names_the_trace() {
    let sent = format!("00-{TRACE}-{PARENT}-01");
    for (config, is_believed) in [("", false), ("server.trusted_proxies = [\"127.0.0.1\"]", true)] {
        let (collector, mut served) = traced(config, &[]).await;
        let client = served.client();
        let request = client.get("/public/a").header("traceparent", &sent);
        assert_eq!(request.header("tracestate", "canary=1").send().await.status, 200);
        let seen = served.upstream.last().headers;
        let passed = seen["traceparent"].to_str().unwrap();
        assert_eq!(passed.contains(TRACE), is_believed, "{passed}");
        assert_eq!(seen.contains_key("tracestate"), is_believed);
        // Two that contradict each other are none.
        let two = client.get("/public/a").header("traceparent", &sent);
        let two = two.header("traceparent", &sent.replace('b', "c")).send().await;
        assert_eq!(two.status, 200);
        let seen = served.upstream.last().headers;
        assert!(!seen["traceparent"].to_str().unwrap().contains(TRACE));
        assert_eq!(seen.get_all("traceparent").iter().count(), 1);

        assert_eq!(served.stop().await, 0);
        assert_eq!(collector.has(&hex::decode(TRACE).unwrap()), is_believed);
        let span = passed.split('-').nth(2).unwrap();
        assert_ne!(span, PARENT, "the upstream's parent is our own span");
        assert!(collector.has(&hex::decode(span).unwrap()));
        assert!(collector.has(b"portcullis"), "our own name, where none is given");
    }
}

#[tokio::test]
async fn without_a_collector_there_are_no_spans_and_nothing_is_changed() {
    for environment in [&[][..], &[("OTEL_SDK_DISABLED", "true")]] {
        let mut served = Served::start("", environment).await;
        let sent = format!("00-{TRACE}-{PARENT}-01");
        let client = served.client();
        let request = client.get("/public/a").header("traceparent", &sent);
        assert_eq!(request.send().await.status, 200);
        assert_eq!(served.upstream.last().headers["traceparent"], sent);
        assert_eq!(served.stop().await, 0);
    }
}

#[tokio::test]
async fn a_collector_that_is_down_stops_nobody() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let endpoint = format!("http://{nobody}");
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())];
    let mut served = Served::start("", &environment).await;
    assert_eq!(served.client().get("/public/a").send().await.status, 200);
    assert_eq!(served.stop().await, 0);
    assert!(served.log().contains("spans are lost"), "{}", served.log());
}
