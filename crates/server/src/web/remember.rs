//! Browsers that stay signed in, as requests see them: which of them may bring a browser back, and the
//! cookie. An explicit step of those who want it: what asks for nobody, and what answers for another
//! proxy, which may drop our cookies, does not call it. Not here: what a secret is worth.

use http::Method;
use portcullis_domain::csrf::{AuthKind, Kind};
use portcullis_domain::event::Event;
use portcullis_domain::remember::{FetchMetadata, Ticket, may_bring_back};

use super::caller::Caller;
use super::door;
use super::error::Error;
use super::identify::{Who, look_up};
use super::request::Facts;
use crate::app::App;
use crate::flows::remember::{self, Back, Outcome};
use crate::verify::presented::{Presented, present};

/// Whoever was found; where nobody was, the browser that stays signed in is signed in again, and the
/// request goes on as its user. The cookies ride on whatever answers.
pub async fn bring_back(app: &App, facts: &Facts, who: Who) -> Result<Who, Error> {
    match who {
        Err(code) if may_come_back(app, facts) => {
            // Boxed: hardly any request needs the room.
            Box::pin(redeem(app, facts, code)).await
        }
        who => Ok(who),
    }
}

/// Forgets the browser: ends what its cookie names, and has the cookie thrown away.
pub async fn forget(app: &App, facts: &Facts) -> Result<(), Error> {
    if let Some(ticket) = ticket(app, facts) {
        remember::forget(app, &ticket, &facts.context()).await?;
    }
    throw_away(app, facts);
    Ok(())
}

/// What the cookie holds, if one came and it is genuine.
pub fn ticket(app: &App, facts: &Facts) -> Option<Ticket> {
    let mut values = app.cookies.remember_values(&facts.headers);
    let value = values.next().filter(|first| values.all(|other| other == *first))?;
    app.keys.remember.open(value)
}

/// Has the browser throw the cookie away, if it sent one.
pub fn throw_away(app: &App, facts: &Facts) {
    if app.cookies.remember_values(&facts.headers).next().is_some() {
        facts.after().cookies.extend(app.cookies.forget_remember());
    }
}

/// Only requests that change nothing: a form that was filled in while somebody was signed in is not
/// sent as whoever comes back. A credential that was sent on purpose decides alone, and beside a
/// session cookie that was tossed in nothing is believed.
fn may_come_back(app: &App, facts: &Facts) -> bool {
    let is_wanted = app.config.session.remember.is_some()
        && matches!(facts.method, Method::GET | Method::HEAD)
        && app.cookies.remember_values(&facts.headers).next().is_some();
    is_wanted && may_bring_back(&fetch_metadata(facts)) && is_without_credential(app, facts)
}

fn is_without_credential(app: &App, facts: &Facts) -> bool {
    match present(&facts.headers, &app.cookies) {
        Presented::Nothing | Presented::Cookie(_) | Presented::Unusable("session_unknown") => true,
        Presented::Bearer(_)
        | Presented::AccessToken(_)
        | Presented::ApiKey(_)
        | Presented::Unusable(_)
        | Presented::Malformed(_)
        | Presented::Tossed => false,
    }
}

/// A header that came twice, or is not text, is an empty one, which means nothing known.
fn fetch_metadata(facts: &Facts) -> FetchMetadata<'_> {
    let one =
        |name| facts.headers.contains_key(name).then(|| facts.header(name).unwrap_or_default());
    FetchMetadata {
        site: one("sec-fetch-site"),
        mode: one("sec-fetch-mode"),
        dest: one("sec-fetch-dest"),
    }
}

/// `code`: why nobody is signed in so far.
async fn redeem(app: &App, facts: &Facts, code: &'static str) -> Result<Who, Error> {
    if is_tossed(app, facts) {
        throw_away(app, facts);
        let event = Event::CookieTossed { cookie: app.cookies.remember_name() };
        door::record_of_stranger(app, facts, event).await;
        return Ok(Err("cookie_tossed"));
    }
    let outcome = match ticket(app, facts) {
        Some(ticket) => remember::redeem(app, &ticket, &facts.context()).await?,
        None => Outcome::Unknown,
    };
    let refused = match outcome {
        Outcome::Back(back) => return welcome(app, facts, &back).await,
        Outcome::Dead(dead) => Err(dead.code()),
        Outcome::Stolen => Err("remember_reused"),
        Outcome::Unknown => Err(code),
    };
    throw_away(app, facts);
    Ok(refused)
}

fn is_tossed(app: &App, facts: &Facts) -> bool {
    let mut values = app.cookies.remember_values(&facts.headers);
    let first = values.next();
    values.any(|other| Some(other) != first)
}

async fn welcome(app: &App, facts: &Facts, back: &Back) -> Result<Who, Error> {
    let who = look_up(app, AuthKind::Cookie, back.mac).await?;
    if let Some(session) = who.as_ref().ok().and_then(Caller::session) {
        let remembered = &back.remembered;
        let remember = app.keys.remember.seal(&remembered.ticket);
        // Instead of what was gathered so far: that the dead session cookie is to be forgotten.
        facts.after().cookies = vec![
            app.cookies.session(&back.secret.reveal(), back.at, back.life.expires_at),
            app.cookies.csrf(&door::mint(app, session, Kind::DoubleSubmit), back.at),
            app.cookies.remember(&remember, back.at, remembered.until),
        ];
    }
    Ok(who)
}
