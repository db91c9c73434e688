//! Setting a second factor up on the way in, where a role asks for one: the form that stands in place of
//! the end of a sign-in, and its first code, with which the sign-in goes on. Works without scripts.

use http::StatusCode;
use portcullis_domain::redirect::Next;

use super::backup_codes::{self, Occasion};
use super::set_up::{Shows, Way, form};
use super::wrong_code;
use crate::flows::sign_in::{Given, Outcome, SetUpAsked, SetUpFinished, set_up};
use crate::web::api::login;
use crate::web::caller::Anyone;
use crate::web::pages::sign_in::{self, Problem};
use crate::web::remember;
use crate::web::request::Call;
use crate::web::table::{Answer, Csrf, Doc};

pub(super) const SUBMIT: Doc = Doc {
    id: "submit_second_factor_set_up_first",
    summary: "Goes on with a sign-in from the page by the first code of a second factor.",
    // It checks the token of its own form: nobody has a session yet that a token could be of.
    csrf: Csrf::Exempt,
    fields: &[
        ("ticket", true, "From the form."),
        ("code", true, "The six digits that the app shows."),
        ("next", false, "Where to go on to: a path, or an address of an allowed origin."),
        ("csrf_token", true, "The token of the form."),
    ],
    ..Doc::USUAL
};

/// `POST /-/second-factor/set-up`.
pub(super) async fn submit(call: Call, _: Anyone) -> Answer {
    let next = sign_in::next(&call.app, call.fields.text("next"));
    let ticket = sign_in::ticket(&call);
    let again = |status, problem| sign_in::empty(&call, status, &next, problem);
    if sign_in::check_form(&call).await.is_err() {
        return again(StatusCode::FORBIDDEN, Problem::OUTDATED);
    }
    let (finished, standing) = set_up(&call.app, &given(&call, ticket).await?).await?;
    call.facts.set_limit_standing(standing);
    match finished {
        SetUpFinished::Went(Outcome::SignedIn(signed_in), codes) => {
            login::set_cookies(&call, &signed_in);
            let occasion = Occasion::Enabled { next: next.as_str() };
            backup_codes::page(&call, &codes, signed_in.user.email.as_str(), occasion)
        }
        SetUpFinished::Went(outcome, _) => sign_in::end(&call, outcome, &next, again),
        SetUpFinished::Wrong => show(&call, ticket, &next, Shows::Problem(&wrong_code())),
        SetUpFinished::TooMany(retry_after) => {
            sign_in::end(&call, Outcome::TooMany { retry_after }, &next, again)
        }
        SetUpFinished::Over => again(StatusCode::UNAUTHORIZED, Problem::FACTOR_OVER),
    }
}

/// The form, once nothing else stands in the way.
pub(in crate::web::pages) fn ask(call: &Call, asked: &SetUpAsked, next: &Next) -> Answer {
    let ticket = asked.asked.ticket.reveal();
    show(call, &ticket, next, Shows::Key(&asked.key))
}

fn show(call: &Call, ticket: &str, next: &Next, shows: Shows<'_>) -> Answer {
    let mut reply = form(call, Way::In { ticket, next: next.as_str() }, shows)?;
    crate::web::pages::let_forms_lead_to(&mut reply, next);
    Ok(reply)
}

async fn given<'a>(call: &'a Call, ticket: &'a str) -> Result<Given<'a>, crate::web::error::Error> {
    let (app, facts) = (&call.app, &call.facts);
    Ok(Given {
        ticket,
        code: call.fields.text("code").unwrap_or_default().trim(),
        trust: false,
        from: facts.client,
        before: login::before(app, facts).await?,
        replaces: remember::ticket(app, facts),
        context: facts.context(),
    })
}
