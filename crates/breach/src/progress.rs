//! How far long work is, and a word to end it: looked at from another thread.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Of building or verifying an index.
#[derive(Default)]
pub struct Progress {
    entries: AtomicU64,
    done: AtomicU64,
    whole: AtomicU64,
    stopped: AtomicBool,
}

impl Progress {
    /// Lines that were read, or entries that were looked at.
    pub fn entries(&self) -> u64 {
        self.entries.load(Ordering::Relaxed)
    }

    /// How much of the whole is done, in thousandths.
    pub fn thousandths(&self) -> u64 {
        let whole = self.whole.load(Ordering::Relaxed).max(1);
        let done = self.done.load(Ordering::Relaxed).min(whole);
        u64::try_from(u128::from(done) * 1000 / u128::from(whole)).unwrap_or_default()
    }

    /// Has the work end soon. What was built can be gone on with.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    pub(crate) fn begin(&self, whole: u64) {
        self.whole.store(whole, Ordering::Relaxed);
    }

    pub(crate) fn at(&self, done: u64, entries: u64) {
        self.done.store(done, Ordering::Relaxed);
        self.entries.store(entries, Ordering::Relaxed);
    }
}
