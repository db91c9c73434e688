//! The second form of a sign-in by somebody who has a second factor. It works without scripts, and what
//! is typed there is judged as by API. Below it are the pages of one's own factor: `overview`, `set_up`,
//! `backup_codes`; and `set_up_first` for whoever must have one to be let in.

mod backup_codes;
mod overview;
mod set_up;
mod set_up_first;

use askama::Template;
use http::{Method, StatusCode};
use portcullis_domain::redirect::Next;
use portcullis_domain::second_factor::MAX_CODE;
use portcullis_domain::trusted_device;

pub(super) use self::overview::due;
pub(super) use self::set_up_first::ask as ask_to_set_up;
use super::problem::Problem as FormProblem;
use super::sign_in::{self, Problem};
use super::trusted_devices as devices;
use super::{SECOND_FACTOR, SET_UP_FACTOR, in_words};
use crate::flows::sign_in::{Asked, Finished, Outcome};
use crate::web::api::second_factor;
use crate::web::caller::Anyone;
use crate::web::door;
use crate::web::request::Call;
use crate::web::table::{Answer, Csrf, Doc, Row, row};

/// How it stands with one's own.
pub(super) const OVERVIEW: &str = "/-/account/second-factor";

/// The rows of these pages.
pub(super) fn rows() -> Vec<Row> {
    vec![
        row(Method::POST, SECOND_FACTOR, SUBMIT, submit),
        row(Method::POST, SET_UP_FACTOR, set_up_first::SUBMIT, set_up_first::submit),
        row(Method::GET, OVERVIEW, overview::SHOW, overview::show),
        row(Method::POST, overview::TURN_OFF_PATH, overview::TURN_OFF, overview::turn_off),
        row(Method::POST, set_up::PATH, set_up::SUBMIT, set_up::submit),
        row(Method::POST, set_up::ENABLE_PATH, set_up::ENABLE, set_up::enable),
        row(Method::POST, backup_codes::PATH, backup_codes::SUBMIT, backup_codes::submit),
        row(Method::POST, devices::PATH, devices::DISTRUST, devices::distrust),
    ]
}

pub(super) const SUBMIT: Doc = Doc {
    id: "submit_second_factor",
    summary: "Goes on with a sign-in from the page by the second factor.",
    // It checks the token of its own form: nobody has a session yet that a token could be of.
    csrf: Csrf::Exempt,
    fields: &[
        ("ticket", true, "From the form."),
        ("code", true, "The code of the authenticator app, or a backup code."),
        ("backup", false, "1: it came from the form for backup codes."),
        ("trust_device", false, "1: in this browser no code is asked for in the next 30 days."),
        ("next", false, "Where to go on to: a path, or an address of an allowed origin."),
        ("csrf_token", true, "The token of the form."),
    ],
    answer: (303, ""),
    ..Doc::USUAL
};

/// `POST /-/second-factor`.
pub(super) async fn submit(call: Call, _: Anyone) -> Answer {
    let next = sign_in::next(&call.app, call.fields.text("next"));
    let ticket = sign_in::ticket(&call);
    if sign_in::check_form(&call).await.is_err() {
        return sign_in::empty(&call, StatusCode::FORBIDDEN, &next, Problem::OUTDATED);
    }
    let filled = Filled {
        ticket,
        kind: if call.fields.says_yes("backup") { Kind::Backup } else { Kind::App },
        trust: call.fields.says_yes("trust_device"),
        problem: None,
    };
    let wrong =
        |status, problem| show(&call, status, &next, &Filled { problem: Some(problem), ..filled });
    let code = call.fields.text("code").unwrap_or_default().trim();
    if code.is_empty() || code.chars().count() > MAX_CODE {
        return wrong(StatusCode::BAD_REQUEST, filled.kind.unreadable());
    }
    let again = |status, problem| sign_in::empty(&call, status, &next, problem);
    match second_factor::give(&call, ticket, code).await? {
        Finished::Went(_, Outcome::WrongFactor) => {
            wrong(StatusCode::UNAUTHORIZED, filled.kind.wrong())
        }
        Finished::Went(_, Outcome::FactorExhausted) => {
            let filled = Filled { kind: Kind::BackupAlone, problem: Some(EXHAUSTED), ..filled };
            show(&call, StatusCode::UNAUTHORIZED, &next, &filled)
        }
        Finished::Went(_, outcome) => sign_in::end(&call, outcome, &next, again),
        Finished::TooMany(retry_after) => {
            sign_in::end(&call, Outcome::TooMany { retry_after }, &next, again)
        }
        Finished::Over => again(StatusCode::UNAUTHORIZED, Problem::FACTOR_OVER),
    }
}

const EXHAUSTED: &str = "Too many wrong codes were typed. Use a backup code, or ask whoever runs this \
                         service to reset your second factor";

/// The form, once the password was right.
pub(super) fn ask(call: &Call, asked: &Asked, next: &Next) -> Answer {
    let ticket = asked.ticket.reveal();
    let filled = Filled { ticket: &ticket, kind: Kind::App, trust: false, problem: None };
    show(call, StatusCode::UNAUTHORIZED, next, &filled)
}

/// Which of the two forms is in front.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    App,
    Backup,
    /// Codes of the app are not taken any more.
    BackupAlone,
}

impl Kind {
    fn unreadable(self) -> &'static str {
        match self {
            Self::App => "The code is the six digits that your app shows",
            Self::Backup | Self::BackupAlone => "A backup code is eight letters and digits",
        }
    }

    fn wrong(self) -> &'static str {
        match self {
            Self::App => "That code is not right, or was used before. Please wait for the next one",
            Self::Backup | Self::BackupAlone => "That code is not right, or was used before",
        }
    }
}

#[derive(Clone, Copy)]
struct Filled<'a> {
    ticket: &'a str,
    kind: Kind,
    trust: bool,
    problem: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "second_factor/step.html")]
struct Page<'a> {
    action: &'static str,
    csrf_token: String,
    ticket: &'a str,
    next: &'a str,
    trust: bool,
    trusted_for: String,
    /// Whether the form for backup codes is in front.
    backup_open: bool,
    /// Whether it is the only one.
    backup_only: bool,
    problem: Option<&'static str>,
}

fn show(call: &Call, status: StatusCode, next: &Next, filled: &Filled<'_>) -> Answer {
    let page = Page {
        action: SECOND_FACTOR,
        csrf_token: door::mint_anonymous(&call.app, &call.facts),
        ticket: filled.ticket,
        next: next.as_str(),
        trust: filled.trust,
        trusted_for: in_words(trusted_device::LIFE),
        backup_open: filled.kind != Kind::App,
        backup_only: filled.kind == Kind::BackupAlone,
        problem: filled.problem,
    };
    let mut reply = super::show(status, &page)?;
    super::let_forms_lead_to(&mut reply, next);
    Ok(reply)
}

/// A code of an app that is being set up is none of its codes.
fn wrong_code() -> FormProblem {
    let lines = [
        "That code is not right.",
        "Type the one that the app shows now. If none is taken, look at the clock of your phone.",
    ];
    FormProblem::new(StatusCode::BAD_REQUEST, "second_factor_wrong", lines).at("code")
}
