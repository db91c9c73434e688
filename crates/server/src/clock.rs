//! Time as a value that is handed in: the machine's clock, or one that a test moves.
//! Nothing else in this crate reads a clock.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use portcullis_domain::time::Time;

/// Where time comes from.
pub enum Clock {
    /// The machine's clock.
    System {
        /// The zero of [`Clock::monotonic`], on the clock that goes on while the machine sleeps.
        started: Duration,
    },
    /// A clock that stands still until it is advanced; milliseconds since the Unix epoch.
    Fake(AtomicI64),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::System { started: since_boot() }
    }

    /// A clock that stands still at `now`.
    pub fn fake(now: Time) -> Self {
        Self::Fake(AtomicI64::new(now.0))
    }

    /// The time of day, in milliseconds since the Unix epoch.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    pub fn now(&self) -> Time {
        match self {
            Self::System { .. } => {
                let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Time(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
            }
            Self::Fake(now) => Time(now.load(Ordering::SeqCst)),
        }
    }

    /// Time that never runs backwards, for ages of cached things. It goes on while the machine
    /// sleeps: what was remembered before is old when it wakes.
    pub fn monotonic(&self) -> Duration {
        match self {
            Self::System { started } => since_boot().saturating_sub(*started),
            Self::Fake(now) => {
                Duration::from_millis(u64::try_from(now.load(Ordering::SeqCst)).unwrap_or_default())
            }
        }
    }

    /// Moves a fake clock forward; the machine's clock stays as it is.
    pub fn advance(&self, by: Duration) {
        if let Self::Fake(now) = self {
            now.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }
}

fn since_boot() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(now).unwrap_or_default()
}
