//! The second form of a sign-in from a new place: the code from the mail. It works without scripts, and
//! what is typed there is judged as by API.

use askama::Template;
use http::StatusCode;
use portcullis_domain::event::PlaceRefusal;
use portcullis_domain::one_time_code::Code;
use portcullis_domain::redirect::Next;

use super::in_words;
use super::sign_in::{self, Problem};
use crate::flows::sign_in::{Asked, Confirmed, send_again};
use crate::web::api::verify_place;
use crate::web::caller::Anyone;
use crate::web::door;
use crate::web::request::Call;
use crate::web::table::{Answer, Csrf, Doc};

pub(super) const SUBMIT: Doc = Doc {
    id: "submit_verify_place",
    summary: "Goes on with a sign-in from a new place by the code of the mail, or has another mailed.",
    // It checks the token of its own form: nobody has a session yet that a token could be of.
    csrf: Csrf::Exempt,
    fields: &[
        ("ticket", true, "From the form."),
        ("code", false, "The six digits of the mail."),
        ("again", false, "1 has another code mailed."),
        ("next", false, "Where to go on to: a path, or an address of an allowed origin."),
        ("csrf_token", true, "The token of the form."),
    ],
    answer: (303, ""),
    ..Doc::USUAL
};

/// `POST /-/verify-place`.
pub(super) async fn submit(call: Call, _: Anyone) -> Answer {
    let next = sign_in::next(&call.app, call.fields.text("next"));
    let ticket = sign_in::ticket(&call);
    if sign_in::check_form(&call).await.is_err() {
        return sign_in::empty(&call, StatusCode::FORBIDDEN, &next, Problem::OUTDATED);
    }
    if call.fields.says_yes("again") {
        let (from, context) = (call.facts.client, call.facts.context());
        let sent = send_again(&call.app, ticket, &from, &context).await?;
        call.facts.set_limit_standing(sent.standing);
        return judged(&call, sent.confirmed, ticket, &next);
    }
    let Some(code) = call.fields.text("code").and_then(Code::parse) else {
        let filled = Filled { ticket, until: None, problem: Some(UNREADABLE) };
        return show(&call, StatusCode::BAD_REQUEST, &next, &filled);
    };
    let confirmed = verify_place::try_code(&call, ticket, code).await?;
    judged(&call, confirmed, ticket, &next)
}

const UNREADABLE: &str = "The code is the six digits in the mail";

fn judged(call: &Call, confirmed: Confirmed, ticket: &str, next: &Next) -> Answer {
    match confirmed {
        Confirmed::Went(outcome) => {
            let again = |status, problem| sign_in::empty(call, status, next, problem);
            sign_in::end(call, outcome, next, again)
        }
        Confirmed::Wrong { left } => {
            let problem = match left {
                1 => "That is not the code. You can try once more",
                _ => "That is not the code. Please look again",
            };
            let filled = Filled { ticket, until: None, problem: Some(problem) };
            show(call, StatusCode::UNAUTHORIZED, next, &filled)
        }
        Confirmed::Over(PlaceRefusal::Exhausted) => {
            sign_in::empty(call, StatusCode::UNAUTHORIZED, next, Problem::CODE_EXHAUSTED)
        }
        Confirmed::Over(PlaceRefusal::Over | PlaceRefusal::WrongCode) => {
            sign_in::empty(call, StatusCode::UNAUTHORIZED, next, Problem::CODE_OVER)
        }
    }
}

/// The form, once a code was mailed.
pub(super) fn ask(call: &Call, asked: &Asked, next: &Next) -> Answer {
    let ticket = asked.ticket.reveal();
    let until = Some(in_words(asked.life));
    let filled = Filled { ticket: &ticket, until, problem: None };
    show(call, StatusCode::UNAUTHORIZED, next, &filled)
}

struct Filled<'a> {
    ticket: &'a str,
    /// How long the code is good, where one was mailed just now.
    until: Option<String>,
    problem: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "verify_place.html")]
struct Page<'a> {
    csrf_token: String,
    ticket: &'a str,
    next: &'a str,
    until: Option<&'a str>,
    problem: Option<&'a str>,
}

fn show(call: &Call, status: StatusCode, next: &Next, filled: &Filled<'_>) -> Answer {
    let page = Page {
        csrf_token: door::mint_anonymous(&call.app, &call.facts),
        ticket: filled.ticket,
        next: next.as_str(),
        until: filled.until.as_deref(),
        problem: filled.problem,
    };
    let mut reply = super::show(status, &page)?;
    super::let_forms_lead_to(&mut reply, next);
    Ok(reply)
}
