//! `GET /api/users/users`: the actions that read.

use http::StatusCode;
use portcullis_domain::account::{AccountStatus, AccountType};
use portcullis_store::events::history;
use portcullis_store::users::directory::{self, Listed};
use portcullis_store::{Tx, user_grants};
use serde_json::{Value, json};

use super::fields::{invalid, page, uuid_of_query};
use super::keep::must_be_staff;
use super::person::{event, person, with_own};
use super::sessions;
use crate::flows::audit::settle;
use crate::web::api::breach_status;
use crate::web::api::session_acts::must_hold;
use crate::web::caller::{ActivityLogManage, Allowed, PasswordBreachStatusManage, UsersManage};
use crate::web::error::{Error, Fault};
use crate::web::reply::{Reply, json_reply};
use crate::web::request::Call;
use crate::web::table::Answer;

/// How long a text to search for may be.
const MAX_SEARCH: usize = 200;

/// `GET /api/users/users`.
pub async fn show(call: Call, Allowed(caller, _): Allowed<UsersManage>) -> Answer {
    let action = call.facts.query("action");
    match action.as_deref() {
        None | Some("get_all_users") => get_all(&call).await,
        Some("search") => search(&call).await,
        Some("get_user") => get_one(&call).await,
        Some("get_account_types") => Ok(account_types()),
        Some("get_account_statuses") => Ok(account_statuses()),
        Some("get_audit_log") => {
            must_hold::<ActivityLogManage>(&call, &caller).await?;
            audit_log(&call).await
        }
        Some("get_active_sessions") => sessions::active(&call, &caller).await,
        Some("get_user_sessions") => sessions::of_user(&call, &caller).await,
        Some("get_password_breach_status") => {
            must_be_staff(&call, &caller).await?;
            must_hold::<PasswordBreachStatusManage>(&call, &caller).await?;
            breach_status::page(&call, page(&call.facts)?).await
        }
        Some("health_check") => health(&call).await,
        Some(_) => Err(invalid(Fault::invalid("action", "is none of the actions"))),
    }
}

async fn get_all(call: &Call) -> Answer {
    let page = page(&call.facts)?;
    let mut tx = call.app.db.read().await?;
    let rows = directory::page(&mut tx, page).await?;
    let total = directory::count(&mut tx).await?;
    Ok(list(&rows.iter().map(person).collect::<Vec<_>>(), Some(total)))
}

async fn search(call: &Call) -> Answer {
    let page = page(&call.facts)?;
    let named = ["q", "query", "search"].into_iter().find_map(|name| call.facts.query(name));
    let text = named.filter(|text| !text.trim().is_empty());
    let text = text.ok_or_else(|| invalid(Fault::required("q")))?;
    if text.chars().count() > MAX_SEARCH || text.contains('\0') {
        return Err(invalid(Fault::invalid("q", "must be at most 200 characters")));
    }
    let mut tx = call.app.db.read().await?;
    let rows = directory::search(&mut tx, text.trim(), page).await?;
    let total = directory::count_matches(&mut tx, text.trim()).await?;
    Ok(list(&rows.iter().map(person).collect::<Vec<_>>(), Some(total)))
}

async fn get_one(call: &Call) -> Answer {
    let mut tx = call.app.db.read().await?;
    let listed = named(call, &mut tx).await?;
    let own = user_grants::list(&mut tx, listed.user.id).await?;
    let body = json!({"success": true, "data": with_own(&listed, &own)});
    Ok(json_reply(StatusCode::OK, &body))
}

async fn audit_log(call: &Call) -> Answer {
    let page = page(&call.facts)?;
    settle(&call.app).await;
    let mut tx = call.app.db.read().await?;
    let listed = named(call, &mut tx).await?;
    let lines = history::of_user(&mut tx, &call.app.keys.audit, listed.user.id, page).await?;
    Ok(list(&lines.iter().map(event).collect::<Vec<_>>(), None))
}

async fn health(call: &Call) -> Answer {
    let users = directory::count(&mut call.app.db.read_once().await?).await?;
    let body = json!({"success": true, "data": {"status": "operational", "users": users}});
    Ok(json_reply(StatusCode::OK, &body))
}

/// The user whom the query names.
async fn named(call: &Call, tx: &mut Tx) -> Result<Listed, Error> {
    let uuid = uuid_of_query(&call.facts).ok_or_else(|| invalid(Fault::required("uuid")))?;
    directory::by_uuid(tx, &uuid).await?.ok_or(Error::NotFound)
}

fn account_types() -> Reply {
    let row = |kind: AccountType| json!({"id": kind.id(), "name": kind.name()});
    list(&AccountType::ALL.map(row), None)
}

/// Those that an account can be given; who is deleted is in no list.
fn account_statuses() -> Reply {
    let row = |status: AccountStatus| json!({"id": status.id(), "name": status.title()});
    list(&[AccountStatus::Active, AccountStatus::Disabled].map(row), None)
}

fn list(rows: &[Value], total: Option<i64>) -> Reply {
    // Contract C29: of a page the count is that of the whole list.
    let count = total.map_or_else(|| json!(rows.len()), |total| json!(total));
    json_reply(StatusCode::OK, &json!({"success": true, "count": count, "data": rows}))
}
