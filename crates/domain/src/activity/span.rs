//! From when until when, as people and programs write it: a day, or a moment of RFC 3339. Days are
//! those of UTC, and the last one counts whole.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::time::Time;

/// The first moment that is meant.
pub fn from(text: &str) -> Option<Time> {
    match text.parse::<Date>() {
        Ok(day) if is_a_day(text) => midnight(day),
        Ok(_) | Err(_) => moment(text),
    }
}

/// The first moment that is not meant any more.
pub fn until(text: &str) -> Option<Time> {
    match text.parse::<Date>() {
        Ok(day) if is_a_day(text) => midnight(day.tomorrow().ok()?),
        Ok(_) | Err(_) => Some(Time(moment(text)?.0.saturating_add(1))),
    }
}

/// Four, two and two digits: the parser takes a date out of longer texts, too.
fn is_a_day(text: &str) -> bool {
    text.len() == 10
}

fn midnight(day: Date) -> Option<Time> {
    Some(Time(day.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond()))
}

fn moment(text: &str) -> Option<Time> {
    text.parse::<Timestamp>().ok().map(|moment| Time(moment.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_moments_are_read() {
        let check = |text: &str, first: i64, after: i64| {
            assert_eq!((from(text), until(text)), (Some(Time(first)), Some(Time(after))), "{text}");
        };
        check("2026-11-22", 1_795_305_600_000, 1_795_392_000_000);
        check("2026-11-22T01:02:03Z", 1_795_309_323_000, 1_795_309_323_001);
        check("2026-11-22T02:02:03.5+01:00", 1_795_309_323_500, 1_795_309_323_501);
        for bad in [
            "",
            "yesterday",
            "2026-11-31",
            "2026-11",
            "2026-11-22T01:02:03",
            "20261122",
            "1",
            "22.11.2026",
        ] {
            assert_eq!((from(bad), until(bad)), (None, None), "{bad}");
        }
    }
}
