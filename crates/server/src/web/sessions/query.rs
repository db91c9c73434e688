//! What a query asks of the list of sessions. What makes no sense is refused, so that nobody takes
//! the answer to another question for his own.

use portcullis_domain::activity::query::{self, person};
use portcullis_domain::id::SessionHandle;
use portcullis_domain::session::SignInForm;
use portcullis_store::sessions::Filter;

use crate::flows::sessions::Part;
use crate::web::error::{Error, Fault};
use crate::web::query::{Blank, FURTHEST, Reading, number, user_id};
use crate::web::request::Facts;

/// Reads the parameters of the page for staff.
pub fn of_page(facts: &Facts, limit: u64) -> Result<(Filter, Part), Error> {
    let mut read = Reading::new(facts, Blank::Absent);
    let filter = filter(&mut read);
    let after = read.optional("after", "must be a session_id", SessionHandle::parse);
    read.done((filter, Part { limit, offset: 0, after }))
}

/// Reads filter and paging of the P family, or says everything that is wrong. Without `limit` it is
/// the first thousand, so no more can be asked for.
pub fn of_staff(facts: &Facts) -> Result<(Filter, Part), Error> {
    const MOST: u64 = 1000;
    let mut read = Reading::new(facts, Blank::Refused);
    let filter = filter(&mut read);
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
    let mut read = Reading::new(facts, Blank::Refused);
    let mut positive =
        |name| read.optional(name, "must be 1 or more", |text| number(text, 1, FURTHEST));
    let (page, limit) = (positive("page"), positive("limit"));
    read.optional("sortBy", "must be createdAt", |text| (text == "createdAt").then_some(()));
    read.optional("sortOrder", "must be desc", |text| (text == "desc").then_some(()));
    let limit = limit.unwrap_or(USUAL).min(MOST);
    let offset = page.map_or(0, |page| (page - 1).saturating_mul(limit));
    read.done(Part { limit, offset, after: None })
}

fn filter(read: &mut Reading<'_>) -> Filter {
    let kinds = "must be username, email, page, mobile or remembered";
    Filter {
        user: read.optional("user_id", "must be the number of a user", user_id),
        person: read.optional("user", "must be 1 to 254 characters", person),
        ip: read.optional("ip", "must be an IP address", address),
        form: read.optional("kind", kinds, SignInForm::parse),
        handle: read.optional("session_id", "must be a session_id", SessionHandle::parse),
    }
}

/// As addresses are stored.
fn address(text: &str) -> Option<String> {
    query::address(text.trim()).map(|address| address.to_string())
}
