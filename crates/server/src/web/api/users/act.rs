//! `POST /api/users/users`: the actions that change something.

use http::StatusCode;
use portcullis_domain::account::AccountType;
use portcullis_domain::text::Username;
use portcullis_store::users::directory;
use serde_json::{Value, json};

use super::fields::{self, invalid};
use super::keep;
use super::person::person;
use crate::flows::administration::Halt;
use crate::flows::new_password::{Judge, Person};
use crate::flows::users::{self, Newcomer, Status, Wanted};
use crate::web::administering::refused;
use crate::web::api::change_password::weak;
use crate::web::caller::{Allowed, Caller, Fresh, UsersManage};
use crate::web::error::{Error, Fault};
use crate::web::reply::json_reply;
use crate::web::request::Call;
use crate::web::table::Answer;

/// What most of the documented answers say.
pub const DONE: &str = "Operation completed successfully";

/// How long a password may be that is looked at.
const MAX_PASSWORD: usize = 4096;

/// `POST /api/users/users`.
pub async fn post(call: Call, Fresh(Allowed(caller, _)): Fresh<Allowed<UsersManage>>) -> Answer {
    match call.fields.required("action", 64).map_err(invalid)? {
        "create_user" => create(&call, &caller).await,
        "update" => update(&call, &caller, fields::account(&call.fields)?).await,
        "update_role" => {
            let role = Some(fields::role_id(&call.fields)?);
            update(&call, &caller, Wanted { role, ..Wanted::default() }).await
        }
        "toggle_status" => {
            let asked = fields::account(&call.fields)?.status;
            let status = Some(asked.unwrap_or(Status::Other));
            update(&call, &caller, Wanted { status, ..Wanted::default() }).await
        }
        "bulk_update" => bulk_update(&call, &caller).await,
        "reset_2fa" => reset_factor(&call, &caller).await,
        "delete_user" => delete(&call, &caller).await,
        "terminate_session" | "add_to_blacklist" | "remove_from_blacklist" => {
            keep::act(&call, &caller).await
        }
        _ => Err(invalid(Fault::invalid("action", "is none of the actions"))),
    }
}

async fn create(call: &Call, caller: &Caller) -> Answer {
    let new = newcomer(call).await?;
    let context = call.facts.context_of(caller);
    match Box::pin(users::arrive(&call.app, &context, &new)).await? {
        Ok(uuid) => done(call, &uuid).await,
        Err(halt) => Err(refused(call, caller, unknown_role(halt)?).await),
    }
}

/// Who is to have an account, as the fields say.
pub async fn newcomer(call: &Call) -> Result<Newcomer<'_>, Error> {
    let fields = &call.fields;
    let wanted = fields::account(fields)?;
    let email = wanted.email.ok_or_else(|| invalid(Fault::required("email")))?;
    // A form sends what was left empty, too.
    let is_left_empty = fields.text("password").is_some_and(str::is_empty);
    let password = if is_left_empty { Ok(None) } else { fields.optional("password", MAX_PASSWORD) };
    let password = password.map_err(invalid)?;
    let (username, first_name) = (wanted.username.flatten(), wanted.first_name.unwrap_or_default());
    let last_name = wanted.last_name.unwrap_or_default();
    let whose = Person {
        email: email.as_str(),
        username: username.as_ref().map_or("", Username::as_str),
        first_name: first_name.as_str(),
        last_name: last_name.as_str(),
    };
    let password = match password {
        None => None,
        Some(text) => {
            let judge = Judge::of(&call.app);
            let accepted = judge.accept(text, judge.lengths.alone, &whose).await;
            Some(accepted.map_err(|faults| weak("password", &faults))?)
        }
    };
    Ok(Newcomer {
        email,
        username,
        first_name,
        last_name,
        phone: wanted.phone.flatten(),
        branch_id: wanted.branch_id.unwrap_or(1),
        account_type: wanted.account_type.unwrap_or(AccountType::Tenant),
        role: wanted.role,
        password,
    })
}

async fn update(call: &Call, caller: &Caller, wanted: Wanted) -> Answer {
    let uuid = fields::uuid(call)?;
    let context = call.facts.context_of(caller);
    match users::update(&call.app, &context, &[uuid.to_owned()], &wanted).await {
        Ok(_) => done(call, uuid).await,
        Err(halt) => Err(refused(call, caller, unknown_role(halt)?).await),
    }
}

/// What identifies a person cannot be the same for many.
async fn bulk_update(call: &Call, caller: &Caller) -> Answer {
    let uuids = fields::uuids(&call.fields)?;
    let wanted = fields::account(&call.fields)?;
    let wanted = Wanted { email: None, username: None, ..wanted };
    let context = call.facts.context_of(caller);
    match users::update(&call.app, &context, &uuids, &wanted).await {
        Ok(updated) => {
            let count = updated.changed;
            let body = json!({"success": true, "message": DONE, "updated_count": count});
            Ok(json_reply(StatusCode::OK, &body))
        }
        Err(halt) => Err(refused(call, caller, unknown_role(halt)?).await),
    }
}

async fn reset_factor(call: &Call, caller: &Caller) -> Answer {
    let uuid = fields::uuid(call)?;
    let context = call.facts.context_of(caller);
    match users::reset_factor_of(&call.app, &context, uuid).await {
        Ok(_) => done(call, uuid).await,
        Err(halt) => Err(refused(call, caller, halt).await),
    }
}

async fn delete(call: &Call, caller: &Caller) -> Answer {
    let uuid = fields::uuid(call)?;
    let context = call.facts.context_of(caller);
    match users::delete(&call.app, &context, uuid).await {
        Ok(()) => Ok(json_reply(StatusCode::OK, &json!({"success": true, "message": DONE}))),
        Err(halt) => Err(refused(call, caller, halt).await),
    }
}

/// A role that is not there is a wrong field, because the address of the request is another thing's.
pub fn unknown_role(halt: Halt) -> Result<Halt, Error> {
    match halt {
        Halt::UnknownRole => Err(invalid(Fault::invalid("role_id", "is no role"))),
        halt @ (Halt::UnknownUser
        | Halt::Refused(_)
        | Halt::UsernameIsAddress
        | Halt::Conflict(_)
        | Halt::Store(_)) => Ok(halt),
    }
}

/// The user as he is now.
pub async fn done(call: &Call, uuid: &str) -> Answer {
    let listed = directory::by_uuid(&mut call.app.db.read_once().await?, uuid).await?;
    let data = listed.as_ref().map_or(Value::Null, person);
    Ok(json_reply(StatusCode::OK, &json!({"success": true, "message": DONE, "data": data})))
}
