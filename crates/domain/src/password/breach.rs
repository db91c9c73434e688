//! How it stands with a password that may be in a breach, when it is looked up again, and until when one that is
//! breached is taken. Not here: who knows breached passwords.

use std::time::Duration;

use crate::time::Time;

/// How long nobody looks up again what a service said that does not tell when it says something else: as long as
/// its answers may be kept.
const SERVICE_AGREES_FOR: Duration = Duration::from_hours(31 * 24);

/// How it stands with the password of an account, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BreachState {
    /// It is known.
    Breached,
    /// Somebody who was to be asked did not answer, and nobody else knows it. It is looked up later.
    Deferred,
    /// Nobody looked: it was set before there was anybody to ask, or came as a hash.
    Unchecked,
    /// Nobody who was asked knows it.
    Clear,
}

impl BreachState {
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [Self::Breached, Self::Deferred, Self::Unchecked, Self::Clear];

    /// As it is stored and told (contract P28).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unchecked => "unchecked",
            Self::Clear => "clear",
            Self::Breached => "breached",
            Self::Deferred => "deferred",
        }
    }

    /// The state of a word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What was found out of the password of an account, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreachStanding {
    pub state: BreachState,
    /// How often it was found, at least.
    pub count: i64,
    /// When it was last looked up; `None` for never. Of a breached one, when that was found out.
    pub checked_at: Option<Time>,
    /// Who was asked then, and of what date.
    pub corpus: String,
    /// When the password was set. `None`: there is none.
    pub set_at: Option<Time>,
}

impl BreachStanding {
    /// Whether it is to be looked up with those who are asked now. What is breached stays so until there is
    /// another password.
    pub fn is_due(&self, corpus: &str, now: Time) -> bool {
        match self.state {
            BreachState::Breached => false,
            BreachState::Unchecked | BreachState::Deferred => true,
            BreachState::Clear => {
                let is_old = |at: Time| at.plus(SERVICE_AGREES_FOR) <= now;
                self.corpus != corpus || self.checked_at.is_none_or(is_old)
            }
        }
    }
}

/// What is done when somebody signs in with a password that is breached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtSignIn {
    /// Nobody looks.
    Off,
    /// It is found out, written down and told.
    Tell,
    /// After some time it is not taken any more, too.
    Require {
        /// How long it is taken from when that was found out.
        grace: Duration,
    },
}

impl AtSignIn {
    /// Until when the password is taken; `None` for as long as it likes.
    pub fn due(self, standing: &BreachStanding) -> Option<Time> {
        match (self, standing.state, standing.checked_at) {
            (Self::Require { grace }, BreachState::Breached, Some(found)) => {
                Some(found.plus(grace))
            }
            (Self::Off | Self::Tell | Self::Require { .. }, _, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_800_000_000_000);

    fn standing(state: BreachState) -> BreachStanding {
        let corpus = "list 2026-07-17".to_owned();
        BreachStanding { state, count: 0, checked_at: Some(NOW), corpus, set_at: Some(NOW) }
    }

    #[test]
    fn states_are_written_as_they_are_read() {
        assert!(BreachState::ALL.is_sorted());
        for state in BreachState::ALL {
            assert_eq!(BreachState::parse(state.as_str()), Some(state));
        }
        assert_eq!(BreachState::parse("Clear"), None);
    }

    #[test]
    fn a_password_is_looked_up_again_where_others_are_asked_or_it_was_long_ago() {
        let check = |state, corpus: &str, days: u64, expected: bool| {
            let now = NOW.plus(Duration::from_hours(24 * days));
            assert_eq!(standing(state).is_due(corpus, now), expected, "{state:?} {corpus} {days}");
        };
        check(BreachState::Clear, "list 2026-07-17", 0, false);
        check(BreachState::Clear, "list 2026-07-17", 30, false);
        check(BreachState::Clear, "list 2026-07-17", 31, true);
        check(BreachState::Clear, "list 2026-07-17, offline 2026-11-01 9", 0, true);
        check(BreachState::Unchecked, "list 2026-07-17", 0, true);
        check(BreachState::Deferred, "list 2026-07-17", 0, true);
        check(BreachState::Breached, "other", 99, false);
        let never = BreachStanding { checked_at: None, ..standing(BreachState::Clear) };
        assert!(never.is_due("list 2026-07-17", NOW));
    }

    #[test]
    fn only_what_is_breached_has_an_end_and_only_where_that_is_wanted() {
        let grace = Duration::from_hours(1);
        let check = |policy: AtSignIn, state, expected: Option<Time>| {
            assert_eq!(policy.due(&standing(state)), expected, "{policy:?} {state:?}");
        };
        check(AtSignIn::Require { grace }, BreachState::Breached, Some(NOW.plus(grace)));
        check(AtSignIn::Require { grace: Duration::ZERO }, BreachState::Breached, Some(NOW));
        check(AtSignIn::Require { grace }, BreachState::Clear, None);
        check(AtSignIn::Require { grace }, BreachState::Deferred, None);
        check(AtSignIn::Tell, BreachState::Breached, None);
        check(AtSignIn::Off, BreachState::Breached, None);
    }
}
