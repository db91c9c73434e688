//! `PUT /api/admin/user-management-policy` (P32): the level of a role. Account types have no level
//! here: what people may do comes of their roles alone.

use super::act::level;
use super::found;
use crate::flows::roles::administer;
use crate::web::administering::refused;
use crate::web::api::users::fields::invalid;
use crate::web::caller::{Allowed, Fresh, UserManagementPolicyManage};
use crate::web::error::Fault;
use crate::web::refusal::Family;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};
use portcullis_domain::id::RoleId;

pub const PUT: Doc = Doc {
    id: "set_role_level",
    summary: "Gives a role another level, neither of them above your own.",
    family: Family::P,
    fields: &[
        ("entity", true, "role; account types have no level here."),
        ("id", true, "The role."),
        ("level", true, "The level, from 0 to 100."),
    ],
    answer: (200, r#"{"success":true,"message":"Policy updated","data":{"id":4,"level":30}}"#),
    ..Doc::USUAL
};

/// `PUT /api/admin/user-management-policy`.
pub async fn put(
    call: Call,
    Fresh(Allowed(caller, _)): Fresh<Allowed<UserManagementPolicyManage>>,
) -> Answer {
    match call.fields.required("entity", 64).map_err(invalid)? {
        "role" => {}
        "account_type" => {
            let detail = "must be role: account types have no level here";
            return Err(invalid(Fault::invalid("entity", detail)));
        }
        _ => return Err(invalid(Fault::invalid("entity", "must be role"))),
    }
    let id = call.fields.number("id").map_err(invalid)?;
    let id = id.map(RoleId).ok_or_else(|| invalid(Fault::required("id")))?;
    let level = level(&call.fields)?.ok_or_else(|| invalid(Fault::required("level")))?;
    let context = call.facts.context_of(&caller);
    match administer::update(&call.app, &context, id, None, Some(level)).await {
        Ok(_) => found(&call, id, Some("Policy updated")).await,
        Err(halt) => Err(refused(&call, &caller, halt).await),
    }
}
