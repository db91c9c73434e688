//! The sign-in page: a form that works without scripts. Its token is of the anonymous kind, because
//! nobody has a session yet; together with the origin wall it keeps other sites from signing
//! somebody in as somebody else.

use std::time::Duration;

use askama::Template;
use http::StatusCode;
use http::header::RETRY_AFTER;
use portcullis_domain::csrf::{self, AuthKind, Kind, Refusal};
use portcullis_domain::password::is_too_long;
use portcullis_domain::redirect::Next;
use portcullis_domain::session::SignInForm;

use super::{in_words, magic_link, second_factor, shown_name, verify_place};
use crate::app::App;
use crate::flows::credentials::Device;
use crate::flows::sign_in::{Attempt, Before, Outcome, SignedIn, sign_in};
use crate::web::api::login;
use crate::web::caller::{Anyone, InSession, Visitor};
use crate::web::door;
use crate::web::error::Error;
use crate::web::remember;
use crate::web::reply::{Reply, redirect_reply, set_header};
use crate::web::request::Call;
use crate::web::table::{Answer, Csrf, Doc};

/// Characters of a name, as the API takes them.
const MAX_NAME: usize = 255;

/// The longest ticket that is looked at, in characters.
const MAX_TICKET: usize = 128;

pub(super) const SHOW: Doc =
    Doc { id: "show_sign_in", summary: "The form to sign in with, as a page.", ..Doc::USUAL };

/// `GET /-/sign-in`.
pub(super) async fn show(call: Call, Visitor(caller): Visitor) -> Answer {
    let next = next(&call.app, call.facts.query("next").as_deref());
    if let Some(caller) = caller.filter(|caller| caller.auth == AuthKind::Cookie) {
        return already_in(&call, &caller, &next);
    }
    // Whoever is signed in by this very request was on the way to somewhere else.
    match remember::bring_back(&call.app, &call.facts, Err("credential_missing")).await? {
        Ok(_) => Ok(redirect_reply(StatusCode::SEE_OTHER, next.as_str())),
        Err(_) => form(
            &call,
            StatusCode::OK,
            &Filled { next: &next, name: "", remember: false, problem: None },
        ),
    }
}

pub(super) const SUBMIT: Doc = Doc {
    id: "submit_sign_in",
    summary: "Signs in from the page, and leads on to where you were heading.",
    // It checks the token of its own form: nobody has a session yet that a token could be of.
    csrf: Csrf::Exempt,
    fields: &[
        ("username", true, "The e-mail address or username."),
        ("password", true, "The password."),
        ("remember", false, "1 keeps the browser signed in for session.remember."),
        ("next", false, "Where to go on to: a path, or an address of an allowed origin."),
        ("csrf_token", true, "The token of the form."),
    ],
    answer: (303, ""),
    ..Doc::USUAL
};

/// `POST /-/sign-in`.
pub(super) async fn submit(call: Call, _: Anyone) -> Answer {
    let next = next(&call.app, call.fields.text("next"));
    let name = call.fields.text("username").unwrap_or_default().trim();
    let password = call.fields.text("password").unwrap_or_default();
    let remember = login::wants_to_be_remembered(&call.fields);
    let again = |status, problem| {
        form(&call, status, &Filled { next: &next, name, remember, problem: Some(problem) })
    };
    if check_form(&call).await.is_err() {
        return again(StatusCode::FORBIDDEN, Problem::OUTDATED);
    }
    let is_filled_in = !name.is_empty() && !password.is_empty();
    if !is_filled_in || name.chars().count() > MAX_NAME || is_too_long(password) {
        return again(StatusCode::BAD_REQUEST, Problem::INCOMPLETE);
    }
    let before = login::before(&call.app, &call.facts).await?;
    let answer = sign_in(&call.app, &attempt(&call, name, password, before)).await?;
    call.facts.set_limit_standing(answer.standing);
    end(&call, answer.outcome, &next, again)
}

/// How a sign-in ends, also one that went on with a code. `again` shows the form and why.
pub(super) fn end(
    call: &Call,
    outcome: Outcome,
    next: &Next,
    again: impl Fn(StatusCode, Problem) -> Answer,
) -> Answer {
    match outcome {
        Outcome::SignedIn(signed_in) => Ok(go_on(call, &signed_in, next)),
        Outcome::NewPlace(asked) => verify_place::ask(call, &asked, next),
        Outcome::NeedsFactor(asked) => second_factor::ask(call, &asked, next),
        Outcome::MustSetUp(Some(asked)) => second_factor::ask_to_set_up(call, &asked, next),
        // Pages are always led on.
        Outcome::MustSetUp(None) => Err(Error::Internal),
        Outcome::WrongFactor => again(StatusCode::UNAUTHORIZED, Problem::WRONG_FACTOR),
        Outcome::FactorExhausted => again(StatusCode::UNAUTHORIZED, Problem::FACTOR_EXHAUSTED),
        Outcome::FactorLocked { retry_after } => {
            wait(again, Problem::factor_locked(retry_after), retry_after)
        }
        Outcome::Refused => again(StatusCode::UNAUTHORIZED, Problem::WRONG),
        Outcome::Disabled => again(StatusCode::FORBIDDEN, Problem::DISABLED),
        Outcome::Blacklisted => again(StatusCode::FORBIDDEN, Problem::BLACKLISTED),
        Outcome::PasswordBreached => again(StatusCode::FORBIDDEN, Problem::BREACHED),
        Outcome::Locked { retry_after } => wait(again, Problem::locked(retry_after), retry_after),
        Outcome::TooMany { retry_after } => {
            wait(again, Problem::too_many(retry_after), retry_after)
        }
    }
}

/// The empty form, and why it is shown.
pub(super) fn empty(call: &Call, status: StatusCode, next: &Next, problem: Problem) -> Answer {
    form(call, status, &Filled { next, name: "", remember: false, problem: Some(problem) })
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Form<'a> {
    csrf_token: String,
    next: &'a str,
    name: &'a str,
    /// How long a browser stays signed in; `None` where none does.
    stays: Option<String>,
    remember: bool,
    /// Where a link to sign in is asked for; `None` where there are none.
    by_link: Option<String>,
    problem: Option<&'a Problem>,
}

impl Form<'_> {
    /// Whether what was typed is to blame.
    fn is_wrong(&self) -> bool {
        self.problem.is_some_and(|problem| problem.is_of_input)
    }
}

#[derive(Template)]
#[template(path = "signed_in.html")]
struct AlreadyIn<'a> {
    name: String,
    email: &'a str,
    next: &'a str,
    csrf_token: String,
    /// Why somebody who is signed in may have been sent here all the same.
    why_back: Option<String>,
}

/// What stands in the form when it is shown. The password is never sent back.
struct Filled<'a> {
    next: &'a Next,
    name: &'a str,
    remember: bool,
    problem: Option<Problem>,
}

/// Why the form is shown again.
pub(super) struct Problem {
    what: &'static str,
    advice: Option<String>,
    is_of_input: bool,
}

impl Problem {
    const WRONG: Self = Self { what: "Invalid email or password", advice: None, is_of_input: true };
    const INCOMPLETE: Self = Self {
        what: "Enter your email or username, and your password",
        advice: None,
        is_of_input: true,
    };
    pub(super) const CODE_EXHAUSTED: Self = Self {
        what: "The code was tried too often. Please sign in again to get another",
        advice: None,
        is_of_input: false,
    };
    pub(super) const CODE_OVER: Self = Self {
        what: "The code is over. Please sign in again to get another",
        advice: None,
        is_of_input: false,
    };
    const WRONG_FACTOR: Self = Self {
        what: "That code is not right, or was used before. Please sign in again",
        advice: None,
        is_of_input: false,
    };
    const FACTOR_EXHAUSTED: Self = Self {
        what: "Too many wrong codes were typed for this account",
        advice: None,
        is_of_input: false,
    };
    pub(super) const FACTOR_OVER: Self = Self {
        what: "The sign-in took too long. Please sign in again",
        advice: None,
        is_of_input: false,
    };
    pub(super) const OUTDATED: Self = Self {
        what: "This form had been open for too long. Please sign in again",
        advice: None,
        is_of_input: false,
    };
    const DISABLED: Self = Self {
        what: "This account is disabled. Please ask whoever runs this service",
        advice: None,
        is_of_input: false,
    };

    const BLACKLISTED: Self = Self {
        what: "This account is blocked. Please ask whoever runs this service",
        advice: None,
        is_of_input: false,
    };

    const BREACHED: Self = Self {
        what: "This password has appeared in a data breach, and is not accepted any more. Set a new one \
               by \u{201c}Forgot password?\u{201d}",
        advice: None,
        is_of_input: false,
    };

    fn locked(wait: Duration) -> Self {
        Self {
            what: "Too many wrong passwords came from your network",
            advice: Some(format!("For this account you can try again in {}.", in_words(wait))),
            is_of_input: false,
        }
    }

    fn factor_locked(wait: Duration) -> Self {
        Self {
            what: "Too many wrong codes were typed for this account",
            advice: Some(format!("You can try again in {}.", in_words(wait))),
            is_of_input: false,
        }
    }

    fn too_many(wait: Duration) -> Self {
        Self {
            what: "Too many attempts to sign in",
            advice: Some(format!("You can try again in {}.", in_words(wait))),
            is_of_input: false,
        }
    }
}

/// Where to go on to: what was asked for if it is a safe place, and home otherwise.
pub(super) fn next(app: &App, asked: Option<&str>) -> Next {
    asked.and_then(|text| app.next(text)).unwrap_or_else(Next::home)
}

/// The ticket of a sign-in that goes on in a second form; empty, which is nobody's, if it is too long.
pub(super) fn ticket(call: &Call) -> &str {
    let ticket = call.fields.text("ticket").filter(|text| text.len() <= MAX_TICKET);
    ticket.unwrap_or_default()
}

fn form(call: &Call, status: StatusCode, filled: &Filled<'_>) -> Answer {
    let page = Form {
        csrf_token: door::mint_anonymous(&call.app, &call.facts),
        next: filled.next.as_str(),
        name: filled.name,
        stays: call.app.config.session.remember.map(in_words),
        remember: filled.remember,
        by_link: magic_link::way_to_ask(call, filled.next),
        problem: filled.problem.as_ref(),
    };
    let mut reply = super::show(status, &page)?;
    super::let_forms_lead_to(&mut reply, filled.next);
    Ok(reply)
}

fn already_in(call: &Call, caller: &InSession, next: &Next) -> Answer {
    let user = &caller.found().user;
    let page = AlreadyIn {
        name: shown_name(user),
        email: user.email.as_str(),
        next: next.as_str(),
        csrf_token: door::mint(&call.app, caller.session(), Kind::Session),
        why_back: why_back(call, next),
    };
    super::show(StatusCode::OK, &page)
}

/// This page is where going round in a circle ends: whoever is signed in here and was sent here by a
/// proxy that asks by forward-auth has a cookie that does not get there.
fn why_back(call: &Call, next: &Next) -> Option<String> {
    let there = next.origin()?;
    let (host, cookies) = (there.host(), &call.app.cookies);
    Some(if cookies.is_shared(&call.facts.host, host) {
        format!(
            "If that leads you back here, the proxy in front of {host} does not hand the cookie \
             {} on to the gate. Please tell whoever runs this service.",
            cookies.session_name()
        )
    } else {
        format!(
            "But your browser does not show that to {host}: the cookie is for {} alone. Whoever \
             runs this service can set cookies.domain to a domain above both, or serve this page \
             under {host}.",
            call.facts.host
        )
    })
}

/// Judges the token of a form as if nobody were signed in, which is what the form was made for. What is
/// refused is written down.
pub(super) async fn check_form(call: &Call) -> Result<(), Refusal> {
    let judged = judge_token(call);
    if let Err(refusal) = judged {
        door::record_csrf(&call.app, &call.facts, None, refusal).await;
    }
    judged
}

fn judge_token(call: &Call) -> Result<(), Refusal> {
    let body = call.fields.token();
    let facts = csrf::Facts {
        presented: csrf::present(&[], &[], &body)?,
        session: None,
        pre_session: call.app.cookies.pre_session(&call.facts.headers),
        csrftoken_cookies: &[],
        signal: call.signal,
        anonymous_with_session: call.app.config.csrf.anonymous_with_session,
        anonymous_life: call.app.anonymous_csrf_life(),
    };
    csrf::judge(&call.app.keys.csrf, &facts, call.app.clock.now()).map(drop)
}

fn attempt<'a>(
    call: &'a Call,
    name: &'a str,
    password: &'a str,
    before: Option<Before>,
) -> Attempt<'a> {
    Attempt {
        form: SignInForm::Page,
        name,
        password,
        // The page asks for it when it is needed.
        factor: None,
        trusted: call.app.cookies.trusted_value(&call.facts.headers),
        shows_browser: call.facts.shows_browser(),
        from: call.facts.client,
        device_cookie: call.app.cookies.device_value(&call.facts.headers),
        device: Device::default(),
        before,
        remember: login::wants_to_be_remembered(&call.fields),
        ticket: remember::ticket(&call.app, &call.facts),
        context: call.facts.context(),
    }
}

fn go_on(call: &Call, signed_in: &SignedIn, next: &Next) -> Reply {
    login::set_cookies(call, signed_in);
    redirect_reply(StatusCode::SEE_OTHER, next.as_str())
}

fn wait(
    again: impl FnOnce(StatusCode, Problem) -> Answer,
    problem: Problem,
    retry_after: Duration,
) -> Answer {
    let mut reply = again(StatusCode::TOO_MANY_REQUESTS, problem)?;
    let seconds = retry_after.as_millis().div_ceil(1000).max(1);
    set_header(&mut reply, RETRY_AFTER, &seconds.to_string());
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(name: &str, problem: Option<&Problem>) -> String {
        let csrf_token = "0f".repeat(32);
        let stays = Some("30 days".to_owned());
        let remember = problem.is_some();
        let next = "/jobs?a=1&b=\"2";
        let by_link = Some("/-/magic/ask?next=%2Fjobs".to_owned());
        Form { csrf_token, next, name, stays, remember, by_link, problem }.render().unwrap()
    }

    #[test]
    fn the_form_works_without_scripts_and_keeps_what_was_typed() {
        let check = |html: &str, texts: &[&str]| {
            for text in texts {
                assert!(html.contains(text), "{text}: {html}");
            }
        };
        let first = html("", None);
        check(&first, &["method=\"post\" action=\"/-/sign-in\"", "autocomplete=\"username\""]);
        check(&first, &["href=\"/-/magic/ask?next=%2Fjobs\">Mail me a link to sign in</a>"]);
        check(&first, &["autocomplete=\"current-password\"", "value=\"/jobs?a=1&#38;b=&#34;2\""]);
        check(&first, &["name=\"remember\" type=\"checkbox\" value=\"1\">", "for 30 days on"]);
        assert!(!first.contains("role=\"alert\"") && !first.contains("aria-invalid="));
        let again = html("<ada>", Some(&Problem::WRONG));
        check(&again, &["role=\"alert\"", "Invalid email or password", "aria-invalid=\"true\""]);
        check(&again, &["type=\"checkbox\" value=\"1\" checked>"]);
        check(&again, &["<title>Error: Sign in", "value=\"&#60;ada&#62;\""]);
        let locked = html("ada", Some(&Problem::locked(Duration::from_mins(15))));
        check(&locked, &["try again in 15 minutes"]);
        assert!(!locked.contains("aria-invalid="));
    }
}
