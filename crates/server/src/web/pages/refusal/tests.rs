//! Every refusal as a page, and where people without a session are sent.

use std::time::Duration;

use http::header::{ALLOW, CONTENT_SECURITY_POLICY, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName};
use http_body_util::BodyExt as _;
use portcullis_domain::client_address::ClientAddress;
use portcullis_domain::request_path::RequestTarget;
use portcullis_domain::text::Host;

use super::*;
use crate::web::error::Fault;
use crate::web::request::Head;

const ID: &str = "0123456789abcdef01234567";

async fn text(reply: Reply) -> String {
    let bytes = reply.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The page has this status, this code, the request's id and each of these texts.
async fn check(error: Error, status: u16, code: &str, texts: &[&str]) {
    let reply = page(&error, ID);
    assert_eq!(reply.status().as_u16(), status, "{error:?}");
    let policy = reply.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    let html = text(reply).await;
    for wanted in [&format!("<code>{code}</code>"), &format!("<code>{ID}</code>")] {
        assert!(html.contains(wanted), "{error:?} lacks {wanted}");
    }
    for wanted in texts {
        assert!(html.contains(wanted), "{error:?} lacks {wanted}: {html}");
    }
}

fn permission(code: &'static str, rule: Option<&str>) -> Error {
    Error::Forbidden(Forbidden::Permission { code, rule: rule.map(ToOwned::to_owned) })
}

fn csrf_refused(refusal: csrf::Refusal) -> Error {
    Error::Forbidden(Forbidden::Csrf(refusal))
}

#[tokio::test]
async fn who_you_are() {
    let sign_in = "href=\"/-/sign-in\"";
    check(Error::SignIn("credential_missing"), 401, "credential_missing", &[sign_in]).await;
    check(Error::SignIn("session_expired"), 401, "session_expired", &["session is over", sign_in])
        .await;
    check(Error::SignIn("account_disabled"), 401, "account_disabled", &["is disabled"]).await;
    check(Error::WrongCredentials, 401, "wrong_credentials", &["Invalid email or password"]).await;
}

#[tokio::test]
async fn what_you_may() {
    let rule = Some("jobs-write");
    let account = "href=\"/-/account\"";
    check(
        permission("permission_missing", rule),
        403,
        "permission_missing",
        &["<code>jobs-write</code>", account],
    )
    .await;
    check(permission("account_type", rule), 403, "account_type", &["another type of account"])
        .await;
    check(permission("no_rule", None), 403, "no_rule", &["[[gate.rule]]"]).await;
    check(
        permission("permission_missing", Some("<b>")),
        403,
        "permission_missing",
        &["&#60;b&#62;"],
    )
    .await;
    let disabled = Error::Forbidden(Forbidden::Other("account_disabled"));
    check(disabled, 403, "account_disabled", &["You may not do this"]).await;
}

#[tokio::test]
async fn tokens() {
    use csrf::Refusal;
    check(
        csrf_refused(Refusal::Origin),
        403,
        "csrf_origin",
        &["sign_in.trusted_origins", "server.public_url"],
    )
    .await;
    check(csrf_refused(Refusal::Used), 403, "csrf_used", &["csrf.fetched_token"]).await;
    for refusal in [
        Refusal::Missing,
        Refusal::Ambiguous,
        Refusal::Invalid,
        Refusal::Stale,
        Refusal::Expired,
        Refusal::CookieMissing,
        Refusal::CookieMismatch,
    ] {
        check(csrf_refused(refusal), 403, refusal.code(), &["reload the page"]).await;
    }
}

#[tokio::test]
async fn what_was_asked() {
    let faults = vec![Fault::required("email"), Fault::invalid("name", "is too long")];
    let lines = ["email is required.", "name is too long."];
    check(Error::NotFound, 404, "not_found", &["There is nothing here"]).await;
    check(Error::Method("GET, HEAD".into()), 405, "method_not_allowed", &["GET, HEAD"]).await;
    check(Error::Invalid(faults), 400, "invalid", &lines).await;
    check(Error::Malformed("ambiguous_path"), 400, "ambiguous_path", &["does not guess"]).await;
    check(Error::Malformed("bad_host"), 400, "bad_host", &["cannot be read"]).await;
    check(Error::Slow, 408, "request_timeout", &["not sent in time"]).await;
    check(Error::Conflict("conflict"), 409, "conflict", &["exists already"]).await;
    check(Error::TooLarge, 413, "too_large", &["too large"]).await;
    check(Error::UnsupportedType, 415, "unsupported_type", &["application/json"]).await;
    check(Error::Misdirected, 421, "unknown_host", &["server.public_url"]).await;
}

#[tokio::test]
async fn later() {
    let wait = Duration::from_mins(15);
    let limited = |code| Error::TooMany { code, retry_after: wait };
    check(limited("too_many_requests"), 429, "too_many_requests", &["in 15 minutes"]).await;
    check(limited("locked_out"), 429, "locked_out", &["in 15 minutes"]).await;
    let busy = Error::Unavailable { code: "busy", retry_after: Duration::from_secs(1) };
    check(busy, 503, "busy", &["in 1 second."]).await;
    let behind = "application";
    check(
        Error::Upstream("upstream_unreachable"),
        502,
        "upstream_unreachable",
        &[behind, "does not answer"],
    )
    .await;
    check(Error::Upstream("upstream_timeout"), 504, "upstream_timeout", &[behind, "in time"]).await;
    check(Error::Internal, 500, "internal", &["Something went wrong"]).await;
}

#[test]
fn headers_come_along() {
    let limited = Error::TooMany { code: "too_many_requests", retry_after: Duration::from_secs(9) };
    let headers = |error: &Error| page(error, ID).headers().clone();
    assert_eq!(headers(&limited)[RETRY_AFTER], "9");
    assert_eq!(headers(&Error::Method("GET, HEAD".into()))[ALLOW], "GET, HEAD");
    let challenge = &headers(&Error::SignIn("session_expired"))[WWW_AUTHENTICATE];
    assert_eq!(challenge, "Bearer realm=\"auth\", error=\"invalid_token\"");
}

#[test]
fn people_without_a_session_are_sent_to_sign_in_and_back() {
    let check =
        |method: Method, target: &str, header: Option<&'static str>, expected: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(name) = header {
                headers.insert(HeaderName::from_static(name), "x".parse().unwrap());
            }
            let head = Head { method, headers, authority: "localhost".to_owned() };
            let client = ClientAddress::derive([127, 0, 0, 1].into(), &[], &[]);
            let read = RequestTarget::parse(target).unwrap();
            let facts =
                Facts::new(ID.to_owned(), read, Host::parse("localhost").unwrap(), client, head);
            assert_eq!(way_to_sign_in(&facts, None).as_deref(), expected, "{target}");
        };
    let get = || Method::GET;
    check(get(), "/jobs", None, Some("/-/sign-in?next=%2Fjobs"));
    check(
        get(),
        "/jobs?a=1&next=//evil%0a",
        None,
        Some("/-/sign-in?next=%2Fjobs%3Fa%3D1%26next%3D%2F%2Fevil%250a"),
    );
    check(get(), "/-/account", None, Some("/-/sign-in?next=%2F-%2Faccount"));
    check(get(), "/-/sign-in", None, None);
    check(get(), "/jobs", Some("authorization"), None);
    check(get(), "/jobs", Some("x-api-key"), None);
    check(Method::POST, "/jobs", None, None);
    check(Method::POST, "/-/sign-out", None, Some("/-/sign-in"));
}
