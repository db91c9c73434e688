//! The parameters of a query, read one after the other: what makes no sense is noted and not passed
//! over, so that no fault hides another and nobody takes the answer to another question for his own.
//! Not here: which parameters there are (`web/sessions/query`, `web/activity/query`).

use portcullis_domain::id::UserId;

use super::error::{Error, Fault};
use super::input::whole_number;
use super::request::Facts;

/// What a parameter without a value is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Blank {
    /// Nonsense.
    Refused,
    /// A field of a form that nobody filled in.
    Absent,
}

/// The most that is read as a number.
pub const FURTHEST: u64 = i64::MAX.unsigned_abs();

/// A query that is being read.
pub struct Reading<'f> {
    pub facts: &'f Facts,
    blank: Blank,
    faults: Vec<Fault>,
}

impl<'f> Reading<'f> {
    /// Nothing read yet.
    pub fn new(facts: &'f Facts, blank: Blank) -> Self {
        Self { facts, blank, faults: Vec::new() }
    }

    /// A parameter that may be absent; one that makes no sense is noted.
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        detail: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        self.text(self.facts.query(name), name, detail, parse)
    }

    /// The same, of what it says.
    pub fn text<T>(
        &mut self,
        text: Option<String>,
        name: &'static str,
        detail: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let is_absent = |text: &String| self.blank == Blank::Absent && text.trim().is_empty();
        let text = text.filter(|text| !is_absent(text))?;
        let value = parse(&text);
        if value.is_none() {
            self.note(Fault::invalid(name, detail));
        }
        value
    }

    /// Notes a fault.
    pub fn note(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// What was read, or everything that is wrong.
    pub fn done<T>(self, value: T) -> Result<T, Error> {
        if self.faults.is_empty() { Ok(value) } else { Err(Error::Invalid(self.faults)) }
    }
}

/// A whole number of this range.
pub fn number(text: &str, least: u64, most: u64) -> Option<u64> {
    let number = u64::try_from(whole_number(text)?).ok()?;
    (least..=most).contains(&number).then_some(number)
}

/// The number of a user.
pub fn user_id(text: &str) -> Option<UserId> {
    i64::try_from(number(text, 1, FURTHEST)?).ok().map(UserId)
}
