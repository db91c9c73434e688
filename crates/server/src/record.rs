//! Events of refusals, which change nothing else: queued by the request, written in batches.
//! (An event of an act is written in the transaction of the act, by its flow.) The queue is
//! bounded; when it is full the request waits. While the database cannot be written to, the events
//! wait with it; they are given up, and their number logged, only if it is still so when the server
//! stops.

use std::time::Duration;

use futures_util::FutureExt as _;
use portcullis_domain::event::{Context, Event};
use portcullis_domain::time::Time;
use portcullis_store::audit::log;
use portcullis_store::{Db, Error, events};
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior};

use crate::random::Random;

/// How many events one transaction writes at most.
const BATCH: usize = 256;
/// How many may wait.
const QUEUE: usize = 1024;
/// The pause after the first failure; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often a batch is tried once the server stops.
const LAST_TRIES: u32 = 3;
/// The longest pause then.
const LONGEST_LAST_PAUSE: Duration = Duration::from_secs(1);
/// How often a database that cannot be written to is logged.
const COMPLAIN_EVERY: Duration = Duration::from_mins(1);

/// The handle that requests hold.
#[derive(Clone)]
pub struct Recorder {
    queue: mpsc::Sender<Entry>,
    random: Random,
}

/// One event with its circumstances. Its id is from when it happened, so it sorts among the events
/// of that millisecond as it should, however late it is written.
struct Entry {
    id: String,
    event: Event,
    context: Context,
    at: Time,
}

impl Recorder {
    /// The handle, and the work to be run until the last handle is dropped.
    pub fn new(db: Db, random: Random) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (queue, entries) = mpsc::channel(QUEUE);
        (Self { queue, random }, write_batches(db, entries))
    }

    /// Queues an event.
    pub async fn record(&self, event: Event, context: Context, at: Time) {
        let id = self.random.row_id(at);
        if self.queue.send(Entry { id, event, context, at }).await.is_err() {
            tracing::error!("an event came after the recorder had stopped");
        }
    }
}

async fn write_batches(db: Db, mut entries: mpsc::Receiver<Entry>) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut complaints = tokio::time::interval(COMPLAIN_EVERY);
    complaints.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while entries.recv_many(&mut batch, BATCH).await > 0 {
        if let Err(error) = persist(&db, &batch, &entries, &mut complaints).await {
            let lost = batch.len() + entries.len();
            tracing::error!(error = &error as &dyn std::error::Error, lost, "events lost");
            return;
        }
        batch.clear();
    }
}

/// Tries until the batch is written or, once the server stops, a few times more.
async fn persist(
    db: &Db,
    batch: &[Entry],
    entries: &mpsc::Receiver<Entry>,
    complaints: &mut Interval,
) -> Result<(), Error> {
    let (mut pause, mut last_tries, mut tries) = (FIRST_PAUSE, LAST_TRIES, Tries::First);
    loop {
        let error = match write(db, batch, tries).await {
            // An id can only be taken by the same event: an earlier try was written after all.
            Ok(()) | Err(Error::Conflict) => return Ok(()),
            Err(error) => error,
        };
        tries = Tries::Again;
        // Every handle is gone: nothing more will come, and shutdown waits for this.
        if entries.is_closed() {
            last_tries -= 1;
            if last_tries == 0 {
                return Err(error);
            }
            pause = pause.min(LONGEST_LAST_PAUSE);
        }
        if complaints.tick().now_or_never().is_some() {
            let waiting = batch.len() + entries.len();
            tracing::warn!(error = &error as &dyn std::error::Error, waiting, "events wait");
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether a batch may have been written already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tries {
    First,
    Again,
}

async fn write(db: &Db, batch: &[Entry], tries: Tries) -> Result<(), Error> {
    let mut tx = db.write().await?;
    for Entry { id, event, context, at } in batch {
        // One that was written may have got its place in the log since.
        if tries == Tries::Again && log::holds(&mut tx, id, *at).await? {
            continue;
        }
        events::append(&mut tx, event, context, id, *at).await?;
    }
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use portcullis_domain::secret::{Keys, MasterSecret};
    use portcullis_store::Tx;
    use portcullis_store::events::EventFilter;

    use super::*;
    use crate::verify::tests::{NOW, SignedIn};

    /// Longer than a handful of tries, after which a batch used to be lost.
    const OUTAGE: Duration = Duration::from_millis(1300);

    #[tokio::test]
    async fn refusals_outlive_an_outage_in_the_order_in_which_they_happened() {
        let SignedIn { db, .. } = &SignedIn::open().await;
        let (recorder, work) = Recorder::new(db.clone(), Random);
        let outage = hold_the_writer(db).await;
        let requests = async move {
            for request in 0..QUEUE + BATCH {
                let request_id = Some(request.to_string());
                let context = Context { request_id, ..Context::default() };
                recorder.record(Event::Stopped, context, NOW).await;
            }
        };
        let recovery = async move {
            tokio::time::sleep(OUTAGE).await;
            drop(outage);
        };
        tokio::join!(requests, recovery, work);
        let written = written(db).await;
        assert_eq!(written.len(), QUEUE + BATCH);
        assert!(written.iter().rev().enumerate().all(|(number, id)| *id == number.to_string()));
    }

    #[tokio::test]
    async fn a_server_that_stops_does_not_wait_for_ever() {
        let SignedIn { db, .. } = &SignedIn::open().await;
        let (recorder, work) = Recorder::new(db.clone(), Random);
        let outage = hold_the_writer(db).await;
        recorder.record(Event::Stopped, Context::default(), NOW).await;
        drop(recorder);
        tokio::time::timeout(OUTAGE, work).await.unwrap();
        drop(outage);
        assert_eq!(written(db).await, [""; 0]);
    }

    #[tokio::test]
    async fn a_batch_that_was_written_after_all_is_done() {
        let SignedIn { db, .. } = &SignedIn::open().await;
        let entry = || Entry {
            id: Random.row_id(NOW),
            event: Event::Stopped,
            context: Context::default(),
            at: NOW,
        };
        let batch = [entry(), entry()];
        let (_queue, entries) = mpsc::channel(1);
        let mut complaints = tokio::time::interval(COMPLAIN_EVERY);
        for _ in 0..2 {
            persist(db, &batch, &entries, &mut complaints).await.unwrap();
        }
        assert_eq!(written(db).await.len(), 2);
    }

    /// SQLite has one writer: while somebody has it, nothing can be written.
    async fn hold_the_writer(db: &Db) -> Tx {
        db.write().await.unwrap()
    }

    /// The requests of the events that were written, newest first.
    async fn written(db: &Db) -> Vec<String> {
        let filter = EventFilter { name: None, subject: None, limit: 10_000 };
        let keys = Keys::derive(&MasterSecret::from_random([7; 32])).unwrap();
        let mut tx = db.read().await.unwrap();
        let events = events::list(&mut tx, &keys.audit, &filter).await.unwrap();
        events.into_iter().map(|event| event.context.request_id.unwrap_or_default()).collect()
    }
}
