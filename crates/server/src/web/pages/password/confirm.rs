//! The page that stands before what may do lasting harm: whoever was signed in for a while gives the
//! password again, and goes on to where they were heading.

use askama::Template;
use http::StatusCode;
use portcullis_domain::csrf::Kind;
use portcullis_domain::password::is_too_long;
use portcullis_domain::redirect::Next;

use super::{Problem, show_form};
use crate::flows::proof::{Refusal, prove};
use crate::web::caller::{InSession, SignedIn};
use crate::web::door;
use crate::web::error::Error;
use crate::web::pages::{CONFIRM, let_forms_lead_to, shown_name};
use crate::web::renewal::{claim, hand_over};
use crate::web::reply::redirect_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub(super) const SHOW: Doc = Doc {
    id: "show_confirm",
    summary: "The form to prove again who you are with, as a page.",
    ..Doc::USUAL
};

/// `GET /-/confirm`.
pub(super) async fn show(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let next = next(&call, call.facts.query("next").as_deref());
    form(&call, &caller, &next, None)
}

pub(super) const SUBMIT: Doc = Doc {
    id: "submit_confirm",
    summary: "Proves again who you are, and leads on to where you were heading.",
    fields: &[
        ("current_password", true, "The current password."),
        ("next", false, "Where to go on to: a path, or an address of an allowed origin."),
        ("csrf_token", true, "The token of the form."),
    ],
    answer: (303, ""),
    ..SHOW
};

/// `POST /-/confirm`.
pub(super) async fn submit(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let next = next(&call, call.fields.text("next"));
    let again = |problem: Problem| form(&call, &caller, &next, Some(&problem));
    let password = call.fields.text("current_password").unwrap_or_default();
    if password.is_empty() || is_too_long(password) {
        return again(Problem::missing("Enter your password.", "current_password"));
    }
    let answer = prove(&call.app, &claim(&call, &caller, password)).await?;
    call.facts.set_limit_standing(answer.standing);
    match answer.outcome {
        Ok(renewed) => {
            hand_over(&call, &renewed);
            Ok(redirect_reply(StatusCode::SEE_OTHER, next.as_str()))
        }
        Err(Refusal::Wrong) => again(Problem::wrong_password()),
        Err(Refusal::Gone) => Err(Error::SignIn("session_ended")),
        Err(Refusal::Locked { retry_after }) => again(Problem::locked(retry_after)),
        Err(Refusal::TooMany { retry_after }) => again(Problem::too_many(retry_after)),
    }
}

#[derive(Template)]
#[template(path = "password/confirm.html")]
struct Form<'a> {
    action: &'static str,
    csrf_token: String,
    name: String,
    email: &'a str,
    next: &'a str,
    problem: Option<&'a Problem>,
}

/// Where to go on to: what was asked for if it is a safe place, and home otherwise.
fn next(call: &Call, asked: Option<&str>) -> Next {
    asked.and_then(|text| call.app.next(text)).unwrap_or_else(Next::home)
}

fn form(call: &Call, caller: &InSession, next: &Next, problem: Option<&Problem>) -> Answer {
    let user = &caller.found().user;
    let page = Form {
        action: CONFIRM,
        csrf_token: door::mint(&call.app, caller.session(), Kind::Session),
        name: shown_name(user),
        email: user.email.as_str(),
        next: next.as_str(),
        problem,
    };
    let mut reply = show_form(&page, problem)?;
    let_forms_lead_to(&mut reply, next);
    Ok(reply)
}
