//! How much of a period the log can speak of: from when on there is one, and when no server was
//! running. Pure: the hours and moments come in.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::period::{HOUR, Period};
use crate::time::Time;

/// A server that has nothing to write says once an hour that it runs; a little later is not a gap.
const LONGEST_SILENCE: Duration = Duration::from_mins(65);
/// Silences that are looked at one by one, at most; more of them are counted by whole hours.
pub const MOST_GAPS: usize = 100;

/// How much the figures can be relied on to be all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Completeness {
    /// Nothing below takes anything away.
    pub is_complete: bool,
    /// When the oldest event happened that is counted; the beginning of its hour where its entry was
    /// taken out.
    #[serde(serialize_with = "iso")]
    pub log_begins: Option<Time>,
    /// Entries that were taken out of the log after they had been exported.
    pub entries_pruned: i64,
    /// Events that were not in the log yet when this was counted.
    pub events_unsequenced: i64,
    /// Hours in which no server said that it was running, rounded.
    pub hours_without_server: i64,
    /// When those were.
    pub gaps: Vec<Gap>,
}

/// A time in which nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The last entry before it.
    #[serde(serialize_with = "one_iso")]
    pub from: Time,
    /// The first entry after it, or now.
    #[serde(serialize_with = "one_iso")]
    pub to: Time,
}

impl Gap {
    /// The gap around a run of silent hours, as exactly as the entries next to it tell. The hours
    /// before and after it have entries; an entry that lies further away says that theirs are gone.
    pub fn between(
        before: Option<Time>,
        after: Option<Time>,
        (from, until): (Time, Time),
        now: Time,
    ) -> Self {
        let is_next_to =
            |time: &Time, hour: Time| time.0 - hour.0 < HOUR && hour.0 - time.0 <= HOUR;
        let or_now = if is_next_to(&now, until) { now } else { until };
        Self {
            from: before.filter(|before| is_next_to(before, from)).unwrap_or(from),
            to: after.filter(|after| is_next_to(after, until)).unwrap_or(or_now),
        }
    }

    /// Whether it is longer than a server that runs would be silent.
    pub fn is_real(&self) -> bool {
        self.to.since(self.from) > LONGEST_SILENCE
    }

    /// The part of it that lies in the period.
    fn within(&self, period: &Period) -> Duration {
        self.to.min(period.end).since(self.from.max(period.start))
    }
}

/// Hours without any entry, as runs: from the beginning of the first to the end of the last. Only
/// hours that are over and that lie in the period and in the life of the log.
///
/// `hours`: those with entries, in order.
pub fn silent_hours(period: &Period, begins: Time, now: Time, hours: &[Time]) -> Vec<(Time, Time)> {
    let floor = |time: Time| Time(time.0.div_euclid(HOUR) * HOUR);
    let first = floor(period.start.max(begins));
    let end = floor(period.end.min(now));
    let mut runs = Vec::new();
    let mut next = first;
    for hour in hours.iter().filter(|hour| (first..end).contains(*hour)).copied().chain([end]) {
        if hour > next {
            runs.push((next, hour));
        }
        next = Time(hour.0 + HOUR).max(next);
    }
    runs
}

/// What was found out.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub begins: Option<Time>,
    pub pruned: i64,
    pub unsequenced: i64,
    /// Silences, whether they turn out to be gaps or not.
    pub silences: Vec<Gap>,
}

impl Completeness {
    /// What that says of a period.
    pub fn of(period: &Period, found: Found) -> Self {
        let gaps: Vec<Gap> = found.silences.into_iter().filter(Gap::is_real).collect();
        let silent: Duration = gaps.iter().map(|gap| gap.within(period)).sum();
        let begins_in_time = found.begins.is_some_and(|begins| begins <= period.start);
        Self {
            is_complete: begins_in_time && found.unsequenced == 0 && gaps.is_empty(),
            log_begins: found.begins,
            entries_pruned: found.pruned,
            events_unsequenced: found.unsequenced,
            hours_without_server: (silent.as_secs() + 1800).div_euclid(3600).cast_signed(),
            gaps,
        }
    }
}

#[expect(clippy::ref_option, reason = "serde hands over references")]
fn iso<S: Serializer>(time: &Option<Time>, to: S) -> Result<S::Ok, S::Error> {
    time.map(Time::iso).serialize(to)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn one_iso<S: Serializer>(time: &Time, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&time.iso())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64, minutes: i64) -> Time {
        Time(hours * HOUR + minutes * 60_000)
    }

    fn period(start: Time, end: Time) -> Period {
        Period { from: String::new(), to: String::new(), start, end }
    }

    #[test]
    fn hours_without_entries_are_found() {
        let check = |begins, now, hours: &[i64], expected: &[(i64, i64)]| {
            let hours: Vec<_> = hours.iter().map(|hour| at(*hour, 0)).collect();
            let found = silent_hours(&period(at(24, 0), at(48, 0)), begins, now, &hours);
            let expected: Vec<_> =
                expected.iter().map(|(from, to)| (at(*from, 0), at(*to, 0))).collect();
            assert_eq!(found, expected);
        };
        let all: Vec<i64> = (24..48).collect();
        check(at(0, 0), at(99, 0), &all, &[]);
        check(at(0, 0), at(99, 0), &[], &[(24, 48)]);
        check(at(0, 0), at(99, 0), &[24, 25, 28, 47], &[(26, 28), (29, 47)]);
        // What was before the log, and what is to come.
        check(at(40, 30), at(44, 30), &[40, 43], &[(41, 43)]);
        check(at(0, 0), at(44, 30), &(24..44).collect::<Vec<_>>(), &[]);
        check(at(60, 0), at(99, 0), &[], &[]);
    }

    #[test]
    fn a_short_silence_is_none() {
        let check = |minutes, is_real| {
            let gap = Gap { from: at(24, 0), to: at(24, minutes) };
            assert_eq!(gap.is_real(), is_real, "{minutes}");
        };
        check(61, false);
        check(65, false);
        check(66, true);
    }

    #[test]
    fn a_gap_is_as_long_as_the_entries_next_to_it_say() {
        let (run, now) = ((at(10, 0), at(12, 0)), at(99, 0));
        let check = |before, after, expected: (Time, Time)| {
            let gap = Gap::between(before, after, run, now);
            assert_eq!((gap.from, gap.to), expected);
        };
        check(Some(at(9, 30)), Some(at(12, 20)), (at(9, 30), at(12, 20)));
        // They are gone, or there are none yet.
        check(None, Some(at(50, 0)), run);
        check(Some(at(9, 0)), None, (at(9, 0), at(12, 0)));
        let to_now = Gap::between(None, None, run, at(12, 40));
        assert_eq!(to_now.to, at(12, 40));
    }

    #[test]
    fn what_is_missing_is_said() {
        let day = period(at(24, 0), at(48, 0));
        let whole = Found { begins: Some(at(24, 0)), ..Found::default() };
        let check = |found, is_complete, hours| {
            let found = Completeness::of(&day, found);
            assert_eq!((found.is_complete, found.hours_without_server), (is_complete, hours));
        };
        check(whole.clone(), true, 0);
        check(Found { begins: Some(at(24, 1)), ..whole.clone() }, false, 0);
        check(Found { begins: None, ..whole.clone() }, false, 0);
        check(Found { unsequenced: 1, ..whole.clone() }, false, 0);
        let gap = |from, to| vec![Gap { from, to }];
        check(Found { silences: gap(at(30, 0), at(31, 0)), ..whole.clone() }, true, 0);
        check(Found { silences: gap(at(30, 0), at(33, 10)), ..whole.clone() }, false, 3);
        check(Found { silences: gap(at(20, 0), at(26, 0)), ..whole }, false, 2);
        let json = serde_json::to_value(Gap { from: at(0, 0), to: at(2, 0) }).unwrap();
        assert_eq!(json["from"], "1970-01-01T00:00:00Z");
    }
}
