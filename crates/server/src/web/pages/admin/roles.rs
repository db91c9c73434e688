//! The page of all roles: a table of boxes, permission by role, which is saved a role at a time; a form
//! for a new role; roles as a file, out and in. Not here: one role, which has a page of its own in `role`.

use std::collections::BTreeSet;

use askama::Template;
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use portcullis_domain::administration::is_owner;
use portcullis_domain::id::RoleId;
use portcullis_domain::permission::{Grant, Grants, Key};
use portcullis_domain::role;
use portcullis_domain::text::visible;

use super::{Frame, problem};
use crate::flows::roles::administer::{self, Cell, WithMembers};
use crate::flows::roles::{export, list};
use crate::web::api::roles::matrix::keys;
use crate::web::api::roles::{Imported, import, level, name};
use crate::web::api::users::fields::{invalid, role_id};
use crate::web::caller::{Fresh, InSession, RolesManage, Staff};
use crate::web::error::{Error, Fault};
use crate::web::pages::show as show_page;
use crate::web::refusal::sentence;
use crate::web::reply::{html_reply, redirect_reply};
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub(in crate::web::pages) const PATH: &str = "/-/admin/roles";
pub(in crate::web::pages) const EXPORT_PATH: &str = "/-/admin/roles/export";

pub(in crate::web::pages) const SHOW: Doc =
    Doc { id: "show_roles", summary: "The roles and what they hold, as a page.", ..Doc::USUAL };

/// `GET /-/admin/roles`.
pub(in crate::web::pages) async fn show(
    call: Call,
    Staff(caller, _): Staff<RolesManage, InSession>,
) -> Answer {
    page(&call, &caller, StatusCode::OK, Told::default()).await
}

pub(in crate::web::pages) const EXPORT: Doc =
    Doc { id: "export_roles", summary: "The roles as a file.", ..Doc::USUAL };

/// `GET /-/admin/roles/export`.
pub(in crate::web::pages) async fn exported(
    call: Call,
    Staff(..): Staff<RolesManage, InSession>,
) -> Answer {
    let text = export(&list(&call.app.db).await?);
    let mut reply = html_reply(StatusCode::OK, text);
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let name = HeaderValue::from_static("attachment; filename=\"roles.json\"");
    headers.insert(CONTENT_DISPOSITION, name);
    Ok(reply)
}

pub(in crate::web::pages) const SUBMIT: Doc = Doc {
    id: "submit_roles",
    summary: "Changes roles, from the page: cells, create or import.",
    fields: &[
        ("action", true, "One of the actions."),
        (
            "role_id",
            false,
            "The role, for cells; with a field key:KEY for each box that is ticked.",
        ),
        ("was", false, "The keys whose boxes were ticked before, with spaces between."),
        ("name", false, "The name, for create."),
        ("level", false, "The level, for create."),
        ("roles", false, "The content of the file, for import."),
        ("csrf_token", true, "The token of the form."),
    ],
    answer: (303, ""),
    ..Doc::USUAL
};

/// `POST /-/admin/roles`.
pub(in crate::web::pages) async fn submit(
    call: Call,
    Fresh(Staff(caller, _)): Fresh<Staff<RolesManage, InSession>>,
) -> Answer {
    let done = match call.fields.text("action") {
        Some("cells") => set_cells(&call, &caller).await,
        Some("create") => create(&call, &caller).await,
        Some("import") => return import_all(&call, &caller).await,
        Some(_) | None => Err(Error::NotFound),
    };
    match done {
        Ok(None) => Ok(redirect_reply(StatusCode::SEE_OTHER, PATH)),
        Ok(Some((status, text))) => page(&call, &caller, status, Told::problem(vec![text])).await,
        Err(error @ Error::Invalid(_)) => {
            let told = Told::problem(vec![sentence(&error)]);
            page(&call, &caller, StatusCode::BAD_REQUEST, told).await
        }
        Err(error) => Err(error),
    }
}

type Done = Result<Option<(StatusCode, String)>, Error>;

/// Only what was ticked or unticked is changed: what somebody else did in between stays.
async fn set_cells(call: &Call, caller: &InSession) -> Done {
    let role = role_id(&call.fields)?;
    let parse = |text: &str| Key::parse(text).ok();
    let was: BTreeSet<Key> =
        call.fields.text("was").unwrap_or_default().split(' ').filter_map(parse).collect();
    let ticked = call.fields.names().filter_map(|name| name.strip_prefix("key:"));
    let is: BTreeSet<Key> = ticked.filter_map(parse).collect();
    let cell = |key: &Key, held| Cell { role, grant: Grant::Key(key.clone()), held };
    let more = is.difference(&was).map(|key| cell(key, true));
    let less = was.difference(&is).map(|key| cell(key, false));
    let cells: Vec<_> = more.chain(less).collect();
    let context = call.facts.context_of(caller);
    match administer::set_cells(&call.app, &context, &cells).await {
        Ok(_) => Ok(None),
        Err(halt) => problem(call, caller, halt).await.map(Some),
    }
}

async fn create(call: &Call, caller: &InSession) -> Done {
    let name = name(&call.fields)?.ok_or_else(|| invalid(Fault::required("name")))?;
    let level = level(&call.fields)?.ok_or_else(|| invalid(Fault::required("level")))?;
    let context = call.facts.context_of(caller);
    match administer::create(&call.app, &context, &name, level, &Grants::default()).await {
        Ok(_) => Ok(None),
        Err(halt) => problem(call, caller, halt).await.map(Some),
    }
}

async fn import_all(call: &Call, caller: &InSession) -> Answer {
    let text = call.fields.text("roles").unwrap_or_default();
    let (status, faults) = match import(call, caller, text).await? {
        Imported::Done { created, changed, unchanged } => {
            let said = format!("{created} made, {changed} changed, {unchanged} as they were.");
            let told = Told { said: Some(said), ..Told::default() };
            return page(call, caller, StatusCode::OK, told).await;
        }
        Imported::Unreadable(faults) => (StatusCode::BAD_REQUEST, faults),
        Imported::Denied(faults) => (StatusCode::FORBIDDEN, faults),
    };
    let problem = Some(faults.iter().take(20).map(ToString::to_string).collect());
    let told = Told { problem, said: None, pasted: text.to_owned() };
    page(call, caller, status, told).await
}

/// What the page says beside the roles.
#[derive(Default)]
struct Told {
    problem: Option<Vec<String>>,
    said: Option<String>,
    /// What stands in the field of the file.
    pasted: String,
}

impl Told {
    fn problem(lines: Vec<String>) -> Self {
        Self { problem: Some(lines), ..Self::default() }
    }
}

#[derive(Template)]
#[template(path = "admin_roles.html")]
struct Roles {
    frame: Frame,
    problem: Option<Vec<String>>,
    said: Option<String>,
    pasted: String,
    columns: Vec<Column>,
    rows: Vec<Row>,
}

/// A role.
struct Column {
    id: RoleId,
    name: String,
    level: u8,
    members: i64,
    /// Nothing of it can be changed by the one who looks.
    fixed: bool,
    /// The keys whose boxes are ticked and can be unticked.
    was: String,
}

/// A permission.
struct Row {
    key: String,
    opens: String,
    cells: Vec<Tick>,
}

/// Whether a role holds a permission.
struct Tick {
    role: RoleId,
    name: String,
    held: bool,
    fixed: bool,
}

async fn page(call: &Call, caller: &InSession, status: StatusCode, told: Told) -> Answer {
    let with = administer::list(&call.app).await?;
    let roles: Vec<_> = with.iter().map(|with| with.role.clone()).collect();
    let known = keys(&call.app, &roles);
    let rows = known.iter().map(|(key, opens)| Row {
        key: key.to_string(),
        opens: opens.join(", "),
        cells: with.iter().map(|with| cell(caller, with, key)).collect(),
    });
    let page = Roles {
        frame: Frame::of(call, caller, PATH),
        problem: told.problem,
        said: told.said,
        pasted: told.pasted,
        rows: rows.collect(),
        columns: with.iter().map(|with| column(caller, with, known.keys())).collect(),
    };
    show_page(status, &page)
}

fn column<'k>(
    caller: &InSession,
    with: &WithMembers,
    keys: impl Iterator<Item = &'k Key>,
) -> Column {
    let free = keys.filter(|key| {
        let cell = cell(caller, with, key);
        cell.held && !cell.fixed
    });
    let was: Vec<_> = free.map(Key::as_str).collect();
    Column {
        id: with.role.id,
        name: visible(&with.role.name),
        level: with.role.level.get(),
        members: with.members,
        fixed: is_fixed(caller, with),
        was: was.join(" "),
    }
}

fn cell(caller: &InSession, with: &WithMembers, key: &Key) -> Tick {
    let role = &with.role;
    let grant = Grant::Key(key.clone());
    let (held, by_name) = (role.grants.allows(key), role.grants.contains(&grant));
    let by_wider = role.grants.iter().any(|wider| *wider != grant && wider.covers(&grant));
    let may_give = by_name || caller.grants().allows(key);
    let fixed = is_fixed(caller, with) || by_wider || !may_give;
    Tick { role: role.id, name: visible(&role.name), held, fixed }
}

fn is_fixed(caller: &InSession, with: &WithMembers) -> bool {
    is_owner(&with.role) || role::may_revoke(&caller.authority(), &with.role).is_err()
}
