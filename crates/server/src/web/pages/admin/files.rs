//! The pages of the watch over files: how it stands and the alerts here, one alert, and baselines with
//! deployments. Not here: what alerts mean and what becomes of them, which is in `flows::integrity`.

mod alert;
mod baselines;
mod form;
mod standing;
mod words;

use askama::Template;
use http::{HeaderName, Method, StatusCode};
use portcullis_domain::id::CheckId;
use portcullis_domain::integrity::alert::{Kind, Severity, Status};
use portcullis_domain::integrity::{Cause, CheckState};
use portcullis_store::integrity::alerts::{Alert, Order};

use self::form::{Form, Picked};
use self::standing::{Check, Root};
use super::Frame;
use crate::file_watch;
use crate::flows::integrity::check::{self, Begun};
use crate::flows::integrity::{Monitor, alerts, status};
use crate::web::api::file_integrity::alerts::Asked;
use crate::web::api::file_integrity::judge;
use crate::web::caller::{FileAlertsManage, Fresh, InSession, Staff};
use crate::web::error::Error;
use crate::web::pages::show as show_page;
use crate::web::refusal::sentence;
use crate::web::reply::{redirect_reply, set_header};
use crate::web::request::{Call, Facts};
use crate::web::table::{Answer, Doc, Row, row};

pub(super) const PATH: &str = "/-/admin/files";
const CHECK_PATH: &str = "/-/admin/files/check";

/// Alerts of a page.
const ROWS: i64 = 25;
/// What the links to other pages repeat of the question.
const PARAMETERS: [&str; 5] = ["status", "severity", "change_type", "root", "sortBy"];

/// The rows of the route table.
pub(in crate::web::pages) fn rows() -> Vec<Row> {
    vec![
        row(Method::GET, PATH, SHOW, show),
        row(Method::POST, PATH, SUBMIT, submit),
        row(Method::POST, CHECK_PATH, CHECK, check_now),
        row(Method::GET, alert::PATH, alert::SHOW, alert::show),
        row(Method::POST, alert::PATH, alert::SUBMIT, alert::submit),
        row(Method::POST, alert::ACCEPT_PATH, alert::ACCEPT, alert::accept),
        row(Method::GET, baselines::PATH, baselines::SHOW, baselines::show),
        row(Method::POST, baselines::PATH, baselines::RECORD, baselines::record),
        row(Method::POST, baselines::CLOSE_PATH, baselines::CLOSE, baselines::close),
    ]
}

const SHOW: Doc = Doc {
    id: "show_files",
    summary: "How it stands with the watch over files, and its alerts, as a page.",
    ..Doc::USUAL
};

/// `GET /-/admin/files`.
async fn show(call: Call, Staff(caller, _): Staff<FileAlertsManage, InSession>) -> Answer {
    page(&call, &caller, StatusCode::OK, None).await
}

const SUBMIT: Doc = Doc {
    id: "submit_file_alerts",
    summary: "Resolves, ignores or deletes the alerts that were ticked on the page.",
    fields: &[
        ("action", true, "resolve, ignore or delete."),
        ("alert_N", true, "A ticked box, with the number of the alert for N."),
        ("days", false, "For how many days they are ignored, from 1 to 366."),
        ("note", false, "Why; whoever ignores must say."),
        ("csrf_token", true, "The token of the form."),
    ],
    answer: (303, ""),
    ..Doc::USUAL
};

/// `POST /-/admin/files`.
async fn submit(
    call: Call,
    Fresh(Staff(caller, _)): Fresh<Staff<FileAlertsManage, InSession>>,
) -> Answer {
    let read = Picked::read(&call.fields).and_then(|picked| {
        let form = Form::read(&call.fields, call.app.clock.now())?;
        Ok((picked, form))
    });
    let (picked, form) = match read {
        Ok(read) => read,
        Err(problem) => return page(&call, &caller, StatusCode::BAD_REQUEST, Some(problem)).await,
    };
    // Alerts that somebody else was faster with are as it was wanted.
    judge::done(&call, &caller, &picked.ids, form.act, form.note).await?;
    Ok(redirect_reply(StatusCode::SEE_OTHER, &link(&call.facts, &[])))
}

const CHECK: Doc = Doc {
    id: "submit_file_check",
    summary: "Begins a check from the page, or stops the one that goes on.",
    fields: &[
        ("stop", false, "The check that is to stop."),
        ("csrf_token", true, "The token of the form."),
    ],
    answer: (303, ""),
    ..Doc::USUAL
};

/// `POST /-/admin/files/check`.
async fn check_now(
    call: Call,
    Fresh(Staff(caller, _)): Fresh<Staff<FileAlertsManage, InSession>>,
) -> Answer {
    let context = call.facts.context_of(&caller);
    let monitor = Monitor::of(&call.app, &context);
    if let Some(id) = call.fields.text("stop") {
        let id = CheckId::parse(id).ok_or(Error::NotFound)?;
        // One that is over by now is stopped.
        check::cancel(&monitor, id).await?;
        return Ok(redirect_reply(StatusCode::SEE_OTHER, PATH));
    }
    match check::begin(&monitor, Cause::Request).await? {
        Begun::Started(id) => file_watch::spawn_check(&call.app, id, context),
        Begun::Running(_) => {}
        // The page says how to begin.
        Begun::NoRoots => return Ok(redirect_reply(StatusCode::SEE_OTHER, PATH)),
    }
    let following = format!("{PATH}?follow=1");
    Ok(redirect_reply(StatusCode::SEE_OTHER, &following))
}

#[derive(Template)]
#[template(path = "admin_files.html")]
struct Page {
    frame: Frame,
    problem: Option<String>,
    roots: Vec<Root>,
    open: Vec<(Severity, i64)>,
    check: Option<Check>,
    /// The page comes again by itself until the check is over.
    is_followed: bool,
    choices: Choices,
    lines: Vec<Line>,
    total: i64,
    /// Where the form leads, with the question that was asked.
    here: String,
    earlier: Option<String>,
    later: Option<String>,
    /// What was typed, when it is shown again.
    note: String,
    days: String,
}

/// What to choose from: values with their words, and whether they are chosen.
struct Choices {
    statuses: Vec<Choice>,
    severities: Vec<Choice>,
    kinds: Vec<Choice>,
    roots: Vec<Choice>,
    orders: Vec<Choice>,
}

struct Choice {
    value: String,
    word: String,
    is_chosen: bool,
}

/// An alert in the list.
struct Line {
    id: i64,
    severity: &'static str,
    mark: &'static str,
    what: &'static str,
    path: String,
    details: String,
    since: String,
    often: Option<String>,
    status: Option<&'static str>,
    is_ticked: bool,
}

impl Line {
    fn of(alert: &Alert, call: &Call) -> Self {
        let about = &alert.about;
        let again = |times: i64| format!("seen {times} times");
        Self {
            id: alert.id,
            severity: about.severity.as_str(),
            mark: words::mark(about.severity),
            what: words::kind(about.kind),
            path: about.file_path.clone(),
            details: about.details.clone(),
            since: alert.created_at.to_the_minute(),
            often: (alert.occurrences > 1).then(|| again(alert.occurrences)),
            status: (alert.status != Status::New).then(|| alert.status.as_str()),
            is_ticked: call.fields.has(&format!("{}{}", form::TICK, alert.id)),
        }
    }
}

async fn page(
    call: &Call,
    caller: &InSession,
    mut code: StatusCode,
    mut problem: Option<String>,
) -> Answer {
    let asked = match Asked::read(&call.facts) {
        Ok(asked) => Some(usual(asked, &call.facts)),
        Err(error @ Error::Invalid(_)) => {
            (code, problem) = (StatusCode::BAD_REQUEST, Some(format!("{}.", sentence(&error))));
            None
        }
        Err(error) => return Err(error),
    };
    let context = call.facts.context_of(caller);
    let stands = status::status(&Monitor::of(&call.app, &context)).await?;
    let found = match &asked {
        Some(asked) => {
            alerts::list(&call.app.db, &asked.filter, asked.order, asked.page, ROWS).await?
        }
        None => alerts::Page { alerts: Vec::new(), total: 0 },
    };
    let number = asked.as_ref().map_or(1, |asked| asked.page);
    let turn = |to: i64| link(&call.facts, &[("page", &to.to_string())]);
    let typed = |name| call.fields.text(name).unwrap_or_default().to_owned();
    let running = stands.checks.iter().find(|check| check.state == CheckState::Running);
    let check = running.or(stands.checks.first()).map(Check::of);
    let is_followed = call.facts.query("follow").is_some()
        && check.as_ref().is_some_and(|check| check.is_running);
    let page = Page {
        frame: Frame::of(call, caller, PATH),
        problem,
        choices: Choices::of(asked.as_ref(), &stands.roots),
        roots: stands.roots.iter().map(Root::of).collect(),
        open: stands.open,
        check,
        is_followed,
        lines: found.alerts.iter().map(|alert| Line::of(alert, call)).collect(),
        total: found.total,
        here: link(&call.facts, &[]),
        earlier: (number > 1).then(|| turn(number - 1)),
        later: (number.saturating_mul(ROWS) < found.total).then(|| turn(number + 1)),
        note: typed("note"),
        days: typed("days"),
    };
    let mut reply = show_page(code, &page)?;
    if is_followed {
        set_header(&mut reply, HeaderName::from_static("refresh"), "2");
    }
    Ok(reply)
}

/// Without a question it is for the new ones, the worst first.
fn usual(mut asked: Asked, facts: &Facts) -> Asked {
    if facts.query("status").is_none() {
        asked.filter.status = Some(Status::New);
    }
    if facts.query("sortBy").is_none_or(|order| order.is_empty()) {
        asked.order = Order::Worst;
    }
    asked
}

/// This page with the same question, and something more.
fn link(facts: &Facts, more: &[(&str, &str)]) -> String {
    let start = format!("{PATH}?");
    let end = start.len();
    let mut query = form_urlencoded::Serializer::for_suffix(start, end);
    for name in PARAMETERS {
        // A status that is there and empty asks for all.
        if let Some(value) = facts.query(name).filter(|text| !text.is_empty() || name == "status") {
            query.append_pair(name, &value);
        }
    }
    query.extend_pairs(more).finish().trim_end_matches('?').to_owned()
}

impl Choices {
    fn of(asked: Option<&Asked>, roots: &[status::OfRoot]) -> Self {
        let filter = asked.map(|asked| asked.filter.clone()).unwrap_or_default();
        let order = asked.map_or(Order::Worst, |asked| asked.order);
        let choice = |value: &str, word: &str, is_chosen| Choice {
            value: value.to_owned(),
            word: word.to_owned(),
            is_chosen,
        };
        let status = |status: Status| {
            let (number, is_chosen) = (status.number().to_string(), filter.status == Some(status));
            choice(&number, status.as_str(), is_chosen)
        };
        let severity = |severity: Severity| {
            let word = severity.as_str();
            choice(word, word, filter.severity == Some(severity))
        };
        let kind = |kind: Kind| choice(kind.as_str(), words::kind(kind), filter.kind == Some(kind));
        let root = |root: &status::OfRoot| {
            choice(&root.name, &root.name, filter.root.as_ref() == Some(&root.name))
        };
        Self {
            statuses: Status::ALL.map(status).into(),
            severities: Severity::ALL.map(severity).into(),
            kinds: Kind::ALL.map(kind).into(),
            roots: roots.iter().map(root).collect(),
            orders: vec![
                choice("severity_desc", "worst first", order == Order::Worst),
                choice("created_at_desc", "newest first", order == Order::Newest),
                choice("created_at_asc", "oldest first", order == Order::Oldest),
            ],
        }
    }
}
