//! The page of each refusal: what happened, what to do about it, and by which words to ask for
//! help. Programs get the same refusal as JSON; see [`crate::web::refusal`].

mod words;

use askama::Template;
use http::header::AUTHORIZATION;
use http::{Method, StatusCode};
use portcullis_domain::csrf;
use portcullis_domain::origin::Origin;

use super::{CONFIRM, SIGN_IN, SIGN_OUT};
use crate::app::App;
use crate::verify::presented::API_KEY_HEADER;
use crate::web::error::{Error, Forbidden};
use crate::web::refusal::{Family, add_headers, reply as json};
use crate::web::reply::{Reply, redirect_reply};
use crate::web::request::Facts;
use crate::web::table::Match;
use words::{Words, words};

/// The answer to a person whose request was refused: the sign-in page where that helps, and
/// otherwise a page that says why.
pub fn refusal(app: &App, facts: &Facts, error: &Error) -> Reply {
    match (error, way_to_sign_in(facts, None)) {
        (Error::SignIn(_), Some(location)) => redirect_reply(StatusCode::FOUND, &location),
        (Error::Forbidden(Forbidden::StepUp), _) => {
            redirect_reply(StatusCode::SEE_OTHER, &way_to_confirm(app, facts))
        }
        (error, _) => {
            let mut words = words(error);
            words.lines.extend(where_we_are(error, &app.public_url));
            answer(error, words, &facts.id)
        }
    }
}

/// The page of a refusal. Needs nothing but the request's id, so it also serves requests that were
/// refused before anything else was known of them.
pub fn page(error: &Error, request_id: &str) -> Reply {
    answer(error, words(error), request_id)
}

fn answer(error: &Error, words: Words, request_id: &str) -> Reply {
    let status = error.status();
    let page = Refused {
        status: status.as_u16(),
        words,
        action: action(error),
        code: error.code(),
        rule: rule(error),
        request_id,
    };
    match super::show(status, &page) {
        Ok(mut reply) => {
            add_headers(&mut reply, error);
            reply
        }
        Err(_) => json(error, Family::Every, request_id),
    }
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct Refused<'a> {
    status: u16,
    words: Words,
    action: Option<Action>,
    /// The stable word.
    code: &'a str,
    /// The rule or permission that refused.
    rule: Option<&'a str>,
    request_id: &'a str,
}

struct Action {
    label: &'static str,
    href: &'static str,
}

/// Where to send somebody who must sign in first, with the way back. None where it would lead
/// round in a circle: signing in gives a cookie, which does not help a request that brings another
/// credential, and what a form sent cannot be asked for again by an address. `public` is given
/// where the request may have come to another host than the sign-in page's: then both addresses
/// are whole ones.
pub fn way_to_sign_in(facts: &Facts, public: Option<&Origin>) -> Option<String> {
    let path = facts.target.path().as_str();
    let is_explicit =
        facts.headers.contains_key(AUTHORIZATION) || facts.headers.contains_key(API_KEY_HEADER);
    if is_explicit || path == SIGN_IN {
        return None;
    }
    let host = public.map(ToString::to_string).unwrap_or_default();
    if path == SIGN_OUT {
        return Some(format!("{host}{SIGN_IN}"));
    }
    let can_come_back = matches!(facts.method, Method::GET | Method::HEAD);
    can_come_back.then(|| {
        let origin = public.map(|public| facts.origin(public.scheme())).unwrap_or_default();
        let target = format!("{origin}{}", facts.target);
        let next: String = form_urlencoded::byte_serialize(target.as_bytes()).collect();
        format!("{host}{SIGN_IN}?next={next}")
    })
}

/// Where to send somebody who must prove again who they are, with the way back: what a form sent
/// cannot be asked for again by an address, but the page that holds the form can. It has the address of
/// the form, or one above it.
fn way_to_confirm(app: &App, facts: &Facts) -> String {
    let can_come_back = matches!(facts.method, Method::GET | Method::HEAD);
    let target = facts.target.to_string();
    let mut back = if can_come_back { target.as_str() } else { facts.target.path().as_str() };
    while !can_come_back && !is_page(app, back) {
        back = back.rsplit_once('/').map_or("", |(above, _)| above);
    }
    let next: String = form_urlencoded::byte_serialize(back.as_bytes()).collect();
    format!("{CONFIRM}?next={next}")
}

/// Whether the path can be looked at; nothing at all can.
fn is_page(app: &App, path: &str) -> bool {
    path.is_empty() || matches!(app.routes.find(&Method::GET, path), Match::Row(_))
}

/// Said beside the wall's refusal, because behind a proxy a wrong public address is what most often
/// makes our own pages look foreign.
fn where_we_are(error: &Error, public_url: &Origin) -> Option<String> {
    let by_wall = matches!(error, Error::Forbidden(Forbidden::Csrf(csrf::Refusal::Origin)));
    by_wall.then(|| format!("The gate knows itself as {public_url}."))
}

/// The rule or permission that refused, by name.
fn rule(error: &Error) -> Option<&str> {
    let Error::Forbidden(Forbidden::Permission { rule, .. }) = error else { return None };
    rule.as_deref()
}

/// The one way on that makes sense, if there is one. Never back to what was refused.
fn action(error: &Error) -> Option<Action> {
    let is_stranger = matches!(
        error,
        Error::SignIn(_) | Error::WrongCredentials | Error::NewPlace(_) | Error::NeedsFactor(_)
    );
    let is_known = matches!(error, Error::Forbidden(Forbidden::Permission { .. }));
    if is_stranger {
        Some(Action { label: "Sign in", href: SIGN_IN })
    } else if is_known {
        Some(Action { label: "See your account", href: "/-/account" })
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
