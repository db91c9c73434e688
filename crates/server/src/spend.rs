//! Spends one-time CSRF tokens: group commit. Requests that arrive while one batch is written make
//! up the next, so a disk that syncs 500 times a second still serves thousands of requests.
//! A token counts as spent only when its batch is on disk (spend, then act).

use portcullis_domain::id::SessionId;
use portcullis_domain::time::Time;
use portcullis_store::csrf_spent::{self, Spend};
use portcullis_store::{Db, Error};
use tokio::sync::{mpsc, oneshot};

use crate::fault::shared;

/// How many tokens one transaction spends at most.
const BATCH: usize = csrf_spent::BATCH;
/// How many requests may wait; the next is told to come back.
const QUEUE: usize = 4096;

/// The handle that requests hold. Clones share the one writer.
#[derive(Clone)]
pub struct Spender {
    queue: mpsc::Sender<Job>,
}

struct Job {
    session: SessionId,
    nonce: [u8; 12],
    csrf_epoch: i64,
    expires_at: Time,
    won: oneshot::Sender<Result<bool, Error>>,
}

/// One token to spend.
pub struct Token {
    /// The session it is bound to.
    pub session: SessionId,
    /// What makes it unlike every other token of that session.
    pub nonce: [u8; 12],
    /// The session's CSRF epoch when it was checked; the store checks it once more.
    pub csrf_epoch: i64,
    /// When the row may be forgotten: not before the session ends.
    pub expires_at: Time,
}

impl Spender {
    /// The handle, and the work to be run until the last handle is dropped.
    pub fn new(db: Db) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (queue, jobs) = mpsc::channel(QUEUE);
        (Self { queue }, write_batches(db, jobs))
    }

    /// Whether this use of the token is the first. `Unavailable` when it cannot be known.
    pub async fn spend(&self, token: Token) -> Result<bool, Error> {
        let (won, answer) = oneshot::channel();
        let Token { session, nonce, csrf_epoch, expires_at } = token;
        let job = Job { session, nonce, csrf_epoch, expires_at, won };
        self.queue.try_send(job).map_err(|_| Error::Unavailable)?;
        answer.await.map_err(|_| Error::Unavailable)?
    }
}

async fn write_batches(db: Db, mut jobs: mpsc::Receiver<Job>) {
    let mut batch = Vec::with_capacity(BATCH);
    while jobs.recv_many(&mut batch, BATCH).await > 0 {
        let outcome = write(&db, &batch).await;
        match outcome {
            Ok(wins) => {
                for (job, won) in batch.drain(..).zip(wins) {
                    // Whoever went away has spent the token all the same.
                    drop(job.won.send(Ok(won)));
                }
            }
            Err(error) => {
                for job in batch.drain(..) {
                    drop(job.won.send(Err(shared(&error))));
                }
            }
        }
    }
}

async fn write(db: &Db, batch: &[Job]) -> Result<Vec<bool>, Error> {
    let spends: Vec<_> = batch
        .iter()
        .map(|job| Spend {
            session: &job.session,
            nonce: job.nonce,
            csrf_epoch: job.csrf_epoch,
            expires_at: job.expires_at,
        })
        .collect();
    // One statement, which is durable when it returns.
    let mut tx = db.write_once().await?;
    csrf_spent::spend(&mut tx, &spends).await
}
