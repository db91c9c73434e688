//! Where the link of a mail leads: a button, so that nothing is spent by looking. The token comes in the
//! fragment of the address, which browsers do not send; the script of the page moves it into the form,
//! and without scripts the link is pasted there.

use askama::Template;
use http::StatusCode;
use portcullis_domain::event::LinkRefusal;
use portcullis_domain::magic_link::Use;
use portcullis_domain::redirect::Next;

use super::{ASK, end, way_to_ask};
use crate::flows::magic_link::{PAGE, Redeemed};
use crate::web::api::magic_link as api;
use crate::web::caller::Anyone;
use crate::web::door;
use crate::web::pages::first_run::code_in;
use crate::web::pages::problem::{Problem, show_form};
use crate::web::pages::{allow_script, sign_in};
use crate::web::request::Call;
use crate::web::table::{Answer, Csrf, Doc};

/// The script of the button's page, which nothing depends on.
const SCRIPT: &str = include_str!("../../../../templates/magic/press.js");

pub(super) const SHOW: Doc = Doc {
    id: "show_magic_link",
    summary: "The button that signs in by a mailed link, as a page. Looking at it spends nothing.",
    ..Doc::USUAL
};

/// `GET /-/magic`.
pub(super) async fn show(call: Call, _: Anyone) -> Answer {
    api::life(&call)?;
    form(&call, "", None)
}

pub(super) const SUBMIT: Doc = Doc {
    id: "submit_magic_link",
    summary: "Signs in by a mailed link in the browser that asked for it; in another one it shows a \
              code to type there, and spends nothing.",
    // It checks the token of its own form: nobody has a session yet that a token could be of.
    csrf: Csrf::Exempt,
    fields: &[
        ("code", true, "The token of the link, or the whole link."),
        ("named", false, "1 once the page has named the account."),
        ("csrf_token", true, "The token of the form."),
    ],
    answer: (303, ""),
    ..SHOW
};

/// `POST /-/magic`.
pub(super) async fn submit(call: Call, _: Anyone) -> Answer {
    api::life(&call)?;
    let token = code_in(call.fields.text("code").unwrap_or_default().trim());
    if let Err(refusal) = sign_in::check_form(&call).await {
        return form(&call, token, Some(&Problem::outdated(refusal)));
    }
    let used = if call.fields.says_yes("named") { Use::NamedButton } else { Use::Button };
    match api::redeem(&call, token, used).await? {
        Redeemed::Ended(ended) => end(&call, ended),
        Redeemed::Elsewhere(code) => {
            // Nobody is signed in here.
            let page = Code { code: code.reveal() };
            crate::web::pages::show(StatusCode::UNAUTHORIZED, &page)
        }
        Redeemed::Named(email) => {
            let page = Name {
                action: PAGE,
                csrf_token: door::mint_anonymous(&call.app, &call.facts),
                token,
                email: email.as_str(),
            };
            crate::web::pages::show(StatusCode::OK, &page)
        }
        Redeemed::Refused(reason) => form(&call, "", Some(&Problem::link(reason, advice(reason)))),
    }
}

fn advice(reason: LinkRefusal) -> &'static str {
    match reason {
        LinkRefusal::Unknown => "Paste the whole link from the mail, or ask for a new one.",
        LinkRefusal::Used | LinkRefusal::Expired => "Please ask for a new one.",
    }
}

#[derive(Template)]
#[template(path = "magic/press.html")]
struct Form<'a> {
    action: &'static str,
    csrf_token: String,
    token: &'a str,
    ask: String,
    problem: Option<&'a Problem>,
    script: &'static str,
}

#[derive(Template)]
#[template(path = "magic/code.html")]
struct Code<'a> {
    code: &'a str,
}

#[derive(Template)]
#[template(path = "magic/name.html")]
struct Name<'a> {
    action: &'static str,
    csrf_token: String,
    token: &'a str,
    email: &'a str,
}

fn form(call: &Call, token: &str, problem: Option<&Problem>) -> Answer {
    let page = Form {
        action: PAGE,
        csrf_token: door::mint_anonymous(&call.app, &call.facts),
        token,
        ask: way_to_ask(call, &Next::home()).unwrap_or_else(|| ASK.to_owned()),
        problem,
        script: SCRIPT,
    };
    let mut reply = show_form(&page, problem)?;
    allow_script(&mut reply, SCRIPT);
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The script is fixed text: nothing that somebody typed gets into it.
    #[test]
    fn the_script_stands_in_the_page_to_the_byte() {
        let token = "</script><script>";
        let page = Form {
            action: PAGE,
            csrf_token: "0f".repeat(32),
            token,
            ask: ASK.to_owned(),
            problem: None,
            script: SCRIPT,
        };
        let html = page.render().unwrap();
        let (_, rest) = html.split_once("<script>").unwrap();
        let (script, after) = rest.split_once("</script>").unwrap();
        assert_eq!(script, SCRIPT);
        assert!(!after.contains("script") && !SCRIPT.contains('\r') && !SCRIPT.contains('<'));
    }

    #[test]
    fn the_account_is_named_as_text() {
        let (csrf_token, email) = (String::new(), "\"<b>\"@example.com");
        let html = Name { action: PAGE, csrf_token, token: "ab", email }.render().unwrap();
        assert!(html.contains("&#60;b&#62;") && !html.contains("<b>"), "{html}");
    }
}
