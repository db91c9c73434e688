//! The page of one alert: all that is known of it, what the file and the good one differ in, and what can
//! be made of it.

use askama::Template;
use http::StatusCode;
use portcullis_domain::integrity::alert::{Resolution, Status};
use portcullis_domain::text::visible;
use portcullis_domain::time::Time;
use portcullis_integrity::path::show as shown_path;
use portcullis_store::integrity::alerts::Alert;
use portcullis_store::integrity::sightings::Witness;
use portcullis_store::users;

use super::form::{self, Form};
use super::words;
use crate::flows::integrity::Monitor;
use crate::flows::integrity::alerts::{self, Difference, Known, Version};
use crate::flows::integrity::judge::{Act, Judged, acceptable};
use crate::flows::integrity::words::why_not;
use crate::web::api::file_integrity::judge;
use crate::web::caller::{
    BaselinesManage, FileAlertsManage, Fresh, InSession, Permission as _, Staff,
};
use crate::web::error::Error;
use crate::web::input::whole_number;
use crate::web::pages::admin::Frame;
use crate::web::pages::{show as show_page, shown_name};
use crate::web::reply::redirect_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub(super) const PATH: &str = "/-/admin/files/alert";
pub(super) const ACCEPT_PATH: &str = "/-/admin/files/accept";

pub(super) const SHOW: Doc = Doc {
    id: "show_file_alert",
    summary: "An alert of a watched file with all that is known of it, as a page.",
    ..Doc::USUAL
};

/// `GET /-/admin/files/alert`.
pub(super) async fn show(
    call: Call,
    Staff(caller, _): Staff<FileAlertsManage, InSession>,
) -> Answer {
    let id = call.facts.query("id").and_then(|text| whole_number(&text)).ok_or(Error::NotFound)?;
    page(&call, &caller, id, StatusCode::OK, None).await
}

pub(super) const SUBMIT: Doc = Doc {
    id: "submit_file_alert",
    summary: "Resolves, ignores or deletes an alert from its page.",
    fields: &[
        ("alert_id", true, "The number of the alert."),
        ("action", true, "resolve, ignore or delete."),
        ("resolution", false, "reverted, false_positive or remediated."),
        ("days", false, "For how many days it is ignored, from 1 to 366."),
        ("note", false, "Why; whoever ignores must say."),
        ("csrf_token", true, "The token of the form."),
    ],
    answer: (303, ""),
    ..Doc::USUAL
};

/// `POST /-/admin/files/alert`.
pub(super) async fn submit(
    call: Call,
    Fresh(Staff(caller, _)): Fresh<Staff<FileAlertsManage, InSession>>,
) -> Answer {
    let id = alert_id(&call)?;
    let form = match Form::read(&call.fields, call.app.clock.now()) {
        Ok(form) => form,
        Err(problem) => {
            return page(&call, &caller, id, StatusCode::BAD_REQUEST, Some(problem)).await;
        }
    };
    act(&call, &caller, id, form).await
}

pub(super) const ACCEPT: Doc = Doc {
    id: "submit_file_acceptance",
    summary: "Makes a baseline that says what was found for an alert, from its page.",
    fields: &[
        ("alert_id", true, "The number of the alert."),
        ("note", true, "Why."),
        ("csrf_token", true, "The token of the form."),
    ],
    ..SUBMIT
};

/// `POST /-/admin/files/accept`.
pub(super) async fn accept(
    call: Call,
    Fresh(Staff(caller, _)): Fresh<Staff<BaselinesManage, InSession>>,
) -> Answer {
    let id = alert_id(&call)?;
    let note = form::note(&call.fields).and_then(|note| {
        if note.is_empty() { Err("Say why it ought to be like this.".to_owned()) } else { Ok(note) }
    });
    match note {
        Ok(note) => {
            let act = Act::Resolve(Some(Resolution::Accepted));
            self::act(&call, &caller, id, Form { act, note }).await
        }
        Err(problem) => page(&call, &caller, id, StatusCode::BAD_REQUEST, Some(problem)).await,
    }
}

fn alert_id(call: &Call) -> Result<i64, Error> {
    call.fields.text("alert_id").and_then(whole_number).ok_or(Error::NotFound)
}

async fn act(call: &Call, caller: &InSession, id: i64, form: Form<'_>) -> Answer {
    let done = judge::done(call, caller, &[id], form.act, form.note).await?;
    let problem = match done.first().map(|(_, judged)| judged) {
        // Somebody who was faster did what was wanted.
        Some(Judged::Changed | Judged::Unchanged) if form.act == Act::Delete => {
            return Ok(redirect_reply(StatusCode::SEE_OTHER, super::PATH));
        }
        Some(Judged::Changed | Judged::Unchanged) => {
            return Ok(redirect_reply(StatusCode::SEE_OTHER, &format!("{PATH}?id={id}")));
        }
        Some(Judged::NotAcceptable) => "No baseline can say what was found here.",
        Some(Judged::Overtaken) => {
            "The baseline became another one meanwhile, or cannot be believed. Nothing was accepted."
        }
        Some(Judged::Unknown) | None => return Err(Error::NotFound),
    };
    page(call, caller, id, StatusCode::CONFLICT, Some(problem.to_owned())).await
}

#[derive(Template)]
#[template(path = "admin_file.html")]
struct Page<'a> {
    frame: Frame,
    problem: Option<String>,
    alert: &'a Alert,
    mark: &'static str,
    what: &'static str,
    is_new: bool,
    may: May,
    standing: String,
    was: String,
    found: String,
    moved: Option<String>,
    first: String,
    last: String,
    since: Option<String>,
    check: Option<String>,
    deployment: Option<String>,
    witnesses: Vec<Person<'a>>,
    others: Vec<Other>,
    diff: Shown,
    /// What was typed, when it is shown again.
    note: &'a str,
    days: &'a str,
}

/// What can be made of it.
struct May {
    resolve: bool,
    ignore: bool,
    accept: bool,
}

/// Somebody of the staff who was signed in.
struct Person<'a> {
    name: String,
    role: String,
    level: i64,
    ip: &'a str,
    began: String,
    ended: Option<String>,
}

/// Another alert of the path.
struct Other {
    id: i64,
    what: &'static str,
    status: &'static str,
    details: String,
    at: String,
}

/// A difference, line by line, or why there is none.
struct Shown {
    lines: Vec<(&'static str, String)>,
    added: i64,
    removed: i64,
    why_not: Option<&'static str>,
    looks_like: Option<&'static str>,
    is_current: bool,
    /// Something else is there by now.
    is_past: bool,
}

async fn page(
    call: &Call,
    caller: &InSession,
    id: i64,
    status: StatusCode,
    problem: Option<String>,
) -> Answer {
    let known = alerts::by_id(&call.app.db, id).await?.ok_or(Error::NotFound)?;
    let is_current = call.facts.query("version").as_deref() == Some("current");
    let version = if is_current { Version::Current } else { Version::Found };
    let context = call.facts.context_of(caller);
    let difference = alerts::difference(&Monitor::of(&call.app, &context), id, version).await?;
    let difference = difference.ok_or(Error::NotFound)?;
    let standing = standing(call, &known.alert).await?;
    let typed = |name| call.fields.text(name).unwrap_or_default();
    let Known { alert, sighting, witnesses, of_path } = &known;
    let about = &alert.about;
    let sighting = sighting.as_ref();
    let others = of_path.iter().filter(|other| other.id != id);
    let page = Page {
        frame: Frame::of(call, caller, super::PATH),
        problem,
        mark: words::mark(about.severity),
        what: words::kind(about.kind),
        is_new: alert.status == Status::New,
        may: May::of(caller, alert),
        standing,
        was: words::entry(&about.was),
        found: words::entry(&about.found),
        moved: about.moved.as_deref().map(shown_path),
        first: alert.created_at.to_the_minute(),
        last: alert.last_seen_at.to_the_minute(),
        since: sighting.and_then(|sighting| sighting.since).map(Time::to_the_minute),
        check: sighting.and_then(|sighting| sighting.check).map(|id| id.as_str().to_owned()),
        deployment: sighting
            .and_then(|sighting| sighting.deployment)
            .map(|id| id.as_str().to_owned()),
        witnesses: witnesses.iter().map(Person::of).collect(),
        others: others.map(Other::of).collect(),
        diff: Shown::of(difference, is_current),
        note: typed("note"),
        days: typed("days"),
        alert,
    };
    show_page(status, &page)
}

impl May {
    fn of(caller: &InSession, alert: &Alert) -> Self {
        let is_open = alert.status != Status::Resolved;
        Self {
            resolve: is_open,
            ignore: is_open,
            accept: acceptable(&alert.about).is_some()
                && alert.resolution != Some(Resolution::Accepted)
                && caller.holds(BaselinesManage::KEY),
        }
    }
}

/// What was made of it so far.
async fn standing(call: &Call, alert: &Alert) -> Result<String, Error> {
    let by = match alert.judged_by {
        Some(id) => users::by_id(&mut call.app.db.read().await?, id).await?,
        None => None,
    };
    let by = by.map_or_else(String::new, |by| format!(" by {}", visible(&shown_name(&by))));
    let at = alert.judged_at.map_or_else(String::new, |at| format!(" on {}", at.to_the_minute()));
    Ok(match alert.status {
        Status::New if alert.reopened > 0 => {
            "New again: it was resolved or ignored, and was seen since.".to_owned()
        }
        Status::New => "New.".to_owned(),
        Status::Resolved => {
            let how = alert.resolution.map_or("", words::resolution);
            let how = if how.is_empty() { String::new() } else { format!(": {how}") };
            format!("Resolved{at}{by}{how}.")
        }
        Status::Ignored => {
            let until = alert.ignored_until.map(Time::to_the_minute).unwrap_or_default();
            format!("Ignored until {until}, as was said{at}{by}.")
        }
    })
}

impl<'a> Person<'a> {
    fn of(witness: &'a Witness) -> Self {
        let name = witness.email.as_deref().map(visible);
        Self {
            name: name.unwrap_or_else(|| format!("user {}, whose account is gone", witness.user.0)),
            role: visible(&witness.role),
            level: witness.level,
            ip: &witness.ip,
            began: witness.signed_in_at.to_the_minute(),
            ended: witness.ended_at.map(Time::to_the_minute),
        }
    }
}

impl Other {
    fn of(alert: &Alert) -> Self {
        Self {
            id: alert.id,
            what: words::kind(alert.about.kind),
            status: alert.status.as_str(),
            details: alert.about.details.clone(),
            at: alert.created_at.to_the_minute(),
        }
    }
}

impl Shown {
    fn of(difference: Difference, is_current: bool) -> Self {
        let Difference { diff, added, removed, unavailable, sides, .. } = difference;
        // Two lines that name the files differ in nothing.
        let text = if added == 0 && removed == 0 { "" } else { &*diff };
        let lines = text.lines().enumerate();
        Self {
            lines: lines.map(|(place, line)| (class(place, line), line.to_owned())).collect(),
            added,
            removed,
            why_not: unavailable.as_deref().map(why_not),
            looks_like: sides.looks_like,
            is_current,
            is_past: sides.current_differs == Some(true),
        }
    }
}

/// How a line of a difference looks: two lines name the files, and the others begin with a sign.
fn class(place: usize, line: &str) -> &'static str {
    match line.bytes().next() {
        Some(b'+') if place > 1 => "added",
        Some(b'-') if place > 1 => "removed",
        Some(b'@') => "place",
        _ if place < 2 => "place",
        _ => "same",
    }
}
