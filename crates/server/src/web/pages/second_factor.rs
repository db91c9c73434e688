//! The second form of a sign-in by somebody who has a second factor. It works without scripts, and what
//! is typed there is judged as by API.

use askama::Template;
use http::StatusCode;
use portcullis_domain::redirect::Next;
use portcullis_domain::second_factor::MAX_CODE;

use super::sign_in::{self, Problem};
use crate::flows::sign_in::{Asked, Finished, Outcome};
use crate::web::api::second_factor;
use crate::web::caller::Anyone;
use crate::web::door;
use crate::web::request::Call;
use crate::web::table::{Answer, Csrf, Doc};

/// The longest ticket that is looked at, in characters.
const MAX_TICKET: usize = 128;

pub(super) const SUBMIT: Doc = Doc {
    id: "submit_second_factor",
    summary: "Goes on with a sign-in from the page by the second factor.",
    // It checks the token of its own form: nobody has a session yet that a token could be of.
    csrf: Csrf::Exempt,
    fields: &[
        ("ticket", true, "From the form."),
        ("code", true, "The code of the authenticator app, or a backup code."),
        ("next", false, "Where to go on to: a path, or an address of an allowed origin."),
        ("csrf_token", true, "The token of the form."),
    ],
    answer: (303, ""),
    ..Doc::USUAL
};

/// `POST /-/second-factor`.
pub(super) async fn submit(call: Call, _: Anyone) -> Answer {
    let next = sign_in::next(&call.app, call.fields.text("next"));
    let ticket = call.fields.text("ticket").filter(|text| text.len() <= MAX_TICKET);
    let ticket = ticket.unwrap_or_default();
    if sign_in::check_form(&call).await.is_err() {
        return sign_in::empty(&call, StatusCode::FORBIDDEN, &next, Problem::OUTDATED);
    }
    let code = call.fields.text("code").unwrap_or_default().trim();
    if code.is_empty() || code.chars().count() > MAX_CODE {
        return show(&call, StatusCode::BAD_REQUEST, &next, ticket, Some(UNREADABLE));
    }
    let again = |status, problem| sign_in::empty(&call, status, &next, problem);
    match second_factor::give(&call, ticket, code).await? {
        Finished::Went(_, Outcome::WrongFactor) => {
            show(&call, StatusCode::UNAUTHORIZED, &next, ticket, Some(WRONG))
        }
        Finished::Went(_, Outcome::FactorExhausted) => {
            show(&call, StatusCode::UNAUTHORIZED, &next, ticket, Some(EXHAUSTED))
        }
        Finished::Went(_, outcome) => sign_in::end(&call, outcome, &next, again),
        Finished::TooMany(retry_after) => {
            sign_in::end(&call, Outcome::TooMany { retry_after }, &next, again)
        }
        Finished::Over => again(StatusCode::UNAUTHORIZED, Problem::FACTOR_OVER),
    }
}

const UNREADABLE: &str = "The code is the six digits that your app shows, or a backup code";
const WRONG: &str = "That code is not right, or was used before. Please wait for the next one";
const EXHAUSTED: &str = "Too many wrong codes were typed. Use a backup code, or ask whoever runs this \
                         service to reset your second factor";

/// The form, once the password was right.
pub(super) fn ask(call: &Call, asked: &Asked, next: &Next) -> Answer {
    show(call, StatusCode::UNAUTHORIZED, next, &asked.ticket.reveal(), None)
}

#[derive(Template)]
#[template(path = "second_factor.html")]
struct Page<'a> {
    csrf_token: String,
    ticket: &'a str,
    next: &'a str,
    problem: Option<&'a str>,
}

fn show(
    call: &Call,
    status: StatusCode,
    next: &Next,
    ticket: &str,
    problem: Option<&str>,
) -> Answer {
    let csrf_token = door::mint_anonymous(&call.app, &call.facts);
    let page = Page { csrf_token, ticket, next: next.as_str(), problem };
    let mut reply = super::show(status, &page)?;
    super::let_forms_lead_to(&mut reply, next);
    Ok(reply)
}
