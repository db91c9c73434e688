//! Limits as arithmetic: how many in which time, when a lock-out begins and ends. Not here: where the
//! counters are kept, and what they are keyed by.

use std::str::FromStr;
use std::time::Duration;

use crate::time::Time;

/// After this many wrong passwords in a row, from wherever they came, an account takes no password
/// until an administrator or a reset helps (NIST SP 800-63B-4, section 3.2.2: no more than 100).
pub const PASSWORD_DISABLED_AFTER: u32 = 100;

/// At most `count` in each `period`. Written `5/60s`; [`parse_limit`] also reads `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// At least 1.
    pub count: u32,
    /// At least one second.
    pub period: Duration,
}

/// The text is not a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a count and a period, such as \"5/60s\" or \"10/15m\", or \"off\"")]
pub struct LimitFault;

/// Reads `5/60s`, or `off` as `None`.
pub fn parse_limit(text: &str) -> Result<Option<Limit>, LimitFault> {
    if text == "off" { Ok(None) } else { text.parse().map(Some) }
}

impl FromStr for Limit {
    type Err = LimitFault;

    fn from_str(text: &str) -> Result<Self, LimitFault> {
        let (count, period) = text.split_once('/').ok_or(LimitFault)?;
        let count = digits(count).and_then(|count| u32::try_from(count).ok()).ok_or(LimitFault)?;
        let period = parse_duration(period).map_err(|_| LimitFault)?;
        if count == 0 { Err(LimitFault) } else { Ok(Self { count, period }) }
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}s", self.count, self.period.as_secs())
    }
}

impl Limit {
    /// The same period with `factor` times the count.
    #[must_use]
    pub fn times(self, factor: u32) -> Self {
        Self { count: self.count.saturating_mul(factor), ..self }
    }
}

/// The text is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a whole number above 0 and s, m, h or d, such as \"30s\", \"15m\", \"2h\" or \"30d\""
)]
pub struct DurationFault;

/// Reads `30s`, `15m`, `2h` or `30d`; up to 100 years, so that no sum with a time overflows.
pub fn parse_duration(text: &str) -> Result<Duration, DurationFault> {
    const LONGEST: u64 = 36_525 * 86_400;
    let (number, seconds) = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)]
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))
        .ok_or(DurationFault)?;
    digits(number)
        .and_then(|number: u64| number.checked_mul(seconds))
        .filter(|seconds| (1..=LONGEST).contains(seconds))
        .map(Duration::from_secs)
        .ok_or(DurationFault)
}

/// `u64::from_str` also takes a plus sign.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// A counter of one fixed window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// When the first of the window came.
    pub started: Time,
    /// How many were admitted, never more than the limit.
    pub count: u32,
}

/// Whether one more is admitted, with what the answer's headers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Admitted {
        /// How many more this window admits.
        remaining: u32,
        /// When the window ends.
        reset: Time,
    },
    /// Too many.
    Refused {
        /// How long to wait: whole seconds, at least one.
        retry_after: Duration,
        /// When the window ends.
        reset: Time,
    },
}

/// Counts one more before it is done, so that parallel attempts cannot outrun the counter.
pub fn reserve(limit: Limit, window: Option<Window>, now: Time) -> (Window, Verdict) {
    let current = window.filter(|window| is_within(window.started, limit.period, now));
    let window = current.unwrap_or(Window { started: now, count: 0 });
    let reset = window.started.plus(limit.period);
    if window.count >= limit.count {
        return (window, Verdict::Refused { retry_after: wait(now, reset), reset });
    }
    let count = window.count + 1;
    (Window { count, ..window }, Verdict::Admitted { remaining: limit.count - count, reset })
}

/// Wrong passwords in a row for one account from one network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failures {
    /// How many, with those whose check is still going on.
    pub count: u32,
    /// When the last of them came.
    pub last: Time,
}

/// Whether a sign-in attempt may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Go on. The attempt is counted as a failure until it succeeds and the row is deleted.
    Open {
        /// This attempt is the last one: if it fails, the network is locked out.
        last: bool,
    },
    /// Locked out.
    Locked {
        /// When the lock-out ends.
        until: Time,
        /// How long to wait: whole seconds, at least one.
        retry_after: Duration,
    },
}

/// Counts an attempt to sign in before its password is checked: `limit.count` failures in a row lock
/// out for `limit.period`, counted from the last of them. Afterwards the count starts anew; attempts
/// during a lock-out do not prolong it.
pub fn lockout(limit: Limit, failures: Option<Failures>, now: Time) -> (Failures, Lock) {
    let before = failures.unwrap_or(Failures { count: 0, last: now });
    let reached = before.count >= limit.count;
    if reached && is_within(before.last, limit.period, now) {
        let until = before.last.plus(limit.period);
        return (before, Lock::Locked { until, retry_after: wait(now, until) });
    }
    let count = if reached { 1 } else { before.count + 1 };
    (Failures { count, last: now }, Lock::Open { last: count >= limit.count })
}

/// Whether `now` is in the period that began at `started`. Clocks of nodes differ a little, so a start
/// in the near future counts as within; one further ahead than the period comes from a clock that was
/// set back, and must not lock anybody out until the time is reached again.
fn is_within(started: Time, period: Duration, now: Time) -> bool {
    now < started.plus(period) && started <= now.plus(period)
}

fn wait(now: Time, until: Time) -> Duration {
    let left = until.since(now);
    let whole = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    Duration::from_secs(whole.max(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);
    const FIVE: Limit = Limit { count: 5, period: MINUTE };

    #[test]
    fn limits_are_read_as_written() {
        let check = |text: &str, expected| assert_eq!(parse_limit(text), expected, "{text:?}");
        check("5/60s", Ok(Some(FIVE)));
        check("5/1m", Ok(Some(FIVE)));
        check("10/15m", Ok(Some(Limit { count: 10, period: 15 * MINUTE })));
        check("off", Ok(None));
        for wrong in [
            "",
            "5",
            "5/",
            "/60s",
            "0/60s",
            "5/0s",
            "-5/60s",
            "+5/60s",
            "5/60",
            "5 / 60s",
            "OFF",
            "5/60s/2",
            "4294967296/60s",
            "5/1y",
        ] {
            check(wrong, Err(LimitFault));
        }
        assert_eq!("10/15m".parse::<Limit>().unwrap().to_string(), "10/900s");
        assert_eq!(FIVE.times(6), Limit { count: 30, period: MINUTE });
    }

    #[test]
    fn durations_are_read_as_written() {
        let check = |text: &str, seconds: Option<u64>| {
            let expected = seconds.map(Duration::from_secs).ok_or(DurationFault);
            assert_eq!(parse_duration(text), expected, "{text:?}");
        };
        check("1s", Some(1));
        check("30s", Some(30));
        check("15m", Some(900));
        check("2h", Some(7200));
        check("30d", Some(2_592_000));
        check("36525d", Some(3_155_760_000));
        for wrong in [
            "",
            "s",
            "0s",
            "30",
            "30 s",
            "1.5h",
            "-1s",
            "+1s",
            "1w",
            "30S",
            "36526d",
            "18446744073709551615d",
            "99999999999999999999s",
            "é",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_window_admits_its_count() {
        let at = |ms: i64| Time(1_000_000 + ms);
        let started = at(0);
        let check = |window: Option<Window>, now: Time, count, expected| {
            let (after, verdict) = reserve(FIVE, window, now);
            assert_eq!((after.count, verdict), (count, expected), "{window:?} {now:?}");
        };
        let reset = at(60_000);
        check(None, at(0), 1, Verdict::Admitted { remaining: 4, reset });
        let four = Some(Window { started, count: 4 });
        check(four, at(59_999), 5, Verdict::Admitted { remaining: 0, reset });
        let full = Some(Window { started, count: 5 });
        let refused =
            |seconds| Verdict::Refused { retry_after: Duration::from_secs(seconds), reset };
        check(full, at(0), 5, refused(60));
        check(full, at(58_500), 5, refused(2));
        check(full, at(59_999), 5, refused(1));
        check(full, at(60_000), 1, Verdict::Admitted { remaining: 4, reset: at(120_000) });
        // Another node's clock is a little ahead; a clock was set back by more than the window.
        check(full, at(-3000), 5, refused(63));
        check(full, at(-60_001), 1, Verdict::Admitted { remaining: 4, reset: at(-1) });
    }

    #[test]
    fn ten_in_a_row_lock_out() {
        let limit = Limit { count: 10, period: 15 * MINUTE };
        let at = |minutes: i64| Time(1_000_000 + minutes * 60_000);
        let check = |count: u32, last: i64, now: i64, after: u32, expected| {
            let before = (count > 0).then_some(Failures { count, last: at(last) });
            let (failures, lock) = lockout(limit, before, at(now));
            assert_eq!((failures.count, lock), (after, expected), "{count} {last} {now}");
        };
        check(0, 0, 0, 1, Lock::Open { last: false });
        check(8, 0, 1, 9, Lock::Open { last: false });
        check(9, 0, 1, 10, Lock::Open { last: true });
        // In a row means in a row, whatever the time between.
        check(9, 0, 60 * 24, 10, Lock::Open { last: true });
        let locked = |minutes: u32| Lock::Locked { until: at(15), retry_after: minutes * MINUTE };
        check(10, 0, 0, 10, locked(15));
        check(10, 0, 14, 10, locked(1));
        check(10, 0, 15, 1, Lock::Open { last: false });
        let first = Limit { count: 1, ..limit };
        assert_eq!(lockout(first, None, at(0)).1, Lock::Open { last: true });
    }

    proptest! {
        #[test]
        fn no_window_admits_more_than_its_count(
            count in 1..20_u32, seconds in 1..600_u64,
            steps in prop::collection::vec(0..30_000_i64, 1..200),
        ) {
            let limit = Limit { count, period: Duration::from_secs(seconds) };
            let (mut now, mut window, mut admitted) = (Time(0), None, Vec::new());
            for step in steps {
                now = Time(now.0 + step);
                let (after, verdict) = reserve(limit, window, now);
                match verdict {
                    Verdict::Admitted { remaining, reset } => {
                        prop_assert_eq!(remaining + after.count, count);
                        prop_assert!(reset > now);
                        admitted.push(after.started);
                    }
                    Verdict::Refused { retry_after, .. } => {
                        prop_assert!(retry_after <= limit.period);
                        let later = reserve(limit, Some(after), now.plus(retry_after)).1;
                        let admits = matches!(later, Verdict::Admitted { .. });
                        prop_assert!(admits, "the time to wait is long enough");
                    }
                }
                window = Some(after);
            }
            for started in &admitted {
                let same = admitted.iter().filter(|other| *other == started).count();
                prop_assert!(same <= count as usize);
            }
        }

        #[test]
        fn no_network_tries_more_than_the_limit_in_a_row(
            count in 1..20_u32, steps in prop::collection::vec(0..400_000_i64, 1..200),
        ) {
            let limit = Limit { count, period: 15 * MINUTE };
            let (mut now, mut failures, mut in_a_row) = (Time(0), None, 0);
            for step in steps {
                now = Time(now.0 + step);
                let (after, lock) = lockout(limit, failures, now);
                match lock {
                    Lock::Open { last } => {
                        in_a_row = if in_a_row == count { 1 } else { in_a_row + 1 };
                        prop_assert_eq!(after.count, in_a_row);
                        prop_assert_eq!(last, in_a_row == count);
                    }
                    Lock::Locked { retry_after, .. } => {
                        prop_assert_eq!(in_a_row, count);
                        let later = lockout(limit, Some(after), now.plus(retry_after)).1;
                        let open = matches!(later, Lock::Open { .. });
                        prop_assert!(open, "the time to wait is long enough");
                    }
                }
                failures = Some(after);
            }
        }
    }
}
