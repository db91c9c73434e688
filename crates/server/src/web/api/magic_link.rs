//! Signing in by a link in a mail, by API (S2, S3). A script that asks for data uses a link by the
//! documented GET; whoever follows one sees a page with a button, and nothing is spent.

use std::time::Duration;

use http::{Method, StatusCode};
use portcullis_domain::csrf::Refusal;
use portcullis_domain::event::{Event, LinkRefusal, MagicCodeRefusal};
use portcullis_domain::magic_link::Use;
use portcullis_domain::one_time_code::Code;
use portcullis_domain::one_time_link::LinkPurpose;
use portcullis_domain::secret::Opaque;
use portcullis_domain::text::Email;
use serde_json::json;

use super::login;
use super::password_reset::{email, refused};
use crate::flows::magic_link::{
    self as flow, Arrival, Asker, Ended, Errand, RedeemAnswer, Redeemed, Typed, TypedAnswer,
};
use crate::flows::mail_request::{Admission, Question};
use crate::web::caller::Anyone;
use crate::web::door;
use crate::web::error::{Documented, Elsewhere, Error, Fault, Forbidden};
use crate::web::refusal::Family;
use crate::web::remember;
use crate::web::renewal::too_many;
use crate::web::reply::{json_reply, redirect_reply};
use crate::web::request::Call;
use crate::web::table::{Answer, Csrf, Doc};

pub const PATH: &str = "/api/auth/magic-link";
pub const VERIFY_PATH: &str = "/api/auth/magic-link/verify";
pub const CODE_PATH: &str = "/api/auth/magic-link/code";

/// The longest token or code that is looked at, in characters.
const MAX_TOKEN: usize = 128;

const NO_TOKEN: Documented = Documented {
    status: StatusCode::BAD_REQUEST,
    code: "token_missing",
    text: "Token is required",
};

pub const ASK: Doc = Doc {
    id: "ask_magic_link",
    summary: "Mails a link to sign in with to an account's address; the answer is the same for every \
              address. A browser gets a cookie, and the link signs in there alone.",
    family: Family::S,
    csrf: Csrf::Exempt,
    fields: &[("email", true, "The e-mail address.")],
    answer: (
        201,
        r#"{"success":true,"message":"If an account exists with this email, a magic link has been sent."}"#,
    ),
};

/// `POST /api/auth/magic-link` (S2).
pub async fn ask(call: Call, _: Anyone) -> Answer {
    const MESSAGE: &str = "If an account exists with this email, a magic link has been sent.";
    let life = life(&call)?;
    call.fields.must_be_among(&["email"])?;
    let email = email(&call)?;
    let asker =
        if call.facts.shows_browser() { Asker::Browser(Errand::default()) } else { Asker::Program };
    match ask_by_mail(&call, email, asker, life).await? {
        Admission::Go | Admission::Enough => {
            let body = json!({"success": true, "message": MESSAGE});
            Ok(json_reply(StatusCode::CREATED, &body))
        }
        Admission::TooMany { retry_after } => Err(too_many(retry_after)),
    }
}

pub const FOLLOW: Doc = Doc {
    id: "follow_magic_link",
    summary: "Signs in with the token of a mailed link, once, for a script that asks for JSON, and \
              answers as a sign-in by e-mail address does. Whoever follows a link sees a page with a \
              button, and nothing is spent.",
    fields: &[("token", true, "The token of the link.")],
    answer: (200, login::POST.answer.1),
    ..Doc::USUAL
};

/// `GET /api/auth/magic-link?token=` (S3).
pub async fn follow(call: Call, _: Anyone) -> Answer {
    life(&call)?;
    let token = call.facts.query("token").unwrap_or_default();
    if !is_script(&call) {
        // What comes after # is not sent on to anybody.
        let token = Opaque::parse(&token);
        let fragment = token.map(|token| format!("#t={}", token.reveal())).unwrap_or_default();
        return Ok(redirect_reply(StatusCode::SEE_OTHER, &format!("{}{fragment}", flow::PAGE)));
    }
    // It changes something although it is a GET: no other site may have a browser send it, and so sign
    // somebody in as somebody else.
    if door::look_as_unsafe(&call.app, &call.facts).is_none() {
        door::record_csrf(&call.app, &call.facts, None, Refusal::Origin).await;
        return Err(Error::Forbidden(Forbidden::Csrf(Refusal::Origin)));
    }
    if token.is_empty() {
        return Err(Error::Documented(NO_TOKEN));
    }
    answer(&call, &token, StatusCode::OK).await
}

/// A script that asks for data spends the token; a person's browser, one that fetches ahead, a mail
/// scanner and a HEAD do not.
fn is_script(call: &Call) -> bool {
    let facts = &call.facts;
    let accepts = facts.header("accept").is_some_and(|text| text.contains("application/json"));
    let is_ahead = ["sec-purpose", "purpose", "x-moz", "x-purpose"]
        .iter()
        .any(|name| facts.headers.contains_key(*name));
    accepts && !is_ahead && facts.method == Method::GET && !facts.is_navigation()
}

pub const VERIFY: Doc = Doc {
    id: "verify_magic_link",
    summary: "Signs in with the token of a mailed link, once, and answers as a sign-in by e-mail \
              address does. In another browser than the one that asked nothing is spent: the answer \
              is 401 magic_link_elsewhere with a code to type there.",
    csrf: Csrf::Exempt,
    fields: &[("token", true, "The token of the link.")],
    answer: login::POST.answer,
    ..Doc::USUAL
};

/// `POST /api/auth/magic-link/verify`.
pub async fn verify(call: Call, _: Anyone) -> Answer {
    life(&call)?;
    let token = call.fields.required("token", MAX_TOKEN);
    let token = token.map_err(|fault| Error::Invalid(vec![fault]))?;
    answer(&call, token, StatusCode::CREATED).await
}

async fn answer(call: &Call, token: &str, done: StatusCode) -> Answer {
    match redeem(call, token, Use::Api).await? {
        Redeemed::Ended(ended) => signed_in(call, ended, done),
        Redeemed::Elsewhere(code) => Err(Error::LinkElsewhere(Elsewhere { code })),
        // What a program holds out is spent without a question.
        Redeemed::Named(_) => Err(documented(LinkRefusal::Unknown)),
        Redeemed::Refused(reason) => Err(documented(reason)),
    }
}

pub const CODE: Doc = Doc {
    id: "type_magic_code",
    summary: "Signs in, in the browser that asked for a link, with the code that the link showed in \
              another one. It can be tried five times.",
    csrf: Csrf::Exempt,
    fields: &[("code", true, "The six digits.")],
    answer: login::POST.answer,
    ..Doc::USUAL
};

/// `POST /api/auth/magic-link/code`.
pub async fn type_code(call: Call, _: Anyone) -> Answer {
    life(&call)?;
    let code = call.fields.required("code", MAX_TOKEN).and_then(|text| {
        Code::parse(text).ok_or_else(|| Fault::invalid("code", "must be six digits"))
    });
    let code = code.map_err(|fault| Error::Invalid(vec![fault]))?;
    match try_code(&call, &code).await? {
        Typed::Ended(ended) => signed_in(&call, ended, StatusCode::CREATED),
        Typed::Wrong { .. } => Err(Error::SignIn("magic_code_wrong")),
        Typed::Over(MagicCodeRefusal::Exhausted) => Err(Error::SignIn("magic_code_exhausted")),
        Typed::Over(MagicCodeRefusal::Over | MagicCodeRefusal::WrongCode) => {
            Err(Error::SignIn("magic_code_over"))
        }
    }
}

/// How long links are good; 404 where there are none.
pub fn life(call: &Call) -> Result<Duration, Error> {
    call.app.config.sign_in.magic_link.ok_or(Error::Documented(Documented {
        status: StatusCode::NOT_FOUND,
        code: "magic_link_off",
        text: "Sign-in by link is switched off here",
    }))
}

/// Has a link mailed, and marks the browser that asked, whichever form it came in.
pub async fn ask_by_mail(
    call: &Call,
    email: Email,
    asker: Asker,
    life: Duration,
) -> Result<Admission, Error> {
    let question = Question { email, from: call.facts.client, context: call.facts.context() };
    let asked = flow::ask(&call.app, question, asker, life).await?;
    call.facts.set_limit_standing(asked.standing);
    let is_admitted = !matches!(asked.admission, Admission::TooMany { .. });
    if let Some(mark) = asked.mark.filter(|_| is_admitted) {
        let line = call.app.cookies.asking(&mark.reveal(), call.app.clock.now(), life);
        call.facts.after().cookies.push(line);
    }
    Ok(asked.admission)
}

/// Uses a link, whichever form it came in.
pub async fn redeem(call: &Call, token: &str, used: Use) -> Result<Redeemed, Error> {
    let (token, arrival) = (Opaque::parse(token), arrival(call).await?);
    let RedeemAnswer { redeemed, standing } =
        flow::redeem(&call.app, token.as_ref(), used, &arrival).await?;
    call.facts.set_limit_standing(standing);
    if let Redeemed::Refused(reason) = &redeemed {
        let event = Event::LinkRefused { purpose: LinkPurpose::MagicLink, reason: *reason };
        door::record_of_stranger(&call.app, &call.facts, event).await;
    }
    Ok(redeemed)
}

/// Tries a code, whichever form it came in.
pub async fn try_code(call: &Call, code: &Code) -> Result<Typed, Error> {
    let arrival = arrival(call).await?;
    let TypedAnswer { typed, standing } = flow::try_code(&call.app, code, &arrival).await?;
    call.facts.set_limit_standing(standing);
    Ok(typed)
}

/// The mark of the browser, if it sent exactly one.
pub fn mark(call: &Call) -> Option<Opaque> {
    call.app.cookies.asking_value(&call.facts.headers).and_then(Opaque::parse)
}

/// Has the browser forget its mark, once that was good for a sign-in.
pub fn forget_mark(call: &Call) {
    if call.app.cookies.asking_value(&call.facts.headers).is_some() {
        call.facts.after().cookies.extend(call.app.cookies.forget_asking());
    }
}

async fn arrival(call: &Call) -> Result<Arrival<'_>, Error> {
    let (app, facts) = (&call.app, &call.facts);
    Ok(Arrival {
        mark: mark(call),
        shows_browser: facts.shows_browser(),
        from: facts.client,
        device_cookie: app.cookies.device_value(&facts.headers),
        before: login::before(app, facts).await?,
        replaces: remember::ticket(app, facts),
        context: facts.context(),
    })
}

fn signed_in(call: &Call, ended: Ended, done: StatusCode) -> Answer {
    let signed_in = login::signed_in(ended.outcome)?;
    login::set_cookies(call, &signed_in);
    forget_mark(call);
    Ok(json_reply(done, &login::body(&call.app, &signed_in)?))
}

fn documented(reason: LinkRefusal) -> Error {
    let text = match reason {
        LinkRefusal::Unknown => "Invalid or expired magic link",
        LinkRefusal::Used => "This magic link has already been used",
        LinkRefusal::Expired => "Magic link has expired",
    };
    refused(reason.code(), text)
}
