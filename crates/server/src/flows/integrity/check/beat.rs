//! The sign of life of a check: while it works, whatever it works at, it is written down every second how
//! far it is; and whoever wants it to end is heard by that. Not here: what it works at.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portcullis_domain::id::CheckId;
use portcullis_integrity::Progress;
use portcullis_store::Error;
use portcullis_store::integrity::checks::{self, Counts};
use tokio_util::sync::CancellationToken;

use crate::flows::integrity::Monitor;

/// How often a check says how far it is.
const EVERY: Duration = Duration::from_secs(1);

/// How far a check is, for whoever writes it down.
#[derive(Default)]
pub(super) struct Beat(Mutex<Now>);

#[derive(Clone, Default)]
struct Now {
    phase: &'static str,
    root: String,
    counts: Counts,
    /// What threads do now, beside what is counted.
    progress: Option<Arc<Progress>>,
    ends: bool,
}

impl Beat {
    /// What is done from now on, and where.
    pub(super) fn at(&self, phase: &'static str, root: &str) {
        let mut now = self.now();
        now.phase = phase;
        root.clone_into(&mut now.root);
    }

    /// Threads work from now on at what this tells of. They end at once if the check is to.
    pub(super) fn follow(&self, progress: &Arc<Progress>) {
        let mut now = self.now();
        now.progress = Some(Arc::clone(progress));
        if now.ends {
            progress.stop();
        }
    }

    /// What is counted by now.
    pub(super) fn counts(&self, counts: Counts) {
        let mut now = self.now();
        (now.counts, now.progress) = (counts, None);
    }

    /// Whether the check is to end.
    pub(super) fn ends(&self) -> bool {
        self.now().ends
    }

    /// Does some work, and beats meanwhile.
    pub(super) async fn during<T>(
        &self,
        (monitor, id): (&Monitor<'_>, CheckId),
        stopping: &CancellationToken,
        work: impl Future<Output = T>,
    ) -> T {
        let beating = async {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = self.beats(monitor, id) => {}
            }
            self.end();
            std::future::pending().await
        };
        tokio::select! {
            done = work => done,
            never = beating => never,
        }
    }

    /// Beats until the check is not to go on.
    async fn beats(&self, monitor: &Monitor<'_>, id: CheckId) {
        loop {
            tokio::time::sleep(EVERY).await;
            match self.once(monitor, id).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "how far a check of the files is was not written down");
                }
            }
        }
    }

    async fn once(&self, monitor: &Monitor<'_>, id: CheckId) -> Result<bool, Error> {
        let mut tx = monitor.db.write().await?;
        let Now { phase, root, counts, progress, .. } = self.now().clone();
        let counts = progress.map_or(counts, |progress| add(counts, &progress));
        let goes_on = checks::beat(&mut tx, id, (phase, &root), &counts, monitor.now()).await?;
        tx.commit().await?;
        Ok(goes_on)
    }

    fn end(&self) {
        let mut now = self.now();
        now.ends = true;
        if let Some(progress) = &now.progress {
            progress.stop();
        }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was counted before, and what threads have done since.
pub(super) fn add(before: Counts, progress: &Progress) -> Counts {
    let more = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    Counts {
        scanned: before.scanned + more(progress.names()),
        bytes: before.bytes + more(progress.bytes()),
        unverifiable: before.unverifiable + more(progress.unverifiable()),
        ..before
    }
}
