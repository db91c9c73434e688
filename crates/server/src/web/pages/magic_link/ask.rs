//! Asking for a link to sign in, and waiting for it. What these pages say is the same for every address;
//! the second takes the code of a link that was opened on another device.

use askama::Template;
use http::StatusCode;
use portcullis_domain::event::MagicCodeRefusal;
use portcullis_domain::one_time_code::Code;
use portcullis_domain::redirect::Next;
use portcullis_domain::text::Email;

use super::{ASK, WAIT, end, with_next};
use crate::flows::magic_link::{Asker, Errand, Typed};
use crate::flows::mail_request::Admission;
use crate::web::api::{login, magic_link as api};
use crate::web::caller::Anyone;
use crate::web::door;
use crate::web::pages::problem::{Problem, show_form};
use crate::web::pages::{in_words, sign_in};
use crate::web::reply::redirect_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Csrf, Doc};

pub(super) const SHOW: Doc = Doc {
    id: "show_ask_magic_link",
    summary: "The form to ask for a link to sign in, as a page.",
    ..Doc::USUAL
};

/// `GET /-/magic/ask`.
pub(super) async fn show(call: Call, _: Anyone) -> Answer {
    api::life(&call)?;
    let next = sign_in::next(&call.app, call.facts.query("next").as_deref());
    form(&call, &Filled { email: "", next: &next, remember: false }, None)
}

pub(super) const SUBMIT: Doc = Doc {
    id: "submit_ask_magic_link",
    summary: "Mails a link to sign in to an account's address; the page is the same for every address. \
              The browser gets a cookie, and the link signs in there alone.",
    // It checks the token of its own form: nobody has a session yet that a token could be of.
    csrf: Csrf::Exempt,
    fields: &[
        ("email", true, "The e-mail address."),
        ("remember", false, "1 keeps the browser signed in for session.remember."),
        ("next", false, "Where to go on to: a path, or an address of an allowed origin."),
        ("csrf_token", true, "The token of the form."),
    ],
    answer: (303, ""),
    ..SHOW
};

/// `POST /-/magic/ask`.
pub(super) async fn submit(call: Call, _: Anyone) -> Answer {
    let life = api::life(&call)?;
    let next = sign_in::next(&call.app, call.fields.text("next"));
    let typed = call.fields.text("email").unwrap_or_default().trim();
    let remember = login::wants_to_be_remembered(&call.fields);
    let again =
        |problem| form(&call, &Filled { email: typed, next: &next, remember }, Some(&problem));
    if let Err(refusal) = sign_in::check_form(&call).await {
        return again(Problem::outdated(refusal));
    }
    let Ok(email) = Email::parse(typed) else {
        return again(Problem::missing("Enter a valid email address.", "email"));
    };
    let errand = Errand { next: Some(next.as_str().to_owned()), remember };
    match api::ask_by_mail(&call, email, Asker::Browser(errand), life).await? {
        Admission::Go | Admission::Enough => {
            Ok(redirect_reply(StatusCode::SEE_OTHER, &with_next(WAIT, &next)))
        }
        Admission::TooMany { retry_after } => again(Problem::too_many(retry_after)),
    }
}

pub(super) const SHOW_WAIT: Doc = Doc {
    id: "show_wait_magic_link",
    summary: "Where one waits for a link to sign in, and types the code that it shows on another \
              device, as a page.",
    ..Doc::USUAL
};

/// `GET /-/magic/wait`.
pub(super) async fn show_wait(call: Call, _: Anyone) -> Answer {
    let next = sign_in::next(&call.app, call.facts.query("next").as_deref());
    wait(&call, &next, None)
}

pub(super) const SUBMIT_CODE: Doc = Doc {
    id: "submit_magic_code",
    summary: "Signs in with the code that a link showed on another device.",
    csrf: Csrf::Exempt,
    fields: &[
        ("code", true, "The six digits."),
        ("next", false, "Where to go on to: a path, or an address of an allowed origin."),
        ("csrf_token", true, "The token of the form."),
    ],
    answer: (303, ""),
    ..SHOW_WAIT
};

/// `POST /-/magic/wait`.
pub(super) async fn submit_code(call: Call, _: Anyone) -> Answer {
    api::life(&call)?;
    let next = sign_in::next(&call.app, call.fields.text("next"));
    let again = |problem: Problem| wait(&call, &next, Some(&problem));
    if let Err(refusal) = sign_in::check_form(&call).await {
        return again(Problem::outdated(refusal));
    }
    let Some(code) = call.fields.text("code").and_then(Code::parse) else {
        let line = "The code is the six digits that the link shows.";
        return again(Problem::missing(line, "code"));
    };
    match api::try_code(&call, &code).await? {
        Typed::Ended(ended) => end(&call, ended),
        Typed::Wrong { left } => again(wrong(left)),
        Typed::Over(reason) => again(over(reason)),
    }
}

fn wrong(left: i64) -> Problem {
    let more = match left {
        1 => "You can try once more.",
        _ => "Please look again.",
    };
    let lines = ["That is not the code.", more];
    Problem::new(StatusCode::UNAUTHORIZED, "magic_code_wrong", lines).at("code")
}

fn over(reason: MagicCodeRefusal) -> Problem {
    let (code, what) = match reason {
        MagicCodeRefusal::Exhausted => ("magic_code_exhausted", "The code was tried too often."),
        MagicCodeRefusal::WrongCode | MagicCodeRefusal::Over => {
            ("magic_code_over", "No code can be typed here now.")
        }
    };
    let advice = match reason {
        MagicCodeRefusal::Exhausted => "Please ask for another link.",
        MagicCodeRefusal::WrongCode | MagicCodeRefusal::Over => {
            "Open the link first. If its time is over, ask for another."
        }
    };
    Problem::new(StatusCode::UNAUTHORIZED, code, [what, advice]).at("code")
}

/// What stands in the form.
struct Filled<'a> {
    email: &'a str,
    next: &'a Next,
    remember: bool,
}

#[derive(Template)]
#[template(path = "magic/ask.html")]
struct Form<'a> {
    action: &'static str,
    csrf_token: String,
    email: &'a str,
    next: &'a str,
    /// How long a browser stays signed in; `None` where none does.
    stays: Option<String>,
    remember: bool,
    back: String,
    problem: Option<&'a Problem>,
}

fn form(call: &Call, filled: &Filled<'_>, problem: Option<&Problem>) -> Answer {
    let page = Form {
        action: ASK,
        csrf_token: door::mint_anonymous(&call.app, &call.facts),
        email: filled.email,
        next: filled.next.as_str(),
        stays: call.app.config.session.remember.map(in_words),
        remember: filled.remember,
        back: with_next(crate::web::pages::SIGN_IN, filled.next),
        problem,
    };
    show_form(&page, problem)
}

#[derive(Template)]
#[template(path = "magic/wait.html")]
struct Wait<'a> {
    action: &'static str,
    csrf_token: String,
    next: &'a str,
    /// How long a link is good.
    life: String,
    again: String,
    problem: Option<&'a Problem>,
}

fn wait(call: &Call, next: &Next, problem: Option<&Problem>) -> Answer {
    let page = Wait {
        action: WAIT,
        csrf_token: door::mint_anonymous(&call.app, &call.facts),
        next: next.as_str(),
        life: in_words(api::life(call)?),
        again: with_next(ASK, next),
        problem,
    };
    show_form(&page, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_stands_in_the_form_as_text() {
        let form = Form {
            action: ASK,
            csrf_token: "0f".repeat(32),
            email: "<ada>",
            next: "/jobs?a=\"1",
            stays: Some("30 days".to_owned()),
            remember: true,
            back: with_next("/-/sign-in", &Next::home()),
            problem: Some(&Problem::missing("Enter a valid email address.", "email")),
        };
        let html = form.render().unwrap();
        for text in [
            "value=\"&#60;ada&#62;\"",
            "value=\"/jobs?a=&#34;1\"",
            "for 30 days on",
            "value=\"1\" checked",
            "aria-invalid=\"true\"",
            "href=\"/-/sign-in\"",
            "<title>Error: ",
        ] {
            assert!(html.contains(text), "{text}: {html}");
        }
    }
}
