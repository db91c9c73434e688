//! The reverse proxy in front of the upstream: choose the rule, decide, check the CSRF token, take
//! away what only we may say, set what we say, and stream. No rule means no.

pub mod body_token;
mod cookies;
pub mod forward;
pub mod headers;

use std::collections::HashMap;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Method, Response, Version};
use hyper::body::Incoming;
use portcullis_domain::csrf::{Accepted, AuthKind, BodyToken, Kind};
use portcullis_domain::event::LimitName;
use portcullis_domain::origin::Signal;
use portcullis_domain::rule::{Allow, CallerFacts, CsrfMode, Decision, Rule, decide};
use url::Url;

use self::body_token::Replay;
use self::forward::{ForwardError, ResponseBody};
use self::headers::{Consumed, Forwarded, Identity};
use crate::app::App;
use crate::config::Gate;
use crate::web::caller::Caller;
use crate::web::door;
use crate::web::error::{Error, Forbidden};
use crate::web::identify::{Who, identify, identify_if_ours};
use crate::web::limits;
use crate::web::remember;
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
        return Err(Error::Method("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS".to_owned()));
    }
    limit(app, &facts).await?;
    let mut headers = facts.headers.clone();
    headers::strip_request(&mut headers).map_err(|refusal| Error::Malformed(refusal.code()))?;
    let gate = &app.config.gate;
    let rule = gate.rules.choose(&facts.host, facts.target.path(), facts.method.as_str());
    let (who, signal) = approach(app, &facts, rule).await?;
    let caller = who.as_ref().ok();
    let (replay, accepted) = match (caller, csrf_mode(rule)) {
        (Some(caller), CsrfMode::Token) => check_token(app, &facts, caller, signal, body).await?,
        (Some(_), CsrfMode::Origin | CsrfMode::Off) | (None, _) => {
            (Replay::whole(body), Accepted::Reusable)
        }
    };
    if let Err(error) = permit(app, rule, &who) {
        return Err(door::record_denial(app, &facts, caller, error).await);
    }
    if let Some(caller) = caller {
        door::spend(app, &facts, caller, accepted).await?;
    }
    let upstream = app.upstreams.of(rule).ok_or(Error::NotFound)?;
    let parts = outbound(app, &facts, (version, headers), caller);
    let target = facts.target.to_string();
    let answer = app.forwarder.forward(parts, replay, upstream, &target).await;
    let mut response = answer.map_err(|error| failed(&facts, &error))?;
    // A proxy speaks its own version, not the upstream's (RFC 9110, section 2.5).
    *response.version_mut() = Version::HTTP_11;
    for name in headers::strip_response(response.headers_mut(), app.cookies.own_names()) {
        tracing::warn!(request_id = facts.id, cookie = name, "the upstream set a cookie of ours");
    }
    Ok(response)
}

/// Whether an application is asked with this method at all. Methods are told apart by case, but some
/// applications fold them: `get` would slip past a rule that names GET and be answered as one.
fn is_passed_on(method: &Method) -> bool {
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

/// The origin wall, and who is there. Where everybody may pass, a credential that is not ours is
/// the application's own business, and a cross-site request is nobody's.
async fn approach(app: &App, facts: &Facts, rule: Option<&Rule>) -> Result<(Who, Signal), Error> {
    let is_open = rule.is_some_and(|rule| rule.allow == Allow::Anyone);
    let wall = match csrf_mode(rule) {
        CsrfMode::Off => Ok(door::signal(app, facts).unwrap_or(Signal::Unproven)),
        CsrfMode::Token | CsrfMode::Origin => door::wall(app, facts).await,
    };
    let signal = wall?;
    let who =
        if is_open { identify_if_ours(app, facts).await? } else { identify(app, facts).await? };
    let who = remember::bring_back(app, facts, who).await?;
    // Asked last: on closed rules and of safe methods nobody need look.
    let is_proven = || {
        matches!(
            door::look(app, facts),
            Some(Signal::SameOrigin | Signal::NoBrowser | Signal::Trusted)
        )
    };
    let is_forged = is_open
        && !door::is_safe(&facts.method)
        && who.as_ref().is_ok_and(|caller| caller.auth == AuthKind::Cookie)
        && !is_proven();
    Ok((if is_forged { Err("csrf_origin") } else { who }, signal))
}

fn csrf_mode(rule: Option<&Rule>) -> CsrfMode {
    rule.map_or(CsrfMode::Token, |rule| rule.csrf)
}

/// Judges the token of an unsafe request. A body is looked into only when no header holds a token.
async fn check_token(
    app: &App,
    facts: &Facts,
    caller: &Caller,
    signal: Signal,
    body: Incoming,
) -> Result<(Replay, Accepted), Error> {
    let looks_into_body = !door::is_safe(&facts.method)
        && door::needs_token(app, facts, caller)
        && !door::has_token_header(&facts.headers);
    let (token, replay) = if looks_into_body {
        body_token::find(&facts.headers, body, app.config.gate.csrf_body).await?
    } else {
        (BodyToken::NotLooked, Replay::whole(body))
    };
    let accepted = door::check_csrf(app, facts, caller, signal, &token).await?;
    Ok((replay, accepted))
}

/// The decision of the rules, as an error where it is no.
fn permit(app: &App, rule: Option<&Rule>, who: &Who) -> Result<(), Error> {
    let caller = who.as_ref().ok().map(|caller| CallerFacts {
        account_type: caller.found().user.account_type,
        grants: caller.grants(),
    });
    match decide(rule, app.config.gate.default, caller) {
        Decision::Allow => Ok(()),
        Decision::SignIn { .. } => {
            Err(Error::SignIn(who.as_ref().err().copied().unwrap_or("credential_missing")))
        }
        Decision::Deny { reason, rule } => Err(Error::Forbidden(Forbidden::Permission {
            code: reason.code(),
            rule: rule.map(ToOwned::to_owned),
        })),
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
fn introduce(app: &App, caller: &Caller, headers: &mut HeaderMap) {
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
