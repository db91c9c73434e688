//! `/api/admin/roles` (P30) and what else administers roles: the cells of the table of permissions
//! (P31) and the levels (P32). The actions are our own: nothing documents them. Not here: the table
//! itself, which is in `matrix`.

mod act;
mod cells;
mod exchange;
pub mod matrix;
mod policy;

use http::StatusCode;
use portcullis_domain::id::RoleId;
use serde_json::{Value, json};

use super::users::fields::invalid;
use super::users::person::keys_of;
use crate::flows::roles::administer::{self, WithMembers};
use crate::flows::roles::{export, list};
use crate::web::caller::{Allowed, RolesManage};
use crate::web::error::{Error, Fault};
use crate::web::input::whole_number;
use crate::web::refusal::Family;
use crate::web::reply::{Reply, json_reply};
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub use act::{level, name, post};
pub use cells::{POST as CELLS, post as post_cells};
pub use exchange::{Imported, import};
pub use policy::{PUT as POLICY, put as put_policy};

pub const SHOW: Doc = Doc {
    id: "list_roles",
    summary: "By ?action=: get_all_roles, get_role (role_id), or export, which is the file that \
              portcullis role import reads.",
    family: Family::P,
    answer: (
        200,
        r#"{"success":true,"data":[{"id":2,"name":"staff","level":50,"built_in":true,"permissions":["api.users.users.manage"],"members":3}],"count":1}"#,
    ),
    ..Doc::USUAL
};

pub const POST: Doc = Doc {
    id: "act_on_role",
    summary: "By action: create_role, update_role, delete_role, set_permissions, import_roles. Nobody \
              reaches above his own level or gives what he lacks.",
    family: Family::P,
    fields: &[
        ("action", true, "One of the actions."),
        ("role_id", false, "The role; all but create_role and import_roles."),
        ("name", false, "Its name, for create_role and update_role."),
        ("level", false, "Its level from 0 to 100, for create_role and update_role."),
        ("permissions", false, "Its permission keys, for create_role and set_permissions."),
        ("roles", false, "The roles as export gives them, for import_roles."),
    ],
    answer: (200, r#"{"success":true,"message":"Operation completed successfully","data":{}}"#),
    ..Doc::USUAL
};

/// `GET /api/admin/roles`.
pub async fn show(call: Call, Allowed(_, _): Allowed<RolesManage>) -> Answer {
    match call.facts.query("action").as_deref() {
        None | Some("get_all_roles") => all(&call).await,
        Some("get_role") => one(&call).await,
        Some("export") => exported(&call).await,
        Some(_) => Err(invalid(Fault::invalid("action", "is none of the actions"))),
    }
}

async fn all(call: &Call) -> Answer {
    let roles = administer::list(&call.app).await?;
    let rows: Vec<_> = roles.iter().map(role).collect();
    let body = json!({"success": true, "count": rows.len(), "data": rows});
    Ok(json_reply(StatusCode::OK, &body))
}

async fn one(call: &Call) -> Answer {
    let text = call.facts.query("role_id").ok_or_else(|| invalid(Fault::required("role_id")))?;
    let fault = || invalid(Fault::invalid("role_id", "must be a whole number"));
    found(call, RoleId(whole_number(&text).ok_or_else(fault)?), None).await
}

/// The same text that the command line writes.
async fn exported(call: &Call) -> Answer {
    let text = export(&list(&call.app.db).await?);
    let document: Value = serde_json::from_str(&text).unwrap_or_default();
    Ok(json_reply(StatusCode::OK, &document))
}

/// The role as it is now.
async fn found(call: &Call, id: RoleId, message: Option<&str>) -> Answer {
    let roles = administer::list(&call.app).await?;
    let found = roles.iter().find(|with| with.role.id == id).ok_or(Error::NotFound)?;
    let mut body = json!({"success": true, "data": role(found)});
    if let (Some(message), Value::Object(keys)) = (message, &mut body) {
        keys.insert("message".to_owned(), message.into());
    }
    Ok(json_reply(StatusCode::OK, &body))
}

fn role(with: &WithMembers) -> Value {
    let WithMembers { role, members } = with;
    json!({
        "id": role.id,
        "name": role.name,
        "level": role.level.get(),
        "built_in": role.built_in,
        "permissions": keys_of(&role.grants),
        "members": members,
    })
}

/// How many of what was sent are no longer as they were.
fn updated(count: usize, message: &str) -> Reply {
    let body = json!({"success": true, "message": message, "updated_count": count});
    json_reply(StatusCode::OK, &body)
}
