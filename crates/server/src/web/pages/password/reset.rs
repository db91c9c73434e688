//! The page that the link of a mail leads to: a new password. The code of the link comes in the fragment
//! of the address, which browsers do not send; looking at the page spends nothing.

use askama::Template;
use portcullis_domain::event::{Event, LinkRefusal};
use portcullis_domain::one_time_link::LinkPurpose;
use portcullis_domain::password::Lengths;
use portcullis_domain::secret::ResetToken;

use super::{Problem, TO_SIGN_IN, done, show_form};
use crate::flows::password_reset::{PAGE, Reset, ResetOutcome, reset};
use crate::web::caller::Anyone;
use crate::web::door;
use crate::web::pages::first_run::{SCRIPT, code_in};
use crate::web::pages::{allow_script, sign_in};
use crate::web::request::Call;
use crate::web::table::{Answer, Csrf, Doc};

pub(super) const SHOW: Doc = Doc {
    id: "show_reset_password",
    summary: "The form in which the link of a mail sets a new password, as a page.",
    ..Doc::USUAL
};

/// `GET /-/reset`.
pub(super) async fn show(call: Call, _: Anyone) -> Answer {
    form(&call, "", None)
}

pub(super) const SUBMIT: Doc = Doc {
    id: "submit_reset_password",
    summary: "Sets a new password with the code of a mailed link, and signs everybody out.",
    csrf: Csrf::Exempt,
    fields: &[
        ("code", true, "The code of the link, or the whole link."),
        ("password", true, "The new password."),
        ("csrf_token", true, "The token of the form."),
    ],
    ..SHOW
};

/// `POST /-/reset`.
pub(super) async fn submit(call: Call, _: Anyone) -> Answer {
    let code = code_in(call.fields.text("code").unwrap_or_default().trim());
    let again = |problem: Problem| form(&call, code, Some(&problem));
    if let Err(refusal) = sign_in::check_form(&call).await {
        return again(Problem::outdated(refusal));
    }
    let password = call.fields.text("password").unwrap_or_default();
    let (from, context) = (call.facts.client, call.facts.context());
    let wanted = Reset { token: ResetToken::parse(code), password, from, context };
    let answer = reset(&call.app, &wanted).await?;
    call.facts.set_limit_standing(answer.standing);
    match answer.outcome {
        ResetOutcome::Done => done(
            "Your password is set",
            ["Whoever was signed in to the account was signed out."],
            TO_SIGN_IN,
        ),
        ResetOutcome::Refused(reason) => {
            let event = Event::LinkRefused { purpose: LinkPurpose::PasswordReset, reason };
            door::record_of_stranger(&call.app, &call.facts, event).await;
            again(Problem::link(reason, advice(reason)))
        }
        ResetOutcome::Weak(faults) => again(Problem::weak(&faults)),
        ResetOutcome::TooMany { retry_after } => again(Problem::too_many(retry_after)),
    }
}

fn advice(reason: LinkRefusal) -> &'static str {
    match reason {
        LinkRefusal::Unknown => "Paste the whole link from the mail.",
        LinkRefusal::Used | LinkRefusal::Expired => {
            "Ask for a new one by \u{201c}Forgot password?\u{201d} on the sign-in page."
        }
    }
}

#[derive(Template)]
#[template(path = "password/reset.html")]
struct Form<'a> {
    action: &'static str,
    csrf_token: String,
    code: &'a str,
    lengths: Lengths,
    problem: Option<&'a Problem>,
    script: &'static str,
}

fn form(call: &Call, code: &str, problem: Option<&Problem>) -> Answer {
    let page = Form {
        action: PAGE,
        csrf_token: door::mint_anonymous(&call.app, &call.facts),
        code,
        lengths: call.app.config.password.lengths(),
        problem,
        script: SCRIPT,
    };
    let mut reply = show_form(&page, problem)?;
    allow_script(&mut reply, SCRIPT);
    Ok(reply)
}
