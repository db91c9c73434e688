//! `POST /api/users/logout-user` (P24): ends everything that is signed in to somebody else's account.

use http::StatusCode;
use serde_json::json;

use super::users::{DONE, fields};
use crate::flows::users;
use crate::web::administering::refused;
use crate::web::caller::{Allowed, Fresh, UserLogoutManage};
use crate::web::refusal::Family;
use crate::web::reply::json_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub const POST: Doc = Doc {
    id: "sign_out_user",
    summary: "Ends everything that is signed in to another user's account: sessions, tokens, and \
              browsers that stay signed in.",
    family: Family::P,
    fields: &[("uuid", true, "Whose account; not your own.")],
    answer: (200, r#"{"success":true,"message":"Operation completed successfully"}"#),
    ..Doc::USUAL
};

/// `POST /api/users/logout-user`.
pub async fn post(
    call: Call,
    Fresh(Allowed(caller, _)): Fresh<Allowed<UserLogoutManage>>,
) -> Answer {
    let uuid = fields::uuid(&call)?;
    let context = call.facts.context_of(&caller);
    match users::sign_out(&call.app, &context, uuid).await {
        Ok(()) => Ok(json_reply(StatusCode::OK, &json!({"success": true, "message": DONE}))),
        Err(halt) => Err(refused(&call, &caller, halt).await),
    }
}
