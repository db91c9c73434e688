//! The page of those who are kept out: who, since when, by whom and why; a form to keep somebody out,
//! and a button to let somebody in. Not here: what happens then, which is the same as by API.

use askama::Template;
use http::StatusCode;
use portcullis_domain::blacklist::Reason;
use portcullis_domain::text::{Email, visible};
use portcullis_store::blacklist::{After, Listed};

use super::Frame;
use crate::flows::{blacklist, users};
use crate::web::api::blacklist::{cursor, name, parse_cursor};
use crate::web::api::session_acts;
use crate::web::caller::{Fresh, InSession, SessionsManage, Staff};
use crate::web::error::{Error, Fault, Forbidden};
use crate::web::pages::show as show_page;
use crate::web::reply::redirect_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub(in crate::web::pages) const PATH: &str = "/-/admin/blacklist";
pub(in crate::web::pages) const REMOVE_PATH: &str = "/-/admin/blacklist/remove";

/// Rows of a page.
const ROWS: i64 = 50;

pub(in crate::web::pages) const SHOW: Doc =
    Doc { id: "show_blacklist", summary: "Who is kept out, as a page.", ..Doc::USUAL };

/// `GET /-/admin/blacklist`.
pub(in crate::web::pages) async fn show(
    call: Call,
    Staff(caller, ..): Staff<SessionsManage, InSession>,
) -> Answer {
    let after = call.facts.query("after").map(|text| parse_cursor(&text)).transpose()?;
    page(&call, &caller, StatusCode::OK, after, Filled::default()).await
}

pub(in crate::web::pages) const ADD: Doc = Doc {
    id: "submit_blacklist_addition",
    summary: "Keeps a user out, from the page.",
    fields: &[
        ("email", true, "The user's address."),
        ("reason", true, "Why."),
        ("csrf_token", true, "The token of the form."),
    ],
    answer: (303, ""),
    ..Doc::USUAL
};

/// `POST /-/admin/blacklist`.
pub(in crate::web::pages) async fn add(
    call: Call,
    Fresh(Staff(caller, ..)): Fresh<Staff<SessionsManage, InSession>>,
) -> Answer {
    let email = call.fields.text("email").unwrap_or_default().trim();
    let reason = call.fields.text("reason").unwrap_or_default().trim();
    let problem = match keep_out(&call, &caller, email, reason).await {
        Ok(()) => return Ok(redirect_reply(StatusCode::SEE_OTHER, PATH)),
        Err(Error::Forbidden(Forbidden::Permission { code: "above_level", .. })) => {
            "The role of this user is above your own level.".to_owned()
        }
        Err(Error::Conflict("last_owner")) => {
            "There must be one open account with the role owner that somebody can sign in to."
                .to_owned()
        }
        Err(Error::NotFound) => "There is no user with this address.".to_owned(),
        Err(Error::Invalid(faults)) => match faults.first() {
            Some(Fault { code: "own_account", .. }) => "You cannot keep yourself out.".to_owned(),
            Some(fault) => format!("The {} {}.", fault.field, fault.detail),
            None => return Err(Error::Internal),
        },
        Err(error) => return Err(error),
    };
    let filled = Filled { email, reason, problem: Some(problem) };
    page(&call, &caller, StatusCode::BAD_REQUEST, None, filled).await
}

pub(in crate::web::pages) const REMOVE: Doc = Doc {
    id: "submit_blacklist_removal",
    summary: "Lets a user in again, from the page.",
    fields: &[("user_id", true, "The user."), ("csrf_token", true, "The token of the form.")],
    answer: (303, ""),
    ..Doc::USUAL
};

/// `POST /-/admin/blacklist/remove`.
pub(in crate::web::pages) async fn remove(
    call: Call,
    Fresh(Staff(caller, ..)): Fresh<Staff<SessionsManage, InSession>>,
) -> Answer {
    let user = session_acts::user(&call.fields)?;
    match session_acts::let_in(&call, &caller, user).await {
        // Somebody was faster: it is as it was wanted.
        Ok(()) | Err(Error::NotFound) => Ok(redirect_reply(StatusCode::SEE_OTHER, PATH)),
        Err(error) => Err(error),
    }
}

#[derive(Template)]
#[template(path = "blacklist.html")]
struct Page<'a> {
    frame: Frame,
    filled: Filled<'a>,
    count: i64,
    rows: Vec<Row<'a>>,
    /// Where the next page begins.
    next: Option<String>,
    max_reason: usize,
}

/// What stands in the form when it is shown, and why it is shown again.
#[derive(Default)]
struct Filled<'a> {
    email: &'a str,
    reason: &'a str,
    problem: Option<String>,
}

struct Row<'a> {
    id: i64,
    name: String,
    email: &'a str,
    reason: Option<String>,
    since: String,
    by: Option<String>,
}

fn in_one_line(reason: &str) -> String {
    reason.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl<'a> Row<'a> {
    fn of(listed: &'a Listed) -> Self {
        Self {
            id: listed.user.id.0,
            name: visible(&name(&listed.user)),
            email: listed.user.email.as_str(),
            reason: listed.reason.as_deref().map(|reason| visible(&in_one_line(reason))),
            since: listed.created_at.to_the_minute(),
            by: listed.added_by.as_ref().map(|by| visible(&name(by))),
        }
    }
}

async fn page(
    call: &Call,
    caller: &InSession,
    status: StatusCode,
    after: Option<After>,
    filled: Filled<'_>,
) -> Answer {
    let listed = blacklist::list(&call.app.db, after, ROWS).await?;
    let page = Page {
        frame: Frame::of(call, caller, PATH),
        filled,
        count: listed.count,
        rows: listed.rows.iter().map(Row::of).collect(),
        next: listed.next.map(cursor),
        max_reason: Reason::MAX_CHARS,
    };
    show_page(status, &page)
}

/// By the address, which people know.
async fn keep_out(call: &Call, caller: &InSession, email: &str, reason: &str) -> Result<(), Error> {
    let Ok(email) = Email::parse(email) else { return Err(Error::NotFound) };
    let reason = session_acts::parse_reason(reason)?;
    let user = users::find(&call.app.db, &email).await?.ok_or(Error::NotFound)?;
    session_acts::blacklist(call, caller, user.id, Some(&reason)).await
}
