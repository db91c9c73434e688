//! The page of the first run: whoever has the code of the link gives the owner an address and a
//! password, and is signed in. The code comes in the fragment of the address, which browsers do not
//! send; the page's one script moves it into the form, and without scripts it is pasted there.
//! Looking at the page spends nothing.

use askama::Template;
use http::StatusCode;
use portcullis_domain::event::{Event, LinkRefusal};
use portcullis_domain::one_time_link::LinkPurpose;
use portcullis_domain::redirect::Next;
use portcullis_domain::secret::Opaque;
use portcullis_domain::text::{Email, Name};

use super::problem::{Problem, show_form};
use super::sign_in;
use crate::flows::first_run::{Attempt, Outcome, finish};
use crate::flows::new_password::{Judge, Person};
use crate::web::api::login;
use crate::web::caller::Anyone;
use crate::web::door;
use crate::web::input::Fields;
use crate::web::reply::redirect_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Csrf, Doc};

/// The one script of our pages, which nothing depends on.
pub(super) const SCRIPT: &str = include_str!("../../../templates/first_run.js");

pub(super) const SHOW: Doc = Doc {
    id: "show_first_run",
    summary: "The form in which the first owner sets a password, as a page.",
    ..Doc::USUAL
};

/// `GET /-/first-run`.
pub(super) async fn show(call: Call, _: Anyone) -> Answer {
    form(&call, &Filled::default(), None)
}

pub(super) const SUBMIT: Doc = Doc {
    id: "submit_first_run",
    summary: "Sets the first owner's address and password with the code of the link that portcullis \
              init prints, and signs in.",
    csrf: Csrf::Exempt,
    fields: &[
        ("code", true, "The code of the link, or the whole link."),
        ("email", true, "The e-mail address."),
        ("first_name", false, "The first name."),
        ("last_name", false, "The last name."),
        ("password", true, "The new password."),
        ("csrf_token", true, "The token of the form."),
    ],
    answer: (303, ""),
    ..Doc::USUAL
};

/// `POST /-/first-run`.
pub(super) async fn submit(call: Call, _: Anyone) -> Answer {
    let filled = Filled::of(&call.fields);
    let again = |problem: Problem| form(&call, &filled, Some(&problem));
    if let Err(refusal) = sign_in::check_form(&call).await {
        return again(Problem::outdated(refusal));
    }
    let attempt = match read(&call, &filled) {
        Ok(attempt) => attempt,
        Err(problem) => return again(problem),
    };
    let answer = finish(&call.app, &attempt).await?;
    call.facts.set_limit_standing(answer.standing);
    match answer.outcome {
        Outcome::SignedIn(signed_in) => {
            login::set_cookies(&call, &signed_in);
            Ok(redirect_reply(StatusCode::SEE_OTHER, Next::home().as_str()))
        }
        Outcome::Ready => Ok(redirect_reply(StatusCode::SEE_OTHER, super::SIGN_IN)),
        Outcome::Refused(reason) => {
            let event = Event::LinkRefused { purpose: LinkPurpose::FirstRun, reason };
            door::record_of_stranger(&call.app, &call.facts, event).await;
            again(of_link(reason))
        }
        Outcome::Weak(faults) => again(Problem::weak(&faults)),
        Outcome::EmailTaken => again(email_taken()),
        Outcome::Blacklisted => again(blacklisted()),
        Outcome::TooMany { retry_after } => again(Problem::too_many(retry_after)),
    }
}

#[derive(Template)]
#[template(path = "first_run.html")]
struct Form<'a> {
    csrf_token: String,
    filled: &'a Filled<'a>,
    min_length: usize,
    problem: Option<&'a Problem>,
    script: &'static str,
}

impl Form<'_> {
    /// Whether the field is to blame.
    fn is_wrong(&self, field: &str) -> bool {
        self.problem.is_some_and(|problem| problem.is_at(field))
    }
}

/// What stands in the form. The password is never sent back.
#[derive(Default)]
struct Filled<'a> {
    code: &'a str,
    email: &'a str,
    first_name: &'a str,
    last_name: &'a str,
}

impl<'a> Filled<'a> {
    fn of(fields: &'a Fields) -> Self {
        let text = |name| fields.text(name).unwrap_or_default().trim();
        Self {
            code: code_in(text("code")),
            email: text("email"),
            first_name: text("first_name"),
            last_name: text("last_name"),
        }
    }
}

impl Filled<'_> {
    /// Whose password it is to be.
    fn whose(&self) -> Person<'_> {
        let Self { email, first_name, last_name, .. } = *self;
        Person { email, username: "", first_name, last_name }
    }
}

/// A link that is not good.
fn of_link(refusal: LinkRefusal) -> Problem {
    const NEW: &str = "Whoever runs this service gets a new one with: portcullis init";
    match refusal {
        // Whoever has no code is nobody.
        LinkRefusal::Unknown => Problem {
            status: StatusCode::UNAUTHORIZED,
            ..Problem::link(refusal, "Paste the whole link.")
        },
        LinkRefusal::Used | LinkRefusal::Expired => Problem::link(refusal, NEW),
    }
}

fn email_taken() -> Problem {
    let what = "This address belongs to another user.";
    let lines = [what, "Take another one. The link is still good."];
    Problem::new(StatusCode::CONFLICT, "email_taken", lines).at("email")
}

fn blacklisted() -> Problem {
    let lines = ["This account is blocked.", "Whoever runs this service lets it in again."];
    Problem::new(StatusCode::FORBIDDEN, "account_blacklisted", lines)
}

fn form(call: &Call, filled: &Filled<'_>, problem: Option<&Problem>) -> Answer {
    let page = Form {
        csrf_token: door::mint_anonymous(&call.app, &call.facts),
        filled,
        min_length: call.app.config.password.min_length,
        problem,
        script: SCRIPT,
    };
    let mut reply = show_form(&page, problem)?;
    super::allow_script(&mut reply, SCRIPT);
    Ok(reply)
}

/// The fields as types, or the faults of all of them at once.
fn read<'c>(call: &'c Call, filled: &Filled<'_>) -> Result<Attempt<'c>, Problem> {
    let password = call.fields.text("password").unwrap_or_default();
    let (mut fields, mut lines) = (Vec::new(), Vec::new());
    let mut wrong = |field, what: &str, fault: &dyn std::fmt::Display| {
        fields.push(field);
        lines.push(format!("{what}{fault}"));
    };
    let email = Email::parse(filled.email).map_err(|fault| wrong("email", "Email: ", &fault));
    let first_name =
        Name::parse(filled.first_name).map_err(|fault| wrong("first_name", "First name: ", &fault));
    let last_name =
        Name::parse(filled.last_name).map_err(|fault| wrong("last_name", "Last name: ", &fault));
    let judge = Judge::of(&call.app);
    for fault in judge.faults(password, judge.lengths.alone, &filled.whose()) {
        wrong("password", "The password ", &format_args!("{fault}."));
    }
    let (Ok(email), Ok(first_name), Ok(last_name), true) =
        (email, first_name, last_name, fields.is_empty())
    else {
        let problem = Problem::new(StatusCode::BAD_REQUEST, "invalid", []);
        return Err(Problem { lines, fields, ..problem });
    };
    Ok(Attempt {
        code: Opaque::parse(filled.code),
        email,
        first_name,
        last_name,
        password,
        shows_browser: call.facts.shows_browser(),
        from: call.facts.client,
        context: call.facts.context(),
    })
}

/// The code in what was pasted: the whole link, or the code alone.
pub(super) fn code_in(text: &str) -> &str {
    let code = text.rsplit_once("#t=").map_or(text, |(_, code)| code);
    code.split('&').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(filled: &Filled<'_>, problem: Option<&Problem>) -> String {
        let csrf_token = "0f".repeat(32);
        Form { csrf_token, filled, min_length: 15, problem, script: SCRIPT }.render().unwrap()
    }

    #[test]
    fn a_code_is_found_in_the_link() {
        let check = |text: &str, expected: &str| assert_eq!(code_in(text), expected, "{text}");
        check("ab12", "ab12");
        check("http://127.0.0.1:8080/-/first-run#t=ab12", "ab12");
        check("http://127.0.0.1:8080/-/first-run#t=ab12&e=ada%40example.com", "ab12");
        check("#t=ab12", "ab12");
        check("", "");
    }

    #[test]
    fn the_form_works_without_scripts_and_keeps_what_was_typed() {
        let check = |html: &str, texts: &[&str]| {
            for text in texts {
                assert!(html.contains(text), "{text}: {html}");
            }
        };
        let first = html(&Filled::default(), None);
        check(&first, &["method=\"post\" action=\"/-/first-run\"", "name=\"code\""]);
        check(&first, &["autocomplete=\"new-password\"", "At least 15 characters"]);
        assert!(!first.contains("role=\"alert\"") && !first.contains("aria-invalid="));
        let filled = Filled { email: "<ada>", first_name: "\"Ada", ..Filled::default() };
        let again = html(&filled, Some(&of_link(LinkRefusal::Used)));
        check(&again, &["role=\"alert\"", "<code>link_used</code>", "aria-invalid=\"true\""]);
        check(&again, &["<title>Error: First run", "&#60;ada&#62;", "&#34;Ada"]);
    }

    /// The script is fixed text: nothing that somebody typed gets into it.
    #[test]
    fn the_script_stands_in_the_page_to_the_byte() {
        let filled = Filled { email: "</script><script>", ..Filled::default() };
        let html = html(&filled, None);
        let (_, rest) = html.split_once("<script>").unwrap();
        let (script, after) = rest.split_once("</script>").unwrap();
        assert_eq!(script, SCRIPT);
        assert!(!after.contains("script") && !SCRIPT.contains('\r') && !SCRIPT.contains('<'));
    }
}
