//! The attacks of the security reference, each under its id and beside a control that is allowed.

mod bearer;
mod begun;
mod bodies;
mod bruteforce;
mod csrf;
mod enumeration;
mod flood;
mod framing;
mod gate;
mod handles;
mod headers;
mod http2;
mod lockout;
mod matrix;
mod paths;
mod races;
mod redirect;
mod remember;
mod revocation;
mod session;
mod strangers;

use crate::harness::TestApp;
use crate::harness::client::{Answer, Sending};

/// A path of the sample application that asks for a permission, and whose effects can be seen.
const JOBS: &str = "/api/jobs/manage";

/// Sends a request that must be refused so, and must not reach the application.
async fn refused(server: &TestApp, sending: Sending<'_>, verdict: &str, why: &str) -> Answer {
    let before = server.upstream.seen().len();
    let answer = sending.send().await;
    assert_eq!(answer.verdict(), verdict, "{why}: {answer:?}");
    assert_eq!(server.upstream.seen().len(), before, "{why}: it reached the application");
    answer
}

/// Sends a request that must reach the application.
async fn reaches(server: &TestApp, sending: Sending<'_>, why: &str) -> Answer {
    let before = server.upstream.seen().len();
    let answer = sending.send().await;
    assert!(answer.status.is_success(), "{why}: {answer:?}");
    assert_eq!(server.upstream.seen().len(), before + 1, "{why}: it did not reach the application");
    answer
}
