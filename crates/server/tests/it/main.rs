//! The server's tests: one binary, the real server behind a real socket, on both databases.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and so do its helpers"
)]

mod activity;
mod administration;
mod api_keys;
mod applications;
mod attacks;
mod audit;
mod backup;
mod barrier;
mod breach;
mod cli;
mod contract;
mod crash;
mod docs;
mod doors;
mod file_integrity;
mod file_watch;
mod first_run;
mod geo;
mod harness;
mod imported;
mod integrity;
mod lifecycle;
mod limits;
mod magic_link;
mod mail;
mod nodes;
mod passwords;
mod places;
mod proxies;
mod proxy;
mod second_factor;
mod seeds;
mod sign_in;
mod smoke;
mod telemetry;
mod tidy;
mod tokens;
mod trusted_devices;
