//! The reverse proxy in front of the upstream: have the request decided on, take away what only we
//! may say, set what we say, and stream. No rule means no.

pub mod body_token;
mod cookies;
pub mod decide;
pub mod forward;
pub mod headers;

use std::collections::HashMap;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Method, Response, Version};
use hyper::body::Incoming;
use portcullis_domain::csrf::{AuthKind, Kind};
use portcullis_domain::event::LimitName;
use portcullis_domain::rule::Rule;
use url::Url;

use self::decide::Held;
use self::forward::{ForwardError, ResponseBody};
use self::headers::{Consumed, Forwarded, Identity};
use crate::app::App;
use crate::config::Gate;
use crate::web::caller::Caller;
use crate::web::door;
use crate::web::error::Error;
use crate::web::limits;
use crate::web::request::Facts;

/// A request for the upstream.
pub struct Inbound {
    pub facts: Arc<Facts>,
    pub version: Version,
    pub body: Incoming,
}

/// Where requests go, read once.
#[derive(Debug, Default)]
pub struct Upstreams {
    usual: Option<Url>,
    named: HashMap<String, Url>,
}

/// The configuration names an upstream that is no address.
#[derive(Debug, thiserror::Error)]
#[error("the upstream {0:?} of a rule is not an address")]
pub struct BadUpstream(String);

impl Upstreams {
    /// Reads the addresses of the gate and of its rules.
    pub fn new(gate: &Gate) -> Result<Self, BadUpstream> {
        let mut named = HashMap::new();
        for text in gate.rules.rules().iter().filter_map(|rule| rule.upstream.as_ref()) {
            let url = Url::parse(text).map_err(|_| BadUpstream(text.clone()))?;
            named.insert(text.clone(), url);
        }
        Ok(Self { usual: gate.upstream.clone(), named })
    }

    fn of(&self, rule: Option<&Rule>) -> Option<&Url> {
        match rule.and_then(|rule| rule.upstream.as_ref()) {
            Some(text) => self.named.get(text),
            None => self.usual.as_ref(),
        }
    }
}

/// Passes the request on, if the rules let it.
pub async fn answer(app: &App, inbound: Inbound) -> Result<Response<ResponseBody>, Error> {
    let Inbound { facts, version, body } = inbound;
    if !is_passed_on(&facts.method) {
        return Err(Error::Method(PASSED_ON.to_owned()));
    }
    limit(app, &facts).await?;
    let mut headers = facts.headers.clone();
    headers::strip_request(&mut headers).map_err(|refusal| Error::Malformed(refusal.code()))?;
    let passed = decide::pass(app, &facts, body, Held::ByGate).await?;
    let upstream = app.upstreams.of(passed.rule).ok_or(Error::NotFound)?;
    let mut parts = outbound(app, &facts, (version, headers), passed.caller.as_ref());
    let target = facts.target.to_string();
    let span = app.telemetry.spans.upstream(&mut parts.headers);
    let call = span.around(app.forwarder.forward(parts, passed.body, upstream, &target));
    let mut response = app.telemetry.upstream(call, |error| failed(&facts, error)).await?;
    // A proxy speaks its own version, not the upstream's (RFC 9110, section 2.5).
    *response.version_mut() = Version::HTTP_11;
    for name in headers::strip_response(response.headers_mut(), app.cookies.own_names()) {
        tracing::warn!(request_id = facts.id, cookie = name, "the upstream set a cookie of ours");
    }
    Ok(response)
}

/// What an application is usually asked with, for the header `Allow`.
pub const PASSED_ON: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// Whether an application is asked with this method at all. Methods are told apart by case, but some
/// applications fold them: `get` would slip past a rule that names GET and be answered as one.
pub fn is_passed_on(method: &Method) -> bool {
    let leads_elsewhere = matches!(method.as_str(), "CONNECT" | "TRACE" | "TRACK");
    let is_in_capitals = !method.as_str().bytes().any(|byte| byte.is_ascii_lowercase());
    is_in_capitals && !leads_elsewhere
}

async fn limit(app: &App, facts: &Facts) -> Result<(), Error> {
    match app.upstream_limiter.admit(facts.client.network(), app.clock.now()) {
        Ok(standing) => {
            facts.after().standing = standing;
            Ok(())
        }
        Err(refused) => Err(limits::refuse(app, facts, refused, LimitName::Upstream).await),
    }
}

/// The request as the upstream sees it: what is ours is set last, so that nothing of the client's
/// can stand beside it.
fn outbound(
    app: &App,
    facts: &Facts,
    (version, headers): (Version, HeaderMap),
    caller: Option<&Caller>,
) -> Parts {
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.method = facts.method.clone();
    parts.version = version;
    parts.headers = headers;
    let host = facts.authority.as_str();
    headers::remove_own_cookies(&mut parts.headers, app.cookies.own_names());
    let consumed = match caller.map(|caller| caller.auth) {
        Some(AuthKind::Bearer | AuthKind::Jwt) => Consumed::Authorization,
        Some(AuthKind::Cookie) | None => Consumed::Nothing,
    };
    headers::remove_consumed(&mut parts.headers, consumed);
    let forwarded = Forwarded {
        client: facts.client.ip,
        proto: app.public_url.scheme().as_str(),
        host,
        request_id: &facts.id,
    };
    headers::set_forwarded(&mut parts.headers, &forwarded);
    if let Ok(host) = http::HeaderValue::from_str(host) {
        parts.headers.insert(http::header::HOST, host);
    }
    if let Some(caller) = caller {
        introduce(app, caller, &mut parts.headers);
    }
    parts
}

/// Tells the upstream who is calling.
pub fn introduce(app: &App, caller: &Caller, headers: &mut HeaderMap) {
    let found = caller.found();
    let permissions: Vec<_> = caller.grants().iter().map(ToString::to_string).collect();
    let name = format!("{} {}", found.user.first_name, found.user.last_name);
    let identity = Identity {
        user: &found.user.id.to_string(),
        email: found.user.email.as_str(),
        name: name.trim(),
        role: &found.role.name,
        organisation: None,
        permissions: &permissions.join(","),
        csrf_token: &door::mint(app, caller, Kind::Session),
    };
    headers::set_identity(headers, &identity);
}

fn failed(facts: &Facts, error: &ForwardError) -> Error {
    let cause = error as &dyn std::error::Error;
    tracing::warn!(request_id = facts.id, error = cause, "the upstream did not answer");
    match error {
        ForwardError::Unreachable(_) => Error::Upstream("upstream_unreachable"),
        ForwardError::Timeout => Error::Upstream("upstream_timeout"),
        ForwardError::Broken(_) => Error::Upstream("upstream_broken"),
        ForwardError::ClientStalled => Error::Slow,
        ForwardError::ClientBroken(_) => Error::Malformed("body_broken_off"),
    }
}
