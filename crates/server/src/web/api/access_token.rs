//! Access tokens in the hands of their owners: what one says (S11), and another in its place (S13). Not
//! here: how one comes about (`login`), and what resource servers ask (`oauth`).

use http::StatusCode;
use http::header::AUTHORIZATION;
use portcullis_domain::access_token::Claims;
use portcullis_domain::csrf::{AuthKind, Kind};
use serde_json::json;

use crate::flows::refresh::{self, Refreshed};
use crate::web::caller::{Caller, SignedIn};
use crate::web::door;
use crate::web::error::Error;
use crate::web::refusal::Family;
use crate::web::reply::json_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub const PROFILE: Doc = Doc {
    id: "show_token_profile",
    summary: "What the access token says of its owner.",
    family: Family::S,
    answer: (
        200,
        r#"{"id":1,"userId":1,"email":"user@example.com","role":"user","organizationId":null,"jti":"…"}"#,
    ),
    ..Doc::USUAL
};

/// `GET /api/auth/profile`. Whoever comes with another credential is told the same, without a `jti`.
pub async fn profile(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let claims = claims(&call, &caller).await?;
    let found = caller.found();
    let body = json!({
        "id": found.user.id,
        "userId": found.user.id,
        "email": found.user.email.as_str(),
        "role": found.role.name,
        "organizationId": null,
        "jti": claims.map(|claims| claims.jti),
    });
    Ok(json_reply(StatusCode::OK, &body))
}

pub const REFRESH: Doc = Doc {
    id: "refresh_access_token",
    summary: "Another access token in the place of this one, which ends at once. The session and its \
              CSRF tokens stay.",
    family: Family::S,
    answer: (
        201,
        r#"{"access_token":"…","accessToken":"…","token_type":"Bearer","expires_in":86400,"csrf_token":"…"}"#,
    ),
    ..Doc::USUAL
};

/// `POST /api/auth/refresh`.
pub async fn post(call: Call, SignedIn(caller): SignedIn) -> Answer {
    call.fields.must_be_among(&[])?;
    if caller.auth != AuthKind::Jwt {
        return Err(Error::SignIn("access_token_needed"));
    }
    let app = &call.app;
    let on = refresh::Old {
        user: &caller.found().user,
        role: &caller.found().role.name,
        session: caller.session(),
        mac: &caller.mac,
        life: caller.credential().life,
    };
    let context = call.facts.context_of(&caller);
    match refresh::refresh(app, &on, &context).await? {
        Refreshed::Made { token, expires_in } => {
            let body = json!({
                "access_token": token,
                "accessToken": token,
                "token_type": "Bearer",
                "expires_in": expires_in.as_secs(),
                "csrf_token": door::mint(app, caller.session(), Kind::Session),
            });
            Ok(json_reply(StatusCode::CREATED, &body))
        }
        Refreshed::Overtaken => Err(Error::SignIn("session_ended")),
        Refreshed::Over => Err(Error::SignIn("session_expired")),
    }
}

/// What the token of the request says, if it is one.
async fn claims(call: &Call, caller: &Caller) -> Result<Option<Claims>, Error> {
    if caller.auth != AuthKind::Jwt {
        return Ok(None);
    }
    let value = call.facts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some((_, token)) = value.and_then(|value| value.split_once(' ')) else { return Ok(None) };
    let app = &call.app;
    let read = app.access_tokens.read_claims(&app.db, &app.clock, token).await;
    Ok(read.map_err(Error::store)?.ok().map(|(claims, _)| claims))
}
