//! Traces in a program that was built without the feature `otel`: there are none, and what would
//! make them is nothing at all.

#![expect(clippy::unused_self, reason = "the same functions as those that do something")]

use http::HeaderMap;

use super::line::Line;

/// The way to a collector.
#[derive(Clone, Default)]
pub struct Spans(());

/// The span of a request.
pub struct RequestSpan(());

/// The span of a request to the upstream.
pub struct UpstreamSpan(());

/// Why spans cannot be exported. There is no such reason here.
pub type ExportError = std::convert::Infallible;

impl Spans {
    /// Says that this program cannot do what the environment asks for.
    pub fn export(
        &self,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<(), ExportError> {
        if environment.into_iter().any(|(name, _)| name == "OTEL_EXPORTER_OTLP_ENDPOINT") {
            tracing::warn!("no traces: this program was built without the feature otel");
        }
        Ok(())
    }

    pub(super) fn request(&self, _: impl FnOnce() -> bool, _: &HeaderMap) -> RequestSpan {
        RequestSpan(())
    }

    /// Work that is a part of a request.
    pub fn around<F: Future>(&self, _: &'static str, work: F) -> F {
        work
    }

    /// A request to the upstream with these headers.
    pub fn upstream(&self, _: &mut HeaderMap) -> UpstreamSpan {
        UpstreamSpan(())
    }

    /// Sends what has not been sent.
    pub fn flush(&self) -> std::future::Ready<()> {
        std::future::ready(())
    }
}

impl RequestSpan {
    pub(super) fn is_recording(&self) -> bool {
        false
    }

    pub(super) fn within<F: Future>(&self, work: F) -> F {
        work
    }

    pub(super) fn end(&self, _: &Line<'_>) {}
}

impl UpstreamSpan {
    /// The request itself.
    pub fn around<F: Future>(self, work: F) -> F {
        work
    }
}
