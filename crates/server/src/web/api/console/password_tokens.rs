//! Codes for those who forgot their password and get no mail, and `/api/console/password-tokens`: who could set a new password with a link or a code that was made
//! for them, and taking that back. Never the code itself, which nobody keeps.

use http::StatusCode;
use portcullis_domain::one_time_link::LinkPurpose;
use portcullis_store::one_time_links::{self, Waiting};
use serde_json::{Value, json};

use super::{Paging, id_in_path};
use crate::flows::{password_reset, reset_tokens};
use crate::web::acting::Actor;
use crate::web::administering;
use crate::web::caller::{Fresh, Superuser};
use crate::web::error::Error;
use crate::web::refusal::Family;
use crate::web::reply::{empty_reply, json_reply};
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub const PATH: &str = "/api/console/password-tokens";
pub const ONE: &str = "/api/console/password-tokens/{id}";

pub const CODE: &str = "/api/console/users/{id}/generate-password-reset-code";

const BEFORE_USER: &str = "/api/console/users/";
const BEFORE_ID: &str = "/api/console/password-tokens/";

pub const GENERATE: Doc = Doc {
    id: "generate_password_reset_code",
    summary: "A code with which somebody sets a new password within 30 minutes, shown once.",
    family: Family::Z,
    answer: (201, r#"{"token":"…","expires_at":"2026-02-20T00:00:00Z"}"#),
    ..Doc::USUAL
};

pub const LIST: Doc = Doc {
    id: "list_password_tokens",
    summary: "A page of the links and codes for a new password that are in force. For superusers.",
    family: Family::Z,
    answer: (
        200,
        r#"{"count":1,"next":null,"previous":null,"results":[{"id":1,"user":{"id":1,"username":"jane"},"created_at":"2026-02-20T00:00:00Z","expires_at":"2026-02-20T00:30:00Z"}]}"#,
    ),
    ..Doc::USUAL
};

pub const REVOKE: Doc = Doc {
    id: "revoke_password_token",
    summary: "Voids the link or code of the user of this number.",
    answer: (204, ""),
    ..LIST
};

pub const REVOKE_ALL: Doc = Doc {
    id: "revoke_password_tokens",
    summary: "Voids every link and code for a new password of users who are not above one's own level.",
    ..REVOKE
};

/// `POST /api/console/users/{id}/generate-password-reset-code`.
pub async fn generate(call: Call, Fresh(Superuser(caller)): Fresh<Superuser>) -> Answer {
    let id = id_in_path(&call, BEFORE_USER)?;
    let (actor, key) = (Actor::of(&call, &caller), &call.app.keys.credential);
    // As for all that the console does to accounts (contract Z14).
    if id == caller.user_id() {
        return Err(Error::Conflict("own_account"));
    }
    match password_reset::hand_out(&actor.acting(&call.app), key, id).await {
        Ok(handed) => {
            let until = handed.until.iso();
            let body = json!({"token": *handed.token.reveal(), "expires_at": until});
            Ok(json_reply(StatusCode::CREATED, &body))
        }
        Err(halt) => Err(administering::refused(&call, &caller, halt).await),
    }
}

/// `GET /api/console/password-tokens`.
pub async fn list(call: Call, _: Superuser) -> Answer {
    let paging = Paging::read(&call)?;
    let (purposes, now) = (LinkPurpose::RESETS, call.app.clock.now());
    let mut tx = call.app.db.read().await?;
    let page = (paging.per_page, paging.offset());
    let waiting = one_time_links::waiting(&mut tx, purposes, now, page).await?;
    let count = one_time_links::count_waiting(&mut tx, purposes, now).await?;
    let results: Vec<_> = waiting.iter().map(shown).collect();
    Ok(paging.answer(&call, count, &results))
}

/// `DELETE /api/console/password-tokens/{id}`.
pub async fn revoke(call: Call, Fresh(Superuser(caller)): Fresh<Superuser>) -> Answer {
    let id = id_in_path(&call, BEFORE_ID)?;
    let actor = Actor::of(&call, &caller);
    match reset_tokens::revoke(&actor.acting(&call.app), id).await {
        Ok(true) => Ok(empty_reply(StatusCode::NO_CONTENT)),
        Ok(false) => Err(Error::NotFound),
        Err(halt) => Err(administering::refused(&call, &caller, halt).await),
    }
}

/// `DELETE /api/console/password-tokens`.
pub async fn revoke_all(call: Call, Fresh(Superuser(caller)): Fresh<Superuser>) -> Answer {
    let actor = Actor::of(&call, &caller);
    let revoked = reset_tokens::revoke_all(&actor.acting(&call.app)).await;
    revoked.map_err(administering::error)?;
    Ok(empty_reply(StatusCode::NO_CONTENT))
}

fn shown(one: &Waiting) -> Value {
    json!({
        "id": one.user,
        "user": {"id": one.user, "username": one.username},
        "created_at": one.created_at.iso(),
        "expires_at": one.expires_at.iso(),
    })
}
