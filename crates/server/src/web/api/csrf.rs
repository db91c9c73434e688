//! CSRF tokens on demand, in the three documented shapes (contract P1, S9, Z3).

use http::StatusCode;
use portcullis_domain::csrf::{Binding, Kind, Token};
use serde::Serialize;
use serde_json::json;

use crate::app::App;
use crate::flows;
use crate::web::caller::{InSession, SignedIn, Visitor};
use crate::web::door;
use crate::web::refusal::Family;
use crate::web::reply::json_reply;
use crate::web::request::{Call, Facts};
use crate::web::table::{Answer, Doc};

#[derive(Serialize)]
struct Issued {
    success: bool,
    data: IssuedToken,
    message: &'static str,
}

#[derive(Serialize)]
struct IssuedToken {
    token: String,
    single_use: bool,
}

pub const ISSUE: Doc = Doc {
    id: "issue_csrf_token",
    summary: "A CSRF token of the session; one for a single request, unless ?use=session is asked.",
    family: Family::P,
    answer: (
        200,
        r#"{"success":true,"data":{"token":"…","single_use":true},"message":"CSRF token issued"}"#,
    ),
    ..Doc::USUAL
};

/// `GET /api/security/csrf-token` (P1). `?use=session` asks for one that lives with the session.
pub async fn issue(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let (token, kind) = fetch(&call, &caller).await?;
    let data = IssuedToken { token, single_use: kind == Kind::OneTime };
    Ok(json_reply(StatusCode::OK, &Issued { success: true, data, message: "CSRF token issued" }))
}

pub const ISSUE_FLAT: Doc = Doc {
    id: "issue_session_csrf_token",
    summary: "A CSRF token that lives as long as the session.",
    family: Family::S,
    answer: (200, r#"{"success":true,"csrf_token":"…","single_use":false}"#),
    ..Doc::USUAL
};

/// `GET /api/auth/csrf-token` (S9).
pub async fn issue_flat(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let token = door::mint(&call.app, caller.session(), Kind::Session);
    let body = json!({"success": true, "csrf_token": token, "single_use": false});
    Ok(json_reply(StatusCode::OK, &body))
}

pub const SET_COOKIE: Doc = Doc {
    id: "set_csrf_cookie",
    summary: "Sets the cookie csrftoken, to be sent back with the same value in X-CSRFToken.",
    family: Family::Z,
    answer: (200, r#"{"details":"CSRF cookie set"}"#),
    ..Doc::USUAL
};

/// `GET /api/csrf` (Z3): the token as a cookie. A good one that the client has is sent again, so
/// that its other tabs stay right.
pub async fn set_cookie(call: Call, Visitor(caller): Visitor) -> Answer {
    let (app, facts) = (&call.app, &call.facts);
    let held = held_token(app, facts, caller.as_ref());
    let token = held.unwrap_or_else(|| match &caller {
        Some(caller) => door::mint(app, caller.session(), Kind::DoubleSubmit),
        None => door::mint_anonymous(app, facts),
    });
    facts.after().cookies.push(app.cookies.csrf(&token, app.clock.now()));
    Ok(json_reply(StatusCode::OK, &json!({"details": "CSRF cookie set"})))
}

async fn fetch(call: &Call, caller: &InSession) -> Result<(String, Kind), portcullis_store::Error> {
    let asked_session = call.facts.query("use").as_deref() == Some("session");
    let session = caller.session();
    let kind = flows::csrf::kind_of_fetch(&call.app, &session.id, asked_session).await?;
    Ok((door::mint(&call.app, session, kind), kind))
}

/// The token in the client's cookie, if it is good for who the client is now.
fn held_token(app: &App, facts: &Facts, caller: Option<&InSession>) -> Option<String> {
    let mut values = app.cookies.csrf_values(&facts.headers);
    let text = values.next().filter(|_| values.next().is_none())?;
    let token = Token::parse(text)?;
    let is_good = match (caller, token.kind()) {
        (Some(caller), Kind::DoubleSubmit) => {
            app.keys.csrf.opens(&token, &door::binding(caller.session()))
        }
        (None, Kind::Anonymous) => {
            let pre_session = app.cookies.pre_session(&facts.headers);
            app.keys.csrf.opens(&token, &Binding::Browser(pre_session))
                && !token.is_older_than(app.anonymous_csrf_life(), app.clock.now())
        }
        (Some(_) | None, _) => false,
    };
    is_good.then(|| text.to_owned())
}
