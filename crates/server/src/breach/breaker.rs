//! Whether it makes sense to ask a service that has failed before. Decides; asks nobody.

use std::time::Duration;

/// So many failures in a row, and it is left alone.
const FAILURES: u32 = 3;
/// For so long.
const REST: Duration = Duration::from_secs(30);

/// What is known of a service. Time is that of a clock that never runs backwards.
#[derive(Default)]
pub(super) struct Breaker {
    failures: u32,
    /// Nobody asks before; whoever does then asks alone.
    rests_until: Option<Duration>,
}

/// Whether something is to be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    Nothing,
    /// It is left alone from now on.
    Down,
    /// It answers again.
    Up,
}

impl Breaker {
    /// Whether it may be asked now. After a rest one may, whose answer decides for all.
    pub(super) fn may_ask(&mut self, now: Duration) -> bool {
        match self.rests_until {
            Some(until) if now < until => false,
            Some(_) => {
                self.rests_until = Some(now + REST);
                true
            }
            None => true,
        }
    }

    pub(super) fn answered(&mut self) -> News {
        self.failures = 0;
        if self.rests_until.take().is_some() { News::Up } else { News::Nothing }
    }

    pub(super) fn failed(&mut self, now: Duration) -> News {
        self.failures = self.failures.saturating_add(1);
        if self.failures < FAILURES {
            return News::Nothing;
        }
        let was_down = self.rests_until.replace(now + REST).is_some();
        if was_down { News::Nothing } else { News::Down }
    }

    pub(super) fn is_down(&self) -> bool {
        self.rests_until.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_three_times_rests_and_is_tried_by_one() {
        let at = Duration::from_secs;
        let mut breaker = Breaker::default();
        for _ in 0..2 {
            assert!(breaker.may_ask(at(1)));
            assert_eq!(breaker.failed(at(1)), News::Nothing);
        }
        assert!(breaker.may_ask(at(1)));
        assert_eq!(breaker.failed(at(1)), News::Down);
        assert!(breaker.is_down());
        assert!(!breaker.may_ask(at(2)));
        assert!(!breaker.may_ask(at(30)));
        assert!(breaker.may_ask(at(31)));
        assert!(!breaker.may_ask(at(31)), "one tries");
        assert_eq!(breaker.failed(at(32)), News::Nothing, "it is said once");
        assert!(!breaker.may_ask(at(61)));
        assert!(breaker.may_ask(at(62)));
        assert_eq!(breaker.answered(), News::Up);
        assert!(breaker.may_ask(at(62)) && !breaker.is_down());
        assert_eq!(breaker.answered(), News::Nothing);
    }

    #[test]
    fn failures_count_in_a_row() {
        let mut breaker = Breaker::default();
        for _ in 0..10 {
            assert_eq!(breaker.failed(Duration::ZERO), News::Nothing);
            assert_eq!(breaker.answered(), News::Nothing);
        }
    }
}
