//! Whether mail can be sent at the moment, as this node has seen it: told of once a change and not
//! once a message, and the reason why a server that is down is not asked for every message that waits.

use std::sync::{Mutex, PoisonError};

use portcullis_domain::delivery;
use portcullis_domain::time::Time;

use super::sending::Trouble;

/// How it stands with the way that mail takes.
#[derive(Default)]
pub struct Condition(Mutex<Option<Down>>);

/// Nothing can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Down {
    since: Time,
    /// Attempts that found it so.
    attempts: i64,
    /// It is not tried before.
    until: Time,
}

/// How many messages may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowed {
    AsManyAsFit,
    /// One, to see whether it is over.
    One,
    None,
}

impl Condition {
    /// Since when nothing can be sent; `None` where everything is well.
    pub fn down_since(&self) -> Option<Time> {
        self.locked().map(|down| down.since)
    }

    pub(super) fn allows(&self, now: Time) -> Allowed {
        match *self.locked() {
            None => Allowed::AsManyAsFit,
            Some(down) if down.until <= now => Allowed::One,
            Some(_) => Allowed::None,
        }
    }

    /// A message was taken, or the server said why it will not take that one.
    pub(super) fn works(&self, now: Time) {
        let Some(down) = self.locked().take() else { return };
        let seconds = now.since(down.since).as_secs();
        tracing::info!(after_seconds = seconds, attempts = down.attempts, "mail goes out again");
    }

    /// Nothing could be sent. Returns when it may be tried again.
    pub(super) fn is_down(&self, trouble: &Trouble, now: Time, random: u8) -> Time {
        let mut state = self.locked();
        let before = *state;
        let attempts = before.map_or(1, |down| down.attempts.saturating_add(1));
        let until = now.plus(delivery::pause(attempts, random));
        *state = Some(Down { since: before.map_or(now, |down| down.since), attempts, until });
        drop(state);
        if before.is_none() {
            let trouble = trouble as &dyn std::error::Error;
            tracing::warn!(error = trouble, "mail cannot be sent; it waits until it can");
        }
        until
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Option<Down>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_server_that_is_down_is_asked_by_one_message_at_a_time() {
        let condition = Condition::default();
        let start = Time(1_000_000);
        assert_eq!(condition.allows(start), Allowed::AsManyAsFit);
        let until = condition.is_down(&Trouble::Silent, start, 0);
        assert_eq!(condition.down_since(), Some(start));
        assert_eq!(condition.allows(until.minus(Duration::from_millis(1))), Allowed::None);
        assert_eq!(condition.allows(until), Allowed::One);
        let again = condition.is_down(&Trouble::Silent, until, 0);
        assert!(again.since(until) > until.since(start));
        assert_eq!(condition.down_since(), Some(start));
        condition.works(again);
        assert_eq!(condition.allows(again), Allowed::AsManyAsFit);
        assert_eq!(condition.down_since(), None);
    }
}
