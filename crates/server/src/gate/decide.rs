//! The decision on a request for the application, one for the reverse proxy and for forward-auth:
//! which rule, the origin wall, who, the CSRF token, whether the rule lets them, and then the
//! one-time token is spent. Forwards nothing and sets no header.

use hyper::body::Incoming;
use portcullis_domain::csrf::{Accepted, AuthKind, BodyToken};
use portcullis_domain::origin::Signal;
use portcullis_domain::rule::{self, Allow, CallerFacts, CsrfMode, Decision, Rule};

use super::body_token::{self, Replay};
use super::upgrade;
use crate::app::App;
use crate::web::caller::{Caller, scope};
use crate::web::door;
use crate::web::error::{Error, Forbidden};
use crate::web::identify::{Who, by_now, identify, identify_if_ours};
use crate::web::remember;
use crate::web::request::Facts;

/// A request that may pass.
pub struct Passed<'a> {
    /// The rule that let it; `None` where the default did.
    pub rule: Option<&'a Rule>,
    /// Who sends it; `None` where anyone may, and nobody is signed in.
    pub caller: Option<Caller>,
    /// The body to send on.
    pub body: Replay,
}

/// Who holds the request that is decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// We do: its body can be looked into for a CSRF token, and what we answer arrives.
    ByGate,
    /// A proxy does, which asks about its head. A cookie that we set with the answer may be lost, so
    /// nobody is brought back by one that can be used once.
    ByProxy,
}

/// Whether the request may pass. What refuses it has been written down.
pub async fn pass<'a>(
    app: &'a App,
    facts: &Facts,
    body: Incoming,
    held: Held,
) -> Result<Passed<'a>, Error> {
    let gate = &app.config.gate;
    let rule = gate.rules.choose(&facts.host, facts.target.path(), facts.method.as_str());
    let (who, signal) = approach(app, facts, rule, held).await?;
    if upgrade::opens_websocket(&facts.headers) {
        upgrade::wall(app, facts, &who).await?;
    }
    let wants_token = csrf_mode(rule) == CsrfMode::Token;
    let (who, token, body) = match who {
        Ok(caller) if wants_token && looks_into_body(app, facts, &caller, held) => {
            let limit = app.config.gate.csrf_body;
            let (token, body) = body_token::find(&facts.headers, body, limit).await?;
            (by_now(app, &caller).await?, token, body)
        }
        who => (who, BodyToken::NotLooked, Replay::whole(body)),
    };
    let caller = who.as_ref().ok();
    let accepted = match caller {
        Some(caller) if wants_token => door::check_csrf(app, facts, caller, signal, &token).await?,
        Some(_) | None => Accepted::Reusable,
    };
    if let Err(error) = permit(app, rule, &who, facts.method.as_str()) {
        return Err(door::record_denial(app, facts, caller, error).await);
    }
    if let Some(caller) = caller {
        door::spend(app, facts, caller, accepted).await?;
    }
    Ok(Passed { rule, caller: who.ok(), body })
}

/// The origin wall, and who is there. Where everybody may pass, a credential that is not ours is
/// the application's own business, and a cross-site request is nobody's.
async fn approach(
    app: &App,
    facts: &Facts,
    rule: Option<&Rule>,
    held: Held,
) -> Result<(Who, Signal), Error> {
    let is_open = rule.is_some_and(|rule| rule.allow == Allow::Anyone);
    let wall = match csrf_mode(rule) {
        CsrfMode::Off => Ok(door::signal(app, facts).unwrap_or(Signal::Unproven)),
        CsrfMode::Token | CsrfMode::Origin => door::wall(app, facts).await,
    };
    let signal = wall?;
    let who =
        if is_open { identify_if_ours(app, facts).await? } else { identify(app, facts).await? };
    let who = match held {
        Held::ByGate => remember::bring_back(app, facts, who).await?,
        Held::ByProxy => who,
    };
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
    // Anyone may pass, and a key that may not do this says nothing of who does it.
    let falls_short =
        is_open && who.as_ref().is_ok_and(|caller| caller.must_reach(&facts.method).is_err());
    let who = match (is_forged, falls_short) {
        (true, _) => Err("csrf_origin"),
        (false, true) => Err("scope_missing"),
        (false, false) => who,
    };
    Ok((who, signal))
}

fn csrf_mode(rule: Option<&Rule>) -> CsrfMode {
    rule.map_or(CsrfMode::Token, |rule| rule.csrf)
}

/// Whether the token of an unsafe request is looked for in its body: only when no header holds one.
fn looks_into_body(app: &App, facts: &Facts, caller: &Caller, held: Held) -> bool {
    held == Held::ByGate
        && !door::is_safe(&facts.method)
        && door::needs_token(app, facts, caller)
        && !door::has_token_header(&facts.headers)
}

/// The decision of the rules, as an error where it is no.
fn permit(app: &App, rule: Option<&Rule>, who: &Who, method: &str) -> Result<(), Error> {
    let caller = who.as_ref().ok().map(|caller| CallerFacts {
        account_type: caller.found().user.account_type,
        grants: caller.grants(),
        scope: scope(caller.found(), method),
    });
    match rule::decide(rule, app.config.gate.default, caller) {
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
