//! What a query asks of the list of sessions. What makes no sense is refused, so that nobody takes
//! the answer to another question for his own.

use std::net::IpAddr;

use portcullis_domain::id::{SessionHandle, UserId};
use portcullis_domain::session::SignInForm;
use portcullis_store::sessions::Filter;

use crate::flows::sessions::Part;
use crate::web::error::{Error, Fault};
use crate::web::input::whole_number;
use crate::web::request::Facts;

/// What a parameter without a value is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Blank {
    /// Nonsense.
    Refused,
    /// A field of a form that nobody filled in.
    Absent,
}

/// Reads the parameters of the page for staff.
pub fn of_page(facts: &Facts, limit: u64) -> Result<(Filter, Part), Error> {
    let mut read = Reading { facts, blank: Blank::Absent, faults: Vec::new() };
    let filter = read.filter();
    let after = read.optional("after", "must be a session_id", SessionHandle::parse);
    read.done((filter, Part { limit, offset: 0, after }))
}

/// Reads filter and paging of the P family, or says everything that is wrong. Without `limit` it is
/// the first thousand, so no more can be asked for.
pub fn of_staff(facts: &Facts) -> Result<(Filter, Part), Error> {
    const MOST: u64 = 1000;
    let mut read = Reading { facts, blank: Blank::Refused, faults: Vec::new() };
    let filter = read.filter();
    let limit = read.optional("limit", "must be 1 to 1000", |text| number(text, 1, MOST));
    let offset = read.optional("offset", "must be 0 or more", |text| number(text, 0, FURTHEST));
    let after = read.optional("after", "must be a session_id", SessionHandle::parse);
    let part = Part { limit: limit.unwrap_or(MOST), offset: offset.unwrap_or(0), after };
    read.done((filter, part))
}

/// The same question, from behind the last one on.
pub fn next(facts: &Facts, path: &str, names: &[&str], last: &SessionHandle) -> String {
    let start = format!("{path}?");
    let end = start.len();
    let mut query = form_urlencoded::Serializer::for_suffix(start, end);
    for name in names {
        if let Some(value) = facts.query(name).filter(|value| !value.is_empty()) {
            query.append_pair(name, &value);
        }
    }
    query.append_pair("after", last.as_str()).finish()
}

/// The fault of an `after` that names no session.
pub fn unknown_after() -> Error {
    Error::Invalid(vec![Fault::invalid("after", "names no session")])
}

/// Reads the paging of the S family: pages from 1, at most 100 on one (contract part 2.2).
pub fn of_owner(facts: &Facts) -> Result<Part, Error> {
    const USUAL: u64 = 20;
    const MOST: u64 = 100;
    let mut read = Reading { facts, blank: Blank::Refused, faults: Vec::new() };
    let mut positive =
        |name| read.optional(name, "must be 1 or more", |text| number(text, 1, FURTHEST));
    let (page, limit) = (positive("page"), positive("limit"));
    read.optional("sortBy", "must be createdAt", |text| (text == "createdAt").then_some(()));
    read.optional("sortOrder", "must be desc", |text| (text == "desc").then_some(()));
    let limit = limit.unwrap_or(USUAL).min(MOST);
    let offset = page.map_or(0, |page| (page - 1).saturating_mul(limit));
    read.done(Part { limit, offset, after: None })
}

/// The most that is read as a number.
const FURTHEST: u64 = i64::MAX.unsigned_abs();

/// A query that is being read.
struct Reading<'f> {
    facts: &'f Facts,
    blank: Blank,
    faults: Vec<Fault>,
}

impl Reading<'_> {
    fn filter(&mut self) -> Filter {
        let kinds = "must be username, email, page, mobile or remembered";
        Filter {
            user: self.optional("user_id", "must be the number of a user", user_id),
            person: self.optional("user", "must be 1 to 254 characters", person),
            ip: self.optional("ip", "must be an IP address", address),
            form: self.optional("kind", kinds, SignInForm::parse),
            handle: self.optional("session_id", "must be a session_id", SessionHandle::parse),
        }
    }

    /// A parameter that may be absent; one that makes no sense is noted.
    fn optional<T>(
        &mut self,
        name: &'static str,
        detail: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let is_absent = |text: &String| self.blank == Blank::Absent && text.trim().is_empty();
        let text = self.facts.query(name).filter(|text| !is_absent(text))?;
        let value = parse(&text);
        if value.is_none() {
            self.faults.push(Fault::invalid(name, detail));
        }
        value
    }

    fn done<T>(self, value: T) -> Result<T, Error> {
        if self.faults.is_empty() { Ok(value) } else { Err(Error::Invalid(self.faults)) }
    }
}

fn number(text: &str, least: u64, most: u64) -> Option<u64> {
    let number = u64::try_from(whole_number(text)?).ok()?;
    (least..=most).contains(&number).then_some(number)
}

fn user_id(text: &str) -> Option<UserId> {
    i64::try_from(number(text, 1, FURTHEST)?).ok().map(UserId)
}

/// The longest is that of an e-mail address. PostgreSQL takes no NUL.
fn person(text: &str) -> Option<String> {
    let text = text.trim();
    let is_good = (1..=254).contains(&text.chars().count()) && !text.contains('\0');
    is_good.then(|| text.to_owned())
}

/// As addresses are stored.
fn address(text: &str) -> Option<String> {
    text.trim().parse::<IpAddr>().ok().map(|address| address.to_canonical().to_string())
}
