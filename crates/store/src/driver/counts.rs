//! What a process has done with its database so far: errors met, events committed. Read by whoever
//! watches the server; nothing is decided by it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// Counted since the database was opened, over all its clones.
#[derive(Debug, Default)]
pub struct Counts {
    unavailable: AtomicU64,
    failed: AtomicU64,
    events: AtomicU64,
}

impl Counts {
    /// How often the database could not be reached or was too busy.
    pub fn unavailable(&self) -> u64 {
        self.unavailable.load(Ordering::Relaxed)
    }

    /// How often the driver failed in a way that nobody planned.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// How many events were committed.
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// Passes an outcome on, counted if it is an error.
    pub(super) fn watch<T>(&self, outcome: Result<T, impl Into<Error>>) -> Result<T> {
        let outcome = outcome.map_err(Into::into);
        match &outcome {
            Err(Error::Unavailable) => self.unavailable.fetch_add(1, Ordering::Relaxed),
            Err(Error::Driver(_) | Error::Corrupt { .. }) => {
                self.failed.fetch_add(1, Ordering::Relaxed)
            }
            Ok(_) | Err(Error::Conflict) => 0,
        };
        outcome
    }

    pub(super) fn commit_events(&self, count: u64) {
        self.events.fetch_add(count, Ordering::Relaxed);
    }
}
