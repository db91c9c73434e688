//! The page on which somebody who is signed in sets another password. The current one is the proof.

use askama::Template;
use portcullis_domain::csrf::Kind;
use portcullis_domain::password::is_too_long;

use super::{CHANGE, Problem, TO_ACCOUNT, done, show_form};
use crate::flows::change_password::change;
use crate::flows::new_password::{Judge, Person, min_length};
use crate::flows::proof::Refusal;
use crate::web::caller::{InSession, SignedIn};
use crate::web::door;
use crate::web::error::Error;
use crate::web::renewal::{claim, hand_over};
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub(super) const SHOW: Doc = Doc {
    id: "show_change_password",
    summary: "The form to set another password with, as a page.",
    ..Doc::USUAL
};

/// `GET /-/account/password`.
pub(super) async fn show(call: Call, SignedIn(caller): SignedIn) -> Answer {
    form(&call, &caller, None).await
}

pub(super) const SUBMIT: Doc = Doc {
    id: "submit_change_password",
    summary: "Sets another password and signs everything else out.",
    fields: &[
        ("current_password", true, "The current password."),
        ("password", true, "The new password."),
        ("csrf_token", true, "The token of the form."),
    ],
    ..SHOW
};

/// `POST /-/account/password`.
pub(super) async fn submit(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let text = |name| call.fields.text(name).unwrap_or_default();
    let (current, new) = (text("current_password"), text("password"));
    let again = async |problem: Problem| form(&call, &caller, Some(&problem)).await;
    if current.is_empty() || is_too_long(current) {
        return again(Problem::missing("Enter your current password.", "current_password")).await;
    }
    let min_chars = min_length(&call.app, caller.user_id()).await?;
    let whose = Person::from(&*caller.found().user);
    let new = match Judge::of(&call.app).accept(new, min_chars, &whose).await {
        Ok(new) => new,
        Err(faults) => return again(Problem::weak(&faults)).await,
    };
    let answer = change(&call.app, &claim(&call, &caller, current), &new).await?;
    call.facts.set_limit_standing(answer.standing);
    match answer.outcome {
        Ok(renewed) => {
            hand_over(&call, &renewed);
            done(
                "Your password is set",
                [
                    "You are still signed in here. Everything else that was signed in to your account \
                  was signed out.",
                ],
                TO_ACCOUNT,
            )
        }
        Err(Refusal::Wrong) => again(Problem::wrong_password()).await,
        Err(Refusal::Gone) => Err(Error::SignIn("session_ended")),
        Err(Refusal::Locked { retry_after }) => again(Problem::locked(retry_after)).await,
        Err(Refusal::TooMany { retry_after }) => again(Problem::too_many(retry_after)).await,
    }
}

#[derive(Template)]
#[template(path = "password/change.html")]
struct Form<'a> {
    action: &'static str,
    csrf_token: String,
    /// For whoever keeps passwords.
    email: &'a str,
    min_length: usize,
    problem: Option<&'a Problem>,
}

async fn form(call: &Call, caller: &InSession, problem: Option<&Problem>) -> Answer {
    let page = Form {
        action: CHANGE,
        csrf_token: door::mint(&call.app, caller.session(), Kind::Session),
        email: caller.found().user.email.as_str(),
        min_length: min_length(&call.app, caller.user_id()).await?,
        problem,
    };
    show_form(&page, problem)
}
