//! Why a form is shown again: the stable word, what happened and what to do about it, and which fields
//! are to blame. Every form that has more to say than one line uses it. Not here: refusals that leave no
//! form to show (`refusal`).

use std::time::Duration;

use askama::Template;
use http::StatusCode;
use http::header::RETRY_AFTER;
use portcullis_domain::csrf::Refusal;
use portcullis_domain::event::LinkRefusal;
use portcullis_domain::password::PolicyFault;

use super::in_words;
use crate::web::error::Error;
use crate::web::reply::{Reply, set_header};

/// Why a form is shown again.
pub(super) struct Problem {
    pub status: StatusCode,
    /// The stable word.
    pub code: &'static str,
    /// What happened, and what to do about it.
    pub lines: Vec<String>,
    /// The fields that are to blame.
    pub fields: Vec<&'static str>,
    pub retry_after: Option<Duration>,
}

impl Problem {
    pub(super) fn new<const N: usize>(
        status: StatusCode,
        code: &'static str,
        lines: [&str; N],
    ) -> Self {
        let lines = lines.map(str::to_owned).into();
        Self { status, code, lines, fields: Vec::new(), retry_after: None }
    }

    pub(super) fn at(self, field: &'static str) -> Self {
        Self { fields: vec![field], ..self }
    }

    pub(super) fn outdated(refusal: Refusal) -> Self {
        let lines = [
            "This form had been open for too long.",
            "Nothing has been done. Please fill it in once more.",
        ];
        Self::new(StatusCode::FORBIDDEN, refusal.code(), lines)
    }

    pub(super) fn missing(line: &str, field: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", [line]).at(field)
    }

    pub(super) fn weak(faults: &[PolicyFault]) -> Self {
        let lines = faults.iter().map(|fault| format!("The password {fault}.")).collect();
        let problem = Self::new(StatusCode::BAD_REQUEST, "invalid", []);
        Self { lines, ..problem }.at("password")
    }

    pub(super) fn wrong_password() -> Self {
        let lines = ["That is not your current password."];
        Self::new(StatusCode::UNAUTHORIZED, "wrong_password", lines).at("current_password")
    }

    /// A link that is not good; `advice` is how to get another.
    pub(super) fn link(refusal: LinkRefusal, advice: &str) -> Self {
        let (status, what) = match refusal {
            LinkRefusal::Unknown => (StatusCode::BAD_REQUEST, "There is no link with this code."),
            LinkRefusal::Used => {
                (StatusCode::GONE, "This link was used, or a newer one took its place.")
            }
            LinkRefusal::Expired => (StatusCode::GONE, "The time of this link is over."),
        };
        Self::new(status, refusal.code(), [what, advice]).at("code")
    }

    pub(super) fn locked(wait: Duration) -> Self {
        let when = format!("You can try again in {}.", in_words(wait));
        let lines = ["Too many wrong passwords came from your network.", &when];
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "locked_out", lines);
        Self { retry_after: Some(wait), ..problem }
    }

    pub(super) fn too_many(wait: Duration) -> Self {
        let when = format!("You can try again in {}.", in_words(wait));
        let lines = ["Too many requests of this kind came from your address.", &when];
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", lines);
        Self { retry_after: Some(wait), ..problem }
    }

    /// Whether the field is to blame.
    pub(super) fn is_at(&self, field: &str) -> bool {
        self.fields.contains(&field)
    }
}

/// A page with a form, and what was wrong with what it sent.
pub(super) fn show_form(page: &impl Template, problem: Option<&Problem>) -> Result<Reply, Error> {
    let status = problem.map_or(StatusCode::OK, |problem| problem.status);
    let mut reply = super::show(status, page)?;
    if let Some(wait) = problem.and_then(|problem| problem.retry_after) {
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        set_header(&mut reply, RETRY_AFTER, &seconds.to_string());
    }
    Ok(reply)
}

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
}
