//! The pages of a password's life: a forgotten one (`forgot`, `reset`), a new one in its place
//! (`change`), proving again who one is (`confirm`), and the address that all of it rests on (`email`,
//! `verify`). One file a page, each working without scripts. Not here: what they do, which is in
//! `flows`.

mod change;
mod confirm;
mod email;
mod forgot;
mod reset;
mod verify;

use askama::Template;
use http::{Method, StatusCode};

use super::CONFIRM;
use super::problem::{Problem, show_form};
use crate::flows::{email as email_flow, password_reset};
use crate::web::table::{Answer, Row, row};

const FORGOT: &str = "/-/forgot";
const CHANGE: &str = "/-/account/password";
const EMAIL: &str = "/-/account/email";

/// The rows of these pages.
pub(super) fn rows() -> Vec<Row> {
    vec![
        row(Method::GET, FORGOT, forgot::SHOW, forgot::show),
        row(Method::POST, FORGOT, forgot::SUBMIT, forgot::submit),
        row(Method::GET, password_reset::PAGE, reset::SHOW, reset::show),
        row(Method::POST, password_reset::PAGE, reset::SUBMIT, reset::submit),
        row(Method::GET, CHANGE, change::SHOW, change::show),
        row(Method::POST, CHANGE, change::SUBMIT, change::submit),
        row(Method::GET, CONFIRM, confirm::SHOW, confirm::show),
        row(Method::POST, CONFIRM, confirm::SUBMIT, confirm::submit),
        row(Method::GET, EMAIL, email::SHOW, email::show),
        row(Method::POST, EMAIL, email::SUBMIT, email::submit),
        row(Method::GET, email_flow::PAGE, verify::SHOW, verify::show),
        row(Method::POST, email_flow::PAGE, verify::SUBMIT, verify::submit),
    ]
}

/// A page that says what was done, and where to go on.
fn done<const N: usize>(title: &'static str, lines: [&str; N], action: Action) -> Answer {
    let lines = lines.map(str::to_owned).into();
    super::show(StatusCode::OK, &Done { title, lines, action })
}

#[derive(Template)]
#[template(path = "password/done.html")]
struct Done {
    title: &'static str,
    lines: Vec<String>,
    action: Action,
}

struct Action {
    href: &'static str,
    label: &'static str,
}

const TO_SIGN_IN: Action = Action { href: super::SIGN_IN, label: "Sign in" };
const TO_ACCOUNT: Action = Action { href: "/-/account", label: "Your account" };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_done_leads_on() {
        let lines = vec!["<b>".to_owned()];
        let html = Done { title: "Done", lines, action: TO_SIGN_IN }.render().unwrap();
        for text in ["<title>Done", "&#60;b&#62;", "href=\"/-/sign-in\">Sign in</a>"] {
            assert!(html.contains(text), "{text}: {html}");
        }
    }
}
