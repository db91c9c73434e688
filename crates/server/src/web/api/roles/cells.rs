//! `POST /api/admin/staff-permissions` (P31): single permissions of any number of roles, all of them
//! or none. The documents let certain roles of the vendor do this; here it is whoever manages roles,
//! within the rules of levels.

use portcullis_domain::id::RoleId;
use portcullis_domain::permission::Grant;
use serde_json::Value;

use super::updated;
use crate::flows::administration::Halt;
use crate::flows::roles::administer::{self, Cell};
use crate::web::administering::refused;
use crate::web::api::users::fields::{MOST_AT_ONCE, invalid};
use crate::web::caller::{Fresh, RolesManage, Staff};
use crate::web::error::{Error, Fault};
use crate::web::refusal::Family;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

const FIELD: &str = "permissions";

pub const POST: Doc = Doc {
    id: "set_role_permissions",
    summary: "Gives roles permissions and takes them away: all of what is sent, or nothing.",
    family: Family::P,
    fields: &[(
        FIELD,
        true,
        "An array of {role_id, permission_key, permission_value}, at most 200; true gives.",
    )],
    answer: (200, r#"{"success":true,"message":"Permissions updated","updated_count":2}"#),
    ..Doc::USUAL
};

/// `POST /api/admin/staff-permissions`.
pub async fn post(call: Call, Fresh(Staff(caller, _)): Fresh<Staff<RolesManage>>) -> Answer {
    let cells = cells(call.fields.value(FIELD))?;
    let context = call.facts.context_of(&caller);
    match administer::set_cells(&call.app, &context, &cells).await {
        Ok(count) => Ok(updated(count, "Permissions updated")),
        Err(Halt::UnknownRole) => Err(invalid(Fault::invalid(FIELD, "names a role that is none"))),
        Err(halt) => Err(refused(&call, &caller, halt).await),
    }
}

fn cells(value: Option<&Value>) -> Result<Vec<Cell>, Error> {
    let fault = |detail| invalid(Fault::invalid(FIELD, detail));
    match value {
        None | Some(Value::Null) => Err(invalid(Fault::required(FIELD))),
        Some(Value::Array(items)) if items.len() > MOST_AT_ONCE => {
            Err(fault("must not be more than 200"))
        }
        Some(Value::Array(items)) => {
            let detail = "must be objects of role_id, permission_key and permission_value";
            items.iter().map(cell).collect::<Option<_>>().ok_or_else(|| fault(detail))
        }
        Some(_) => Err(fault("must be an array")),
    }
}

fn cell(item: &Value) -> Option<Cell> {
    let role = RoleId(item.get("role_id")?.as_i64()?);
    let grant = Grant::parse(item.get("permission_key")?.as_str()?).ok()?;
    let held = item.get("permission_value")?.as_bool()?;
    Some(Cell { role, grant, held })
}
