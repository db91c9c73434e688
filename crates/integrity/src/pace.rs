//! How much of a machine a scan may take: bytes and files a second, how long one file and all of it, and
//! how many holes. Not here: priorities, which are those of whoever runs it.

use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::scan::Progress;

/// What a scan may take; `None`: as much as there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Read in a second.
    pub bytes: Option<NonZero<u64>>,
    /// Names looked at in a second.
    pub names: Option<NonZero<u64>>,
    /// A file that takes longer to read is given up as what could not be checked. Known between two reads:
    /// one that never comes back holds its thread.
    pub file: Option<Duration>,
    /// A scan that takes longer, with all that it waits for, reads nothing more: what it has not come to
    /// by then could not be checked.
    pub scan: Option<Duration>,
}

/// So much of a second may be used at once.
const BURST: Duration = Duration::from_millis(100);
/// Whoever waits looks so often whether the scan was stopped.
const NAP: Duration = Duration::from_millis(50);

/// Zeros that stand in the holes of all files together, in bytes: they cost nothing to make, and take a
/// second to hash.
const MOST_HOLES: u64 = 1 << 30;
/// So many of each file do not count among them: one large file does not keep those from being read that
/// have a few.
const FEW: u64 = 1 << 20;
/// Those that do not count, of all files together: sixteen thousand files of nothing else. Hashing them takes
/// some seconds, and minutes at fifty million bytes a second; more files with holes cost no more than that.
const MOST_FEW: u64 = 16 << 30;

/// Keeps all threads of a scan to its limits.
pub(crate) struct Pace {
    bytes: Option<Bucket>,
    names: Option<Bucket>,
    file: Option<Duration>,
    end: Option<Instant>,
    /// Room that is left for holes.
    holes: AtomicU64,
    /// Room that is left for the first few of each file.
    few: AtomicU64,
}

/// What may be used in a second, and when all that was used is paid for.
struct Bucket {
    per_second: NonZero<u64>,
    paid: Mutex<Instant>,
}

/// How long the reading of one file takes, without what was waited for the limits, and when the scan
/// ends.
pub(crate) struct Spent {
    file: Option<(Instant, Duration)>,
    end: Option<Instant>,
}

impl Pace {
    pub(crate) fn new(limits: &Limits) -> Self {
        let bucket = |per_second| Bucket { per_second, paid: Mutex::new(now()) };
        Self {
            bytes: limits.bytes.map(bucket),
            names: limits.names.map(bucket),
            file: limits.file,
            end: limits.scan.and_then(|most| now().checked_add(most)),
            holes: AtomicU64::new(MOST_HOLES),
            few: AtomicU64::new(MOST_FEW),
        }
    }

    /// Waits until so many bytes that were read of a file are paid for.
    pub(crate) fn bytes(&self, count: u64, spent: &mut Spent, progress: &Progress) {
        let Some(bucket) = &self.bytes else { return };
        let began = now();
        bucket.take(count, progress);
        if let Some((since, _)) = &mut spent.file {
            *since += now().duration_since(began);
        }
    }

    /// Waits until one more name may be looked at.
    pub(crate) fn name(&self, progress: &Progress) {
        if let Some(bucket) = &self.names {
            bucket.take(1, progress);
        }
    }

    /// Whether there is room for so many zeros more, of a file that had so many before.
    pub(crate) fn take_holes(&self, count: u64, before: u64) -> bool {
        let few = FEW.saturating_sub(before).min(count);
        let take = |room: &AtomicU64, count: u64| {
            let less = |left: u64| left.checked_sub(count);
            room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
        };
        take(&self.few, few) && take(&self.holes, count - few)
    }

    /// Whether the scan took all the time that it has.
    pub(crate) fn is_over(&self) -> bool {
        is_past(self.end)
    }

    /// The reading of a file begins.
    pub(crate) fn begin_file(&self) -> Spent {
        Spent { file: self.file.map(|most| (now(), most)), end: self.end }
    }
}

impl Spent {
    /// Whether it takes too long.
    pub(crate) fn is_over(&self) -> bool {
        let is_long = |(began, most)| now().duration_since(began) > most;
        self.file.is_some_and(is_long) || is_past(self.end)
    }
}

impl Bucket {
    /// Uses so much, and waits until it is paid for.
    fn take(&self, count: u64, progress: &Progress) {
        let price = self.price(count);
        let until = {
            let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
            let began = now().checked_sub(BURST).unwrap_or(*paid);
            *paid = began.max(*paid) + price;
            *paid
        };
        loop {
            let rest = until.saturating_duration_since(now());
            if rest.is_zero() || progress.is_stopped() {
                return;
            }
            thread::sleep(rest.min(NAP));
        }
    }

    fn price(&self, count: u64) -> Duration {
        let nanoseconds = u128::from(count) * 1_000_000_000 / u128::from(self.per_second.get());
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

fn is_past(end: Option<Instant>) -> bool {
    end.is_some_and(|end| now() >= end)
}

#[expect(clippy::disallowed_methods, reason = "how fast it goes is a matter of the real clock")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However many files there are.
    #[test]
    fn there_is_a_bound_on_the_few_holes_of_all_files_too() {
        let pace = Pace::new(&Limits::default());
        assert!((0..100_000).all(|_| pace.take_holes(100 << 10, 0)), "control: smaller ones");
        let pace = Pace::new(&Limits::default());
        let files = (0..100_000).filter(|_| pace.take_holes(FEW, 0)).count();
        assert_eq!(u64::try_from(files).unwrap() * FEW, MOST_FEW);
        assert!(!pace.take_holes(1, 0));
        // Those of one that has had its few count among all.
        assert!(pace.take_holes(MOST_HOLES, FEW) && !pace.take_holes(1, FEW));
    }

    #[test]
    fn of_each_file_only_what_is_more_than_few_counts_among_all() {
        let pace = Pace::new(&Limits::default());
        assert!(pace.take_holes(FEW / 2, 0) && pace.take_holes(FEW, FEW / 2));
        assert!(!pace.take_holes(MOST_HOLES, FEW));
        assert!(pace.take_holes(MOST_HOLES - FEW / 2, FEW) && !pace.take_holes(1, FEW));
    }
}
