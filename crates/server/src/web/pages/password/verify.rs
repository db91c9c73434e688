//! The page that the link to an address leads to: a button, so that nothing is spent by looking. The code
//! of the link comes in the fragment of the address, which browsers do not send.

use askama::Template;
use portcullis_domain::event::Event;
use portcullis_domain::one_time_link::LinkPurpose;
use portcullis_domain::secret::Opaque;

use super::{Problem, TO_ACCOUNT, done, show_form};
use crate::flows::email::{PAGE, Redeemed, redeem};
use crate::web::caller::Anyone;
use crate::web::door;
use crate::web::pages::first_run::{SCRIPT, code_in};
use crate::web::pages::{allow_script, sign_in};
use crate::web::request::Call;
use crate::web::table::{Answer, Csrf, Doc};

pub(super) const SHOW: Doc = Doc {
    id: "show_verify_email",
    summary: "The button that proves an address, as a page.",
    ..Doc::USUAL
};

/// `GET /-/verify-email`.
pub(super) async fn show(call: Call, _: Anyone) -> Answer {
    form(&call, "", None)
}

pub(super) const SUBMIT: Doc = Doc {
    id: "submit_verify_email",
    summary: "Proves an address with the code of the link that was mailed there.",
    csrf: Csrf::Exempt,
    fields: &[
        ("code", true, "The code of the link, or the whole link."),
        ("csrf_token", true, "The token of the form."),
    ],
    ..SHOW
};

/// `POST /-/verify-email`.
pub(super) async fn submit(call: Call, _: Anyone) -> Answer {
    let code = code_in(call.fields.text("code").unwrap_or_default().trim());
    let again = |problem: Problem| form(&call, code, Some(&problem));
    if let Err(refusal) = sign_in::check_form(&call).await {
        return again(Problem::outdated(refusal));
    }
    let token = Opaque::parse(code);
    match redeem(&call.app, token.as_ref(), &call.facts.context()).await? {
        Redeemed::Verified => done(
            "Your address is confirmed",
            ["Thank you. There is nothing else to do."],
            TO_ACCOUNT,
        ),
        Redeemed::Changed => done(
            "Your account has the new address",
            ["From now on you sign in with it, and mail goes there."],
            TO_ACCOUNT,
        ),
        Redeemed::Refused(reason) => {
            let event = Event::LinkRefused { purpose: LinkPurpose::VerifyEmail, reason };
            door::record_of_stranger(&call.app, &call.facts, event).await;
            again(Problem::link(reason, "Ask for a new one on the page of your account."))
        }
    }
}

#[derive(Template)]
#[template(path = "password/verify.html")]
struct Form<'a> {
    action: &'static str,
    csrf_token: String,
    code: &'a str,
    problem: Option<&'a Problem>,
    script: &'static str,
}

fn form(call: &Call, code: &str, problem: Option<&Problem>) -> Answer {
    let csrf_token = door::mint_anonymous(&call.app, &call.facts);
    let page = Form { action: PAGE, csrf_token, code, problem, script: SCRIPT };
    let mut reply = show_form(&page, problem)?;
    allow_script(&mut reply, SCRIPT);
    Ok(reply)
}
