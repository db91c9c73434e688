//! `POST /api/admin/roles`: the actions that change something.

use http::StatusCode;
use portcullis_domain::permission::Grants;
use portcullis_domain::role::Level;
use portcullis_domain::text::Name;
use serde_json::json;

use super::exchange::{import, imported};
use super::{found, updated};
use crate::flows::roles::{administer, parse_name};
use crate::web::administering::refused;
use crate::web::api::users::DONE;
use crate::web::api::users::fields::{self, invalid};
use crate::web::caller::{Allowed, Caller, Fresh, RolesManage};
use crate::web::error::{Error, Fault};
use crate::web::input::Fields;
use crate::web::reply::json_reply;
use crate::web::request::Call;
use crate::web::table::Answer;

/// `POST /api/admin/roles`.
pub async fn post(call: Call, Fresh(Allowed(caller, _)): Fresh<Allowed<RolesManage>>) -> Answer {
    match call.fields.required("action", 64).map_err(invalid)? {
        "create_role" => create(&call, &caller).await,
        "update_role" => update(&call, &caller).await,
        "delete_role" => delete(&call, &caller).await,
        "set_permissions" => set_permissions(&call, &caller).await,
        "import_roles" => import_all(&call, &caller).await,
        _ => Err(invalid(Fault::invalid("action", "is none of the actions"))),
    }
}

async fn create(call: &Call, caller: &Caller) -> Answer {
    let name = name(&call.fields)?.ok_or_else(|| invalid(Fault::required("name")))?;
    let level = level(&call.fields)?.ok_or_else(|| invalid(Fault::required("level")))?;
    let grants = if call.fields.has("permissions") {
        fields::grants(&call.fields, "permissions").map_err(invalid)?
    } else {
        Grants::default()
    };
    let context = call.facts.context_of(caller);
    match administer::create(&call.app, &context, &name, level, &grants).await {
        Ok(id) => found(call, id, Some(DONE)).await,
        Err(halt) => Err(refused(call, caller, halt).await),
    }
}

async fn update(call: &Call, caller: &Caller) -> Answer {
    let id = fields::role_id(&call.fields)?;
    let (name, level) = (name(&call.fields)?, level(&call.fields)?);
    let context = call.facts.context_of(caller);
    match administer::update(&call.app, &context, id, name.as_ref(), level).await {
        Ok(_) => found(call, id, Some(DONE)).await,
        Err(halt) => Err(refused(call, caller, halt).await),
    }
}

async fn delete(call: &Call, caller: &Caller) -> Answer {
    let id = fields::role_id(&call.fields)?;
    let context = call.facts.context_of(caller);
    match administer::delete(&call.app, &context, id).await {
        Ok(()) => Ok(json_reply(StatusCode::OK, &json!({"success": true, "message": DONE}))),
        Err(halt) => Err(refused(call, caller, halt).await),
    }
}

async fn set_permissions(call: &Call, caller: &Caller) -> Answer {
    let id = fields::role_id(&call.fields)?;
    let wanted = fields::grants(&call.fields, "permissions").map_err(invalid)?;
    let context = call.facts.context_of(caller);
    match administer::set_permissions(&call.app, &context, id, &wanted).await {
        Ok(count) => Ok(updated(count, "Permissions updated")),
        Err(halt) => Err(refused(call, caller, halt).await),
    }
}

async fn import_all(call: &Call, caller: &Caller) -> Answer {
    let roles = call.fields.value("roles").ok_or_else(|| invalid(Fault::required("roles")))?;
    // A form brings the whole file as one text.
    let text = roles.as_str().map(ToOwned::to_owned);
    let document = text.unwrap_or_else(|| json!({ "roles": roles }).to_string());
    Ok(imported(call, &import(call, caller, &document).await?))
}

/// The name of a role; `None` where it was not sent.
pub fn name(fields: &Fields) -> Result<Option<Name>, Error> {
    let text = fields.optional("name", 150).map_err(invalid)?;
    let fault = |_| invalid(Fault::invalid("name", "must be 1 to 150 characters of one line"));
    text.map(parse_name).transpose().map_err(fault)
}

/// The level of a role; `None` where it was not sent.
pub fn level(fields: &Fields) -> Result<Option<Level>, Error> {
    let Some(number) = fields.number("level").map_err(invalid)? else { return Ok(None) };
    let fault = || invalid(Fault::invalid("level", "must be from 0 to 100"));
    Level::new(number).map(Some).ok_or_else(fault)
}
