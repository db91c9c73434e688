//! The tests of what a server tells those who run it, in a program built with the feature `otel`, which
//! `it` is not. They are those of `it`, with its harness, and those of traces beside them.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and so do its helpers"
)]

#[path = "../it/harness/mod.rs"]
#[expect(dead_code, reason = "most of it is for the other tests")]
mod harness;
#[path = "../it/telemetry/mod.rs"]
mod telemetry;
