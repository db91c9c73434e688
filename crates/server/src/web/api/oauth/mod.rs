//! What resource servers ask: the public keys (RFC 7517), where everything is (RFC 8414), whether a token
//! is good (RFC 7662, `introspect`), and that it should be good no longer (RFC 7009, `revoke`).

pub mod introspect;
pub mod revoke;

use http::StatusCode;
use http::header::CACHE_CONTROL;
use portcullis_domain::csrf::AuthKind;
use portcullis_domain::secret::{Opaque, Purpose};
use portcullis_domain::signing_key::KEYS_MAX_AGE;
use serde_json::{Value, json};

use crate::app::App;
use crate::web::caller::{Anyone, Caller};
use crate::web::error::Error;
use crate::web::etag::{self, tagged};
use crate::web::identify;
use crate::web::input::Fields;
use crate::web::reply::{Reply, json_reply, set_header};
use crate::web::request::{Call, Facts};
use crate::web::table::{Answer, Doc};

pub const KEY_SET_PATH: &str = "/.well-known/jwks.json";
pub const METADATA_PATH: &str = "/.well-known/oauth-authorization-server";
pub const INTROSPECT_PATH: &str = "/-/oauth/introspect";
pub const REVOKE_PATH: &str = "/-/oauth/revoke";

pub const KEY_SET: Doc = Doc {
    id: "list_keys",
    summary: "The public keys that access tokens are verified with (RFC 7517). A new one is here ten \
              minutes before it signs.",
    answer: (200, r#"{"keys":[]}"#),
    ..Doc::USUAL
};

/// `GET /.well-known/jwks.json`.
pub async fn key_set(call: Call, _: Anyone) -> Answer {
    let now = call.app.clock.now();
    Ok(kept(&call.facts, &call.app.access_tokens.key_set(now)))
}

pub const METADATA: Doc = Doc {
    id: "show_authorization_server",
    summary: "Where resource servers find keys, introspection and revocation (RFC 8414).",
    answer: (
        200,
        r#"{"issuer":"https://gate.example","jwks_uri":"https://gate.example/.well-known/jwks.json"}"#,
    ),
    ..Doc::USUAL
};

/// `GET /.well-known/oauth-authorization-server`.
pub async fn metadata(call: Call, _: Anyone) -> Answer {
    let issuer = call.app.access_tokens.issuer();
    let body = json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}{KEY_SET_PATH}"),
        "introspection_endpoint": format!("{issuer}{INTROSPECT_PATH}"),
        "introspection_endpoint_auth_methods_supported": ["Bearer", "client_secret_basic"],
        "revocation_endpoint": format!("{issuer}{REVOKE_PATH}"),
        "revocation_endpoint_auth_methods_supported": ["Bearer", "client_secret_basic"],
        // Tokens are given by signing in, not by a grant of OAuth.
        "response_types_supported": [],
        "grant_types_supported": [],
    });
    Ok(kept(&call.facts, &body))
}

/// An answer that may be remembered for as long as a new key is published before it signs; 304 where it
/// is remembered rightly.
fn kept(facts: &Facts, body: &Value) -> Reply {
    let tag = etag::tag(&body.to_string());
    let mut reply = tagged(facts, &tag, || json_reply(StatusCode::OK, body));
    let age = KEYS_MAX_AGE.as_secs();
    set_header(&mut reply, CACHE_CONTROL, &format!("public, max-age={age}"));
    reply
}

/// The token that a request is about; `None` where there is none, which RFC 6749 has a word for.
fn token(fields: &Fields) -> Option<&str> {
    fields.text("token").filter(|token| !token.is_empty())
}

/// The answer to a request that cannot be understood (RFC 6749, section 5.2).
fn refused(error: &str, description: &str) -> Reply {
    let body = json!({"error": error, "error_description": description, "code": error});
    json_reply(StatusCode::BAD_REQUEST, &body)
}

/// Whom a token stands for, if it is a live one of ours.
async fn holder(app: &App, token: &str) -> Result<Option<Caller>, Error> {
    let found = match Opaque::parse(token) {
        Some(opaque) => {
            let mac = app.keys.credential.credential_mac(Purpose::Bearer, &opaque);
            identify::look_up(app, AuthKind::Bearer, mac).await?
        }
        None => identify::by_access_token(app, token).await?,
    };
    Ok(found.ok())
}
