//! What a server tells those who run it: figures (`metrics`, asked for at `listener`), a line for
//! each request (`request`, `line`), and, with the feature `otel`, traces (`spans`). Nothing here
//! decides anything, and nothing that a client sent becomes a label.
//!
//! Not here: the events, which are part of the acts they tell of (see [`crate::flows`]).

pub mod breach_checks;
mod file_alerts;
pub mod line;
pub mod listener;
pub mod log;
pub mod metrics;
#[cfg(feature = "otel")]
mod otlp;
mod process;
pub mod request;
#[cfg(feature = "otel")]
pub mod spans;
#[cfg(not(feature = "otel"))]
#[path = "no_spans.rs"]
pub mod spans;

use std::time::Duration;

use crate::clock::Clock;
use crate::config::LoggedRequests;
use metrics::Metrics;
use spans::Spans;

/// The application's own eyes. There is one for each application, and none for the process.
pub struct Telemetry {
    pub metrics: Metrics,
    pub spans: Spans,
    requests: LoggedRequests,
    /// How long something took is real time, also where a test moves the application's clock.
    clock: Clock,
}

impl Telemetry {
    /// Everything at zero, nothing exported.
    pub fn new(requests: LoggedRequests) -> Self {
        let (metrics, spans, clock) = (Metrics::new(), Spans::default(), Clock::system());
        Self { metrics, spans, requests, clock }
    }

    fn now(&self) -> Duration {
        self.clock.monotonic()
    }
}
