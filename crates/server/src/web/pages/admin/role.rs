//! The page of one role: its name, its level, and all that it holds, wildcards included. What happens
//! is the same as by API.

use askama::Template;
use http::StatusCode;
use portcullis_domain::id::RoleId;
use portcullis_domain::role::Role;

use super::{Frame, problem, roles};
use crate::flows::administration::Halt;
use crate::flows::roles::administer;
use crate::web::api::roles::{level, name};
use crate::web::api::users::fields::{grants_or_none, invalid, role_id};
use crate::web::caller::{Fresh, InSession, RolesManage, Staff};
use crate::web::error::Error;
use crate::web::input::whole_number;
use crate::web::pages::show as show_page;
use crate::web::refusal::sentence;
use crate::web::reply::redirect_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub(in crate::web::pages) const PATH: &str = "/-/admin/role";

pub(in crate::web::pages) const SHOW: Doc =
    Doc { id: "show_role", summary: "One role, by ?id=, as a page.", ..Doc::USUAL };

/// `GET /-/admin/role`.
pub(in crate::web::pages) async fn show(
    call: Call,
    Staff(caller, _): Staff<RolesManage, InSession>,
) -> Answer {
    let id = call.facts.query("id").and_then(|text| whole_number(&text)).ok_or(Error::NotFound)?;
    page(&call, &caller, RoleId(id), StatusCode::OK, None).await
}

pub(in crate::web::pages) const SUBMIT: Doc = Doc {
    id: "submit_role",
    summary: "Changes a role, from the page: update, permissions or delete.",
    fields: &[
        ("action", true, "One of the actions."),
        ("role_id", true, "The role."),
        ("name", false, "The name."),
        ("level", false, "The level."),
        ("permissions", false, "Its permission keys, one a line."),
        ("csrf_token", true, "The token of the form."),
    ],
    answer: (303, ""),
    ..Doc::USUAL
};

/// `POST /-/admin/role`.
pub(in crate::web::pages) async fn submit(
    call: Call,
    Fresh(Staff(caller, _)): Fresh<Staff<RolesManage, InSession>>,
) -> Answer {
    let id = role_id(&call.fields)?;
    let action = call.fields.text("action").unwrap_or_default();
    match act(&call, &caller, id, action).await {
        Ok(Ok(())) if action == "delete" => Ok(redirect_reply(StatusCode::SEE_OTHER, roles::PATH)),
        Ok(Ok(())) => Ok(redirect_reply(StatusCode::SEE_OTHER, &format!("{PATH}?id={id}"))),
        Ok(Err(halt)) => {
            let (status, text) = problem(&call, &caller, halt).await?;
            page(&call, &caller, id, status, Some(text)).await
        }
        Err(error @ Error::Invalid(_)) => {
            let text = Some(sentence(&error));
            page(&call, &caller, id, StatusCode::BAD_REQUEST, text).await
        }
        Err(error) => Err(error),
    }
}

async fn act(
    call: &Call,
    caller: &InSession,
    id: RoleId,
    action: &str,
) -> Result<Result<(), Halt>, Error> {
    let (app, context) = (&call.app, call.facts.context_of(caller));
    Ok(match action {
        "update" => {
            let (name, level) = (name(&call.fields)?, level(&call.fields)?);
            administer::update(app, &context, id, name.as_ref(), level).await.map(drop)
        }
        "permissions" => {
            let wanted = grants_or_none(&call.fields, "permissions").map_err(invalid)?;
            administer::set_permissions(app, &context, id, &wanted).await.map(drop)
        }
        "delete" => administer::delete(app, &context, id).await,
        _ => return Err(Error::NotFound),
    })
}

#[derive(Template)]
#[template(path = "admin_role.html")]
struct Shown<'a> {
    frame: Frame,
    problem: Option<String>,
    role: &'a Role,
    members: i64,
    /// Lines of the field.
    height: usize,
}

async fn page(
    call: &Call,
    caller: &InSession,
    id: RoleId,
    status: StatusCode,
    problem: Option<String>,
) -> Answer {
    let all = administer::list(&call.app).await?;
    let with = all.iter().find(|with| with.role.id == id).ok_or(Error::NotFound)?;
    let page = Shown {
        frame: Frame::of(call, caller, roles::PATH),
        problem,
        role: &with.role,
        members: with.members,
        height: with.role.grants.len().clamp(4, 24) + 2,
    };
    show_page(status, &page)
}
