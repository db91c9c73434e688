//! Setting one's own second factor up, in two forms that work without scripts: the first begins and shows
//! what an app needs, the second takes the first code of the app and shows the backup codes.

use askama::Template;
use http::StatusCode;
use portcullis_domain::csrf::Kind;
use zeroize::Zeroizing;

use super::backup_codes::{self, Occasion};
use super::{OVERVIEW, SET_UP_FACTOR, wrong_code};
use crate::flows::second_factor::{self as flow, Codes, Enabled, Key, SetUp};
use crate::qr;
use crate::web::caller::{Fresh, InSession, SignedIn};
use crate::web::door;
use crate::web::error::Error;
use crate::web::pages::problem::{Problem, show_form};
use crate::web::renewal::{hand_over, holder};
use crate::web::reply::redirect_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub(super) const PATH: &str = "/-/account/second-factor/set-up";
pub(super) const ENABLE_PATH: &str = "/-/account/second-factor/enable";

pub(super) const SUBMIT: Doc = Doc {
    id: "submit_second_factor_set_up",
    summary: "Begins to set a second factor up, and shows what an authenticator app needs.",
    fields: &[("csrf_token", true, "The token of the form.")],
    ..Doc::USUAL
};

/// `POST /-/account/second-factor/set-up`.
pub(super) async fn submit(call: Call, Fresh(SignedIn(caller)): Fresh<SignedIn>) -> Answer {
    match flow::set_up(&call.app, &holder(&caller)).await? {
        SetUp::Begun(begun) => form(&call, Way::Account(&caller), Shows::Key(&begun.key)),
        // In another window, perhaps.
        SetUp::Enabled => Ok(redirect_reply(StatusCode::SEE_OTHER, OVERVIEW)),
        SetUp::Gone => Err(Error::SignIn("session_ended")),
    }
}

pub(super) const ENABLE: Doc = Doc {
    id: "submit_second_factor_enable",
    summary: "Takes the first code of a second factor, and shows the backup codes.",
    fields: &[
        ("code", true, "The six digits that the app shows."),
        ("csrf_token", true, "The token of the form."),
    ],
    ..Doc::USUAL
};

/// `POST /-/account/second-factor/enable`.
pub(super) async fn enable(call: Call, Fresh(SignedIn(caller)): Fresh<SignedIn>) -> Answer {
    let typed = call.fields.text("code").unwrap_or_default().trim();
    let (holder, context) = (holder(&caller), call.facts.context_of(&caller));
    let given = (typed, Codes::Drawn);
    match flow::enable(&call.app, &holder, given, &context).await? {
        Enabled::Done(renewed, codes) => {
            hand_over(&call, &renewed);
            let email = caller.found().user.email.as_str();
            backup_codes::page(&call, &codes, email, Occasion::Enabled { next: OVERVIEW })
        }
        Enabled::Wrong => form(&call, Way::Account(&caller), Shows::Problem(&wrong_code())),
        Enabled::NotBegun => super::overview::with_problem(&call, &caller, &not_begun()).await,
        Enabled::Gone => Err(Error::SignIn("session_ended")),
    }
}

fn not_begun() -> Problem {
    let lines = [
        "Setting it up took too long, or was begun anew elsewhere.",
        "Nothing has been changed. Please begin again.",
    ];
    Problem::new(StatusCode::NOT_FOUND, "second_factor_not_begun", lines)
}

/// Where somebody is who sets one up.
#[derive(Clone, Copy)]
pub(super) enum Way<'a> {
    /// On the account pages.
    Account(&'a InSession),
    /// On the way in.
    In { ticket: &'a str, next: &'a str },
}

/// What stands above the field for the code.
#[derive(Clone, Copy)]
pub(super) enum Shows<'a> {
    /// What an app needs. It is shown once: whoever asks again may hold a copy of the cookie.
    Key(&'a Key),
    Problem(&'a Problem),
}

#[derive(Template)]
#[template(path = "second_factor/set_up.html")]
struct Form<'a> {
    action: &'static str,
    csrf_token: String,
    /// Of a sign-in that goes on, and where to.
    ticket: Option<&'a str>,
    next: &'a str,
    key: Option<ShownKey<'a>>,
    problem: Option<&'a Problem>,
}

/// A key, as people and apps take it.
struct ShownKey<'a> {
    qr: Option<String>,
    otpauth_url: &'a str,
    /// In groups, for whoever types it.
    secret: Zeroizing<String>,
}

/// The second form.
pub(super) fn form(call: &Call, way: Way<'_>, shows: Shows<'_>) -> Answer {
    let (action, csrf_token, ticket, next) = match way {
        Way::Account(caller) => {
            let csrf_token = door::mint(&call.app, caller.session(), Kind::Session);
            (ENABLE_PATH, csrf_token, None, OVERVIEW)
        }
        Way::In { ticket, next } => {
            let csrf_token = door::mint_anonymous(&call.app, &call.facts);
            (SET_UP_FACTOR, csrf_token, Some(ticket), next)
        }
    };
    let (key, problem) = match shows {
        Shows::Key(key) => (Some(shown(key)), None),
        Shows::Problem(problem) => (None, Some(problem)),
    };
    let page = Form { action, csrf_token, ticket, next, key, problem };
    let mut reply = show_form(&page, problem)?;
    if ticket.is_some() && problem.is_none() {
        // Nobody is signed in yet.
        *reply.status_mut() = StatusCode::UNAUTHORIZED;
    }
    Ok(reply)
}

fn shown(key: &Key) -> ShownKey<'_> {
    let (qr, secret) = (qr::svg(&key.otpauth_url), in_groups(&key.secret));
    ShownKey { qr, otpauth_url: &key.otpauth_url, secret }
}

/// Four characters at a time.
fn in_groups(secret: &str) -> Zeroizing<String> {
    let mut grouped = Zeroizing::new(String::with_capacity(secret.len() * 2));
    for (index, char) in secret.chars().enumerate() {
        if index > 0 && index % 4 == 0 {
            grouped.push(' ');
        }
        grouped.push(char);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_shown_in_groups_of_four() {
        let check = |secret, expected: &str| assert_eq!(in_groups(secret).as_str(), expected);
        check("", "");
        check("ABCD", "ABCD");
        check("ABCDEFGHIJ", "ABCD EFGH IJ");
    }
}
