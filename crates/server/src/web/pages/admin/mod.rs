//! The pages with which staff look after people, sessions and limits: one file a page, one line in
//! [`PLACES`]. Not here: what the pages do, which is in `flows`.

pub(super) mod activity;
pub(super) mod blacklist;
pub(super) mod breached_passwords;
mod choice;
pub(super) mod files;
pub(super) mod limits;
pub(super) mod report;
pub(super) mod role;
pub(super) mod roles;
pub(super) mod session_end;
pub(super) mod sessions;
pub(super) mod user;
pub(super) mod users;

use askama::Template;
use http::StatusCode;
use portcullis_domain::csrf::Kind;

use super::shown_name;
use crate::flows::administration::Halt;
use crate::web::administering::{USERNAME_IS_ADDRESS, refused};
use crate::web::caller::{
    Access as _, ActivityLogManage, Caller, FileAlertsManage, InSession, LimitsManage,
    PasswordBreachStatusManage, Permission as _, RolesManage, SecurityReportManage, SessionsList,
    SessionsManage, StaffMember, UsersManage,
};
use crate::web::door;
use crate::web::error::Error;
use crate::web::refusal::sentence;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

/// The first of these pages.
pub(super) const PATH: &str = "/-/admin";

/// Every page that the navigation leads to: its path, its name, and the key that opens it.
const PLACES: &[(&str, &str, &str)] = &[
    (users::PATH, "Users", UsersManage::KEY),
    (roles::PATH, "Roles", RolesManage::KEY),
    (sessions::PATH, "Sessions", SessionsList::KEY),
    (blacklist::PATH, "Blacklist", SessionsManage::KEY),
    (breached_passwords::PATH, "Breached passwords", PasswordBreachStatusManage::KEY),
    (limits::PATH, "Limits", LimitsManage::KEY),
    (activity::PATH, "Activity", ActivityLogManage::KEY),
    (files::PATH, "Files", FileAlertsManage::KEY),
    (report::PATH, "Security report", SecurityReportManage::KEY),
];

/// Whether somebody may open the page that stands at `path`.
fn may_open(caller: &Caller, path: &str) -> bool {
    PLACES.iter().any(|(there, _, key)| *there == path && caller.holds(key))
}

/// What stands around every page here.
pub(super) struct Frame {
    places: Vec<Place>,
    /// Who looks.
    name: String,
    /// For every form of the page.
    csrf_token: String,
}

struct Place {
    path: &'static str,
    name: &'static str,
    is_here: bool,
}

impl Frame {
    /// The frame of the page at `path`, with the places that the caller may go to.
    pub(super) fn of(call: &Call, caller: &InSession, path: &str) -> Self {
        let open = PLACES.iter().filter(|(_, _, key)| caller.holds(key));
        let place = |(there, name, _): &(&'static str, &'static str, &str)| Place {
            path: there,
            name,
            is_here: *there == path,
        };
        Self {
            places: open.map(place).collect(),
            name: shown_name(&caller.found().user),
            csrf_token: door::mint(&call.app, caller.session(), Kind::Session),
        }
    }
}

/// Whether the navigation would lead the caller anywhere.
pub(super) fn is_open_to(caller: &Caller) -> bool {
    StaffMember::<Caller>::admit(Ok(caller.clone())).is_ok()
        && PLACES.iter().any(|(_, _, key)| caller.holds(key))
}

/// What a page says of an act that was not done, and with which status.
async fn problem(call: &Call, caller: &Caller, halt: Halt) -> Result<(StatusCode, String), Error> {
    let said = match &halt {
        Halt::Refused(refusal) => Some(refusal.to_string()),
        Halt::UnknownRole => Some("There is no such role.".to_owned()),
        Halt::UsernameIsAddress => Some(format!("The username {USERNAME_IS_ADDRESS}.")),
        Halt::UnknownUser | Halt::Conflict(_) | Halt::Store(_) => None,
    };
    let error = refused(call, caller, halt).await;
    match (said, &error) {
        (Some(said), _) => Ok((error.status(), said)),
        (None, Error::Conflict(_)) => Ok((error.status(), format!("{}.", sentence(&error)))),
        (None, _) => Err(error),
    }
}

#[derive(Template)]
#[template(path = "admin.html")]
struct Index {
    frame: Frame,
}

pub(super) const SHOW: Doc =
    Doc { id: "show_admin", summary: "What you may look after, as a page.", ..Doc::USUAL };

/// `GET /-/admin`.
pub(super) async fn show(call: Call, StaffMember(caller): StaffMember<InSession>) -> Answer {
    let frame = Frame::of(&call, &caller, PATH);
    super::show(StatusCode::OK, &Index { frame })
}
