//! The button that ends somebody's session, wherever a page shows it. What happens is the same as by
//! API.

use http::StatusCode;

use crate::web::api::session_acts;
use crate::web::caller::{Fresh, InSession, StaffMember};
use crate::web::error::Error;
use crate::web::reply::redirect_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub(in crate::web::pages) const PATH: &str = "/-/admin/sessions/end";
/// The page that shows them.
const LIST: &str = "/-/admin/sessions";

pub(in crate::web::pages) const SUBMIT: Doc = Doc {
    id: "submit_session_end",
    summary: "Ends a session, from a page: another of your own, or with the permission anybody's.",
    fields: &[("session_id", true, "The session."), ("csrf_token", true, "The token of the form.")],
    answer: (303, ""),
    ..Doc::USUAL
};

/// `POST /-/admin/sessions/end`.
pub(in crate::web::pages) async fn submit(
    call: Call,
    Fresh(StaffMember(caller)): Fresh<StaffMember<InSession>>,
) -> Answer {
    let handle = call.fields.required("session_id", 64);
    let handle = handle.map_err(|fault| Error::Invalid(vec![fault]))?;
    match session_acts::terminate(&call, &caller, handle).await {
        // It has ended meanwhile: it is as it was wanted.
        Ok(()) | Err(Error::NotFound) => Ok(redirect_reply(StatusCode::SEE_OTHER, LIST)),
        Err(error) => Err(error),
    }
}
