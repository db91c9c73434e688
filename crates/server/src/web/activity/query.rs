//! What a query asks of the activity log. What makes no sense is refused, so that nobody takes the
//! answer to another question for his own. More than a page may hold is a page.

use portcullis_domain::activity::query::{
    Query, Term, actions, address, is_request_id, outcome, person, severity,
};
use portcullis_domain::activity::span;
use portcullis_domain::event::ocsf::Resource;
use portcullis_domain::id::SessionHandle;

use crate::flows::activity::Wanted;
use crate::flows::activity::export::Format;
use crate::web::error::{Error, Fault};
use crate::web::query::{Blank, FURTHEST, Reading, number, user_id};
use crate::web::request::Facts;

/// The parameters that say what is wanted, in the order of the handbook.
pub const PARAMETERS: [&str; 12] = [
    "q",
    "user_id",
    "user",
    "action",
    "outcome",
    "severity",
    "resource_type",
    "from",
    "to",
    "ip",
    "session_id",
    "request_id",
];

/// What each of them is, for the description of the API, before what one route has beside them.
macro_rules! fields {
    ($($more:expr),* $(,)?) => {
        &[
            ("q", false, "An address, a session_id, the id of a request or an event, the beginning of somebody's name or e-mail address, or words of an action."),
            ("user_id", false, "What this user did, and what was done to the account."),
            ("user", false, "The same by the beginning of an e-mail address, a username or a name."),
            ("action", false, "The names of events, with commas between or in several of these; a name may end in *."),
            ("outcome", false, "success or failure."),
            ("severity", false, "info, warning or critical."),
            ("resource_type", false, "user, session, role, permission, token, link, route, limit, address, place, device, letter, log or server."),
            ("from", false, "A day such as 2026-11-22 (UTC), or a moment such as 2026-11-22T01:02:03Z."),
            ("to", false, "The same; the day is meant whole."),
            ("ip", false, "The address of the client."),
            ("session_id", false, "The session."),
            ("request_id", false, "The id that the answer to a request carries."),
            $($more),*
        ]
    };
}

pub(crate) use fields;

/// The most of a page, where nothing is said, and of all pages that are passed over.
const MOST: u64 = 200;
const USUAL: u64 = 50;
const FURTHEST_PASSED: u64 = 10_000;

/// Reads what is wanted, and which part of it. An empty value is absent, as in the form of the page.
pub fn of_list(facts: &Facts) -> Result<(Query, Wanted), Error> {
    let mut read = Reading::new(facts, Blank::Absent);
    let query = query(&mut read);
    let limit = field(&mut read, "limit", "must be 1 or more", |text| number(text, 1, FURTHEST));
    let detail = "must be 0 to 10000; further on goes before=";
    let offset = field(&mut read, "offset", detail, |text| number(text, 0, FURTHEST_PASSED));
    let before = field(&mut read, "before", "must be the ID of an entry", index);
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let limit = size(limit.unwrap_or(USUAL).min(MOST));
    let wanted = Wanted { limit, offset: size(offset.unwrap_or(0)), before };
    read.done((query, wanted))
}

/// Reads what is wanted of an export: what, after which entry, and in which form.
pub fn of_export(facts: &Facts) -> Result<(Query, Option<u64>, Format), Error> {
    let mut read = Reading::new(facts, Blank::Absent);
    let query = query(&mut read);
    let after = field(&mut read, "after", "must be the index of an entry", index);
    let format = field(&mut read, "format", "must be csv, ndjson or ocsf", Format::parse);
    if format.is_none() && read.facts.query("format").is_none_or(|text| text.is_empty()) {
        read.note(Fault::required("format"));
    }
    read.done((query, after, format.unwrap_or(Format::Ndjson)))
}

/// The same question, with one parameter more.
pub fn same(facts: &Facts, path: &str, more: (&str, &str)) -> String {
    let start = format!("{path}?");
    let end = start.len();
    let mut query = form_urlencoded::Serializer::for_suffix(start, end);
    for name in PARAMETERS.iter().chain(&["limit", "range"]) {
        if let Some(value) = said(facts, name).filter(|value| !value.is_empty()) {
            query.append_pair(name, &value);
        }
    }
    query.append_pair(more.0, more.1).finish()
}

/// What a parameter says; events may be named in several of them.
pub fn said(facts: &Facts, name: &str) -> Option<String> {
    if name != "action" {
        return facts.query(name);
    }
    let mut actions = facts.queries(name);
    actions.retain(|text| !text.trim().is_empty());
    (!actions.is_empty()).then(|| actions.join(","))
}

/// The fault of a `before` that names no entry.
pub fn unknown_before() -> Error {
    Error::Invalid(vec![Fault::invalid("before", "names no entry, or one that is gone")])
}

/// The fault of a text that may mean more people than can be looked for at once.
pub fn too_many_people(facts: &Facts) -> Error {
    let by_user = facts.query("user").is_some_and(|text| !text.is_empty());
    let field = if by_user { "user" } else { "q" };
    Error::Invalid(vec![Fault::invalid(
        field,
        "may mean more than ten people; say more of the name",
    )])
}

fn query(read: &mut Reading<'_>) -> Query {
    let texts = "must be 1 to 254 characters";
    let names = "must be names of events, with commas between";
    let resources = "must be one of the kinds of things that the handbook lists";
    let query = Query {
        user: field(read, "user_id", "must be the number of a user", user_id),
        person: field(read, "user", texts, person),
        actions: field(read, "action", names, actions).unwrap_or_default(),
        outcome: field(read, "outcome", "must be success or failure", outcome),
        severity: field(read, "severity", "must be info, warning or critical", severity),
        resource: field(read, "resource_type", resources, Resource::parse),
        from: field(read, "from", "must be a day or a moment", span::from),
        until: field(read, "to", "must be a day or a moment", span::until),
        address: field(read, "ip", "must be an IP address", address),
        session: field(read, "session_id", "must be a session_id", SessionHandle::parse),
        request: field(read, "request_id", "must be the id of a request", request_id),
        term: field(read, "q", texts, Term::parse),
    };
    if let (Some(from), Some(until)) = (query.from, query.until)
        && from >= until
    {
        read.note(Fault::invalid("to", "must not be before from"));
    }
    query
}

/// What one parameter says, without the blanks around it.
fn field<T>(
    read: &mut Reading<'_>,
    name: &'static str,
    detail: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    read.text(said(read.facts, name), name, detail, |text| parse(text.trim()))
}

fn index(text: &str) -> Option<u64> {
    number(text, 0, FURTHEST)
}

fn request_id(text: &str) -> Option<String> {
    is_request_id(text).then(|| text.to_owned())
}
