//! `POST /-/oauth/introspect` (RFC 7662): whether a token is good now. Everything that is not good looks
//! alike.

use http::StatusCode;
use serde_json::{Value, json};

use super::{holder, refused, token};
use crate::app::App;
use crate::web::caller::{Allowed, Caller, OrBasic, TokensIntrospectUse};
use crate::web::error::Error;
use crate::web::reply::json_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Csrf, Doc};

pub const POST: Doc = Doc {
    id: "introspect_token",
    summary: "Whether a token is good now, and whose it is (RFC 7662).",
    csrf: Csrf::Exempt,
    fields: &[
        ("token", true, "The token."),
        ("token_type_hint", false, "Not needed: tokens tell themselves apart."),
    ],
    answer: (
        200,
        r#"{"active":true,"sub":"…","username":"user@example.com","scope":"api.leads.list","exp":1795395723,"token_type":"Bearer","sid":"sess_6b9d0c1f2e3a4b5c6d7e8f90"}"#,
    ),
    ..Doc::USUAL
};

/// `POST /-/oauth/introspect`.
pub async fn post(call: Call, _: OrBasic<Allowed<TokensIntrospectUse>>) -> Answer {
    let Some(token) = token(&call.fields) else {
        return Ok(refused("invalid_request", "token is missing"));
    };
    let body = match holder(&call.app, token).await? {
        Some(holder) => active(&call.app, &holder, token).await?,
        None => json!({"active": false}),
    };
    Ok(json_reply(StatusCode::OK, &body))
}

async fn active(app: &App, holder: &Caller, token: &str) -> Result<Value, Error> {
    let found = holder.found();
    let Some(grounds) = found.session() else { return Ok(json!({"active": false})) };
    let scope: Vec<String> = holder.grants().iter().map(ToString::to_string).collect();
    let mut body = json!({
        "active": true,
        "iss": app.access_tokens.issuer(),
        "aud": app.access_tokens.issuer(),
        "sub": found.user.uuid,
        "username": found.user.email.as_str(),
        "scope": scope.join(" "),
        "token_type": "Bearer",
        "sid": grounds.session.handle.as_str(),
        "exp": grounds.credential.life.expires_at.secs(),
    });
    let read = app.access_tokens.read_claims(&app.db, &app.clock, token).await;
    if let (Ok((claims, _)), Value::Object(members)) = (read.map_err(Error::store)?, &mut body) {
        members.insert("iat".to_owned(), claims.iat.into());
        members.insert("nbf".to_owned(), claims.nbf.into());
        members.insert("jti".to_owned(), claims.jti.into());
    }
    Ok(body)
}
