//! `GET /api/security/sessions?action=blacklist_list` (P6): who is kept out, since when, by whom and
//! why. The last to be added comes first.

use http::StatusCode;
use portcullis_domain::id::UserId;
use portcullis_domain::text::{Username, person_name};
use portcullis_domain::time::Time;
use portcullis_store::blacklist::{After, Listed, Named};
use serde_json::{Value, json};

use super::session_acts::must_hold;
use crate::flows::blacklist;
use crate::web::caller::{Caller, SessionsManage};
use crate::web::error::{Error, Fault};
use crate::web::input::whole_number;
use crate::web::reply::json_reply;
use crate::web::request::Call;
use crate::web::table::Answer;

/// How many rows an answer has at most, and unless it is asked for fewer.
const MOST: i64 = 1000;

/// The list, for a caller who is staff.
pub async fn list(call: &Call, caller: &Caller) -> Answer {
    must_hold::<SessionsManage>(call, caller).await?;
    let limit = limit(call)?;
    let after = call.facts.query("after").map(|text| parse_cursor(&text)).transpose()?;
    let page = blacklist::list(&call.app.db, after, limit).await?;
    let mut body = json!({
        "success": true,
        "data": page.rows.iter().map(row).collect::<Vec<_>>(),
        "count": page.count,
    });
    if let (Some(next), Value::Object(keys)) = (page.next, &mut body) {
        let path = "/api/security/sessions?action=blacklist_list";
        let next = format!("{path}&limit={limit}&after={}", cursor(next));
        keys.insert("next".to_owned(), next.into());
    }
    Ok(json_reply(StatusCode::OK, &body))
}

/// What somebody is called.
pub fn name(user: &Named) -> String {
    let username = user.username.as_ref().map(Username::as_str);
    person_name(user.first_name.as_str(), user.last_name.as_str(), username, user.email.as_str())
}

fn row(row: &Listed) -> Value {
    json!({
        "user_id": row.user.id,
        "user_name": name(&row.user),
        "email": row.user.email.as_str(),
        "reason": row.reason,
        // Null: somebody at the command line of the server.
        "blacklisted_by": row.added_by.as_ref().map(name),
        "blacklisted_by_id": row.added_by.as_ref().map(|by| by.id),
        "created_at": row.created_at.iso(),
    })
}

fn limit(call: &Call) -> Result<i64, Error> {
    let Some(text) = call.facts.query("limit") else { return Ok(MOST) };
    let fault = || Fault::invalid("limit", "must be a number from 1 to 1000");
    let limit = whole_number(&text).filter(|limit| (1..=MOST).contains(limit));
    limit.ok_or_else(|| Error::Invalid(vec![fault()]))
}

/// Where a page goes on, as text.
pub fn cursor(after: After) -> String {
    format!("{}-{}", after.created_at.0, after.user)
}

/// Reads what [`cursor`] gave.
pub fn parse_cursor(text: &str) -> Result<After, Error> {
    let parts = text.split_once('-').and_then(|(time, user)| {
        Some(After { created_at: Time(whole_number(time)?), user: UserId(whole_number(user)?) })
    });
    let fault = || Fault::invalid("after", "must be the value of next in an earlier answer");
    parts.ok_or_else(|| Error::Invalid(vec![fault()]))
}
