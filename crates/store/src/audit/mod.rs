//! The audit log as it is kept: events that wait, entries, the tree over them, whose personal data is
//! under which key, and how often what happened. Not here: who gives the places and signs
//! (`flows::audit` of the server), and what an entry is (`domain::audit`).

pub mod activity;
pub mod checkpoints;
pub mod counts;
pub mod examine;
pub mod log;
pub mod pending;
pub mod people;
pub mod personal;
pub mod rejected;
pub mod sinks;
pub mod tree;
pub(crate) mod upgrade;
pub mod verdicts;

use crate::error::{Result, corrupt};

/// An index or size as the database keeps it.
pub(crate) fn stored(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(|_| corrupt("audit_log", "idx", number.to_string()))
}

/// An index or size from the database.
fn number(stored: i64) -> Result<u64> {
    u64::try_from(stored).map_err(|_| corrupt("audit_log", "idx", stored.to_string()))
}
