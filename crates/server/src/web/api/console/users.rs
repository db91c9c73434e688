//! `/api/console/users`: every account, opening and closing one, deleting one.

use http::StatusCode;
use portcullis_domain::account::AccountStatus;
use portcullis_domain::permission::{Grant, Grants};
use portcullis_store::users::directory::{self, Page};
use portcullis_store::users::{self as rows, User};
use portcullis_store::{Tx, roles, user_grants};
use serde_json::{Value, json};

use super::{Paging, id_in_path};
use crate::flows::users::{self, Status, Wanted};
use crate::web::administering;
use crate::web::api::me;
use crate::web::caller::{Caller, Fresh, Superuser};
use crate::web::error::{Error, Fault};
use crate::web::refusal::Family;
use crate::web::reply::{empty_reply, json_reply};
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub const PATH: &str = "/api/console/users";
pub const ONE: &str = "/api/console/users/{id}";

const BEFORE_ID: &str = "/api/console/users/";

pub const LIST: Doc = Doc {
    id: "list_console_users",
    summary: "A page of all users, by ?page= and ?per_page= (10, at most 100). For superusers.",
    family: Family::Z,
    answer: (
        200,
        r#"{"count":1,"next":null,"previous":null,"results":[{"id":1,"username":"jane","first_name":"Jane","last_name":"Smith","is_superuser":false,"is_active":true}]}"#,
    ),
    ..Doc::USUAL
};

pub const SHOW: Doc = Doc {
    id: "show_console_user",
    summary: "One user. For superusers.",
    answer: (
        200,
        r#"{"id":1,"username":"jane","first_name":"Jane","last_name":"Smith","is_superuser":false,"is_active":true}"#,
    ),
    ..LIST
};

pub const PATCH: Doc = Doc {
    id: "open_or_close_user",
    summary: "Opens or closes an account; not one's own, and none above one's own level.",
    fields: &[("is_active", true, "true opens it, false closes it and signs it out.")],
    ..SHOW
};

pub const DELETE: Doc = Doc {
    id: "delete_console_user",
    summary: "Takes an account out for good; not one's own, and none above one's own level.",
    answer: (204, ""),
    ..SHOW
};

/// `GET /api/console/users`.
pub async fn list(call: Call, _: Superuser) -> Answer {
    let paging = Paging::read(&call)?;
    let mut tx = call.app.db.read().await?;
    let page = Page { limit: paging.per_page, offset: paging.offset() };
    let mut results = Vec::new();
    for listed in directory::page(&mut tx, page).await? {
        results.push(shown(&mut tx, &listed.user).await?);
    }
    let count = directory::count(&mut tx).await?;
    Ok(paging.answer(&call, count, &results))
}

/// `GET /api/console/users/{id}`.
pub async fn show(call: Call, _: Superuser) -> Answer {
    let mut tx = call.app.db.read().await?;
    let user = find(&mut tx, &call).await?;
    Ok(json_reply(StatusCode::OK, &shown(&mut tx, &user).await?))
}

/// `PATCH /api/console/users/{id}`.
pub async fn patch(call: Call, Fresh(Superuser(caller)): Fresh<Superuser>) -> Answer {
    let user = somebody_else(&call, &caller).await?;
    let wanted =
        call.fields.flag("is_active").and_then(|it| it.ok_or(Fault::required("is_active")));
    let is_active = wanted.map_err(|fault| Error::Invalid(vec![fault]))?;
    let status = Some(if is_active { Status::Open } else { Status::Closed });
    let context = call.facts.context_of(&caller);
    let wanted = Wanted { status, ..Wanted::default() };
    match users::update(&call.app, &context, &[user.uuid], &wanted).await {
        Ok(_) => {}
        Err(halt) => return Err(administering::refused(&call, &caller, halt).await),
    }
    let mut tx = call.app.db.read().await?;
    let user = find(&mut tx, &call).await?;
    Ok(json_reply(StatusCode::OK, &shown(&mut tx, &user).await?))
}

/// `DELETE /api/console/users/{id}`.
pub async fn delete(call: Call, Fresh(Superuser(caller)): Fresh<Superuser>) -> Answer {
    let user = somebody_else(&call, &caller).await?;
    let context = call.facts.context_of(&caller);
    match users::delete(&call.app, &context, &user.uuid).await {
        Ok(()) => Ok(empty_reply(StatusCode::NO_CONTENT)),
        Err(halt) => Err(administering::refused(&call, &caller, halt).await),
    }
}

async fn find(tx: &mut Tx, call: &Call) -> Result<User, Error> {
    let id = id_in_path(call, BEFORE_ID)?;
    let user = rows::by_id(tx, id).await?;
    user.filter(|user| user.status != AccountStatus::Deleted).ok_or(Error::NotFound)
}

/// The user of the path, who must not be the caller (contract Z14).
async fn somebody_else(call: &Call, caller: &Caller) -> Result<User, Error> {
    let user = find(&mut call.app.db.read().await?, call).await?;
    if user.id == caller.user_id() { Err(Error::Conflict("own_account")) } else { Ok(user) }
}

async fn shown(tx: &mut Tx, user: &User) -> Result<Value, Error> {
    let role = roles::by_id(tx, user.role_id).await?;
    let own: Grants = user_grants::list(tx, user.id).await?;
    let by_role = role.is_some_and(|role| role.grants.covers(&Grant::All));
    Ok(json!({
        "id": user.id,
        "username": me::username(user),
        "first_name": user.first_name.as_str(),
        "last_name": user.last_name.as_str(),
        "is_superuser": by_role || own.covers(&Grant::All),
        "is_active": user.status == AccountStatus::Active,
    }))
}
