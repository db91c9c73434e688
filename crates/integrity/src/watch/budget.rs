//! How many folders may be watched: the system gives a user so many, for all his programs. Not here:
//! which are.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What old systems give.
const LEAST: usize = 8192;

/// So many watches there are for all roots together; a clone is the same one.
#[derive(Clone, Debug)]
pub struct Budget {
    most: usize,
    taken: Arc<AtomicUsize>,
}

impl Budget {
    /// So many and no more.
    pub fn of(most: usize) -> Self {
        Self { most, taken: Arc::default() }
    }

    /// Four fifths of what the system gives this user: other programs want some too.
    pub fn of_system() -> Self {
        let text = fs::read_to_string("/proc/sys/fs/inotify/max_user_watches").unwrap_or_default();
        let given: usize = text.trim().parse().unwrap_or(LEAST);
        Self::of(given / 5 * 4)
    }
}

/// What one watch has taken of a budget. It is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: Budget,
    taken: usize,
}

impl Share {
    pub(super) fn of(budget: &Budget) -> Self {
        Self { budget: budget.clone(), taken: 0 }
    }

    /// Whether there is one more. Two threads may find the same one: that is what the headroom is for.
    pub(super) fn has_room(&self) -> bool {
        self.budget.taken.load(Ordering::Relaxed) < self.budget.most
    }

    /// So many are taken now.
    pub(super) fn settle(&mut self, taken: usize) {
        self.budget.taken.fetch_add(taken, Ordering::Relaxed);
        self.budget.taken.fetch_sub(self.taken, Ordering::Relaxed);
        self.taken = taken;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.settle(0);
    }
}
