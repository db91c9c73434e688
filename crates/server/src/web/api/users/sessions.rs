//! Who is signed in, by the users' endpoint: the same list as at `/api/security/sessions`, for staff
//! with the same permission.

use http::StatusCode;
use portcullis_store::sessions::Filter;
use portcullis_store::users::directory;
use serde_json::json;

use super::fields::{invalid, page, uuid_of_query};
use super::keep::must_be_staff;
use crate::flows::sessions::{self, Part};
use crate::web::api::session_acts::must_hold;
use crate::web::caller::{Caller, SessionsList};
use crate::web::error::{Error, Fault};
use crate::web::reply::json_reply;
use crate::web::request::Call;
use crate::web::sessions::{Showing, Shown};
use crate::web::table::Answer;

/// Everybody's, newest first.
pub(super) async fn active(call: &Call, caller: &Caller) -> Answer {
    may_list(call, caller).await?;
    list(call, caller, Filter::default()).await
}

/// Those of the user whom the query names.
pub(super) async fn of_user(call: &Call, caller: &Caller) -> Answer {
    may_list(call, caller).await?;
    let uuid = uuid_of_query(&call.facts).ok_or_else(|| invalid(Fault::required("uuid")))?;
    let found = directory::by_uuid(&mut call.app.db.read_once().await?, &uuid).await?;
    let user = found.ok_or(Error::NotFound)?.user.id;
    list(call, caller, Filter { user: Some(user), ..Filter::default() }).await
}

async fn may_list(call: &Call, caller: &Caller) -> Result<(), Error> {
    must_be_staff(call, caller).await?;
    must_hold::<SessionsList>(call, caller).await
}

async fn list(call: &Call, caller: &Caller, filter: Filter) -> Answer {
    let page = page(&call.facts)?;
    let number = |number: i64| u64::try_from(number).unwrap_or_default();
    let part = Part { limit: number(page.limit), offset: number(page.offset), after: None };
    let listing = sessions::list(&call.app, &filter, &part).await?.ok_or(Error::NotFound)?;
    let mut showing = Showing::to(&call.app, caller);
    let rows: Vec<Shown> =
        listing.sessions.into_iter().map(|session| showing.show(session)).collect();
    // Contract C29: of a page the count is that of the whole list.
    let body = json!({"success": true, "count": listing.total, "data": rows});
    Ok(json_reply(StatusCode::OK, &body))
}
