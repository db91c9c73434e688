//! The order of checks before a handler runs: origin wall, who, CSRF token, permission, and then
//! the one-time token is spent. A refusal for lack of permission does not burn the token; a
//! request that fails later does, because a token must not be usable twice whatever happens.

use std::sync::Arc;

use http::{HeaderMap, Method};
use hyper::body::Incoming;
use portcullis_domain::csrf::{
    self, Accepted, AuthKind, Binding, BodyToken, Kind, Refusal, SessionFacts,
};
use portcullis_domain::event::{Event, LimitName, Text};
use portcullis_domain::origin::{self, Signal, WallFacts};
use portcullis_domain::step_up::{self, Asker};
use portcullis_domain::time::Time;
use portcullis_store::credentials::SessionFacts as SessionRow;

use super::caller::{Access, Caller, IfRemembered, Level};
use super::error::{Error, Forbidden};
use super::identify::{Who, by_now, identify, identify_or_basic};
use super::input::{self, Fields};
use super::limits::{self, STRANGERS};
use super::remember;
use super::request::{Call, Facts};
use super::table::{Answer, Csrf};
use crate::app::App;
use crate::spend::Token;
use crate::telemetry::line;

const TOKEN_HEADER: &str = "x-csrf-token";
const CSRFTOKEN_HEADER: &str = "x-csrftoken";

/// Takes a request for one of our own routes to its handler.
pub async fn pass<A, F, Fut>(
    app: App,
    facts: Arc<Facts>,
    body: Incoming,
    csrf: Csrf,
    handler: F,
) -> Answer
where
    A: Access,
    F: Fn(Call, A) -> Fut,
    Fut: Future<Output = Answer>,
{
    let signal = wall(&app, &facts).await?;
    let who = match A::LEVEL {
        Level::Anyone => Err("credential_missing"),
        Level::Visitor
        | Level::SignedIn
        | Level::Allowed(_)
        | Level::Staff(_)
        | Level::Superuser => identified::<A>(&app, &facts).await?,
    };
    let who = match (A::IF_REMEMBERED, who) {
        (IfRemembered::BroughtBack, who) => remember::bring_back(&app, &facts, who).await?,
        (IfRemembered::Forgotten, Err(code)) => {
            Box::pin(remember::forget(&app, &facts)).await?;
            Err(code)
        }
        (IfRemembered::Left | IfRemembered::Forgotten, who) => who,
    };
    refuse_strangers(A::LEVEL, &who)?;
    if let Ok(caller) = &who {
        limits::count_account(&app, &facts, caller).await?;
    }
    let (who, fields) = if is_safe(&facts.method) {
        (who, Fields::default())
    } else {
        let fields = Box::pin(read_fields(&app, &facts, body)).await?;
        let who = match &who {
            Ok(caller) => by_now(&app, caller).await?,
            Err(code) => Err(*code),
        };
        (who, fields)
    };
    refuse_strangers(A::LEVEL, &who)?;
    let accepted = match &who {
        Ok(caller) if csrf == Csrf::Required => {
            check_csrf(&app, &facts, caller, signal, &fields.token()).await?
        }
        Ok(_) | Err(_) => Accepted::Reusable,
    };
    let caller = who.as_ref().ok().cloned();
    let access = match within_scope::<A>(&facts, &who).and_then(|()| A::admit(who)) {
        Ok(access) => access,
        Err(error) => {
            return Err(Box::pin(record_denial(&app, &facts, caller.as_ref(), error)).await);
        }
    };
    if A::FRESH {
        ask_for_proof(&app, &facts, caller.as_ref())?;
    }
    if let Some(caller) = &caller {
        spend(&app, &facts, caller, accepted).await?;
    }
    handler(Call { app, facts, fields, signal }, access).await
}

async fn identified<A: Access>(app: &App, facts: &Facts) -> Result<Who, Error> {
    if A::TAKES_BASIC { identify_or_basic(app, facts).await } else { identify(app, facts).await }
}

/// A key whose scopes do not cover the method; where keys do not pass at all, that is said instead.
fn within_scope<A: Access>(facts: &Facts, who: &Who) -> Result<(), Error> {
    match who {
        Ok(caller) if A::TAKES_KEYS => caller.must_reach(&facts.method),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Whoever proved too long ago who they are must do so again. Nobody at all has proved nothing.
fn ask_for_proof(app: &App, facts: &Facts, caller: Option<&Caller>) -> Result<(), Error> {
    let is_page = facts.target.path().as_str().starts_with("/-/");
    let asker = if is_page { Asker::Page } else { Asker::Program };
    // A key proves nobody.
    let session = caller.and_then(Caller::session);
    let proved_at = session.map_or(Time(i64::MIN), |session| session.auth_time);
    if step_up::is_needed(app.config.sign_in.step_up, asker, proved_at, app.clock.now()) {
        return Err(Error::Forbidden(Forbidden::StepUp));
    }
    Ok(())
}

/// Whether the method is one that changes nothing.
pub fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The origin wall: what it learned of the sender, or the refusal, written down.
pub async fn wall(app: &App, facts: &Facts) -> Result<Signal, Error> {
    match signal(app, facts) {
        Some(signal) => Ok(signal),
        // Boxed here and below: whoever passes need not carry the room for a refusal.
        None => Err(Box::pin(csrf_refused(app, facts, None, Refusal::Origin)).await),
    }
}

/// What the origin wall learns of the sender; `None` when it refuses.
pub fn signal(app: &App, facts: &Facts) -> Option<Signal> {
    if is_safe(&facts.method) {
        // The wall lets every safe method pass; the one route that asks more looks for itself.
        return Some(Signal::Unproven);
    }
    look(app, facts)
}

/// The same, of a request with a safe method, too.
pub fn look(app: &App, facts: &Facts) -> Option<Signal> {
    look_at(app, facts, !is_safe(&facts.method))
}

/// The same, of a request that can change things although its method is safe.
pub fn look_as_unsafe(app: &App, facts: &Facts) -> Option<Signal> {
    look_at(app, facts, true)
}

fn look_at(app: &App, facts: &Facts, unsafe_method: bool) -> Option<Signal> {
    let wall = WallFacts {
        unsafe_method,
        sec_fetch_site: single(&facts.headers, "sec-fetch-site"),
        origin: single(&facts.headers, "origin"),
        other_browser_sign: ["sec-fetch-mode", "sec-fetch-dest", "referer"]
            .iter()
            .any(|name| facts.headers.contains_key(*name)),
    };
    origin::wall(&wall, &app.own_origins, &app.config.sign_in.trusted_origins).ok()
}

/// Judges the CSRF token of a caller's unsafe request; safe ones need none, and no key does.
pub async fn check_csrf(
    app: &App,
    facts: &Facts,
    caller: &Caller,
    signal: Signal,
    body: &BodyToken,
) -> Result<Accepted, Error> {
    let Some(session) = caller.session() else { return Ok(Accepted::Reusable) };
    if is_safe(&facts.method) || !needs_token(app, facts, caller) {
        return Ok(Accepted::Reusable);
    }
    match judge(app, facts, (caller.auth, session), signal, body) {
        Ok(accepted) => Ok(accepted),
        Err(refusal) => {
            if refusal.earns_fresh_token() && is_trustworthy(caller, signal) {
                hand_back(app, facts, session);
            }
            Err(Box::pin(csrf_refused(app, facts, Some(caller), refusal)).await)
        }
    }
}

/// Whether a token must be found before this caller's unsafe request goes on. An access token of a
/// script needs none, but one that is sent must be good.
pub fn needs_token(app: &App, facts: &Facts, caller: &Caller) -> bool {
    let settings = &app.config.csrf;
    csrf::required(caller.auth, facts.shows_browser(), settings.bearer, settings.jwt)
        || (caller.auth == AuthKind::Jwt && has_token_header(&facts.headers))
}

/// Whether a header holds a token, so that nobody need look into the body.
pub fn has_token_header(headers: &HeaderMap) -> bool {
    [TOKEN_HEADER, CSRFTOKEN_HEADER]
        .iter()
        .flat_map(|name| headers.get_all(*name))
        .any(|value| !value.is_empty())
}

/// Spends a one-time token and hands back a fresh one.
pub async fn spend(
    app: &App,
    facts: &Facts,
    caller: &Caller,
    accepted: Accepted,
) -> Result<(), Error> {
    let (Accepted::OneTime { nonce }, Some(session)) = (accepted, caller.session()) else {
        return Ok(());
    };
    let token = Token {
        session: session.id.clone(),
        nonce,
        csrf_epoch: session.csrf_epoch,
        expires_at: app.clock.now().plus(app.longest_life()),
    };
    let won = app.spender.spend(token).await.map_err(Error::store)?;
    hand_back(app, facts, session);
    if won {
        Ok(())
    } else {
        Err(Box::pin(csrf_refused(app, facts, Some(caller), Refusal::Used)).await)
    }
}

/// What a token of a session is bound to, whichever credential of it comes along.
pub fn binding(session: &SessionRow) -> Binding<'_> {
    Binding::Session { id: session.id.as_str(), epoch: session.csrf_epoch, auth: None }
}

/// A token of this kind for a session.
pub fn mint(app: &App, session: &SessionRow, kind: Kind) -> String {
    app.mint_csrf(kind, &binding(session))
}

/// A token for somebody who is not signed in, bound to the browser where the cookies are hardened;
/// then a browser that has no pre-session cookie is given one.
pub fn mint_anonymous(app: &App, facts: &Facts) -> String {
    let held = app.cookies.pre_session(&facts.headers);
    let fresh = if held.is_empty() { app.cookies.new_pre_session(app.random) } else { None };
    let pre_session = fresh.as_deref().unwrap_or(held);
    let token = app.mint_csrf(Kind::Anonymous, &Binding::Browser(pre_session));
    if let Some(fresh) = &fresh {
        facts.after().cookies.push(app.cookies.pre_session_line(fresh, app.clock.now()));
    }
    token
}

/// Writes down that a caller was denied, and gives the error on.
pub async fn record_denial(
    app: &App,
    facts: &Facts,
    caller: Option<&Caller>,
    error: Error,
) -> Error {
    if let Some((reason, rule)) = denied(&error) {
        let event = Event::AccessDenied {
            rule: rule.map(Text::clip),
            reason,
            method: Text::clip(facts.method.as_str()),
            path: Text::clip(&line::path(facts.target.path().as_str())),
        };
        record(app, facts, caller, event).await;
    }
    error
}

/// The reason and the rule, if the error says that a caller may not do what was asked for. What
/// nobody may do to himself is said of a field.
fn denied(error: &Error) -> Option<(&'static str, Option<&str>)> {
    if let Error::Forbidden(Forbidden::Permission { code, rule }) = error {
        return Some((code, rule.as_deref()));
    }
    let Error::Invalid(faults) = error else { return None };
    let own = faults.iter().find(|it| matches!(it.code, "own_account" | "own_session"));
    own.map(|fault| (fault.code, None))
}

/// Nobody signed in: no need to read what they sent.
fn refuse_strangers(level: Level, who: &Who) -> Result<(), Error> {
    match who {
        Err(code) if level.wants_credential() => Err(Error::SignIn(code)),
        Err(_) | Ok(_) => Ok(()),
    }
}

async fn read_fields(app: &App, facts: &Facts, body: Incoming) -> Result<Fields, Error> {
    let bytes = input::read_bytes(body, app.config.limits.body).await?;
    input::parse(&facts.headers, &bytes).await
}

fn judge(
    app: &App,
    facts: &Facts,
    (credential, session): (AuthKind, &SessionRow),
    signal: Signal,
    body: &BodyToken,
) -> Result<Accepted, Refusal> {
    let token_headers = texts(&facts.headers, TOKEN_HEADER);
    let csrftoken_headers = texts(&facts.headers, CSRFTOKEN_HEADER);
    let presented = csrf::present(&token_headers, &csrftoken_headers, body)?;
    let cookies: Vec<_> = app.cookies.csrf_values(&facts.headers).collect();
    let judged = csrf::Facts {
        presented,
        session: Some(SessionFacts {
            id: session.id.as_str(),
            epoch: session.csrf_epoch,
            credential,
        }),
        pre_session: app.cookies.pre_session(&facts.headers),
        csrftoken_cookies: &cookies,
        signal,
        anonymous_with_session: app.config.csrf.anonymous_with_session,
        anonymous_life: app.anonymous_csrf_life(),
    };
    csrf::judge(&app.keys.csrf, &judged, app.clock.now())
}

/// Only who can read our answers gets a fresh token with a refusal.
fn is_trustworthy(caller: &Caller, signal: Signal) -> bool {
    caller.auth != AuthKind::Cookie || signal == Signal::SameOrigin || signal == Signal::NoBrowser
}

/// Sends a token for the next request with the answer.
pub fn hand_back(app: &App, facts: &Facts, session: &SessionRow) {
    let kind = csrf::kind_to_issue(app.config.csrf.fetched_token, false, false);
    facts.after().csrf_token = Some(mint(app, session, kind));
}

async fn csrf_refused(
    app: &App,
    facts: &Facts,
    caller: Option<&Caller>,
    refusal: Refusal,
) -> Error {
    record_csrf(app, facts, caller, refusal).await;
    Error::Forbidden(Forbidden::Csrf(refusal))
}

/// Writes down that a request was refused by the origin wall or for its token.
pub async fn record_csrf(app: &App, facts: &Facts, caller: Option<&Caller>, refusal: Refusal) {
    let event = Event::CsrfFailed {
        refusal,
        method: Text::clip(facts.method.as_str()),
        path: Text::clip(&line::path(facts.target.path().as_str())),
    };
    record(app, facts, caller, event).await;
}

/// Writes down what somebody was refused.
pub async fn record(app: &App, facts: &Facts, caller: Option<&Caller>, event: Event) {
    match caller {
        Some(caller) => {
            app.recorder.record(event, facts.context_of(caller), app.clock.now()).await;
        }
        None => record_of_stranger(app, facts, event).await,
    }
}

/// Writes down the refusal of somebody who is not signed in: the first twenty of a network in a
/// minute, and then that there are more.
pub async fn record_of_stranger(app: &App, facts: &Facts, event: Event) {
    let now = app.clock.now();
    let event = match app.stranger_limiter.admit(Some(STRANGERS), facts.client.network(), now) {
        Ok(_) => event,
        Err(refused) if refused.is_first => Event::LimitExceeded { limit: LimitName::Refusals },
        Err(_) => return,
    };
    app.recorder.record(event, facts.context(), now).await;
}

/// The values of a header that are text.
fn texts<'h>(headers: &'h HeaderMap, name: &str) -> Vec<&'h str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect()
}

/// A header's value; an empty text when it came twice or is not text, which nothing trusts.
fn single<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    let value = first.to_str().unwrap_or_default();
    Some(if values.next().is_some() { "" } else { value })
}
