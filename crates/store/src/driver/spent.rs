//! How long a piece of work waits for the database, for whoever asks: the time of its own statements,
//! with the wait for a connection, and not of what other tasks do for it.

use std::cell::Cell;
use std::time::{Duration, Instant};

tokio::task_local! {
    static SPENT: Cell<Duration>;
}

/// Runs the work: what came of it, and how long it waited for the database.
pub async fn measured<T>(work: impl Future<Output = T>) -> (T, Duration) {
    SPENT
        .scope(Cell::new(Duration::ZERO), async {
            let outcome = work.await;
            (outcome, SPENT.with(Cell::get))
        })
        .await
}

/// A wait for the database. It counts until it is dropped, where somebody measures.
pub(super) struct Waiting(Option<Instant>);

impl Waiting {
    /// Begins to wait.
    #[expect(
        clippy::disallowed_methods,
        reason = "a span of real time, by which nothing is decided"
    )]
    pub(super) fn begin() -> Self {
        let is_measured = SPENT.try_with(|_| ()).is_ok();
        Self(is_measured.then(Instant::now))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Some(began) = self.0 else { return };
        let took = began.elapsed();
        // Whoever stopped measuring meanwhile is told nothing.
        SPENT.try_with(|spent| spent.set(spent.get() + took)).unwrap_or_default();
    }
}
