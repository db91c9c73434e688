//! How much room there is for differences, and how much time for taking them at a look: the worst come
//! first, and a part of the room is theirs alone, so that whoever changes many files spends neither. Not
//! here: what a difference is (`differ`).

use std::time::{Duration, Instant};

use portcullis_domain::integrity::alert::Severity;

/// How long all differences of a look may take: alerts wait for them.
const OF_A_LOOK: Duration = Duration::from_secs(2);
/// How long one may take.
const OF_ONE: Duration = Duration::from_millis(500);

/// What is left, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    left: i64,
    /// Of it for the worst alone.
    for_the_worst: i64,
}

impl Room {
    /// `all` is what differences may take, `taken` what they do.
    pub(super) fn new(all: i64, taken: i64) -> Self {
        Self { left: all.saturating_sub(taken), for_the_worst: all / 4 }
    }

    /// Whether there is some for a difference of an alert.
    pub(super) fn is_for(self, severity: Severity) -> bool {
        self.left > if severity.is_bad() { 0 } else { self.for_the_worst }
    }

    pub(super) fn take(&mut self, text: &str) {
        self.left = self.left.saturating_sub(i64::try_from(text.len()).unwrap_or(i64::MAX));
    }
}

/// Until when the differences of a look may be taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Until(Instant);

impl Until {
    /// As long as a look may take for them from now on.
    pub(super) fn of_a_look() -> Self {
        Self(now() + OF_A_LOOK)
    }

    /// When the next one has to be done; `None`: there is no time left.
    pub(super) fn next(self) -> Option<Instant> {
        let now = now();
        (now < self.0).then(|| self.0.min(now + OF_ONE))
    }
}

/// When one that is taken alone has to be done.
pub(super) fn of_one() -> Instant {
    now() + OF_ONE
}

#[expect(clippy::disallowed_methods, reason = "how long a comparison takes is no matter of time")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_is_for_the_worst() {
        let check = |taken, bad: bool, rest: bool| {
            let room = Room::new(100, taken);
            for severity in Severity::ALL {
                let expected = if severity.is_bad() { bad } else { rest };
                assert_eq!(room.is_for(severity), expected, "{taken} {severity:?}");
            }
        };
        check(0, true, true);
        check(74, true, true);
        check(75, true, false);
        check(99, true, false);
        check(100, false, false);
        check(i64::MAX, false, false);
        assert!(!Room::new(0, 0).is_for(Severity::Critical), "copies are off");
    }

    #[test]
    fn what_is_taken_is_not_there_any_more() {
        let mut room = Room::new(8, 0);
        room.take("123456");
        assert!(room.is_for(Severity::High) && !room.is_for(Severity::Low));
    }

    #[test]
    fn when_the_time_is_over_no_other_one_is_begun() {
        assert_eq!(Until(now()).next(), None);
        let until = Until::of_a_look();
        assert!(until.next().is_some_and(|next| next < until.0), "control");
        let nearly = Until(now() + Duration::from_millis(100));
        assert!(nearly.next().is_some_and(|next| next == nearly.0), "one has no more than all");
    }
}
