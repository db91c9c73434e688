//! The page of one user: who he is, what he may do, what happened, and forms for what may be done to
//! his account. What happens then is the same as by API.

use askama::Template;
use http::StatusCode;
use portcullis_domain::account::AccountStatus;
use portcullis_domain::event::Context;
use portcullis_domain::id::KeyId;
use portcullis_domain::text::{Username, visible};
use portcullis_store::events::history::{self, Line};
use portcullis_store::users::User;
use portcullis_store::users::directory::{self, Listed, Page};
use portcullis_store::{factors, user_grants};

use super::choice::{Choice, roles, types};
use super::users::one;
use super::{Frame, problem, users};
use crate::app::App;
use crate::flows::administration::{Desk, Halt};
use crate::flows::api_keys::{self, Reach};
use crate::flows::audit::erase::by_request;
use crate::flows::audit::settle;
use crate::flows::barrier;
use crate::flows::roles::list;
use crate::flows::users::own_grants::{self, Change};
use crate::flows::users::{Wanted, delete, reset_factor_of, sign_out, update};
use crate::web::api::roles::matrix;
use crate::web::api::session_acts::must_hold;
use crate::web::api::users::{erase, fields};
use crate::web::caller::{
    ActivityLogManage, Fresh, InSession, Permission, SessionsList, Staff, UserLogoutManage,
    UserPermissionsManage, UsersManage,
};
use crate::web::error::{Error, Fault};
use crate::web::pages::{keys, show as show_page, shown_name};
use crate::web::refusal::sentence;
use crate::web::reply::redirect_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub(in crate::web::pages) const PATH: &str = "/-/admin/user";

/// How much of what happened the page tells.
const HISTORY: Page = Page { limit: 20, offset: 0 };

pub(in crate::web::pages) const SHOW: Doc =
    Doc { id: "show_user", summary: "One user, by ?uuid=, as a page.", ..Doc::USUAL };

/// `GET /-/admin/user`.
pub(in crate::web::pages) async fn show(
    call: Call,
    Staff(caller, _): Staff<UsersManage, InSession>,
) -> Answer {
    let uuid = fields::uuid_of_query(&call.facts).ok_or(Error::NotFound)?;
    page(&call, &caller, &uuid, StatusCode::OK, None).await
}

pub(in crate::web::pages) const SUBMIT: Doc = Doc {
    id: "submit_user",
    summary: "Does something to an account, from the page: update, role, status, sign_out, \
              reset_2fa, grant, revoke, revoke_key, delete or erase.",
    fields: &[
        ("action", true, "One of the actions."),
        ("uuid", true, "Whose account."),
        ("first_name", false, "The first name."),
        ("last_name", false, "The last name."),
        ("phone", false, "The phone number."),
        ("branch_id", false, "The branch."),
        ("email", false, "The e-mail address."),
        ("username", false, "The username."),
        ("account_type_id", false, "The account type."),
        ("role_id", false, "The role."),
        ("account_status_id", false, "1 opens the account, 2 closes it."),
        ("permissions", false, "The permission keys, with spaces between."),
        ("basis", false, "Why somebody is erased."),
        ("key", false, "The API key that is revoked."),
        ("sure", false, "1: he is to be erased, and it cannot be taken back."),
        ("csrf_token", true, "The token of the form."),
    ],
    answer: (303, ""),
    ..Doc::USUAL
};

/// `POST /-/admin/user`.
pub(in crate::web::pages) async fn submit(
    call: Call,
    Fresh(Staff(caller, _)): Fresh<Staff<UsersManage, InSession>>,
) -> Answer {
    let uuid = fields::uuid(&call)?.to_owned();
    let here = one(&uuid)?;
    let action = call.fields.text("action").unwrap_or_default();
    match act(&call, &caller, &uuid, action).await {
        Ok(Ok(())) if matches!(action, "delete" | "erase") => {
            Ok(redirect_reply(StatusCode::SEE_OTHER, users::PATH))
        }
        Ok(Ok(())) => Ok(redirect_reply(StatusCode::SEE_OTHER, &here)),
        Ok(Err(halt)) => {
            let (status, text) = problem(&call, &caller, halt).await?;
            page(&call, &caller, &uuid, status, Some(text)).await
        }
        Err(error @ Error::Invalid(_)) => {
            let text = Some(sentence(&error));
            page(&call, &caller, &uuid, StatusCode::BAD_REQUEST, text).await
        }
        Err(error) => Err(error),
    }
}

async fn act(
    call: &Call,
    caller: &InSession,
    uuid: &str,
    action: &str,
) -> Result<Result<(), Halt>, Error> {
    let (app, context) = (&call.app, call.facts.context_of(caller));
    let wanted = match action {
        "update" => {
            let all = fields::account(&call.fields)?;
            Wanted { role: None, status: None, ..all }
        }
        "role" => Wanted { role: Some(fields::role_id(&call.fields)?), ..Wanted::default() },
        "status" => {
            let status = fields::account(&call.fields)?.status;
            Wanted { status, ..Wanted::default() }
        }
        "delete" => return Ok(delete(app, &context, uuid).await),
        "reset_2fa" => return Ok(reset_factor_of(app, &context, uuid).await.map(drop)),
        "erase" => return erase_person(call, &context, uuid).await,
        "revoke_key" => {
            must_hold::<UserLogoutManage>(call, caller).await?;
            let id = call.fields.text("key").and_then(KeyId::parse).ok_or(Error::NotFound)?;
            return Ok(revoke_key(app, &context, id).await);
        }
        "sign_out" => {
            must_hold::<UserLogoutManage>(call, caller).await?;
            return Ok(sign_out(app, &context, uuid).await);
        }
        "grant" | "revoke" => {
            must_hold::<UserPermissionsManage>(call, caller).await?;
            let change = if action == "grant" { Change::Grant } else { Change::Revoke };
            let keys = fields::grants(&call.fields, "permissions").map_err(fields::invalid)?;
            let changed = own_grants::change(app, &context, uuid, change, &keys).await;
            return Ok(changed.map(drop));
        }
        _ => return Err(Error::NotFound),
    };
    Ok(update(app, &context, &[uuid.to_owned()], &wanted).await.map(drop))
}

async fn revoke_key(app: &App, context: &Context, id: KeyId) -> Result<(), Halt> {
    let mut desk = Desk::open(app, context).await?;
    api_keys::revoke_of_other(&mut desk, app, id).await?;
    desk.close().await?;
    barrier::felt_everywhere(app).await;
    Ok(())
}

/// Once somebody has said that he is sure, and why.
async fn erase_person(
    call: &Call,
    context: &Context,
    uuid: &str,
) -> Result<Result<(), Halt>, Error> {
    let basis = erase::basis(&call.fields)?;
    if !call.fields.says_yes("sure") {
        return Err(fields::invalid(Fault::required("sure")));
    }
    let found = directory::by_uuid(&mut call.app.db.read().await?, uuid).await?;
    let id = found.ok_or(Error::NotFound)?.user.id;
    Ok(Box::pin(by_request(&call.app, context, id, &basis)).await.map(drop))
}

#[derive(Template)]
#[template(path = "admin_user.html")]
struct Shown<'a> {
    frame: Frame,
    problem: Option<String>,
    name: String,
    user: &'a User,
    listed: &'a Listed,
    is_open: bool,
    is_oneself: bool,
    /// Since when there is a second factor; `None` where there is none.
    factor: Option<String>,
    made: String,
    changed: String,
    phone: &'a str,
    username: &'a str,
    types: Vec<Choice>,
    roles: Vec<Choice>,
    own: Vec<String>,
    /// The keys that a field proposes.
    known: Vec<String>,
    keys: Vec<keys::Line>,
    /// `None` for those who may not read the log.
    history: Option<Vec<Happened>>,
    may: May,
}

/// What the one who looks may do beside what the page is for.
struct May {
    sign_out: bool,
    grant: bool,
    see_sessions: bool,
}

struct Happened {
    when: String,
    what: String,
    failed: bool,
    detail: String,
    by: Option<String>,
    from: String,
}

impl Happened {
    fn of(line: &Line) -> Self {
        let detail = line.event.detail.as_object().filter(|fields| !fields.is_empty());
        Self {
            when: line.event.at.to_the_minute(),
            what: line.event.name.clone(),
            failed: line.event.outcome == "failure",
            detail: detail.map(|_| visible(&line.event.detail.to_string())).unwrap_or_default(),
            by: line.actor_name.as_deref().map(visible),
            from: line.event.context.ip.clone().unwrap_or_default(),
        }
    }
}

async fn page(
    call: &Call,
    caller: &InSession,
    uuid: &str,
    status: StatusCode,
    problem: Option<String>,
) -> Answer {
    settle(&call.app).await;
    let mut tx = call.app.db.read().await?;
    let listed = directory::by_uuid(&mut tx, uuid).await?.ok_or(Error::NotFound)?;
    let own = user_grants::list(&mut tx, listed.user.id).await?;
    let factor = factors::active(&mut tx, listed.user.id).await?;
    let history = if caller.holds(ActivityLogManage::KEY) {
        Some(history::of_user(&mut tx, &call.app.keys.audit, listed.user.id, HISTORY).await?)
    } else {
        None
    };
    drop(tx);
    let user = &listed.user;
    let now = call.app.clock.now();
    let all_keys = api_keys::list(&call.app.db, Reach::Own(user.id)).await?;
    let known = matrix::keys(&call.app, &list(&call.app.db).await?);
    let page = Shown {
        frame: Frame::of(call, caller, users::PATH),
        problem,
        name: visible(&shown_name(user)),
        is_open: user.status == AccountStatus::Active,
        is_oneself: user.id == caller.user_id(),
        factor: factor.map(|factor| factor.enabled_at.to_the_minute()),
        made: user.created_at.to_the_minute(),
        changed: user.updated_at.to_the_minute(),
        phone: user.phone.as_deref().unwrap_or_default(),
        username: user.username.as_ref().map_or("", Username::as_str),
        types: types(user.account_type.id()),
        roles: roles(call, caller, |role| role.id == user.role_id).await?,
        own: own.iter().map(ToString::to_string).collect(),
        keys: all_keys
            .iter()
            .map(|key| keys::Line::of(key, now))
            .filter(keys::Line::is_usable)
            .collect(),
        known: known.keys().map(ToString::to_string).collect(),
        history: history.map(|lines| lines.iter().map(Happened::of).collect()),
        may: May {
            sign_out: caller.holds(UserLogoutManage::KEY),
            grant: caller.holds(UserPermissionsManage::KEY),
            see_sessions: caller.holds(SessionsList::KEY),
        },
        user,
        listed: &listed,
    };
    show_page(status, &page)
}
