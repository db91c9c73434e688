//! The verdict on a token that was found: true, for this caller, in time, and sent the way its kind
//! asks for. The order of the checks fixes which refusal a request gets. Not here: spending a
//! one-time token, which is the caller's next step after the permission check.

use std::time::Duration;

use subtle::{Choice, ConstantTimeEq as _};

use super::{
    AnonymousWithSession, AuthKind, Binding, CsrfKeys, Kind, Presented, Refusal, Token, Via,
};
use crate::origin::Signal;
use crate::time::Time;

/// How many epochs back a token is still recognised, to say "stale" instead of "invalid".
const EPOCHS_REMEMBERED: i64 = 3;

/// Everything that the verdict rests on.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The token, as found.
    pub presented: Presented<'a>,
    /// The caller's session; `None` on pages and endpoints that serve callers without one.
    pub session: Option<SessionFacts<'a>>,
    /// The value of the pre-session cookie; empty where the cookie profile has none.
    pub pre_session: &'a str,
    /// Every value sent as cookie `csrftoken`: another site may toss in more, which does not matter.
    pub csrftoken_cookies: &'a [&'a str],
    /// What the origin wall learned about the sender.
    pub signal: Signal,
    /// Whether an anonymous token is good beside a session cookie.
    pub anonymous_with_session: AnonymousWithSession,
    /// How long an anonymous token lives.
    pub anonymous_life: Duration,
}

/// The session that authenticated the request.
#[derive(Debug, Clone, Copy)]
pub struct SessionFacts<'a> {
    /// The internal id.
    pub id: &'a str,
    /// The CSRF epoch.
    pub epoch: i64,
    /// The credential that was used.
    pub credential: AuthKind,
}

/// A token that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// Nothing more to do.
    Reusable,
    /// To be spent before the request acts: the pair of session and nonce may be used once.
    OneTime {
        /// What tells the token from the others of its session.
        nonce: [u8; 12],
    },
}

/// Judges the token of an unsafe request.
pub fn judge(keys: &CsrfKeys, facts: &Facts<'_>, now: Time) -> Result<Accepted, Refusal> {
    let token = Token::parse(facts.presented.text).ok_or(Refusal::Invalid)?;
    if token.kind() == Kind::Anonymous {
        return judge_anonymous(keys, &token, facts, now);
    }
    let session = facts.session.ok_or(Refusal::Invalid)?;
    check_binding(keys, &token, &session)?;
    if token.is_from_the_future(now) {
        return Err(Refusal::Expired);
    }
    let by_cookie = session.credential == AuthKind::Cookie;
    let as_double_submit = facts.presented.via == Via::CsrftokenHeader;
    if token.kind() == Kind::DoubleSubmit && by_cookie && as_double_submit {
        check_cookie(facts)?;
    }
    Ok(match token.kind() {
        Kind::OneTime => Accepted::OneTime { nonce: token.nonce() },
        Kind::Anonymous | Kind::Session | Kind::DoubleSubmit => Accepted::Reusable,
    })
}

/// Beside a session, an anonymous token proves only that the sender can read our cookie. That is
/// enough where the wall saw our own origin or no browser at all; a tossed cookie comes from a
/// sibling site, which the wall has turned away before.
fn judge_anonymous(
    keys: &CsrfKeys,
    token: &Token,
    facts: &Facts<'_>,
    now: Time,
) -> Result<Accepted, Refusal> {
    if !keys.opens(token, &Binding::Browser(facts.pre_session)) {
        return Err(Refusal::Invalid);
    }
    if token.is_from_the_future(now) || token.is_older_than(facts.anonymous_life, now) {
        return Err(Refusal::Expired);
    }
    let Some(session) = facts.session else { return Ok(Accepted::Reusable) };
    let no_victim = match facts.signal {
        Signal::SameOrigin | Signal::NoBrowser => true,
        Signal::Trusted | Signal::Unproven => false,
    };
    let tolerated = facts.anonymous_with_session == AnonymousWithSession::Compat
        && session.credential == AuthKind::Cookie
        && facts.presented.via != Via::Body;
    if !(tolerated && no_victim) {
        return Err(Refusal::Invalid);
    }
    check_cookie(facts)?;
    Ok(Accepted::Reusable)
}

fn check_binding(
    keys: &CsrfKeys,
    token: &Token,
    session: &SessionFacts<'_>,
) -> Result<(), Refusal> {
    let made_in = |epoch| {
        let made_for = |auth| keys.opens(token, &Binding::Session { id: session.id, epoch, auth });
        made_for(None) || made_for(Some(session.credential))
    };
    if made_in(session.epoch) {
        return Ok(());
    }
    let stale = (1..=EPOCHS_REMEMBERED).any(|back| made_in(session.epoch.saturating_sub(back)));
    Err(if stale { Refusal::Stale } else { Refusal::Invalid })
}

fn check_cookie(facts: &Facts<'_>) -> Result<(), Refusal> {
    if facts.csrftoken_cookies.is_empty() {
        return Err(Refusal::CookieMissing);
    }
    let sent = facts.presented.text.as_bytes();
    let equal = facts
        .csrftoken_cookies
        .iter()
        .fold(Choice::from(0), |equal, cookie| equal | cookie.as_bytes().ct_eq(sent));
    if bool::from(equal) { Ok(()) } else { Err(Refusal::CookieMismatch) }
}

#[cfg(test)]
mod tests;
