//! The page of all users, a page at a time or by a search, and the page that makes one. Not here: one
//! user, who has a page of his own in `user`.

use askama::Template;
use http::StatusCode;
use portcullis_domain::account::{AccountStatus, AccountType};
use portcullis_domain::text::visible;
use portcullis_store::users::directory::{self, Listed, Page};

use super::choice::{Choice, roles, types};
use super::{Frame, problem};
use crate::flows::users;
use crate::web::api::users::newcomer;
use crate::web::caller::{Fresh, InSession, Staff, UsersManage};
use crate::web::error::Error;
use crate::web::input::whole_number;
use crate::web::pages::{show as show_page, shown_name};
use crate::web::refusal::sentence;
use crate::web::reply::redirect_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub(in crate::web::pages) const PATH: &str = "/-/admin/users";
pub(in crate::web::pages) const NEW_PATH: &str = "/-/admin/users/new";

/// Rows of a page.
const ROWS: i64 = 50;

pub(in crate::web::pages) const SHOW: Doc =
    Doc { id: "show_users", summary: "The users, as a page.", ..Doc::USUAL };

/// `GET /-/admin/users`.
pub(in crate::web::pages) async fn show(
    call: Call,
    Staff(caller, _): Staff<UsersManage, InSession>,
) -> Answer {
    let text = call.facts.query("q").unwrap_or_default();
    let text: String = text.trim().chars().filter(|letter| *letter != '\0').take(200).collect();
    let offset = call.facts.query("offset").and_then(|text| whole_number(&text));
    let offset = offset.filter(|offset| *offset >= 0).unwrap_or_default();
    let page = Page { limit: ROWS, offset };
    let mut tx = call.app.db.read().await?;
    let (listed, total) = if text.is_empty() {
        (directory::page(&mut tx, page).await?, directory::count(&mut tx).await?)
    } else {
        let total = directory::count_matches(&mut tx, &text).await?;
        (directory::search(&mut tx, &text, page).await?, total)
    };
    drop(tx);
    let later = offset.saturating_add(ROWS);
    let page = Users {
        frame: Frame::of(&call, &caller, PATH),
        text,
        total,
        rows: listed.iter().map(Row::of).collect(),
        earlier: (offset > 0).then(|| (offset - ROWS).max(0)),
        later: (later < total).then_some(later),
    };
    show_page(StatusCode::OK, &page)
}

pub(in crate::web::pages) const SHOW_NEW: Doc =
    Doc { id: "show_new_user", summary: "The form for a new user, as a page.", ..Doc::USUAL };

/// `GET /-/admin/users/new`.
pub(in crate::web::pages) async fn show_new(
    call: Call,
    Staff(caller, _): Staff<UsersManage, InSession>,
) -> Answer {
    form(&call, &caller, StatusCode::OK, None).await
}

pub(in crate::web::pages) const SUBMIT_NEW: Doc = Doc {
    id: "submit_new_user",
    summary: "Makes an account, from the page.",
    fields: &[
        ("email", true, "The e-mail address."),
        ("username", false, "The username."),
        ("first_name", false, "The first name."),
        ("last_name", false, "The last name."),
        ("account_type_id", false, "The account type."),
        ("role_id", false, "The role."),
        ("password", false, "The first password."),
        ("csrf_token", true, "The token of the form."),
    ],
    answer: (303, ""),
    ..Doc::USUAL
};

/// `POST /-/admin/users/new`.
pub(in crate::web::pages) async fn submit_new(
    call: Call,
    Fresh(Staff(caller, _)): Fresh<Staff<UsersManage, InSession>>,
) -> Answer {
    let new = match newcomer(&call).await {
        Ok(new) => new,
        Err(error) => {
            let text = Some(sentence(&error));
            return form(&call, &caller, StatusCode::BAD_REQUEST, text).await;
        }
    };
    let context = call.facts.context_of(&caller);
    match Box::pin(users::arrive(&call.app, &context, &new)).await? {
        Ok(uuid) => {
            Ok(redirect_reply(StatusCode::SEE_OTHER, &format!("/-/admin/user?uuid={uuid}")))
        }
        Err(halt) => {
            let (status, text) = problem(&call, &caller, halt).await?;
            form(&call, &caller, status, Some(text)).await
        }
    }
}

#[derive(Template)]
#[template(path = "admin_users.html")]
struct Users {
    frame: Frame,
    text: String,
    total: i64,
    rows: Vec<Row>,
    earlier: Option<i64>,
    later: Option<i64>,
}

struct Row {
    uuid: String,
    name: String,
    email: String,
    role: String,
    level: i64,
    account_type: &'static str,
    is_open: bool,
    since: String,
}

impl Row {
    fn of(listed: &Listed) -> Self {
        let user = &listed.user;
        Self {
            uuid: user.uuid.clone(),
            name: visible(&shown_name(user)),
            email: user.email.to_string(),
            role: visible(&listed.role_name),
            level: listed.role_level,
            account_type: user.account_type.name(),
            is_open: user.status == AccountStatus::Active,
            since: user.created_at.to_the_minute(),
        }
    }
}

#[derive(Template)]
#[template(path = "admin_user_new.html")]
struct New<'a> {
    frame: Frame,
    problem: Option<String>,
    filled: Filled<'a>,
    types: Vec<Choice>,
    roles: Vec<Choice>,
}

/// What stands in the form when it is shown again; never the password.
struct Filled<'a> {
    email: &'a str,
    username: &'a str,
    first_name: &'a str,
    last_name: &'a str,
}

async fn form(
    call: &Call,
    caller: &InSession,
    status: StatusCode,
    problem: Option<String>,
) -> Answer {
    let text = |name| call.fields.text(name).unwrap_or_default();
    let number = |name| call.fields.number(name).ok().flatten();
    let role = number("role_id");
    let page = New {
        frame: Frame::of(call, caller, PATH),
        problem,
        filled: Filled {
            email: text("email"),
            username: text("username"),
            first_name: text("first_name"),
            last_name: text("last_name"),
        },
        types: types(number("account_type_id").unwrap_or(AccountType::Tenant.id())),
        roles: roles(call, caller, |of| role.map_or(of.name == "user", |id| id == of.id.0)).await?,
    };
    show_page(status, &page)
}

/// The address of a user's page.
pub(super) fn one(uuid: &str) -> Result<String, Error> {
    let is_plain = uuid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_plain { Ok(format!("/-/admin/user?uuid={uuid}")) } else { Err(Error::NotFound) }
}
