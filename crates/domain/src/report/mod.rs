//! The security report: what happened in a period, how things stand, and how much of it the log can
//! prove. Pure: the numbers come in, and the report as JSON or CSV goes out. As a page it is the
//! server's.

mod completeness;
mod csv;
mod figures;
mod period;
mod posture;

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::time::Time;

pub use completeness::{Completeness, Found, Gap, MOST_GAPS, silent_hours};
pub use figures::{
    Count, Day, Failure, Figures, LOGIN_FAILED, Logins, Terminated, by_name, days, failures,
};
pub use period::{DAY, HOUR, MOST_DAYS, Period, PeriodFault, Spans, USUAL_DAYS};
pub use posture::{
    Audit, Bounded, Concern, LONG_DAYS, Line, MAIL_DAYS, MAIL_WAITS, Node, OLD_PASSWORD_DAYS,
    Standing, UNUSED_BROWSER_DAYS, UNUSED_DAYS, posture,
};

/// A report. As JSON it begins with what is documented, under the documented names.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub period: Period,
    #[serde(flatten)]
    pub figures: Figures,
    /// How many are on the blacklist now.
    pub blacklisted_now: i64,
    /// What the sessions were ended by.
    pub sessions_terminated_by: Terminated,
    pub previous: Previous,
    pub logins_by_day: Vec<Day>,
    pub failures_by_reason: Vec<Failure>,
    /// How many events there were of each name.
    pub events: BTreeMap<String, i64>,
    pub posture: Vec<Line>,
    pub data_completeness: Completeness,
    pub log: Log,
    #[serde(serialize_with = "iso")]
    pub generated_at: Time,
}

/// The period of the same length right before it.
#[derive(Clone, Debug, Serialize)]
pub struct Previous {
    pub period: Period,
    #[serde(flatten)]
    pub figures: Figures,
    /// How much more it is now.
    pub change: Figures,
}

/// The log as it was when the report was counted from it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Log {
    pub origin: String,
    /// The entries that were counted.
    pub size: i64,
    /// The last checkpoint, which covers all of them or those up to its own size.
    pub checkpoint: Option<Checkpoint>,
    /// What was found when it was last verified.
    pub verified: Option<Verified>,
}

/// What a verification of the log found.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Verified {
    #[serde(serialize_with = "iso")]
    pub at: Time,
    /// How many entries were looked at.
    pub entries: i64,
    /// How much was not in order.
    pub faults: i64,
}

/// A signed head of the log.
#[derive(Clone, Debug, Serialize)]
pub struct Checkpoint {
    pub size: i64,
    #[serde(serialize_with = "iso")]
    pub at: Time,
    /// The signed note, with the root of the tree.
    pub note: String,
}

/// What a report is made of.
pub struct Parts {
    pub period: Period,
    pub counts: Vec<Count>,
    /// Of the period before.
    pub previous: Vec<Count>,
    pub standing: Standing,
    pub found: Found,
    pub log: Log,
    pub now: Time,
}

impl Report {
    /// Puts it together.
    pub fn of(parts: Parts) -> Self {
        let Parts { period, counts, previous, standing, found, log, now } = parts;
        let (figures, before) = (Figures::of(&counts), Figures::of(&previous));
        Self {
            figures,
            blacklisted_now: standing.blacklisted,
            sessions_terminated_by: Terminated::of(&counts),
            previous: Previous {
                period: period.previous(),
                figures: before,
                change: figures.minus(before),
            },
            logins_by_day: days(&period, &counts),
            failures_by_reason: failures(&counts),
            events: by_name(&counts),
            posture: posture(&standing),
            data_completeness: Completeness::of(&period, found),
            log,
            generated_at: now,
            period,
        }
    }

    /// The report as CSV: see [`csv`].
    pub fn csv(&self) -> String {
        csv::written(self)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn iso<S: Serializer>(time: &Time, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&time.iso())
}

#[cfg(test)]
pub(crate) mod tests;
