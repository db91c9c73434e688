//! The way of spans to a collector: OTLP over HTTP with protobuf, as the standard variables of
//! OpenTelemetry say. Spans are sent in batches by a thread of their own; a collector that is down
//! costs spans, never a request.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry::Key;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;

/// Any of these names a collector.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
/// What the service is called where `OTEL_SERVICE_NAME` does not say.
const SERVICE: &str = "portcullis";
/// How long the collector may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer of the collector that is read, in bytes.
const LONGEST_ANSWER: usize = 64 * 1024;

/// Why spans cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("the variables OTEL_EXPORTER_OTLP_… do not name a collector")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    #[error("the client for the collector could not be built")]
    Client(#[from] rustls::Error),
}

/// What makes spans and sends them; `None` if the environment names no collector.
pub(super) fn provider(
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Option<SdkTracerProvider>, ExportError> {
    let set: Vec<_> = environment.filter(|(name, _)| name.starts_with("OTEL_")).collect();
    let value = |wanted: &str| set.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    let is_disabled = value("OTEL_SDK_DISABLED").is_some_and(|text| text == "true");
    let names_collector =
        ENDPOINTS.iter().any(|name| value(name).is_some_and(|url| !url.is_empty()));
    if is_disabled || !names_collector {
        return Ok(None);
    }
    let exporter =
        SpanExporter::builder().with_http().with_http_client(Collector::new()?).build()?;
    let builder = SdkTracerProvider::builder().with_batch_exporter(exporter);
    Ok(Some(builder.with_resource(resource()).build()))
}

/// Who we are, as the environment says, and by our own name where it says nothing.
fn resource() -> Resource {
    let told = Resource::builder().build();
    let name = told.get(&Key::from_static_str("service.name"));
    match name {
        Some(name) if !name.as_str().starts_with("unknown_service") => told,
        Some(_) | None => Resource::builder().with_service_name(SERVICE).build(),
    }
}

type CollectorClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// An HTTP client for a thread that is none of the runtime's: it hands requests over to it.
struct Collector {
    client: CollectorClient,
    runtime: Handle,
}

impl Collector {
    fn new() -> Result<Self, rustls::Error> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::aws_lc_rs::default_provider())?
            .https_or_http()
            .enable_http1()
            .build();
        #[expect(clippy::disallowed_methods, reason = "the collector is no upstream of the gate")]
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { client, runtime: Handle::current() })
    }
}

/// It may hold headers with a password.
impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collector")
    }
}

impl HttpClient for Collector {
    fn send_bytes<'a, 'f>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'f>>
    where
        'a: 'f,
        Self: 'f,
    {
        let client = self.client.clone();
        // The clock of a timeout is the runtime's.
        let sending = async { tokio::time::timeout(PATIENCE, send(client, request)).await };
        let sending = self.runtime.spawn(sending);
        Box::pin(async move {
            let sent = sending.await?.map_err(HttpError::from).flatten();
            if let Err(error) = &sent {
                tracing::warn!(error = &**error as &dyn std::error::Error, "spans are lost");
            }
            sent
        })
    }
}

async fn send(
    client: CollectorClient,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, HttpError> {
    let (parts, body) = client.request(request.map(Full::new)).await?.into_parts();
    let body = Limited::new(body, LONGEST_ANSWER).collect().await?.to_bytes();
    if !parts.status.is_success() {
        tracing::warn!(status = parts.status.as_u16(), "the collector refuses spans");
    }
    Ok(Response::from_parts(parts, body))
}
