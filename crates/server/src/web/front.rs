//! Where every request enters and every answer leaves: id, client address, canonical target, known
//! host, then the table or the gate; on the way out the headers that all answers carry, and the
//! one place where an error becomes a body.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body_util::Either;
use hyper::body::Incoming;
use portcullis_domain::client_address::{ClientAddress, Network};
use portcullis_domain::event::LimitName;
use portcullis_domain::request_path::RequestTarget;

use super::caller::Level;
use super::error::Error;
use super::forward_auth;
use super::framing::{Fault, MALFORMED_HEADER, MALFORMED_PATH};
use super::limits;
use super::refusal::{self, Family};
use super::reply::Reply;
use super::request::{Facts, Head};
use super::table::{Match, Row};
use crate::app::App;
use crate::probe::Probes;
use crate::telemetry::metrics::Surface;
use crate::telemetry::request::{Known, Observed, Reason};
use crate::{gate, web::pages};

/// Every answer of the server names the request with it; so does every log line and event.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CSRF_TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");
const RESPONSE_TIME: HeaderName = HeaderName::from_static("x-response-time-ms");
const QUERY_TIME: HeaderName = HeaderName::from_static("x-db-query-time-ms");
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Answers one request. Never fails and never panics: a panic is a 500 with its request id.
pub async fn respond(app: App, peer: SocketAddr, request: Request<Incoming>) -> Reply {
    let id = hex::encode(app.random.bytes::<12>());
    let observed = Observed::begin(&app, peer, &request);
    let entered = AssertUnwindSafe(enter(app.clone(), peer, request, id.clone())).catch_unwind();
    let (known, answer) = observed.within(entered).await.unwrap_or_else(|_| {
        tracing::error!(request_id = id, "a handler panicked");
        let mut reply = refusal::reply(&Error::Internal, Family::Every, &id);
        reply.extensions_mut().insert(Reason(Error::Internal.code()));
        (Known::default(), without_facts(&app, peer, &id, reply))
    });
    observed.end(&app, &id, &known, &answer);
    answer
}

/// What every answer carries, where nothing is known of the request but its peer.
fn without_facts(app: &App, peer: SocketAddr, id: &str, mut reply: Reply) -> Reply {
    own_headers(app, reply.headers_mut());
    set_request_id(reply.headers_mut(), id);
    let limit = app.limits.in_force().requests;
    if let Some(standing) = app.limiter.peek(limit, Network::of(peer.ip()), app.clock.now()) {
        limits::set_headers(reply.headers_mut(), standing);
    }
    reply
}

async fn enter(
    app: App,
    peer: SocketAddr,
    request: Request<Incoming>,
    id: String,
) -> (Known, Reply) {
    let (mut parts, body) = request.into_parts();
    let version = parts.version;
    let switch = gate::upgrade::Switch::take(&mut parts.extensions);
    let wants_page = wants_page(&parts);
    let watch = Probes::watch(&app, peer, &parts);
    let mut facts = match read(&app, peer, parts, &id) {
        Ok(mut facts) => {
            facts.watch = watch;
            facts
        }
        Err(error) => {
            app.probes.unread(&app, watch, &error);
            let mut reply = if wants_page {
                pages::refusal_page(&error, &id)
            } else {
                refusal::reply(&error, Family::Every, &id)
            };
            reply.extensions_mut().insert(Reason(error.code()));
            let reply = without_facts(&app, peer, &id, reply);
            return (Known::default(), reply);
        }
    };
    if forward_auth::is_here(facts.target.path().as_str()) {
        let mut reply = Box::pin(forward_auth::answer(&app, &mut facts, body)).await;
        if !reply.status().is_success() {
            own_headers(&app, reply.headers_mut());
        }
        after_headers(&app, &facts, reply.headers_mut());
        let known = Known { surface: Surface::ForwardAuth, facts: Some(Arc::new(facts)) };
        return (known, reply);
    }
    let facts = Arc::new(facts);
    let path = facts.target.path().as_str();
    let found = app.routes.find(&facts.method, path);
    let is_ours = !matches!(found, Match::None) || path == "/-" || path.starts_with("/-/");
    let surface = if is_ours { Surface::Own } else { Surface::Gate };
    let answer = match found {
        Match::Row(row) => own(&app, row, &facts, body).await,
        Match::OtherMethods(methods) => refuse(&app, &facts, &Error::Method(methods.to_owned())),
        Match::None if path == MALFORMED_PATH => refuse(&app, &facts, &malformed(&facts)),
        Match::None if path == "/-" || path.starts_with("/-/") => {
            refuse(&app, &facts, &Error::NotFound)
        }
        Match::None => {
            let request = gate::Inbound { facts: Arc::clone(&facts), version, body, switch };
            match Box::pin(gate::answer(&app, request)).await {
                Ok(mut response) => {
                    app.probes.note(&app, &facts, None);
                    keep_from_caches(&facts, response.headers_mut());
                    after_headers(&app, &facts, response.headers_mut());
                    response.map(Either::Right)
                }
                Err(error) => refuse(&app, &facts, &error),
            }
        }
    };
    (Known { surface, facts: Some(facts) }, answer)
}

/// Whether a person's browser waits for a page, as far as the head alone tells.
fn wants_page(parts: &Parts) -> bool {
    let accept = parts.headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
        && !parts.uri.path().starts_with("/api/")
}

/// What the framing guard found, of which this request is the stand-in.
fn malformed(facts: &Facts) -> Error {
    match facts.header(MALFORMED_HEADER).and_then(Fault::from_code) {
        Some(Fault::HeadTimeout) => Error::Slow,
        Some(fault) => Error::Malformed(fault.code()),
        None => Error::Malformed("malformed_request"),
    }
}

/// Reads what is known before anybody looks at who sent it.
fn read(app: &App, peer: SocketAddr, parts: Parts, id: &str) -> Result<Facts, Error> {
    let lines = parts.headers.get_all(FORWARDED_FOR).iter();
    let forwarded: Vec<_> = lines.map(|line| line.to_str().unwrap_or_default()).collect();
    let trusted = &app.config.server.trusted_proxies;
    let client = ClientAddress::derive(peer.ip(), &forwarded, trusted);
    let raw = parts.uri.path_and_query().map_or("", |target| target.as_str());
    let target = RequestTarget::parse(raw).map_err(|_| Error::Malformed("ambiguous_path"))?;
    let named = app.hosts.named(authority(&parts)?).ok_or(Error::Malformed("bad_host"))?;
    let path = target.path().as_str();
    // What stands in for a malformed request names no host of anybody's, and a proxy may ask by any.
    let is_anywhere = is_health(path) || path == MALFORMED_PATH || forward_auth::is_here(path);
    if !is_anywhere && !named.is_served {
        return Err(Error::Misdirected);
    }
    let head = Head { method: parts.method, headers: parts.headers, authority: named.text };
    Ok(Facts::new(id.to_owned(), target, named.host, client, head))
}

/// Whoever watches the server asks by any name of it, and as often as they like.
fn is_health(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz")
}

/// The one host that the request is for: the `Host` header, or HTTP/2's `:authority`; both must
/// agree when both are there (RFC 9112, section 3.2).
fn authority(parts: &Parts) -> Result<&str, Error> {
    let unclear = || Error::Malformed("bad_host");
    let mut lines = parts.headers.get_all(HOST).iter();
    let from_header = lines.next().map(|line| line.to_str().map_err(|_| unclear())).transpose()?;
    let from_target = parts.uri.authority().map(http::uri::Authority::as_str);
    if lines.next().is_some() {
        return Err(unclear());
    }
    match (from_header, from_target) {
        (Some(a), Some(b)) if !a.eq_ignore_ascii_case(b) => Err(unclear()),
        (Some(text), _) | (None, Some(text)) => Ok(text),
        (None, None) => Err(unclear()),
    }
}

/// One of our own routes.
async fn own(app: &App, row: &Row, facts: &Arc<Facts>, body: Incoming) -> Reply {
    let started = app.clock.monotonic();
    let is_exempt =
        is_health(facts.target.path().as_str()) || Box::pin(limits::is_way_back(app, facts)).await;
    let is_counted = !is_exempt;
    if is_counted {
        let limit = app.limits.in_force().requests;
        match app.limiter.admit(limit, facts.client.network(), app.clock.now()) {
            Ok(standing) => facts.after().standing = standing,
            Err(refused) => {
                let refusal = limits::refuse(app, facts, refused, LimitName::Requests);
                let error = Box::pin(refusal).await;
                return refuse_as(app, facts, &error, row.doc.family);
            }
        }
    }
    // On open routes the times would tell who exists.
    let tells_times = !matches!(row.level, Level::Anyone | Level::Visitor);
    let running = row.answer(app.clone(), Arc::clone(facts), body);
    let (answer, in_store) = if tells_times {
        Box::pin(portcullis_store::measured(running)).await
    } else {
        (running.await, Duration::ZERO)
    };
    let mut reply = match answer {
        Ok(mut reply) => {
            app.probes.note(app, facts, None);
            own_headers(app, reply.headers_mut());
            after_headers(app, facts, reply.headers_mut());
            reply
        }
        Err(error) => refuse_as(app, facts, &error, row.doc.family),
    };
    if tells_times {
        let took = app.clock.monotonic().saturating_sub(started);
        reply.headers_mut().insert(RESPONSE_TIME, in_millis(took));
        reply.headers_mut().insert(QUERY_TIME, in_millis(in_store));
    }
    reply
}

fn in_millis(span: Duration) -> HeaderValue {
    HeaderValue::from(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

fn refuse(app: &App, facts: &Facts, error: &Error) -> Reply {
    refuse_as(app, facts, error, Family::Every)
}

/// The refusal: a page for a person's browser, the family's JSON for everybody else.
fn refuse_as(app: &App, facts: &Facts, error: &Error, family: Family) -> Reply {
    app.probes.note(app, facts, Some(error));
    let wants_page = facts.is_navigation() && !facts.target.path().as_str().starts_with("/api/");
    let mut reply = if wants_page {
        pages::refusal(app, facts, error)
    } else {
        refusal::reply(error, family, &facts.id)
    };
    reply.extensions_mut().insert(Reason(error.code()));
    own_headers(app, reply.headers_mut());
    after_headers(app, facts, reply.headers_mut());
    reply
}

/// What every answer of our own carries. A page brings its own, wider content policy.
fn own_headers(app: &App, headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    if !headers.contains_key(CONTENT_SECURITY_POLICY) {
        let policy = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    if app.public_url.is_https() {
        let policy = HeaderValue::from_static("max-age=31536000");
        headers.insert(STRICT_TRANSPORT_SECURITY, policy);
    }
}

/// A cookie or token of ours must not ride on an answer that a cache may share.
fn keep_from_caches(facts: &Facts, headers: &mut HeaderMap) {
    let after = facts.after();
    if !after.cookies.is_empty() || after.csrf_token.is_some() {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// What was gathered on the way, whoever answered.
fn after_headers(app: &App, facts: &Facts, headers: &mut HeaderMap) {
    set_request_id(headers, &facts.id);
    let after = std::mem::take(&mut *facts.after());
    // Where no limit spoke, the usual one does, unless the upstream has told of its own.
    let limit = || app.limits.in_force().requests;
    let usual = || app.limiter.peek(limit(), facts.client.network(), app.clock.now());
    let told = after.standing.is_none() && limits::are_set(headers);
    if let Some(standing) = after.key_standing.or(after.standing).or_else(usual).filter(|_| !told) {
        limits::set_headers(headers, standing);
    }
    if let Some(token) = after.csrf_token.and_then(|token| HeaderValue::from_str(&token).ok()) {
        headers.insert(CSRF_TOKEN, token);
    }
    for line in after.cookies {
        if let Ok(line) = HeaderValue::from_str(&line) {
            headers.append(http::header::SET_COOKIE, line);
        }
    }
}

fn set_request_id(headers: &mut HeaderMap, id: &str) {
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
}
