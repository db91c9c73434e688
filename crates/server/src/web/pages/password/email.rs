//! The page on which somebody asks for another e-mail address. The account has it once the link that is
//! mailed there is used.

use askama::Template;
use portcullis_domain::csrf::Kind;
use portcullis_domain::text::Email;

use super::{EMAIL, Problem, TO_ACCOUNT, done, show_form};
use crate::flows::email::{Asked, Change, ask_to_change};
use crate::web::caller::{Fresh, InSession, SignedIn};
use crate::web::door;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub(super) const SHOW: Doc = Doc {
    id: "show_change_email",
    summary: "The form to ask for another e-mail address with, as a page.",
    ..Doc::USUAL
};

/// `GET /-/account/email`.
pub(super) async fn show(call: Call, Fresh(SignedIn(caller)): Fresh<SignedIn>) -> Answer {
    form(&call, &caller, "", None)
}

pub(super) const SUBMIT: Doc = Doc {
    id: "submit_change_email",
    summary: "Mails a link to the new address, which the account has once the link is used.",
    fields: &[("email", true, "The new address."), ("csrf_token", true, "The token of the form.")],
    ..SHOW
};

/// `POST /-/account/email`.
pub(super) async fn submit(call: Call, Fresh(SignedIn(caller)): Fresh<SignedIn>) -> Answer {
    let typed = call.fields.text("email").unwrap_or_default().trim();
    let again = |problem: Problem| form(&call, &caller, typed, Some(&problem));
    let Ok(email) = Email::parse(typed) else {
        return again(Problem::missing("Enter a valid email address.", "email"));
    };
    let (from, context) = (call.facts.client, call.facts.context_of(&caller));
    let change = Change { user: caller.user_id(), email, from, context };
    let (asked, standing) = ask_to_change(&call.app, &change).await?;
    call.facts.set_limit_standing(standing);
    match asked {
        Asked::Mailed => done(
            "Check your mail",
            [
                "A link is on its way to the new address. Your account has it once you use the link, \
                 within 24 hours.",
                "Nothing came? If another account has that address, no mail is sent.",
            ],
            TO_ACCOUNT,
        ),
        Asked::Unchanged => again(Problem::missing("That is your address already.", "email")),
        Asked::TooMany { retry_after } => again(Problem::too_many(retry_after)),
    }
}

#[derive(Template)]
#[template(path = "password/email.html")]
struct Form<'a> {
    action: &'static str,
    csrf_token: String,
    current: &'a str,
    email: &'a str,
    problem: Option<&'a Problem>,
}

fn form(call: &Call, caller: &InSession, email: &str, problem: Option<&Problem>) -> Answer {
    let page = Form {
        action: EMAIL,
        csrf_token: door::mint(&call.app, caller.session(), Kind::Session),
        current: caller.found().user.email.as_str(),
        email,
        problem,
    };
    show_form(&page, problem)
}
