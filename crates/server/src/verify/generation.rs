//! Whether something that was read of a user is older than a change of that user: counted, not
//! timed, so a read that was under way during the change is caught as well.
//!
//! Users share slots. A change of one makes others of the slot be read once more, which costs a
//! read and nothing else; in return the memory is fixed and asking takes no lock.

use std::sync::atomic::{AtomicU64, Ordering};

use portcullis_domain::id::UserId;
use portcullis_store::invalidations::Invalidation;

/// A moment in the order of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Generation(u64);

const SLOTS: usize = 1 << 14;

/// The last change of everybody, by slot.
pub(super) struct Generations {
    now: AtomicU64,
    of_everybody: AtomicU64,
    by_slot: Box<[AtomicU64]>,
}

impl Generations {
    pub(super) fn new() -> Self {
        let by_slot = (0..SLOTS).map(|_| AtomicU64::new(0)).collect();
        Self { now: AtomicU64::new(0), of_everybody: AtomicU64::new(0), by_slot }
    }

    /// To be taken before a read starts.
    pub(super) fn now(&self) -> Generation {
        Generation(self.now.load(Ordering::SeqCst))
    }

    /// What was read before this call is out of date.
    pub(super) fn raise(&self, what: Invalidation) {
        let number = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        let of = match what {
            Invalidation::User(user) => self.slot(user),
            Invalidation::Everybody => &self.of_everybody,
        };
        of.fetch_max(number, Ordering::SeqCst);
    }

    /// Whether the user has not changed since.
    pub(super) fn is_current(&self, user: UserId, read_in: Generation) -> bool {
        let of_user = self.slot(user).load(Ordering::SeqCst);
        of_user.max(self.of_everybody.load(Ordering::SeqCst)) <= read_in.0
    }

    fn slot(&self, user: UserId) -> &AtomicU64 {
        // Ids count up from one, so neighbours do not share a slot.
        let index = usize::try_from(user.0).unwrap_or_default() % SLOTS;
        self.by_slot.get(index).unwrap_or(&self.of_everybody)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_dates_what_was_read_before_it_of_whom_it_is_about() {
        let generations = Generations::new();
        let (ada, eve) = (UserId(1), UserId(2));
        let before = generations.now();
        generations.raise(Invalidation::User(ada));
        let after = generations.now();
        let check = |user, read_in, expected| {
            assert_eq!(generations.is_current(user, read_in), expected, "{user} {read_in:?}");
        };
        check(ada, before, false);
        check(ada, after, true);
        check(eve, before, true);
        generations.raise(Invalidation::Everybody);
        check(ada, after, false);
        check(eve, after, false);
        check(eve, generations.now(), true);
        for odd in [UserId(0), UserId(-1), UserId(i64::MAX), UserId(i64::MIN)] {
            let before = generations.now();
            generations.raise(Invalidation::User(odd));
            check(odd, before, false);
        }
    }
}
