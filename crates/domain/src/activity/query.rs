//! What somebody wants to see of the log, and whether an entry is of it, as far as that can be said of
//! the entry alone. Not here: looking for the people who were meant, and reading.

use std::collections::BTreeSet;
use std::net::IpAddr;

use uuid::Uuid;

use crate::event::ocsf::{self, Resource};
use crate::event::{Event, Outcome, Severity, samples};
use crate::id::{SessionHandle, UserId};
use crate::time::Time;

/// Everything of it must be so; what is absent leaves all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Who acted, or whose account it is about.
    pub user: Option<UserId>,
    /// The same by the beginning of an e-mail address, a username or a word of a name.
    pub person: Option<String>,
    /// Any of these.
    pub actions: Vec<Action>,
    pub outcome: Option<Outcome>,
    pub severity: Option<Severity>,
    pub resource: Option<Resource>,
    /// From this moment on.
    pub from: Option<Time>,
    /// Before this moment.
    pub until: Option<Time>,
    pub address: Option<IpAddr>,
    pub session: Option<SessionHandle>,
    pub request: Option<String>,
    pub term: Option<Term>,
}

/// One event by its name, or all whose names begin so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Named(String),
    Beginning(String),
}

/// What somebody typed without saying what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Term {
    Address(IpAddr),
    Session(SessionHandle),
    /// The id of a request, as answers name it.
    Request(String),
    /// The id of an event, and when it happened.
    Event(String, Time),
    /// A person, the name of an event, or a word in one.
    Text(String),
}

impl Query {
    /// Whether everything is asked for.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// The names of the events that can be of it; `None`: all, those of later versions too.
    pub fn names(&self) -> Option<BTreeSet<String>> {
        let owned = |names: &mut dyn Iterator<Item = &'static str>| -> BTreeSet<String> {
            names.map(str::to_owned).collect()
        };
        let mut sets = Vec::new();
        if !self.actions.is_empty() {
            sets.push(self.actions.iter().flat_map(Action::names).collect());
        }
        if let Some(resource) = self.resource {
            sets.push(owned(&mut ocsf::names_of(resource)));
        }
        let events = samples();
        if let Some(outcome) = self.outcome {
            let such = events.iter().filter(|event| event.outcome() == outcome);
            sets.push(owned(&mut such.map(Event::name)));
        }
        if let Some(severity) = self.severity {
            let such = events.iter().filter(|event| event.severity() == severity);
            sets.push(owned(&mut such.map(Event::name)));
        }
        sets.into_iter().reduce(|all, set| &all & &set)
    }

    /// Whether [`Self::marks`] says no more than [`Self::names`]: outcome and severity are all that is
    /// marked, and the same for every event of these names.
    pub fn names_decide(&self) -> bool {
        let Some(names) = self.names() else { return false };
        let by_name = Self { outcome: None, severity: None, ..self.clone() };
        let is_such = |event: &Event| {
            self.outcome.is_none_or(|outcome| event.outcome() == outcome)
                && self.severity.is_none_or(|severity| event.severity() == severity)
        };
        let events = samples();
        let mut of_these = events.iter().filter(|event| names.contains(event.name()));
        by_name.marks().is_empty() && of_these.all(is_such)
    }

    /// What must stand in the bytes of an entry word for word. Entries are canonical JSON, so a member
    /// has one spelling, and no text within it can look like one.
    pub fn marks(&self) -> Vec<Vec<u8>> {
        let (session, request, id) = match &self.term {
            Some(Term::Session(handle)) => (Some(handle.as_str()), None, None),
            Some(Term::Request(id)) => (None, Some(id.as_str()), None),
            Some(Term::Event(id, _)) => (None, None, Some(id.as_str())),
            Some(Term::Address(_) | Term::Text(_)) | None => (None, None, None),
        };
        let members = [
            ("outcome", self.outcome.map(Outcome::as_str)),
            ("severity", self.severity.map(Severity::as_str)),
            ("session", self.session.as_ref().map(SessionHandle::as_str)),
            ("request", self.request.as_deref()),
            ("session", session),
            ("request", request),
            ("id", id),
        ];
        let written = members.into_iter().filter_map(|(member, text)| Some((member, text?)));
        written
            .map(|(member, text)| format!("\"{member}\":{}", quoted(text)).into_bytes())
            .collect()
    }

    /// The address, wherever it was asked for.
    pub fn address(&self) -> Option<IpAddr> {
        match (self.address, &self.term) {
            (None, Some(Term::Address(address))) => Some(*address),
            (address, _) => address,
        }
    }

    /// Two addresses at once are those of no entry.
    pub fn is_impossible(&self) -> bool {
        match (self.address, &self.term) {
            (Some(one), Some(Term::Address(other))) => one != *other,
            _ => false,
        }
    }

    /// The span of time, from and before.
    pub fn span(&self) -> (Time, Time) {
        let (from, until) = (self.from.unwrap_or(Time(0)), self.until.unwrap_or(Time(i64::MAX)));
        match &self.term {
            // The id says when it happened.
            Some(Term::Event(_, at)) => (from.max(*at), until.min(Time(at.0.saturating_add(1)))),
            _ => (from, until),
        }
    }
}

impl Action {
    /// Reads the name of an event; with `*` at its end, the beginning of names.
    pub fn parse(text: &str) -> Option<Self> {
        let beginning = text.strip_suffix('*');
        let word = beginning.unwrap_or(text);
        let is_word = word.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase());
        let is_good = is_word && word.len() <= 64 && (beginning.is_some() || !word.is_empty());
        is_good.then(|| match beginning {
            Some(word) => Self::Beginning(word.to_owned()),
            None => Self::Named(word.to_owned()),
        })
    }

    fn names(&self) -> BTreeSet<String> {
        match self {
            Self::Named(name) => BTreeSet::from([name.clone()]),
            Self::Beginning(word) => {
                ocsf::names().filter(|name| name.starts_with(word)).map(str::to_owned).collect()
            }
        }
    }
}

impl Term {
    /// The most characters of one.
    pub const MAX_CHARS: usize = 254;

    /// What it most likely is; `None` for nothing, and for what is too long or holds a NUL, which no
    /// text in the store does.
    pub fn parse(text: &str) -> Option<Self> {
        let text = &*person(text)?;
        if let Some(address) = address(text) {
            return Some(Self::Address(address));
        }
        if let Some(handle) = SessionHandle::parse(text) {
            return Some(Self::Session(handle));
        }
        if is_request_id(text) {
            return Some(Self::Request(text.to_owned()));
        }
        let event = Uuid::parse_str(text).ok().filter(|id| id.to_string() == text);
        if let Some(at) = event.and_then(|id| id.get_timestamp()) {
            let (seconds, nanos) = at.to_unix();
            let millis = i64::try_from(seconds).ok()?.checked_mul(1000)?;
            return Some(Self::Event(text.to_owned(), Time(millis + i64::from(nanos / 1_000_000))));
        }
        Some(Self::Text(text.to_owned()))
    }
}

/// Reads names of events with commas between.
pub fn actions(text: &str) -> Option<Vec<Action>> {
    text.split(',').map(|word| Action::parse(word.trim())).collect()
}

/// Reads the word for an outcome.
pub fn outcome(text: &str) -> Option<Outcome> {
    [Outcome::Success, Outcome::Failure].into_iter().find(|outcome| outcome.as_str() == text)
}

/// Reads the word for a severity.
pub fn severity(text: &str) -> Option<Severity> {
    let all = [Severity::Info, Severity::Warning, Severity::Critical];
    all.into_iter().find(|severity| severity.as_str() == text)
}

/// Reads an address in the spelling in which it is written down.
pub fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// Reads the beginning of a person's name or address.
pub fn person(text: &str) -> Option<String> {
    let text = text.trim();
    let is_good = (1..=Term::MAX_CHARS).contains(&text.chars().count()) && !text.contains('\0');
    is_good.then(|| text.to_owned())
}

/// Whether an answer can carry this as the id of its request.
pub fn is_request_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The names of events that hold the words of a text.
pub fn names_like(text: &str) -> BTreeSet<String> {
    let words = text.trim().to_lowercase().replace([' ', '-'], "_");
    ocsf::names().filter(|name| name.contains(&words)).map(str::to_owned).collect()
}

/// A text as canonical JSON writes it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_from_every_condition_together() {
        let check = |query: &Query, expected: &[&str]| {
            let names = query.names().unwrap();
            assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{query:?}");
        };
        assert_eq!(Query::default().names(), None);
        let action = |text: &str| Action::parse(text).unwrap();
        let of = |actions: &[&str]| Query {
            actions: actions.iter().map(|text| action(text)).collect(),
            ..Query::default()
        };
        check(&of(&["session_*"]), &["session_created", "session_ended", "session_renewed"]);
        check(&of(&["role_created", "of_tomorrow"]), &["of_tomorrow", "role_created"]);
        check(&of(&["no_such_*"]), &[]);
        check(
            &Query { severity: Some(Severity::Critical), ..of(&["role_*", "user_*"]) },
            &["role_updated", "user_updated"],
        );
        check(&Query { outcome: Some(Outcome::Failure), ..of(&["user_*"]) }, &[]);
        let roles = Query { resource: Some(Resource::Role), ..Query::default() };
        check(&roles, &["role_created", "role_deleted", "role_updated"]);
        assert!(of(&["*"]).names().unwrap().len() > 40);
    }

    #[test]
    fn actions_are_words() {
        for good in ["a", "authn_*", "*"] {
            assert!(Action::parse(good).is_some(), "{good}");
        }
        for bad in ["", "A", "a b", "a*b", "a**", "é", "1", &"a".repeat(65)] {
            assert!(Action::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_term_is_what_it_looks_like() {
        let check =
            |text: &str, expected: Option<Term>| assert_eq!(Term::parse(text), expected, "{text}");
        let address = |text: &str| Some(Term::Address(text.parse().unwrap()));
        check(" 192.0.2.1 ", address("192.0.2.1"));
        check("::ffff:192.0.2.1", address("192.0.2.1"));
        let handle = "sess_6b9d0c1f2e3a4b5c6d7e8f90";
        check(handle, SessionHandle::parse(handle).map(Term::Session));
        let request = "6b9d0c1f2e3a4b5c6d7e8f90";
        check(request, Some(Term::Request(request.to_owned())));
        let event = "019ab8c1-0a2b-7c3d-8e4f-5a6b7c8d9e0f";
        let at = Time(0x019a_b8c1_0a2b);
        check(event, Some(Term::Event(event.to_owned(), at)));
        let text = |text: &str| Some(Term::Text(text.to_owned()));
        check("ada", text("ada"));
        check("019AB8C1-0a2b-7c3d-8e4f-5a6b7c8d9e0f", text("019AB8C1-0a2b-7c3d-8e4f-5a6b7c8d9e0f"));
        check("{\"a\":1}", text("{\"a\":1}"));
        check("", None);
        check("  ", None);
        check("a\0", None);
        check(&"a".repeat(255), None);
        let window = Query { term: Term::parse(event), ..Query::default() }.span();
        assert_eq!(window, (at, Time(at.0 + 1)));
    }

    #[test]
    fn marks_are_members_in_canonical_json() {
        let query = Query {
            outcome: Some(Outcome::Failure),
            request: Some("a\"b".to_owned()),
            ..Query::default()
        };
        let marks: Vec<String> =
            query.marks().into_iter().map(|mark| String::from_utf8(mark).unwrap()).collect();
        assert_eq!(marks, [r#""outcome":"failure""#, r#""request":"a\"b""#]);
    }

    #[test]
    fn names_are_found_by_their_words() {
        let check = |text: &str, name: &str, is_found: bool| {
            assert_eq!(names_like(text).contains(name), is_found, "{text}");
        };
        check("login fail", "authn_login_fail", true);
        check("LOGIN", "authn_login_success", true);
        check("login", "session_created", false);
        check("ada", "authn_login_fail", false);
    }
}
