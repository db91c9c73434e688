//! Password hashing on threads of its own, so that a storm of sign-ins cannot slow the checks of
//! those who are signed in. Each thread keeps its memory block between hashes; a full queue is an
//! answer (503), never a longer wait. What a hash *is* lives in `domain::password`.

use std::sync::{Arc, Mutex, PoisonError, mpsc};

use portcullis_domain::password::{self, Memory, Params, Verdict};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::telemetry::metrics::HashTimes;

/// How many requests may wait, per thread, before the next is told to come back.
const QUEUE_PER_THREAD: usize = 4;

/// How far a hashing thread stands back, in steps of `nice`: where it competes it gets a sixtieth of
/// the time, and whoever wakes up beside it runs at once.
const COURTESY: i32 = 19;

/// A bounded pool of hashing threads. Clones share it.
#[derive(Clone)]
pub struct Hasher {
    queue: mpsc::SyncSender<Job>,
    seats: Arc<Semaphore>,
    all_seats: usize,
    dummy: Arc<str>,
}

/// The queue is full, or the pool has stopped: come back later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked at once")]
pub struct Busy;

/// A place in the queue, taken before an attempt is counted, so that a full queue never costs
/// anybody one of their attempts.
pub struct Seat {
    permit: OwnedSemaphorePermit,
}

struct Job {
    seat: Seat,
    password: zeroize::Zeroizing<String>,
    work: Work,
}

enum Work {
    Hash { salt: [u8; 16], reply: oneshot::Sender<Result<String, password::HashError>> },
    Verify { phc: String, reply: oneshot::Sender<Verdict> },
}

impl Hasher {
    /// Starts `threads` threads that hash with `params`. They end when the last clone is dropped.
    pub fn start(threads: usize, params: Params, times: HashTimes) -> std::io::Result<Self> {
        let threads = threads.max(1);
        let all_seats = threads * (1 + QUEUE_PER_THREAD);
        let (queue, jobs) = mpsc::sync_channel(all_seats);
        let times = Arc::new(times);
        let jobs = Arc::new(Mutex::new(jobs));
        for index in 0..threads {
            let (jobs, times) = (Arc::clone(&jobs), Arc::clone(&times));
            let name = format!("password-{index}");
            std::thread::Builder::new()
                .name(name)
                .spawn(move || work_until_closed(&jobs, params, &times))?;
        }
        let seats = Arc::new(Semaphore::new(all_seats));
        Ok(Self { queue, seats, all_seats, dummy: password::dummy_phc(&params).into() })
    }

    /// How many passwords are being hashed or wait for it.
    pub fn waiting(&self) -> usize {
        self.all_seats.saturating_sub(self.seats.available_permits())
    }

    /// How many passwords may be hashed or wait for it at once.
    pub fn room(&self) -> usize {
        self.all_seats
    }

    /// Takes a place in the queue, if there is one.
    pub fn seat(&self) -> Result<Seat, Busy> {
        Arc::clone(&self.seats).try_acquire_owned().map(|permit| Seat { permit }).map_err(|_| Busy)
    }

    /// Takes a place in the queue, however long that takes.
    pub async fn seat_in_turn(&self) -> Result<Seat, Busy> {
        let permit = Arc::clone(&self.seats).acquire_owned().await;
        permit.map(|permit| Seat { permit }).map_err(|_| Busy)
    }

    /// Hashes a new password into its PHC string.
    pub async fn hash(&self, seat: Seat, password: &str, salt: [u8; 16]) -> Result<String, Busy> {
        let (reply, answer) = oneshot::channel();
        self.submit(seat, password, Work::Hash { salt, reply })?;
        answer.await.map_err(|_| Busy)?.map_err(|_| Busy)
    }

    /// Checks `password` against `phc`. With no hash to check (an unknown user, one without a
    /// password) the same work is done against a fixed one, and the answer is a mismatch.
    pub async fn verify(
        &self,
        seat: Seat,
        password: &str,
        phc: Option<&str>,
    ) -> Result<Verdict, Busy> {
        let (reply, answer) = oneshot::channel();
        let against = phc.unwrap_or(&self.dummy).to_owned();
        self.submit(seat, password, Work::Verify { phc: against, reply })?;
        let verdict = answer.await.map_err(|_| Busy)?;
        Ok(if phc.is_some() { verdict } else { Verdict::Mismatch })
    }

    fn submit(&self, seat: Seat, password: &str, work: Work) -> Result<(), Busy> {
        let password = zeroize::Zeroizing::new(password.to_owned());
        self.queue.try_send(Job { seat, password, work }).map_err(|_| Busy)
    }
}

fn work_until_closed(jobs: &Mutex<mpsc::Receiver<Job>>, params: Params, times: &HashTimes) {
    let mut memory = Memory::default();
    // Those who are signed in come first. Where that is not allowed, all are equal.
    if let Err(error) = rustix::process::nice(COURTESY) {
        tracing::debug!(%error, "password threads run at the usual priority");
    }
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        // A caller who went away meanwhile does not want the answer.
        match job.work {
            Work::Hash { salt, reply } => {
                let hash = || password::hash(&params, &mut memory, &job.password, &salt);
                reply.send(times.time(hash)).ok();
            }
            Work::Verify { phc, reply } => {
                if !reply.is_closed() {
                    let verify = || password::verify(&params, &mut memory, &phc, &job.password);
                    let verdict = times.time(verify);
                    // The caller may have gone away while the work was done.
                    reply.send(verdict).ok();
                }
            }
        }
        drop(job.seat.permit);
    }
}
