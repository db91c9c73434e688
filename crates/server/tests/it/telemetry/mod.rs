//! What a server tells those who run it: figures, the log of requests and, in a program built with
//! `otel`, traces. None of it may hold a secret, or anything else that a client chose.

mod keys;
mod log;
mod metrics;
#[cfg(feature = "otel")]
mod otel;
pub(crate) mod served;
