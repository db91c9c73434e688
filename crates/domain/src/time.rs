//! Moments in time, as the number that is stored and compared.
//!
//! Not a clock: nothing here asks what time it is. The server's clock gives a [`Time`] and the
//! rules take it as an argument.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Time(pub i64);

impl Time {
    /// The moment that lies `span` later; the last representable one if there is none.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// The moment that lies `span` earlier; the first representable one if there is none.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    /// How long ago `earlier` was, seen from here; zero when it is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        let span = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(span).unwrap_or(0))
    }

    /// Whole seconds since the epoch, rounded down, as cookies, JWTs and rate-limit headers count.
    pub fn secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// RFC 3339 in UTC to the second, rounded down: `2026-11-22T01:02:03Z`.
    pub fn iso(self) -> String {
        let range = Timestamp::MIN.as_second()..=Timestamp::MAX.as_second();
        let second = self.secs().clamp(*range.start(), *range.end());
        Timestamp::from_second(second).unwrap_or_default().to_string()
    }

    /// The beginning of a day in UTC, written `2026-01-31`; `None` if it is no day.
    pub fn of_day(text: &str) -> Option<Self> {
        let is_day = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let moment: Timestamp = format!("{text}T00:00:00Z").parse().ok().filter(|_| is_day)?;
        Some(Self(moment.as_millisecond()))
    }

    /// For people: to the minute in UTC, rounded down: `2026-11-22 01:02 UTC`.
    pub fn to_the_minute(self) -> String {
        let iso = self.iso();
        iso.get(..16).unwrap_or(&iso).replace('T', " ") + " UTC"
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        let second = Duration::from_secs(1);
        assert_eq!(Time(5).plus(second), Time(1005));
        assert_eq!(Time(5).minus(second), Time(-995));
        assert_eq!(Time(i64::MAX).plus(Duration::MAX), Time(i64::MAX));
        assert_eq!(Time(i64::MIN).minus(Duration::MAX), Time(i64::MIN));
        assert_eq!(Time(3000).since(Time(1000)), Duration::from_secs(2));
        assert_eq!(Time(1000).since(Time(3000)), Duration::ZERO);
        assert_eq!(Time(i64::MAX).since(Time(i64::MIN)), Duration::from_millis(i64::MAX as u64));
    }

    #[test]
    fn a_day_begins_in_utc() {
        let check = |text: &str, iso: Option<&str>| {
            assert_eq!(Time::of_day(text).map(Time::iso).as_deref(), iso, "{text:?}");
        };
        check("2026-01-31", Some("2026-01-31T00:00:00Z"));
        check("2024-02-29", Some("2024-02-29T00:00:00Z"));
        for wrong in ["2026-02-29", "2026-1-31", "20260131", "2026-01-31T", "", "+026-01-31"] {
            check(wrong, None);
        }
    }

    #[test]
    fn iso_is_utc_to_the_second() {
        let check = |millis: i64, iso: &str| assert_eq!(Time(millis).iso(), iso, "{millis}");
        check(0, "1970-01-01T00:00:00Z");
        check(999, "1970-01-01T00:00:00Z");
        check(-1, "1969-12-31T23:59:59Z");
        check(1_795_309_323_456, "2026-11-22T01:02:03Z");
        check(i64::MAX, "9999-12-30T22:00:00Z");
    }

    #[test]
    fn people_read_minutes() {
        let check = |millis: i64, text: &str| assert_eq!(Time(millis).to_the_minute(), text);
        check(0, "1970-01-01 00:00 UTC");
        check(1_795_309_379_999, "2026-11-22 01:02 UTC");
    }

    #[test]
    fn seconds_are_rounded_down() {
        assert_eq!(Time(1999).secs(), 1);
        assert_eq!(Time(-1).secs(), -1);
    }
}
