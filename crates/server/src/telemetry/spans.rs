//! Traces, in a program that was built with the feature `otel`: a span for each request, and one
//! for each of its parts. Without a collector in the environment there are none. Who the collector
//! is, and how spans get there, is in `otlp`.
//!
//! A client may not choose the trace that its request belongs to, nor whether it is recorded: only
//! a trusted proxy may.

use std::sync::{Arc, OnceLock};

use http::{HeaderMap, HeaderValue};
use opentelemetry::context::{FutureExt as _, WithContext};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{
    SpanKind, Status, TraceContextExt as _, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use super::line::Line;
use super::otlp;

pub use otlp::ExportError;

/// The headers of W3C Trace Context.
const TRACE_PARENT: &str = "traceparent";
const TRACE_STATE: &str = "tracestate";

/// The way to a collector. Clones share it.
#[derive(Clone, Default)]
pub struct Spans(Arc<OnceLock<Exporting>>);

struct Exporting {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

/// The span of a request, as the context of its parts; `None` where there are no traces.
pub struct RequestSpan(Option<Context>);

/// The span of a request to the upstream.
pub struct UpstreamSpan(Option<Context>);

impl Spans {
    /// Exports from now on, if the environment names a collector.
    pub fn export(
        &self,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<(), ExportError> {
        if let Some(provider) = otlp::provider(environment)? {
            let tracer = provider.tracer("portcullis");
            // An application is told once, when it starts.
            drop(self.0.set(Exporting { provider, tracer }));
        }
        Ok(())
    }

    pub(super) fn request(
        &self,
        is_trusted: impl FnOnce() -> bool,
        headers: &HeaderMap,
    ) -> RequestSpan {
        let Some(Exporting { tracer, .. }) = self.0.get() else { return RequestSpan(None) };
        let is_clear = headers.get_all(TRACE_PARENT).iter().count() == 1;
        let parent = if is_clear && is_trusted() {
            let headers = HeaderExtractor(headers);
            TraceContextPropagator::new().extract_with_context(&Context::new(), &headers)
        } else {
            Context::new()
        };
        let builder = tracer.span_builder("request").with_kind(SpanKind::Server);
        RequestSpan(Some(parent.with_span(tracer.build_with_context(builder, &parent))))
    }

    /// Work that is a part of a request and begins now. What belongs to none has no span.
    pub fn around<F: Future>(&self, name: &'static str, work: F) -> WithContext<F> {
        let parent = Context::current();
        let exporting = self.0.get().filter(|_| parent.has_active_span());
        let Some(Exporting { tracer, .. }) = exporting else { return work.with_context(parent) };
        let span = tracer.build_with_context(tracer.span_builder(name), &parent);
        work.with_context(parent.with_span(span))
    }

    /// A request to the upstream with these headers, which name the span from now on.
    pub fn upstream(&self, headers: &mut HeaderMap) -> UpstreamSpan {
        let Some(Exporting { tracer, .. }) = self.0.get() else { return UpstreamSpan(None) };
        let parent = Context::current();
        let builder = tracer.span_builder("upstream").with_kind(SpanKind::Client);
        let context = parent.with_span(tracer.build_with_context(builder, &parent));
        headers.remove(TRACE_PARENT);
        headers.remove(TRACE_STATE);
        TraceContextPropagator::new().inject_context(&context, &mut HeaderInjector(headers));
        if headers.get(TRACE_STATE).is_some_and(HeaderValue::is_empty) {
            headers.remove(TRACE_STATE);
        }
        UpstreamSpan(Some(context))
    }

    /// Sends what has not been sent. No span is recorded after that.
    pub async fn flush(&self) {
        let Some(Exporting { provider, .. }) = self.0.get() else { return };
        let provider = provider.clone();
        // It waits for its own thread, which waits for this runtime to send.
        let done = tokio::task::spawn_blocking(move || provider.shutdown()).await;
        if let Ok(Err(error)) = done {
            tracing::warn!(error = &error as &dyn std::error::Error, "the last spans are lost");
        }
    }
}

impl RequestSpan {
    pub(super) fn is_recording(&self) -> bool {
        self.0.as_ref().is_some_and(|context| context.span().is_recording())
    }

    pub(super) fn within<F: Future>(&self, work: F) -> WithContext<F> {
        work.with_context(self.0.clone().unwrap_or_default())
    }

    pub(super) fn end(&self, line: &Line<'_>) {
        let Some(context) = &self.0 else { return };
        let span = context.span();
        span.update_name(format!("{} {}", line.surface.word(), known_method(line.method)));
        span.set_attributes(attributes(line));
        if line.status >= 500 {
            span.set_status(Status::error(line.code.unwrap_or_default()));
        }
        span.end();
    }
}

impl UpstreamSpan {
    /// The request itself.
    pub fn around<F: Future>(self, work: F) -> WithContext<F> {
        work.with_context(self.0.unwrap_or_else(Context::current))
    }
}

/// The same as the log's, under the names of the semantic conventions where there are such.
fn attributes(line: &Line<'_>) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new("portcullis.request_id", line.request_id.to_owned()),
        KeyValue::new("portcullis.surface", line.surface.word()),
        KeyValue::new("http.request.method", known_method(line.method)),
        KeyValue::new("url.path", line.path.clone()),
        KeyValue::new("http.response.status_code", i64::from(line.status)),
        KeyValue::new("client.address", line.client.to_string()),
    ];
    attributes.extend(line.code.map(|code| KeyValue::new("portcullis.code", code)));
    attributes.extend(line.rule.map(|rule| KeyValue::new("portcullis.rule", rule.to_owned())));
    attributes.extend(line.user.map(|user| KeyValue::new("enduser.id", user.to_string())));
    let bytes = line.bytes.and_then(|bytes| i64::try_from(bytes).ok());
    attributes.extend(bytes.map(|bytes| KeyValue::new("http.response.body.size", bytes)));
    attributes
}

/// A method of the standard, or the word for all others: a name of a span comes from a small set.
fn known_method(method: &str) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("_OTHER")
}
