//! Who is signed in, for staff: search, and page by page.

use askama::Template;
use http::StatusCode;
use portcullis_domain::session::SignInForm;

use super::Frame;
use crate::flows::sessions;
use crate::web::caller::{InSession, Permission as _, SessionsList, SessionsTerminate, Staff};
use crate::web::error::Error;
use crate::web::pages::sessions::Line;
use crate::web::refusal::sentence;
use crate::web::request::Call;
use crate::web::sessions::{Showing, query};
use crate::web::table::{Answer, Doc};

pub(in crate::web::pages) const PATH: &str = "/-/admin/sessions";
/// Sessions on one page.
const ON_A_PAGE: u64 = 50;
/// What the link to older ones repeats of the question.
const PARAMETERS: [&str; 5] = ["user", "user_id", "ip", "kind", "session_id"];

pub(in crate::web::pages) const SHOW: Doc =
    Doc { id: "show_sessions", summary: "Who is signed in, as a page for staff.", ..Doc::USUAL };

#[derive(Template)]
#[template(path = "admin_sessions.html")]
struct Sessions {
    frame: Frame,
    /// What was asked for.
    user: String,
    ip: String,
    kinds: Vec<Kind>,
    /// What is wrong with the question.
    problem: Option<String>,
    found: Found,
    /// Whether the caller may end the sessions of others.
    may_end: bool,
    is_filtered: bool,
    is_first: bool,
}

/// One way to sign in, to choose from.
struct Kind {
    word: &'static str,
    is_chosen: bool,
}

#[derive(Default)]
struct Found {
    lines: Vec<Line>,
    total: u64,
    older: Option<String>,
}

/// `GET /-/admin/sessions`.
pub(in crate::web::pages) async fn show(
    call: Call,
    staff: Staff<SessionsList, InSession>,
) -> Answer {
    let Staff(caller, _) = staff;
    let (found, problem) = match find(&call, &caller).await {
        Ok(found) => (found, None),
        Err(error @ Error::Invalid(_)) => (Found::default(), Some(sentence(&error))),
        Err(error) => return Err(error),
    };
    let asked = |name| call.facts.query(name).unwrap_or_default();
    let kind = asked("kind");
    let of_form = |form: SignInForm| Kind { word: form.as_str(), is_chosen: form.as_str() == kind };
    let status = if problem.is_none() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let page = Sessions {
        frame: Frame::of(&call, &caller, PATH),
        user: asked("user"),
        ip: asked("ip"),
        kinds: SignInForm::ALL.map(of_form).into(),
        problem,
        found,
        may_end: caller.holds(SessionsTerminate::KEY),
        is_filtered: PARAMETERS.iter().any(|name| !asked(name).is_empty()),
        is_first: call.facts.query("after").is_none(),
    };
    crate::web::pages::show(status, &page)
}

async fn find(call: &Call, caller: &InSession) -> Result<Found, Error> {
    let (filter, part) = query::of_page(&call.facts, ON_A_PAGE)?;
    let listing = sessions::list(&call.app, &filter, &part).await?;
    let listing = listing.ok_or_else(query::unknown_after)?;
    let last = listing.sessions.last().filter(|_| listing.has_more);
    let older = last.map(|last| query::next(&call.facts, PATH, &PARAMETERS, &last.handle));
    let (mut showing, now) = (Showing::to(&call.app, caller), call.app.clock.now());
    let line = |session| Line::of(&mut showing, session, now);
    let lines = listing.sessions.into_iter().map(line).collect();
    Ok(Found { lines, total: listing.total, older })
}
