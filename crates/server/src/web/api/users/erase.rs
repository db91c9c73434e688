//! `POST /api/admin/users/{id}/erase`: takes a person out of everything, for good.

use http::StatusCode;
use portcullis_domain::audit::entry::Person;
use portcullis_domain::erasure::Basis;
use portcullis_domain::id::UserId;
use serde_json::json;

use super::fields::{invalid, worded};
use crate::flows::audit::erase::{self, Erased};
use crate::web::administering::refused;
use crate::web::caller::{Caller, Fresh, Staff, UsersManage};
use crate::web::error::Error;
use crate::web::input::{Fields, whole_number};
use crate::web::refusal::Family;
use crate::web::reply::json_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub const PATH: &str = "/api/admin/users/{id}/erase";

/// The longest basis that is read, in bytes.
const MAX_BASIS: usize = 4 * 256;

pub const POST: Doc = Doc {
    id: "erase_user",
    summary: "Takes a person out for good: the account if there still is one, and everything personal \
              in the log and beside it, whose entries stay with a number that leads to nobody. Also \
              for an account that was deleted before.",
    family: Family::P,
    fields: &[("basis", true, "Why, such as the number of the request, without the name.")],
    answer: (
        200,
        r#"{"success":true,"message":"Person erased","data":{"person":"0b1c2d3e4f506172","entries":31}}"#,
    ),
    ..Doc::USUAL
};

/// `POST /api/admin/users/{id}/erase`.
pub async fn post(call: Call, Fresh(Staff(caller, _)): Fresh<Staff<UsersManage>>) -> Answer {
    let id = id(&call)?;
    let basis = basis(&call.fields)?;
    let erased = by(&call, &caller, id, &basis).await?;
    let person = erased.person.as_ref().map(Person::to_string);
    let data = json!({"person": person, "entries": erased.entries});
    let body = json!({"success": true, "message": "Person erased", "data": data});
    Ok(json_reply(StatusCode::OK, &body))
}

/// Erases somebody in the name of the caller, or says why not.
pub async fn by(call: &Call, caller: &Caller, id: UserId, basis: &Basis) -> Result<Erased, Error> {
    let context = call.facts.context_of(caller);
    match Box::pin(erase::by_request(&call.app, &context, id, basis)).await {
        Ok(erased) => Ok(erased),
        Err(halt) => Err(refused(call, caller, halt).await),
    }
}

/// Why, as the fields say.
pub fn basis(fields: &Fields) -> Result<Basis, Error> {
    let text = fields.required("basis", MAX_BASIS).map_err(invalid)?;
    Basis::parse(text).map_err(|fault| invalid(worded("basis", fault)))
}

/// The number in the path; nonsense is nobody.
fn id(call: &Call) -> Result<UserId, Error> {
    let path = call.facts.target.path().as_str();
    let id = path.strip_prefix("/api/admin/users/").and_then(|rest| rest.split('/').next());
    let id = id.and_then(whole_number).filter(|id| *id > 0);
    id.map(UserId).ok_or(Error::NotFound)
}
