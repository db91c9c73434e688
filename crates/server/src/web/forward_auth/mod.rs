//! The decision endpoint for other people's proxies, `/forward-auth/{kind}`: reads the request that
//! the proxy asks about, decides as the gate itself would, and answers 200 with who is calling, or
//! the refusal that the proxy hands to the client. Not a row of the table, because it answers every
//! method, and because what it judges is another request than the one that came.

mod target;

use http::header::{UPGRADE, VARY};
use http::{HeaderName, HeaderValue, StatusCode};
use hyper::body::Incoming;

pub use target::{Fault, Kind, Problem, Question, Target, target};

use super::error::{Error, Forbidden};
use super::limits::STRANGERS;
use super::pages;
use super::refusal::{self, Family};
use super::reply::{Reply, empty_reply, redirect_reply, set_header};
use super::request::Facts;
use super::table::{Csrf, Doc};
use crate::app::App;
use crate::gate;
use crate::gate::decide::{self, Held, Passed};
use crate::telemetry::request::Reason;

/// Everything below it is ours.
pub const PATH: &str = "/forward-auth";

/// What the endpoint is, for the description of the API.
pub const DOC: Doc = Doc {
    id: "decide",
    summary: "For a trusted proxy, with any method: whether the request that its headers name may \
              pass. 200 with X-Auth-* headers, or the refusal.",
    family: Family::Every,
    csrf: Csrf::Exempt,
    fields: &[],
    answer: (200, ""),
};

/// Where the person signs in, for a proxy that cannot hand our redirect on.
const SIGN_IN_AT: HeaderName = HeaderName::from_static("x-auth-sign-in");
/// The reason code and the rule, for a proxy that cannot hand our body on.
const CODE: HeaderName = HeaderName::from_static("x-auth-code");
const RULE: HeaderName = HeaderName::from_static("x-auth-rule");

/// Whether the path is the endpoint's, or would be if that kind of proxy existed.
pub fn is_here(path: &str) -> bool {
    below(PATH, path).is_some()
}

/// Decides. `facts` becomes those of the request that is asked about, once that is known.
pub async fn answer(app: &App, facts: &mut Facts, body: Incoming) -> Reply {
    let kind = kind_of(facts.target.path().as_str());
    let decided = decide(app, kind, facts, body).await;
    app.probes.note(app, facts, decided.as_ref().err());
    let mut reply = match decided {
        Ok(passed) => allow(app, &passed),
        Err(error) => refuse(app, kind, facts, &error),
    };
    reply.headers_mut().insert(VARY, HeaderValue::from_static("Cookie, Authorization, X-API-Key"));
    reply
}

async fn decide<'a>(
    app: &'a App,
    kind: Option<Kind>,
    facts: &mut Facts,
    body: Incoming,
) -> Result<Passed<'a>, Error> {
    check_peer(app, facts)?;
    let kind = kind.ok_or(Error::NotFound)?;
    let asked = asked(app, kind, facts)?;
    let named = app.hosts.named(&asked.authority).ok_or(Error::Malformed("bad_host"))?;
    if !named.is_served {
        return Err(Error::Misdirected);
    }
    facts.method = asked.method;
    facts.target = asked.target;
    facts.host = named.host;
    facts.authority = named.text;
    if !gate::is_passed_on(&facts.method) {
        return Err(Error::Method(gate::PASSED_ON.to_owned()));
    }
    check_upgrade(facts)?;
    decide::pass(app, facts, body, Held::ByProxy).await
}

/// Only a proxy that the operator named may say what is asked for and from where.
fn check_peer(app: &App, facts: &Facts) -> Result<(), Error> {
    let peer = facts.client.peer;
    if app.config.server.trusted_proxies.iter().any(|network| network.contains(&peer)) {
        return Ok(());
    }
    let now = app.clock.now();
    if app.stranger_limiter.admit(Some(STRANGERS), facts.client.network(), now).is_ok() {
        tracing::warn!(%peer, "forward-auth was asked by a peer outside server.trusted_proxies");
    }
    Err(Error::Forbidden(Forbidden::UntrustedProxy(peer)))
}

/// The proxy must switch to nothing but a WebSocket: in HTTP/2 over the same connection, requests
/// would follow that nobody asks about. Proxies that do not say what the client offers are told by
/// their configuration.
fn check_upgrade(facts: &Facts) -> Result<(), Error> {
    let mut offers = facts.headers.get_all(UPGRADE).iter();
    let is_websocket = |offer: &HeaderValue| offer.as_bytes().eq_ignore_ascii_case(b"websocket");
    match (offers.next(), offers.next()) {
        (None, _) => Ok(()),
        (Some(offer), None) if is_websocket(offer) => Ok(()),
        (Some(_), _) => Err(Error::Malformed("upgrade_refused")),
    }
}

fn asked(app: &App, kind: Kind, facts: &Facts) -> Result<Target, Error> {
    // Only Envoy asks by the target itself.
    let whole = if kind == Kind::Envoy { facts.target.to_string() } else { String::new() };
    let question = Question {
        method: &facts.method,
        target: behind_endpoint(&whole).and_then(|it| it.strip_prefix(kind.name())).unwrap_or(""),
        authority: &facts.authority,
        headers: &facts.headers,
    };
    target(kind, &question, app.public_url.scheme()).map_err(|fault| match fault {
        Fault::AmbiguousPath => Error::Malformed("ambiguous_path"),
        fault @ Fault::Header { .. } => Error::Forwarded(fault, facts.client.peer),
    })
}

/// 200 and nothing but headers: who is calling, if anybody is.
fn allow(app: &App, passed: &Passed<'_>) -> Reply {
    let mut reply = empty_reply(StatusCode::OK);
    if let Some(caller) = &passed.caller {
        gate::introduce(app, caller, reply.headers_mut());
    }
    reply
}

/// The refusal as the client shall see it: the way to the sign-in page, another page, or JSON.
/// nginx hands on nothing but the status and what its configuration takes from the headers.
fn refuse(app: &App, kind: Option<Kind>, facts: &Facts, error: &Error) -> Reply {
    let is_for_page = facts.is_navigation() && !facts.target.path().as_str().starts_with("/api/");
    let can_help = is_for_page && matches!(error, Error::SignIn(_));
    let way = || pages::way_to_sign_in(facts, Some(&app.public_url));
    let sign_in = if can_help { way() } else { None };
    let is_nginx = kind == Some(Kind::Nginx);
    let mut reply = match &sign_in {
        Some(location) if !is_nginx => redirect_reply(StatusCode::FOUND, location),
        None if is_for_page && !is_nginx => pages::refusal(app, facts, error),
        Some(_) | None => refusal::reply(error, Family::Every, &facts.id),
    };
    if let Some(location) = sign_in.filter(|_| is_nginx) {
        set_header(&mut reply, SIGN_IN_AT, &location);
    }
    reply.extensions_mut().insert(Reason(error.code()));
    set_header(&mut reply, CODE, error.code());
    if let Error::Forbidden(Forbidden::Permission { rule: Some(rule), .. }) = error {
        set_header(&mut reply, RULE, rule);
    }
    reply
}

/// The kind of proxy that asks at this path. Envoy puts the path that is asked for behind it.
fn kind_of(path: &str) -> Option<Kind> {
    let asked = behind_endpoint(path)?;
    Kind::ALL.into_iter().find(|kind| match below(kind.name(), asked) {
        Some("" | "/") => true,
        Some(_) => *kind == Kind::Envoy,
        None => false,
    })
}

/// The name of a kind, and what follows it.
fn behind_endpoint(path: &str) -> Option<&str> {
    path.strip_prefix(PATH)?.strip_prefix('/')
}

/// What follows the folder in the path: nothing, or something that begins with a slash.
fn below<'p>(folder: &str, path: &'p str) -> Option<&'p str> {
    path.strip_prefix(folder).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}
