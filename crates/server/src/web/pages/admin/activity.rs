//! What happened, for staff: filters, newest first, page by page, with links to take it along.

use std::time::Duration;

use askama::Template;
use http::StatusCode;
use portcullis_domain::activity::query::Query;
use portcullis_domain::activity::{Record, Somebody, to_the_millisecond};
use portcullis_domain::event::ocsf;
use portcullis_domain::text::visible;
use portcullis_domain::time::Time;
use serde_json::Value;

use super::Frame;
use crate::flows::activity::export::Format;
use crate::flows::activity::{self, Found, Listing, Reader};
use crate::flows::audit::settle;
use crate::web::activity::query;
use crate::web::api::activity_log;
use crate::web::caller::{ActivityLogManage, InSession, Staff};
use crate::web::error::Error;
use crate::web::refusal::sentence;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};
use crate::webhooks::Seen;

pub(in crate::web::pages) const PATH: &str = "/-/admin/activity";

pub(in crate::web::pages) const SHOW: Doc =
    Doc { id: "show_activity", summary: "What happened, as a page for staff.", ..Doc::USUAL };

/// How far back a page looks where nothing is said: the first.
const RANGES: [(&str, &str, Option<Duration>); 5] = [
    ("24h", "24 hours", Some(Duration::from_hours(24))),
    ("7d", "7 days", Some(Duration::from_hours(7 * 24))),
    ("30d", "30 days", Some(Duration::from_hours(30 * 24))),
    ("90d", "90 days", Some(Duration::from_hours(90 * 24))),
    ("all", "All", None),
];

#[derive(Template)]
#[template(path = "admin_activity.html")]
struct Activity {
    frame: Frame,
    /// What was asked for.
    q: String,
    action: String,
    ranges: Vec<Choice>,
    outcomes: Vec<Choice>,
    severities: Vec<Choice>,
    /// The names of events, to choose from.
    names: Vec<&'static str>,
    /// What is asked for beside the fields of the form, and stays.
    kept: Vec<(&'static str, String)>,
    problem: Option<String>,
    lines: Vec<Line>,
    count: String,
    older: Option<String>,
    exports: Vec<(&'static str, String)>,
    is_first: bool,
    receivers: Vec<Receiver>,
}

/// Who is sent what happens, and how far they are.
struct Receiver {
    name: String,
    behind: u64,
    delivered: Option<String>,
    /// Since when it takes nothing, and why.
    trouble: Option<(String, String)>,
}

struct Choice {
    value: &'static str,
    words: &'static str,
    is_chosen: bool,
}

/// One event.
struct Line {
    index: u64,
    when: String,
    what: String,
    failed: bool,
    severity: String,
    doer: Option<String>,
    about: Option<String>,
    from: String,
    agent: String,
    request: String,
    detail: String,
}

/// `GET /-/admin/activity`.
pub(in crate::web::pages) async fn show(
    call: Call,
    staff: Staff<ActivityLogManage, InSession>,
) -> Answer {
    let Staff(caller, _) = staff;
    let (listing, exports, problem) = match find(&call).await {
        Ok((listing, exports)) => (listing, exports, None),
        Err(error @ Error::Invalid(_)) => (Listing::default(), Vec::new(), Some(sentence(&error))),
        Err(error) => return Err(error),
    };
    let asked = |name| query::said(&call.facts, name).unwrap_or_default();
    let choices = |name: &str, choices: &[(&'static str, &'static str)]| -> Vec<Choice> {
        let chosen = call.facts.query(name).unwrap_or_default();
        let choice = |&(value, words)| Choice { value, words, is_chosen: value == chosen };
        choices.iter().map(choice).collect()
    };
    let ranges = RANGES.map(|(value, words, _)| (value, words));
    let shown_in_form = ["q", "action", "outcome", "severity"];
    let kept = query::PARAMETERS.iter().filter(|name| !shown_in_form.contains(*name));
    let kept = kept.map(|name| (*name, asked(name))).filter(|(_, value)| !value.is_empty());
    let status = if problem.is_none() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let older =
        listing.next.map(|index| query::same(&call.facts, PATH, ("before", &index.to_string())));
    let page = Activity {
        frame: Frame::of(&call, &caller, PATH),
        q: asked("q"),
        action: asked("action"),
        ranges: choices("range", &ranges),
        outcomes: choices("outcome", &[("success", "Done"), ("failure", "Refused")]),
        severities: choices(
            "severity",
            &[("info", "Everyday"), ("warning", "Warning"), ("critical", "Critical")],
        ),
        names: ocsf::names().collect(),
        kept: kept.collect(),
        problem,
        lines: listing.records.iter().map(Line::of).collect(),
        count: count(&listing),
        older,
        exports,
        is_first: call.facts.query("before").is_none(),
        receivers: call.app.webhooks.seen().into_iter().map(Receiver::of).collect(),
    };
    crate::web::pages::show(status, &page)
}

type Exports = Vec<(&'static str, String)>;

async fn find(call: &Call) -> Result<(Listing, Exports), Error> {
    let (mut asked, wanted) = query::of_list(&call.facts)?;
    let now = call.app.clock.now();
    if asked.from.is_none() {
        asked.from = beginning(call.facts.query("range").as_deref(), now);
    }
    settle(&call.app).await;
    let reader = Reader { db: &call.app.db, keys: &call.app.keys.audit };
    match activity::list(reader, &asked, wanted).await? {
        Found::Listing(listing) => Ok((listing, exports(call, &asked))),
        Found::UnknownBefore => Err(query::unknown_before()),
        Found::TooManyPeople => Err(query::too_many_people(&call.facts)),
    }
}

/// When a range begins; `None` for all that there is.
fn beginning(range: Option<&str>, now: Time) -> Option<Time> {
    let chosen = RANGES.iter().find(|(value, ..)| Some(*value) == range);
    let (_, _, span) = chosen.or(RANGES.first())?;
    span.map(|span| now.minus(span))
}

/// The same question, to take along.
fn exports(call: &Call, asked: &Query) -> Exports {
    let link = |format: Format| {
        let path = activity_log::EXPORT_PATH;
        let mut link = query::same(&call.facts, path, ("format", format.as_str()));
        let says_from = call.facts.query("from").is_some_and(|text| !text.is_empty());
        if let Some(from) = asked.from.filter(|_| !says_from) {
            link.push_str("&from=");
            link.push_str(&to_the_millisecond(from));
        }
        (format.as_str(), link)
    };
    Format::ALL.map(link).into()
}

fn count(listing: &Listing) -> String {
    match (listing.count, listing.is_capped) {
        (1, false) => "1 event".to_owned(),
        (count, false) => format!("{count} events"),
        (count, true) => format!("At least {count} events"),
    }
}

impl Receiver {
    fn of(seen: Seen) -> Self {
        let Seen { sink, behind, .. } = seen;
        let why = sink.failure.unwrap_or_default();
        Self {
            name: sink.name,
            behind,
            delivered: sink.delivered_at.map(Time::to_the_minute),
            trouble: sink.failing_since.map(|since| (since.to_the_minute(), why)),
        }
    }
}

impl Line {
    fn of(record: &Record) -> Self {
        let name = |it: &Option<Somebody>| {
            let it = it.as_ref()?;
            let name = it.name.as_deref().map(visible);
            Some(name.unwrap_or_else(|| "somebody who was erased".to_owned()))
        };
        let by_command = record.is_by_command().then(|| "on the command line".to_owned());
        let (doer, about) = (name(&record.actor).or(by_command), name(&record.subject));
        let text = |text: &Option<String>| text.as_deref().map(visible).unwrap_or_default();
        let details: Vec<String> = record.detail.iter().map(detail).collect();
        Self {
            index: record.index,
            when: to_the_millisecond(record.at).replace('T', " ").replace('Z', ""),
            what: record.event.clone(),
            failed: record.outcome == "failure",
            severity: record.severity.clone(),
            about: about.filter(|about| doer.as_ref() != Some(about)),
            doer,
            from: text(&record.ip),
            agent: text(&record.user_agent),
            request: text(&record.request_id),
            detail: visible(&details.join(", ")),
        }
    }
}

fn detail((name, value): (&String, &Value)) -> String {
    match value.as_str() {
        Some(text) => format!("{name}: {text}"),
        None => format!("{name}: {value}"),
    }
}
