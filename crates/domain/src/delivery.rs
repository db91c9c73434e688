//! Mail on its way: when a message is tried again, and until when it is worth sending. Not how it is
//! sent.

use std::time::Duration;

use serde::Serialize;

use crate::time::Time;

/// How long a message without a link or a code is tried: a server that is down over a weekend loses
/// nothing.
pub const WORTH: Duration = Duration::from_hours(3 * 24);
/// The first wait; each further one is twice as long.
const FIRST: Duration = Duration::from_secs(30);
/// No wait is longer, give or take the spread.
const LONGEST: Duration = Duration::from_hours(1);

/// The first pause of a mail server that is down; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// No pause is longer, give or take the spread: mail goes out soon after the server is back.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Why a message never went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Undelivered {
    /// The mail server refused it for good.
    Refused,
    /// It was worth nothing any more before it could be sent.
    Expired,
}

impl Undelivered {
    /// The word in the store, in events and in figures.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Expired => "expired",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Refused, Self::Expired].into_iter().find(|reason| reason.word() == word)
    }
}

/// Until when a message of `created` is worth sending: as long as the link or code in it is good.
pub fn worth_until(created: Time, good_until: Option<Time>) -> Time {
    good_until.unwrap_or_else(|| created.plus(WORTH))
}

/// How long a message waits after so many attempts (1 or more). The wait is spread by a quarter in
/// both directions, so that messages of one moment do not come back in one moment.
pub fn wait(attempts: i64, random: u8) -> Duration {
    growing(FIRST, LONGEST, attempts, random)
}

/// How long a mail server that took nothing so many times (1 or more) is left alone.
pub fn pause(attempts: i64, random: u8) -> Duration {
    growing(FIRST_PAUSE, LONGEST_PAUSE, attempts, random)
}

fn growing(first: Duration, longest: Duration, attempts: i64, random: u8) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1).clamp(0, 16)).unwrap_or_default();
    let usual = first.saturating_mul(1 << doublings).min(longest);
    // Three quarters, and up to half of the wait on top.
    usual.saturating_mul(3) / 4 + usual.saturating_mul(u32::from(random)) / (2 * 255)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_are_spread() {
        let check = |attempts: i64, least: u64, most: u64| {
            let (low, high) = (wait(attempts, 0), wait(attempts, u8::MAX));
            assert_eq!(low, Duration::from_millis(least), "{attempts}");
            assert_eq!(high, Duration::from_millis(most), "{attempts}");
        };
        check(1, 22_500, 37_500);
        check(2, 45_000, 75_000);
        check(3, 90_000, 150_000);
        check(7, 1_440_000, 2_400_000);
        check(8, 2_700_000, 4_500_000);
        check(i64::MAX, 2_700_000, 4_500_000);
        check(0, 22_500, 37_500);
        check(i64::MIN, 22_500, 37_500);
    }

    #[test]
    fn a_server_is_asked_again_within_a_minute_or_so() {
        let check = |attempts: i64, usual: u64| {
            let (low, high) = (pause(attempts, 0), pause(attempts, u8::MAX));
            assert_eq!(low, Duration::from_millis(usual * 3 / 4), "{attempts}");
            assert_eq!(high, Duration::from_millis(usual * 5 / 4), "{attempts}");
        };
        check(1, 5_000);
        check(2, 10_000);
        check(5, 60_000);
        check(500, 60_000);
    }

    #[test]
    fn a_message_is_worth_what_is_in_it() {
        let (created, good_until) = (Time(1_000), Time(601_000));
        assert_eq!(worth_until(created, Some(good_until)), good_until);
        assert_eq!(worth_until(created, None), Time(1_000 + 3 * 24 * 3_600_000));
    }

    #[test]
    fn reasons_are_read_as_they_are_written() {
        for reason in [Undelivered::Refused, Undelivered::Expired] {
            assert_eq!(Undelivered::parse(reason.word()), Some(reason));
        }
        assert_eq!(Undelivered::parse("lost"), None);
    }
}
