//! The period of a report: two days or two moments, in UTC. Not a clock: which day it is comes in.
//!
//! A day at the end is in the period to its last millisecond; a moment at the end is the first one
//! that is not in it.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::Serialize;

use crate::time::Time;

/// Days of a period that nobody named, today included.
pub const USUAL_DAYS: i64 = 30;
/// The longest period, in days: a year, also one with a leap day.
pub const MOST_DAYS: u64 = 366;

/// Milliseconds of an hour.
pub const HOUR: i64 = 3_600_000;
/// Milliseconds of a day.
pub const DAY: i64 = 24 * HOUR;

/// The longest text of an edge: a moment with nanoseconds and an offset.
const MAX_TEXT: usize = 35;

/// A period. As JSON it is its two edges as they are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Period {
    /// The first day, `2026-11-01`, or the first moment, RFC 3339 in UTC.
    pub from: String,
    /// The last day, or the first moment after it.
    pub to: String,
    /// The first moment in it.
    #[serde(skip)]
    pub start: Time,
    /// The first moment after it.
    #[serde(skip)]
    pub end: Time,
}

/// What is wrong with a period that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeriodFault {
    /// `from` is neither a day nor a moment.
    From,
    /// `to` is neither a day nor a moment.
    To,
    /// It ends before it begins.
    Reversed,
    /// It is longer than [`MOST_DAYS`].
    TooLong,
}

impl PeriodFault {
    /// The parameter that is wrong.
    pub fn field(self) -> &'static str {
        match self {
            Self::From | Self::Reversed | Self::TooLong => "from",
            Self::To => "to",
        }
    }

    /// The stable word for it.
    pub fn code(self) -> &'static str {
        match self {
            Self::From | Self::To => "invalid",
            Self::Reversed => "period_reversed",
            Self::TooLong => "period_too_long",
        }
    }

    /// The sentence for a person, without the name of the parameter.
    pub fn detail(self) -> &'static str {
        match self {
            Self::From | Self::To => {
                "must be a day such as 2026-11-01, or a moment such as 2026-11-01T06:00:00Z"
            }
            Self::Reversed => "must lie before to",
            Self::TooLong => "must lie at most 366 days before the end",
        }
    }
}

/// What a period spans in whole hours, and the parts of hours at its edges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spans {
    /// From the beginning of an hour to that of another, which is not in it; empty where they are one.
    pub whole: (Time, Time),
    /// At most two.
    pub parts: Vec<(Time, Time)>,
}

impl Period {
    /// Reads the two edges. Without `to` it ends today, without `from` it has [`USUAL_DAYS`] days.
    pub fn parse(from: Option<&str>, to: Option<&str>, now: Time) -> Result<Self, PeriodFault> {
        let to = match to {
            Some(text) => Edge::parse(text).ok_or(PeriodFault::To)?,
            None => Edge::Day(day_of(now).ok_or(PeriodFault::To)?),
        };
        let from = match from {
            Some(text) => Edge::parse(text).ok_or(PeriodFault::From)?,
            None => to.earlier(USUAL_DAYS - 1).ok_or(PeriodFault::To)?,
        };
        let start = from.start().ok_or(PeriodFault::From)?;
        let end = to.end().ok_or(PeriodFault::To)?;
        if start >= end {
            return Err(PeriodFault::Reversed);
        }
        if end.since(start) > Duration::from_hours(MOST_DAYS * 24) {
            return Err(PeriodFault::TooLong);
        }
        Ok(Self { from: from.written(), to: to.written(), start, end })
    }

    /// The period of the same length right before it.
    #[must_use]
    pub fn previous(&self) -> Self {
        let (start, end) = (self.start.minus(self.end.since(self.start)), self.start);
        let is_whole_days = self.start.0 % DAY == 0 && self.end.0 % DAY == 0;
        let written = |time: Time| {
            let text = moment(time).to_string();
            if is_whole_days { text.get(..10).unwrap_or(&text).to_owned() } else { text }
        };
        let last = if is_whole_days { Time(end.0 - DAY) } else { end };
        Self { from: written(start), to: written(last), start, end }
    }

    /// The days that it touches, each as its first moment.
    pub fn days(&self) -> impl Iterator<Item = Time> + use<> {
        let (first, end) = (self.start.0.div_euclid(DAY) * DAY, self.end.0);
        let number = round_up((end - first).max(0), DAY) / DAY;
        (0..number).map(move |number| Time(first + number * DAY))
    }

    /// When the hour begins in which it begins.
    pub fn first_hour(&self) -> Time {
        Time(self.start.0.div_euclid(HOUR) * HOUR)
    }

    /// The whole hours in it, and what is left at the edges.
    pub fn spans(&self) -> Spans {
        let (start, end) = (self.start.0, self.end.0);
        let (first, last) = (round_up(start, HOUR), end.div_euclid(HOUR) * HOUR);
        if first > last {
            return Spans { whole: (self.end, self.end), parts: vec![(self.start, self.end)] };
        }
        let edges = [(start, first), (last, end)];
        let parts = edges.into_iter().filter(|(from, to)| from < to);
        let parts = parts.map(|(from, to)| (Time(from), Time(to))).collect();
        Spans { whole: (Time(first), Time(last)), parts }
    }
}

/// An edge as it was written.
enum Edge {
    Day(Date),
    Moment(Timestamp),
}

impl Edge {
    /// Strict, so that nobody takes the answer to another question for his own: `2026-11-01`, or that
    /// and a time with an offset.
    fn parse(text: &str) -> Option<Self> {
        let is_date = |text: &str| {
            let mut bytes = text.bytes().enumerate();
            bytes.all(
                |(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() },
            )
        };
        let (date, time) = text.split_at_checked(10)?;
        if !is_date(date) || text.len() > MAX_TEXT {
            return None;
        }
        if time.is_empty() {
            return date.parse().ok().map(Self::Day);
        }
        let is_plain = time.starts_with('T')
            && time.bytes().all(|byte| byte.is_ascii_digit() || b"T:.+-Z".contains(&byte));
        // The store knows milliseconds.
        let moment: Timestamp = text.parse().ok().filter(|_| is_plain)?;
        Timestamp::from_millisecond(moment.as_millisecond()).ok().map(Self::Moment)
    }

    /// So many days before it.
    fn earlier(&self, days: i64) -> Option<Self> {
        let date = match self {
            Self::Day(date) => *date,
            Self::Moment(moment) => moment.to_zoned(TimeZone::UTC).date(),
        };
        date.checked_sub(days.days()).ok().map(Self::Day)
    }

    fn start(&self) -> Option<Time> {
        match self {
            Self::Day(date) => midnight(*date),
            Self::Moment(moment) => Some(Time(moment.as_millisecond())),
        }
    }

    fn end(&self) -> Option<Time> {
        match self {
            Self::Day(date) => midnight(date.tomorrow().ok()?),
            Self::Moment(moment) => Some(Time(moment.as_millisecond())),
        }
    }

    fn written(&self) -> String {
        match self {
            Self::Day(date) => date.to_string(),
            Self::Moment(moment) => moment.to_string(),
        }
    }
}

/// The next multiple of `unit` that is not smaller.
fn round_up(number: i64, unit: i64) -> i64 {
    let whole = number.div_euclid(unit) * unit;
    if whole == number { number } else { whole + unit }
}

fn midnight(date: Date) -> Option<Time> {
    let midnight = date.to_zoned(TimeZone::UTC).ok()?;
    Some(Time(midnight.timestamp().as_millisecond()))
}

fn day_of(time: Time) -> Option<Date> {
    let moment = Timestamp::from_millisecond(time.0).ok()?;
    Some(moment.to_zoned(TimeZone::UTC).date())
}

/// Every moment of a period can be written.
fn moment(time: Time) -> Timestamp {
    Timestamp::from_millisecond(time.0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22T01:02:03.456Z.
    const NOW: Time = Time(1_795_309_323_456);

    fn read(from: &str, to: &str) -> Result<Period, PeriodFault> {
        let given = |text| Some(text).filter(|text: &&str| !text.is_empty());
        Period::parse(given(from), given(to), NOW)
    }

    #[test]
    fn days_are_whole_and_moments_are_exact() {
        let check = |from, to, expected: (&str, &str, &str, &str)| {
            let period = read(from, to).unwrap();
            let (start, end) = (moment(period.start).to_string(), moment(period.end).to_string());
            let found = (period.from.as_str(), period.to.as_str(), start.as_str(), end.as_str());
            assert_eq!(found, expected, "{from} {to}");
        };
        let (first, last) = ("2024-06-01", "2024-06-14");
        let (from, until) = ("2024-06-01T00:00:00Z", "2024-06-15T00:00:00Z");
        check(first, last, (first, last, from, until));
        check(first, first, (first, first, from, "2024-06-02T00:00:00Z"));
        check(from, until, (from, until, from, until));
        let (of_moment, until_moment) = ("2024-06-01T06:00:00.5Z", "2024-06-02T07:30:00Z");
        check(
            "2024-06-01T08:00:00.5+02:00",
            until_moment,
            (of_moment, until_moment, of_moment, until_moment),
        );
        check("", "", ("2026-10-24", "2026-11-22", "2026-10-24T00:00:00Z", "2026-11-23T00:00:00Z"));
        check(
            "2026-11-20",
            "",
            ("2026-11-20", "2026-11-22", "2026-11-20T00:00:00Z", "2026-11-23T00:00:00Z"),
        );
        check("", "2024-06-30", (first, "2024-06-30", from, "2024-07-01T00:00:00Z"));
        // Two edges of one day with a time, and a year with a leap day.
        check(
            "2024-01-01",
            "2024-12-31",
            ("2024-01-01", "2024-12-31", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
        );
    }

    #[test]
    fn nonsense_is_named() {
        let check = |from, to, fault| assert_eq!(read(from, to), Err(fault), "{from} {to}");
        for nonsense in [
            "x",
            "2024-6-1",
            "2024-06-31",
            "20240601",
            "2024-06-01 ",
            "2024-06-01T",
            "2024-06-01T10:00:00",
            "2024-06-01 10:00:00Z",
            "2024-06-01T10:00:00 02:00",
            "2024-06-01T10:00:00Z[Europe/London]",
            "-2024-06-01",
            "+02024-06-01",
            "２０２４-06-01",
            "9999-12-31",
            "2024-06-01T10:00:00.000000000000000000Z",
        ] {
            if nonsense != "9999-12-31" {
                check(nonsense, "2024-06-14", PeriodFault::From);
            }
            check("2024-06-01", nonsense, PeriodFault::To);
        }
        check("2024-06-02", "2024-06-01", PeriodFault::Reversed);
        check("2027-01-01", "", PeriodFault::Reversed);
        check("2024-06-01T10:00:00Z", "2024-06-01T10:00:00Z", PeriodFault::Reversed);
        check("2024-01-01", "2025-01-01", PeriodFault::TooLong);
        check("0001-01-01", "2025-01-01", PeriodFault::TooLong);
    }

    #[test]
    fn the_previous_one_is_as_long_and_touches() {
        let check = |from, to, expected: (&str, &str)| {
            let period = read(from, to).unwrap();
            let before = period.previous();
            assert_eq!((before.from.as_str(), before.to.as_str()), expected);
            assert_eq!(before.end, period.start);
            assert_eq!(before.end.since(before.start), period.end.since(period.start));
        };
        check("2024-06-01", "2024-06-14", ("2024-05-18", "2024-05-31"));
        check("2024-06-01", "2024-06-01", ("2024-05-31", "2024-05-31"));
        let hours = ("2024-06-01T08:00:00Z", "2024-06-01T09:30:00Z");
        check(hours.1, "2024-06-01T11:00:00Z", hours);
    }

    #[test]
    fn a_period_is_hours_and_what_is_left_at_its_edges() {
        let at = |hours: i64, minutes: i64| Time(hours * HOUR + minutes * 60_000);
        let check = |start, end, whole, parts: &[(Time, Time)]| {
            let period = Period { from: String::new(), to: String::new(), start, end };
            assert_eq!(period.spans(), Spans { whole, parts: parts.to_vec() });
        };
        check(at(1, 0), at(3, 0), (at(1, 0), at(3, 0)), &[]);
        check(at(1, 1), at(3, 0), (at(2, 0), at(3, 0)), &[(at(1, 1), at(2, 0))]);
        check(at(1, 0), at(3, 1), (at(1, 0), at(3, 0)), &[(at(3, 0), at(3, 1))]);
        let both = [(at(1, 1), at(2, 0)), (at(2, 0), at(2, 1))];
        check(at(1, 1), at(2, 1), (at(2, 0), at(2, 0)), &both);
        check(at(1, 1), at(1, 2), (at(1, 2), at(1, 2)), &[(at(1, 1), at(1, 2))]);
    }

    #[test]
    fn days_are_those_that_it_touches() {
        let check = |from, to, expected: &[&str]| {
            let days = read(from, to).unwrap().days();
            let days: Vec<_> = days.map(Time::iso).collect();
            assert_eq!(days, expected);
        };
        let (first, second) = ("2024-02-28T00:00:00Z", "2024-02-29T00:00:00Z");
        check("2024-02-28", "2024-02-29", &[first, second]);
        check("2024-02-28T23:00:00Z", "2024-02-29T01:00:00Z", &[first, second]);
        check("2024-02-28T23:00:00Z", "2024-02-29T00:00:00Z", &[first]);
    }
}
