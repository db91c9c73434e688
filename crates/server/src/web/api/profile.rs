//! `/api/users/profile` (P26): one's own profile, and with the permission that of others. What is
//! not of a profile (account type, status, address, organisation) is not read at all.

use http::StatusCode;
use portcullis_store::user_grants;
use portcullis_store::users::directory;
use serde_json::json;

use super::users::fields::{self, invalid, uuid_of_query};
use super::users::person::with_own;
use super::users::{done, unknown_role};
use crate::flows::users;
use crate::web::administering::refused;
use crate::web::caller::{Caller, Fresh, Permission, SignedIn, UsersManage};
use crate::web::door;
use crate::web::error::{Error, Fault};
use crate::web::refusal::Family;
use crate::web::reply::json_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub const SHOW: Doc = Doc {
    id: "show_profile",
    summary: "Your own profile, or with api.users.users.manage that of ?user_uuid=.",
    family: Family::P,
    answer: (
        200,
        r#"{"success":true,"data":{"ID":7,"uuid":"0190…","first_name":"Jane","last_name":"Smith","email":"jane@example.com","own_permissions":[]}}"#,
    ),
    ..Doc::USUAL
};

pub const PUT: Doc = Doc {
    id: "change_profile",
    summary: "Changes your own profile, or with api.users.users.manage that of others.",
    family: Family::P,
    fields: &[
        ("user_uuid", true, "Whose profile."),
        ("first_name", false, "The first name."),
        ("last_name", false, "The last name."),
        ("phone", false, "The phone number; an empty text takes it away."),
        ("branch_id", false, "The branch; only staff move people, and it asks for the permission."),
        ("role_id", false, "The role, not above your own level; asks for the permission."),
    ],
    answer: (200, r#"{"success":true,"message":"Operation completed successfully","data":{}}"#),
    ..Doc::USUAL
};

/// `GET /api/users/profile`.
pub async fn show(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let own = &caller.found().user.uuid;
    let uuid = uuid_of_query(&call.facts).unwrap_or_else(|| own.clone());
    if uuid != *own {
        must_manage(&call, &caller).await?;
    }
    let mut tx = call.app.db.read().await?;
    let listed = directory::by_uuid(&mut tx, &uuid).await?.ok_or(Error::NotFound)?;
    let own = user_grants::list(&mut tx, listed.user.id).await?;
    let body = json!({"success": true, "data": with_own(&listed, &own)});
    Ok(json_reply(StatusCode::OK, &body))
}

/// `PUT /api/users/profile`.
pub async fn put(call: Call, Fresh(SignedIn(caller)): Fresh<SignedIn>) -> Answer {
    if !call.fields.has("user_uuid") && !call.fields.has("uuid") {
        return Err(invalid(Fault::required("user_uuid")));
    }
    let uuid = fields::uuid(&call)?;
    let wanted = fields::profile(&call.fields)?;
    let user = &caller.found().user;
    let is_another_role = wanted.role.is_some_and(|role| role != user.role_id);
    if uuid != user.uuid || is_another_role {
        must_manage(&call, &caller).await?;
    }
    let context = call.facts.context_of(&caller);
    match users::update(&call.app, &context, &[uuid.to_owned()], &wanted).await {
        Ok(_) => done(&call, uuid).await,
        Err(halt) => Err(refused(&call, &caller, unknown_role(halt)?).await),
    }
}

async fn must_manage(call: &Call, caller: &Caller) -> Result<(), Error> {
    match caller.must_hold(UsersManage::KEY) {
        Ok(()) => Ok(()),
        Err(error) => Err(door::record_denial(&call.app, &call.facts, Some(caller), error).await),
    }
}
