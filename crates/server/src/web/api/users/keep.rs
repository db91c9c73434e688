//! The actions on users that `/api/security/sessions` offers too: ending a session, keeping somebody
//! out, letting him in. They are for staff and ask for the same permissions there and here, so that no
//! second way is an easier one.

use http::StatusCode;
use portcullis_domain::account::AccountType;
use portcullis_domain::id::UserId;
use portcullis_store::users::directory;
use serde_json::json;

use super::fields::{self, invalid};
use crate::web::api::session_acts;
use crate::web::caller::{Caller, SessionsManage};
use crate::web::door;
use crate::web::error::{Error, Forbidden};
use crate::web::reply::json_reply;
use crate::web::request::Call;
use crate::web::table::Answer;

/// The action that the body names.
pub(super) async fn act(call: &Call, caller: &Caller) -> Answer {
    must_be_staff(call, caller).await?;
    let message = match call.fields.text("action") {
        Some("terminate_session") => {
            let handle = call.fields.required("session_id", 64).map_err(invalid)?;
            session_acts::terminate(call, caller, handle).await?;
            "Session terminated"
        }
        Some("add_to_blacklist") => {
            session_acts::must_hold::<SessionsManage>(call, caller).await?;
            let reason = session_acts::reason(&call.fields)?;
            let user = user(call).await?;
            session_acts::blacklist(call, caller, user, reason.as_ref()).await?;
            "User blacklisted and all sessions terminated"
        }
        Some(_) | None => {
            session_acts::must_hold::<SessionsManage>(call, caller).await?;
            let user = user(call).await?;
            session_acts::let_in(call, caller, user).await?;
            "User removed from blacklist"
        }
    };
    Ok(json_reply(StatusCode::OK, &json!({"success": true, "message": message})))
}

/// By UUID as everywhere here, or by the number that the other endpoint takes.
async fn user(call: &Call) -> Result<UserId, Error> {
    if call.fields.has("user_id") {
        return session_acts::user(&call.fields);
    }
    let uuid = fields::uuid(call)?;
    let listed = directory::by_uuid(&mut call.app.db.read_once().await?, uuid).await?;
    listed.map(|listed| listed.user.id).ok_or(Error::NotFound)
}

/// Refuses whoever is no staff, and writes that down.
pub(super) async fn must_be_staff(call: &Call, caller: &Caller) -> Result<(), Error> {
    if caller.found().user.account_type == AccountType::Staff {
        return Ok(());
    }
    let denied = Error::Forbidden(Forbidden::Permission { code: "account_type", rule: None });
    Err(door::record_denial(&call.app, &call.facts, Some(caller), denied).await)
}
