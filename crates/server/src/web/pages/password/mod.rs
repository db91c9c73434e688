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

use std::time::Duration;

use askama::Template;
use http::header::RETRY_AFTER;
use http::{Method, StatusCode};
use portcullis_domain::csrf::Refusal;
use portcullis_domain::event::LinkRefusal;
use portcullis_domain::password::PolicyFault;

use super::{CONFIRM, in_words};
use crate::flows::{email as email_flow, password_reset};
use crate::web::reply::{Reply, set_header};
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

/// Why a form is shown again.
struct Problem {
    status: StatusCode,
    /// The stable word.
    code: &'static str,
    /// What happened, and what to do about it.
    lines: Vec<String>,
    /// The field that is to blame.
    field: &'static str,
    retry_after: Option<Duration>,
}

impl Problem {
    fn new<const N: usize>(status: StatusCode, code: &'static str, lines: [&str; N]) -> Self {
        let lines = lines.map(str::to_owned).into();
        Self { status, code, lines, field: "", retry_after: None }
    }

    fn at(self, field: &'static str) -> Self {
        Self { field, ..self }
    }

    fn outdated(refusal: Refusal) -> Self {
        let lines = [
            "This form had been open for too long.",
            "Nothing has been done. Please fill it in once more.",
        ];
        Self::new(StatusCode::FORBIDDEN, refusal.code(), lines)
    }

    fn missing(line: &str, field: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", [line]).at(field)
    }

    fn weak(faults: &[PolicyFault]) -> Self {
        let lines = faults.iter().map(|fault| format!("The password {fault}.")).collect();
        let problem = Self::new(StatusCode::BAD_REQUEST, "invalid", []);
        Self { lines, ..problem }.at("password")
    }

    fn wrong_password() -> Self {
        let lines = ["That is not your current password."];
        Self::new(StatusCode::UNAUTHORIZED, "wrong_password", lines).at("current_password")
    }

    /// A link that is not good; `advice` is how to get another.
    fn link(refusal: LinkRefusal, advice: &str) -> Self {
        let (status, code, what) = match refusal {
            LinkRefusal::Unknown => {
                (StatusCode::BAD_REQUEST, "link_unknown", "There is no link with this code.")
            }
            LinkRefusal::Used => (
                StatusCode::GONE,
                "link_used",
                "This link was used, or a newer one took its place.",
            ),
            LinkRefusal::Expired => {
                (StatusCode::GONE, "link_expired", "The time of this link is over.")
            }
        };
        Self::new(status, code, [what, advice]).at("code")
    }

    fn locked(wait: Duration) -> Self {
        let when = format!("You can try again in {}.", in_words(wait));
        let lines = ["Too many wrong passwords came from your network.", &when];
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "locked_out", lines);
        Self { retry_after: Some(wait), ..problem }
    }

    fn too_many(wait: Duration) -> Self {
        let when = format!("You can try again in {}.", in_words(wait));
        let lines = ["Too many requests of this kind came from your address.", &when];
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", lines);
        Self { retry_after: Some(wait), ..problem }
    }

    /// Whether the field is to blame.
    fn is_at(&self, field: &str) -> bool {
        self.field == field
    }
}

/// A page with a form, and what was wrong with what it sent.
fn show_form(page: &impl Template, problem: Option<&Problem>) -> Result<Reply, super::Error> {
    let status = problem.map_or(StatusCode::OK, |problem| problem.status);
    let mut reply = super::show(status, page)?;
    if let Some(wait) = problem.and_then(|problem| problem.retry_after) {
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        set_header(&mut reply, RETRY_AFTER, &seconds.to_string());
    }
    Ok(reply)
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
    fn a_weak_password_is_told_each_of_its_faults() {
        let faults = [PolicyFault::TooShort { min: 15 }, PolicyFault::EntirelyNumeric];
        let problem = Problem::weak(&faults);
        let expected = [
            "The password must have at least 15 characters.",
            "The password must not be made of digits alone.",
        ];
        assert_eq!(problem.lines, expected);
        assert!(problem.is_at("password") && !problem.is_at("code"));
    }

    #[test]
    fn a_page_that_is_done_leads_on() {
        let lines = vec!["<b>".to_owned()];
        let html = Done { title: "Done", lines, action: TO_SIGN_IN }.render().unwrap();
        for text in ["<title>Done", "&#60;b&#62;", "href=\"/-/sign-in\">Sign in</a>"] {
            assert!(html.contains(text), "{text}: {html}");
        }
    }
}
