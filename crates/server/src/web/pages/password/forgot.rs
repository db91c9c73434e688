//! The page for somebody who forgot the password. What it answers is the same for every address.

use askama::Template;
use portcullis_domain::text::Email;

use super::{FORGOT, Problem, TO_SIGN_IN, done, show_form};
use crate::flows::mail_request::{Admission, Question};
use crate::flows::password_reset::{Way, ask};
use crate::web::caller::Anyone;
use crate::web::door;
use crate::web::pages::sign_in;
use crate::web::request::Call;
use crate::web::table::{Answer, Csrf, Doc};

pub(super) const SHOW: Doc = Doc {
    id: "show_forgot_password",
    summary: "The form to ask for a new password with, as a page.",
    ..Doc::USUAL
};

/// `GET /-/forgot`.
pub(super) async fn show(call: Call, _: Anyone) -> Answer {
    form(&call, "", None)
}

pub(super) const SUBMIT: Doc = Doc {
    id: "submit_forgot_password",
    summary: "Mails a link for a new password to an account's address; the page is the same for every \
              address.",
    csrf: Csrf::Exempt,
    fields: &[
        ("email", true, "The e-mail address."),
        ("csrf_token", true, "The token of the form."),
    ],
    ..SHOW
};

/// `POST /-/forgot`.
pub(super) async fn submit(call: Call, _: Anyone) -> Answer {
    let typed = call.fields.text("email").unwrap_or_default().trim();
    if let Err(refusal) = sign_in::check_form(&call).await {
        return form(&call, typed, Some(&Problem::outdated(refusal)));
    }
    let Ok(email) = Email::parse(typed) else {
        return form(
            &call,
            typed,
            Some(&Problem::missing("Enter a valid email address.", "email")),
        );
    };
    let question = Question { email, from: call.facts.client, context: call.facts.context() };
    let (admission, standing) = ask(&call.app, question, Way::Link).await?;
    call.facts.set_limit_standing(standing);
    match admission {
        Admission::Go | Admission::Enough => done(
            "Check your mail",
            [
                "If there is an account with that address, a link to set a new password is on its way \
                 there. It works for an hour.",
                "Nothing came? Look in the spam folder, or try another address. We send at most three \
                 mails in 15 minutes.",
            ],
            TO_SIGN_IN,
        ),
        Admission::TooMany { retry_after } => {
            form(&call, typed, Some(&Problem::too_many(retry_after)))
        }
    }
}

#[derive(Template)]
#[template(path = "password/forgot.html")]
struct Form<'a> {
    action: &'static str,
    csrf_token: String,
    email: &'a str,
    problem: Option<&'a Problem>,
}

fn form(call: &Call, email: &str, problem: Option<&Problem>) -> Answer {
    let csrf_token = door::mint_anonymous(&call.app, &call.facts);
    show_form(&Form { action: FORGOT, csrf_token, email, problem }, problem)
}
