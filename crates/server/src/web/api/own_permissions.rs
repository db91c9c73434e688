//! `PUT /api/users/permissions` (P27): what a user may do beside his role.

use http::StatusCode;
use serde_json::json;

use super::users::fields::{self, invalid};
use super::users::person::keys_of;
use crate::flows::users::own_grants::{self, Change};
use crate::web::administering::refused;
use crate::web::caller::{Allowed, Fresh, UserPermissionsManage};
use crate::web::error::Fault;
use crate::web::refusal::Family;
use crate::web::reply::json_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub const PUT: Doc = Doc {
    id: "change_permissions",
    summary: "Gives a user permissions beside his role, or takes such away: grant, revoke, or sync, \
              which makes them these and no others. What the role gives stays.",
    family: Family::P,
    fields: &[
        ("action", true, "grant, revoke or sync."),
        ("uuid", true, "Whose permissions; user_uuid is read too."),
        ("permissions", true, "The permission keys, as an array."),
    ],
    answer: (
        200,
        r#"{"success":true,"message":"Permissions updated","data":{"uuid":"0190…","permissions":["api.jobs.read"],"granted":1,"revoked":0}}"#,
    ),
    ..Doc::USUAL
};

/// `PUT /api/users/permissions`.
pub async fn put(
    call: Call,
    Fresh(Allowed(caller, _)): Fresh<Allowed<UserPermissionsManage>>,
) -> Answer {
    let change = match call.fields.required("action", 64).map_err(invalid)? {
        "grant" => Change::Grant,
        "revoke" => Change::Revoke,
        "sync" => Change::Sync,
        _ => return Err(invalid(Fault::invalid("action", "must be grant, revoke or sync"))),
    };
    let uuid = fields::uuid(&call)?;
    let named = fields::grants(&call.fields, "permissions").map_err(invalid)?;
    if named.len() > fields::MOST_AT_ONCE {
        return Err(invalid(Fault::invalid("permissions", "must not be more than 200")));
    }
    let context = call.facts.context_of(&caller);
    match own_grants::change(&call.app, &context, uuid, change, &named).await {
        Ok(changed) => {
            let body = json!({
                "success": true,
                "message": "Permissions updated",
                "data": {
                    "uuid": uuid,
                    "permissions": keys_of(&changed.own),
                    "granted": changed.granted,
                    "revoked": changed.revoked,
                },
            });
            Ok(json_reply(StatusCode::OK, &body))
        }
        Err(halt) => Err(refused(&call, &caller, halt).await),
    }
}
