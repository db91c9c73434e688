//! How much of a machine a scan may take: bytes and files a second, and how long one file. Not here:
//! priorities, which are those of whoever runs it.

use std::num::NonZero;
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
}

/// So much of a second may be used at once.
const BURST: Duration = Duration::from_millis(100);
/// Whoever waits looks so often whether the scan was stopped.
const NAP: Duration = Duration::from_millis(50);

/// Keeps all threads of a scan to its limits.
pub(crate) struct Pace {
    bytes: Option<Bucket>,
    names: Option<Bucket>,
    file: Option<Duration>,
}

/// What may be used in a second, and when all that was used is paid for.
struct Bucket {
    per_second: NonZero<u64>,
    paid: Mutex<Instant>,
}

/// How long the reading of one file takes, without what was waited for the limits.
pub(crate) struct Spent(Option<(Instant, Duration)>);

impl Pace {
    pub(crate) fn new(limits: &Limits) -> Self {
        let bucket = |per_second| Bucket { per_second, paid: Mutex::new(now()) };
        Self { bytes: limits.bytes.map(bucket), names: limits.names.map(bucket), file: limits.file }
    }

    /// Waits until so many bytes that were read of a file are paid for.
    pub(crate) fn bytes(&self, count: u64, spent: &mut Spent, progress: &Progress) {
        let Some(bucket) = &self.bytes else { return };
        let began = now();
        bucket.take(count, progress);
        if let Some((since, _)) = &mut spent.0 {
            *since += now().duration_since(began);
        }
    }

    /// Waits until one more name may be looked at.
    pub(crate) fn name(&self, progress: &Progress) {
        if let Some(bucket) = &self.names {
            bucket.take(1, progress);
        }
    }

    /// The reading of a file begins.
    pub(crate) fn begin_file(&self) -> Spent {
        Spent(self.file.map(|most| (now(), most)))
    }
}

impl Spent {
    /// Whether it takes too long.
    pub(crate) fn is_over(&self) -> bool {
        self.0.is_some_and(|(began, most)| now().duration_since(began) > most)
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

#[expect(clippy::disallowed_methods, reason = "how fast it goes is a matter of the real clock")]
fn now() -> Instant {
    Instant::now()
}
