//! `GET /api/security/sessions`: who is signed in (P2), and who is kept out, by `action`; each has a
//! permission of its own, and both are for staff.

use http::StatusCode;
use serde::Serialize;

use super::blacklist;
use super::session_acts::must_hold;
use crate::flows;
use crate::web::caller::{Caller, SessionsList, StaffMember};
use crate::web::error::{Error, Fault};
use crate::web::refusal::Family;
use crate::web::reply::json_reply;
use crate::web::request::Call;
use crate::web::sessions::{Showing, Shown, query};
use crate::web::table::{Answer, Doc};

const PATH: &str = "/api/security/sessions";
/// What `next` repeats of the question.
const PARAMETERS: [&str; 7] = ["action", "user_id", "user", "ip", "kind", "session_id", "limit"];

pub const READ: Doc = Doc {
    id: "list_sessions",
    summary: "With action=list: who is signed in, newest first; needs api.security.sessions.list. \
              With action=blacklist_list: who is kept out; needs api.security.sessions.manage.",
    family: Family::P,
    fields: &[
        ("action", true, "list or blacklist_list."),
        ("limit", false, "1 to 1000; without it 1000."),
        ("offset", false, "How many sessions are passed over."),
        ("after", false, "Go on behind this one, as next says."),
        ("user_id", false, "The sessions of this user."),
        ("user", false, "The beginning of an e-mail address, a username or a name."),
        ("ip", false, "The sessions from this address."),
        ("kind", false, "page, username, email, mobile or remembered."),
        ("session_id", false, "This session."),
    ],
    answer: (
        200,
        r#"{"success":true,"data":[{"session_id":"sess_6b9d0c1f2e3a4b5c6d7e8f90","user_id":1,"user_name":"Jane Smith","ip_address":"203.0.113.7","user_agent":"Mozilla/5.0 …","location":"London, GB","last_active":"2026-11-22T01:02:03Z","is_current":true,"kind":"page","device":"Firefox on Linux","platform":null,"device_type":null,"app_version":null,"second_factor":true,"remembered":false,"created_at":"2026-11-22T01:00:00Z","expires_at":"2026-11-22T03:00:00Z","email":"jane@example.com","username":null,"account_type":"Staff"}],"count":1}"#,
    ),
    ..Doc::USUAL
};

/// `GET /api/security/sessions`.
pub async fn read(call: Call, StaffMember(caller): StaffMember) -> Answer {
    match call.facts.query("action").as_deref() {
        Some("list") => {
            must_hold::<SessionsList>(&call, &caller).await?;
            list(&call, &caller).await
        }
        Some("blacklist_list") => blacklist::list(&call, &caller).await,
        Some(_) => {
            Err(Error::Invalid(vec![Fault::invalid("action", "must be list or blacklist_list")]))
        }
        None => Err(Error::Invalid(vec![Fault::required("action")])),
    }
}

#[derive(Serialize)]
struct Listed {
    success: bool,
    data: Vec<Shown>,
    /// Of all that match, on this page or not.
    count: u64,
    /// Where those are that come after these.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

async fn list(call: &Call, caller: &Caller) -> Answer {
    let (filter, part) = query::of_staff(&call.facts)?;
    let listing = flows::sessions::list(&call.app, &filter, &part).await?;
    let listing = listing.ok_or_else(query::unknown_after)?;
    let last = listing.sessions.last().map(|session| session.handle.clone());
    let next = last.filter(|_| listing.has_more);
    let next = next.map(|last| query::next(&call.facts, PATH, &PARAMETERS, &last));
    let mut showing = Showing::to(&call.app, caller);
    let data = listing.sessions.into_iter().map(|session| showing.show(session)).collect();
    let body = Listed { success: true, data, count: listing.total, next };
    Ok(json_reply(StatusCode::OK, &body))
}
