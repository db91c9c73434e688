//! `GET /api/security/sessions`: what is asked for by `action`.

use crate::web::caller::StaffMember;
use crate::web::error::{Error, Fault};
use crate::web::refusal::Family;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

use super::blacklist;

pub const SHOW: Doc = Doc {
    id: "show_sessions",
    summary: "With action=blacklist_list: who is kept out. Staff only.",
    family: Family::P,
    answer: (
        200,
        r#"{"success":true,"data":[{"user_id":7,"user_name":"Jane Smith","email":"jane@example.com","reason":"Left the company","blacklisted_by":"Ada Byron","blacklisted_by_id":1,"created_at":"2026-11-22T01:02:03Z"}],"count":1}"#,
    ),
    ..Doc::USUAL
};

/// `GET /api/security/sessions`.
pub async fn show(call: Call, StaffMember(caller): StaffMember) -> Answer {
    match call.facts.query("action").as_deref() {
        Some("blacklist_list") => blacklist::list(&call, &caller).await,
        Some(_) => {
            let fault = Fault::invalid("action", "must be blacklist_list");
            Err(Error::Invalid(vec![fault]))
        }
        None => Err(Error::Invalid(vec![Fault::required("action")])),
    }
}
