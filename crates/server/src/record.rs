//! Events of refusals, which change nothing else: queued by the request, written in batches.
//! (An event of an act is written in the transaction of the act, by its flow.) The queue is
//! bounded; when it is full the request waits, so a refusal is never unrecorded.

use portcullis_domain::event::{Context, Event};
use portcullis_domain::time::Time;
use portcullis_store::{Db, Error, events};
use tokio::sync::mpsc;

use crate::random::Random;

/// How many events one transaction writes at most.
const BATCH: usize = 256;
/// How many may wait.
const QUEUE: usize = 1024;
/// How often a batch is tried again before its loss is logged.
const TRIES: u32 = 5;

/// The handle that requests hold.
#[derive(Clone)]
pub struct Recorder {
    queue: mpsc::Sender<Entry>,
}

/// One event with its circumstances.
pub struct Entry {
    pub event: Event,
    pub context: Context,
    pub at: Time,
}

impl Recorder {
    /// The handle, and the work to be run until the last handle is dropped.
    pub fn new(db: Db, random: Random) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (queue, entries) = mpsc::channel(QUEUE);
        (Self { queue }, write_batches(db, random, entries))
    }

    /// Queues an event.
    pub async fn record(&self, event: Event, context: Context, at: Time) {
        if self.queue.send(Entry { event, context, at }).await.is_err() {
            tracing::error!("an event came after the recorder had stopped");
        }
    }
}

async fn write_batches(db: Db, random: Random, mut entries: mpsc::Receiver<Entry>) {
    let mut batch = Vec::with_capacity(BATCH);
    while entries.recv_many(&mut batch, BATCH).await > 0 {
        for attempt in 1..=TRIES {
            match write(&db, random, &batch).await {
                Ok(()) => break,
                Err(error) if attempt == TRIES => {
                    let lost = batch.len();
                    tracing::error!(error = &error as &dyn std::error::Error, lost, "events lost");
                }
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(200)).await,
            }
        }
        batch.clear();
    }
}

async fn write(db: &Db, random: Random, batch: &[Entry]) -> Result<(), Error> {
    let mut tx = db.write().await?;
    for entry in batch {
        let id = random.row_id(entry.at);
        events::append(&mut tx, &entry.event, &entry.context, &id, entry.at).await?;
    }
    tx.commit().await
}
