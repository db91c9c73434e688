//! Writing down that credentials were used: many in one transaction, beside the requests. Only one
//! whose idle time is half over waits for it, because in as long again it would be dead for all other
//! nodes, which know nothing of this use.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use portcullis_domain::secret::Mac;
use portcullis_domain::session::CredentialFacts;
use portcullis_domain::time::Time;
use portcullis_store::{Db, Error, credentials};
use tokio::sync::{mpsc, oneshot};

use super::Entry;
use crate::fault::{in_time, shared};

/// How many uses one transaction writes down at most: a few milliseconds of the one writer.
const BATCH: usize = 4 * credentials::TOUCHES;
/// How long uses are gathered when none is urgent: a transaction costs more than a use.
const GATHER: Duration = Duration::from_millis(100);
/// How many may wait. When the store is slow these are what is left out first: the next request
/// with the same credential tries again.
const QUEUE: usize = 16 * 1024;

/// The handle that the verifier holds.
pub struct Toucher(mpsc::Sender<Use>);

/// One credential that was used.
struct Use {
    mac: Mac,
    entry: Arc<Entry>,
    /// What was last written down.
    seen: Time,
    now: Time,
    written: Option<oneshot::Sender<Result<(), Error>>>,
}

impl Toucher {
    /// The handle, and the work to be run until the handle is dropped.
    pub fn new(db: Db) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (queue, uses) = mpsc::channel(QUEUE);
        (Self(queue), write_batches(db, uses))
    }

    /// Notes a use at `now`. Of parallel requests with the same credential one does. A good
    /// credential is not refused because this failed, unless its idle time is half over.
    pub(super) async fn touch(
        &self,
        mac: &Mac,
        entry: &Arc<Entry>,
        facts: &CredentialFacts,
        now: Time,
    ) -> Result<(), Error> {
        let seen = facts.last_active;
        if !entry.claim(seen, now) {
            return Ok(());
        }
        let (written, answer) = oneshot::channel();
        let is_urgent = is_half_over(facts, now);
        let written = is_urgent.then_some(written);
        let used = Use { mac: *mac, entry: Arc::clone(entry), seen, now, written };
        if let Err(refused) = self.0.try_send(used) {
            let (mpsc::error::TrySendError::Full(used) | mpsc::error::TrySendError::Closed(used)) =
                refused;
            used.give_back();
            return if is_urgent { Err(Error::Unavailable) } else { Ok(()) };
        }
        if is_urgent { answer.await.unwrap_or(Err(Error::Unavailable)) } else { Ok(()) }
    }
}

fn is_half_over(facts: &CredentialFacts, now: Time) -> bool {
    facts.idle.is_some_and(|idle| now.since(facts.last_active) >= idle / 2)
}

impl Entry {
    /// Takes it on oneself to write this use down.
    fn claim(&self, seen: Time, now: Time) -> bool {
        self.touched.compare_exchange(seen.0, now.0, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

impl Use {
    /// It was not written down: the next request shall try. `false`: a later one has taken it over.
    fn give_back(&self) -> bool {
        let (from, to) = (self.now.0, self.seen.0);
        self.entry.touched.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

async fn write_batches(db: Db, mut uses: mpsc::Receiver<Use>) {
    let mut batch = Vec::new();
    while uses.recv_many(&mut batch, BATCH).await > 0 {
        // Whether all have come or the time is over makes no difference.
        tokio::time::timeout(GATHER, gather(&mut batch, &mut uses)).await.ok();
        let outcome = in_time(write(&db, &batch)).await;
        if let Err(error) = &outcome {
            tracing::debug!(error = error as &dyn std::error::Error, "uses were not written down");
        }
        for mut used in batch.drain(..) {
            let told = outcome.as_ref().copied().map_err(shared);
            if told.is_err() {
                used.give_back();
            }
            if let Some(written) = used.written.take() {
                // Whoever went away has used it all the same.
                drop(written.send(told));
            }
        }
    }
}

/// Until there are enough, or one is urgent, or nobody can send any more.
async fn gather(batch: &mut Vec<Use>, uses: &mut mpsc::Receiver<Use>) {
    let mut seen = 0;
    while batch.len() < BATCH {
        let mut new = batch.iter().skip(seen);
        if new.any(|used| used.written.is_some()) {
            return;
        }
        seen = batch.len();
        if uses.recv_many(batch, BATCH - seen).await == 0 {
            return;
        }
    }
}

/// One transaction, which is durable when it returns. The statement itself refuses to wake what is
/// idle for too long or has ended, so a slow request cannot resurrect anything.
async fn write(db: &Db, batch: &[Use]) -> Result<(), Error> {
    let mut macs: Vec<Mac> = batch.iter().map(|used| used.mac).collect();
    // Nodes that write down the same uses meet in the same order.
    macs.sort_unstable_by_key(|mac| *mac.as_bytes());
    let latest = batch.iter().map(|used| used.now).max().unwrap_or(Time(0));
    let is_one_statement = macs.len() <= credentials::TOUCHES;
    let mut tx = if is_one_statement { db.write_once().await? } else { db.write().await? };
    credentials::touch(&mut tx, &macs, latest).await?;
    tx.commit().await
}
