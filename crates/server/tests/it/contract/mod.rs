//! The cases of the wire contract, under their ids: what a strict client of each documented family
//! (P, S, Z) checks in our answers. Attacks are elsewhere.

mod account_sessions;
mod at_rest;
mod blacklist;
mod console;
mod console_codes;
mod csrf;
mod csrf_settings;
mod csrf_ways;
mod first_user;
mod gate;
mod hardened;
mod limits;
mod login;
mod login_settings;
mod mobile;
mod mobile_tokens;
mod own_profile;
mod permissions;
mod remember;
mod security_report;
mod session;
mod session_list;
mod session_pages;
mod sign_out;
mod slashes;
mod terminate;

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::client::{Answer, Client, Sending, me};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// What clients of P read in a refusal.
#[track_caller]
fn assert_p(answer: &Answer, status: u16, error: &str) {
    let body = answer.json();
    assert_eq!(answer.status.as_u16(), status, "{answer:?}");
    assert_eq!(body["success"], false, "{body}");
    assert_eq!(body["error"], error, "{body}");
}

/// What clients of S read in a refusal.
#[track_caller]
pub(crate) fn assert_s(answer: &Answer, status: u16, message: impl Into<Value>) {
    let body = answer.json();
    assert_eq!(answer.status.as_u16(), status, "{answer:?}");
    assert_eq!(body["statusCode"], status, "{body}");
    assert_eq!(body["message"], message.into(), "{body}");
}

/// What clients of Z read in a refusal with one error, which is not about a field.
#[track_caller]
fn assert_z(answer: &Answer, status: u16, code: &str, detail: &str) {
    let body = answer.json();
    assert_eq!(answer.status.as_u16(), status, "{answer:?}");
    assert_eq!(body["type"], "client_error", "{body}");
    let errors = json!([{"code": code, "detail": detail, "attr": null}]);
    assert_eq!(body["errors"], errors, "{body}");
}

/// Nobody is signed in, in the words of all three families at once (rule 4 of the dialects).
#[track_caller]
fn assert_signed_out(answer: &Answer) {
    assert_p(answer, 401, "Authentication required. Please log in.");
    assert_s(answer, 401, "Unauthorized");
    let detail = "Authentication required. Please log in to access this resource.";
    assert_z(answer, 401, "not_authenticated", detail);
}

/// The documents' sample of a request that changes something, without its CSRF token.
pub(crate) fn post_job(client: &Client) -> Sending<'_> {
    let job = json!({"title": "Boiler repair", "priority": "high"});
    client.post("/api/jobs/manage").json(&job)
}

/// The status of `GET /api/auth/me`: whether this client is somebody.
/// A text of an answer's body.
#[track_caller]
pub(crate) fn text(body: &Value, pointer: &str) -> String {
    let found = body.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no text at {pointer} in {body}")).to_owned()
}

/// 64 lower-case hex digits, the form of every opaque credential.
#[track_caller]
fn assert_token(text: &str) {
    let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    assert!(is_hex && text.len() == 64, "{text}");
}
