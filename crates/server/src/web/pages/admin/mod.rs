//! The pages with which staff look after people, sessions and limits: one file a page, one line in
//! [`PLACES`]. Not here: what the pages do, which is in `flows`.

pub(super) mod blacklist;
pub(super) mod session_end;

use askama::Template;
use http::StatusCode;
use portcullis_domain::csrf::Kind;

use super::shown_name;
use crate::web::caller::{Caller, Permission as _, SessionsManage, StaffMember};
use crate::web::door;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

/// The first of these pages.
pub(super) const PATH: &str = "/-/admin";

/// Every page that the navigation leads to: its path, its name, and the key that opens it.
const PLACES: &[(&str, &str, &str)] = &[(blacklist::PATH, "Blacklist", SessionsManage::KEY)];

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
    pub(super) fn of(call: &Call, caller: &Caller, path: &str) -> Self {
        let open = PLACES.iter().filter(|(_, _, key)| caller.holds(key));
        let place = |(there, name, _): &(&'static str, &'static str, &str)| Place {
            path: there,
            name,
            is_here: *there == path,
        };
        Self {
            places: open.map(place).collect(),
            name: shown_name(&caller.found().user),
            csrf_token: door::mint(&call.app, caller, Kind::Session),
        }
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
pub(super) async fn show(call: Call, StaffMember(caller): StaffMember) -> Answer {
    let frame = Frame::of(&call, &caller, PATH);
    super::show(StatusCode::OK, &Index { frame })
}
