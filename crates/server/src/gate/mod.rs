//! The reverse proxy in front of the upstream: have the request decided on, take away what only we
//! may say, set what we say, and stream. No rule means no.

mod assertion;
pub mod body_token;
mod cookies;
pub mod decide;
pub mod forward;
pub mod headers;
mod lease;
mod passage;
mod tunnel;
pub mod upgrade;

use std::collections::HashMap;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, Version};
use hyper::body::Incoming;
use portcullis_domain::csrf::{AuthKind, Kind};
use portcullis_domain::event::LimitName;
use portcullis_domain::rule::Rule;
use portcullis_domain::text::full_name;
use url::Url;

pub use self::assertion::Assertions;
use self::decide::Held;
use self::forward::ResponseBody;
use self::headers::{Consumed, Forwarded, Identity};
use self::lease::Lease;
use self::passage::Passage;
use self::upgrade::Switch;
use crate::app::App;
use crate::config::Gate;
use crate::web::caller::Caller;
use crate::web::door;
use crate::web::error::Error;
use crate::web::limits;
use crate::web::request::Facts;

const ASSERTION: HeaderName = HeaderName::from_static("x-auth-assertion");

/// A request for the upstream.
pub struct Inbound {
    pub facts: Arc<Facts>,
    pub version: Version,
    pub body: Incoming,
    /// Where the connection can be taken over.
    pub switch: Option<Switch>,
}

/// Where requests go, read once.
#[derive(Debug, Default)]
pub struct Upstreams {
    usual: Option<Upstream>,
    named: HashMap<String, Upstream>,
}

/// An application behind the gate.
#[derive(Debug)]
struct Upstream {
    url: Url,
    /// Whom assertions are meant for.
    origin: Arc<str>,
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
            named.insert(text.clone(), Upstream::new(url));
        }
        Ok(Self { usual: gate.upstream.clone().map(Upstream::new), named })
    }

    fn of(&self, rule: Option<&Rule>) -> Option<&Upstream> {
        match rule.and_then(|rule| rule.upstream.as_ref()) {
            Some(text) => self.named.get(text),
            None => self.usual.as_ref(),
        }
    }
}

impl Upstream {
    fn new(url: Url) -> Self {
        let origin = url.origin().ascii_serialization().into();
        Self { url, origin }
    }
}

/// Passes the request on, if the rules let it.
pub async fn answer(app: &App, inbound: Inbound) -> Result<Response<ResponseBody>, Error> {
    let Inbound { facts, version, body, switch } = inbound;
    if !is_passed_on(&facts.method) {
        return Err(Error::Method(PASSED_ON.to_owned()));
    }
    limit(app, &facts).await?;
    let mut headers = facts.headers.clone();
    headers::strip_request(&mut headers).map_err(|refusal| Error::Malformed(refusal.code()))?;
    let handshake = upgrade::read(switch, &facts, version, &headers)?;
    let passed = decide::pass(app, &facts, body, Held::ByGate).await?;
    let upstream = app.upstreams.of(passed.rule).ok_or(Error::NotFound)?;
    let caller = passed.caller.as_ref();
    let mut parts = outbound(app, &facts, (version, headers), caller);
    if let Some(caller) = caller {
        swear(app, caller, upstream, &mut parts.headers)?;
    }
    let lease = caller.map(|caller| Lease::new(app, &facts, caller));
    let passage = Passage { facts: &facts, upstream: &upstream.url, parts, lease };
    match handshake {
        Some(handshake) => Box::pin(passage.shake_hands(app, handshake)).await,
        None => passage.pass(app, passed.body).await,
    }
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
    let limit = app.limits.in_force().upstream;
    match app.upstream_limiter.admit(limit, facts.client.network(), app.clock.now()) {
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
        Some(AuthKind::Key) => Consumed::ApiKey,
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
    if let Ok(host) = HeaderValue::from_str(host) {
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
    let name = full_name(found.user.first_name.as_str(), found.user.last_name.as_str());
    let csrf_token = caller.session().map(|session| door::mint(app, session, Kind::Session));
    let identity = Identity {
        user: &found.user.id.to_string(),
        email: found.user.email.as_str(),
        name: &name,
        role: &found.role.name,
        organisation: None,
        permissions: &permissions.join(","),
        csrf_token: csrf_token.as_deref(),
    };
    headers::set_identity(headers, &identity);
}

/// Tells the upstream so that it can check it.
fn swear(
    app: &App,
    caller: &Caller,
    upstream: &Upstream,
    headers: &mut HeaderMap,
) -> Result<(), Error> {
    let (tokens, now) = (&app.access_tokens, app.clock.now());
    let assertion = app.assertions.about(tokens, caller, &upstream.origin, now);
    let assertion = assertion.map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "nobody could be introduced");
        Error::Internal
    })?;
    headers.insert(ASSERTION, assertion);
    Ok(())
}
