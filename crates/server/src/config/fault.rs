//! What is wrong with a configuration, in words for the person who wrote it. Nothing is decided here.

use std::fmt;
use std::path::PathBuf;

/// Every fault of one configuration, in the order of the file.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

/// One fault. It never holds the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub place: Place,
    /// `section.key`; empty where the fault is of the whole file.
    pub key: String,
    /// What was found, as a clause.
    pub found: String,
    pub accepted: String,
}

/// Where the value stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// `line` counts from 1; 0 is the whole file.
    File { path: PathBuf, line: usize },
    /// The name of the variable.
    Environment(String),
    /// Nobody wrote it.
    Default,
}

/// The fault is already in the list: the value cannot be used, and there is nothing more to say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reported;

impl Faults {
    /// The faults, one by one.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn push(&mut self, fault: Fault) -> Reported {
        self.0.push(fault);
        Reported
    }

    pub(super) fn sorted(mut self) -> Self {
        self.0.sort_by(|one, other| one.place.cmp(&other.place));
        self
    }
}

impl std::error::Error for Faults {}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, fault) in self.0.iter().enumerate() {
            let line_break = if position == 0 { "" } else { "\n" };
            write!(f, "{line_break}{fault}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File { path, line: 0 } => write!(f, "{}: ", path.display())?,
            Place::File { path, line } => write!(f, "{}:{line}: ", path.display())?,
            Place::Environment(variable) => write!(f, "{variable}: ")?,
            Place::Default => {}
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}; accepted: {}", self.found, self.accepted)
    }
}
