//! The hot path: from the credential in a request to the caller it stands for, through a cache
//! that is never older than the revocation bound.
//!
//! Rules that keep the bound (each has a test):
//! - an entry's age counts from the moment its read *started*, by monotonic time;
//! - an older entry is read again, and when the store cannot be read the answer is 503;
//! - a revocation through this process is felt at once: entries read before it are not used;
//! - what the store does not know is not remembered, so guesses cannot push out real entries.

pub mod access_token;
pub mod presented;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use moka::ops::compute::Op;
use portcullis_domain::id::UserId;
use portcullis_domain::secret::Mac;
use portcullis_domain::session::{self, CredentialFacts, Dead};
use portcullis_domain::time::Time;
use portcullis_store::credentials::Found;
use portcullis_store::{Db, Error, credentials};

use crate::clock::Clock;
use crate::fault::shared;

/// How many credentials are remembered at most.
const CAPACITY: u64 = 1_000_000;
/// How many recent revocations are remembered before the old ones are swept.
const REVOCATIONS_SWEPT_AT: usize = 1024;

/// Turns the MAC of a credential into what the store says of it.
pub struct Verifier {
    cache: moka::future::Cache<Mac, Arc<Entry>>,
    bound: Duration,
    generation: AtomicU64,
    revoked: RwLock<HashMap<UserId, Revocation>>,
}

struct Entry {
    found: Arc<Found>,
    read_at: Duration,
    generation: u64,
    touched: AtomicI64,
}

struct Revocation {
    generation: u64,
    at: Duration,
}

/// What became of a credential.
pub enum Verified {
    /// It is good now.
    Live(Arc<Found>),
    /// It was known once; why it is not good any longer.
    Dead(Dead),
    /// The store has never heard of it.
    Unknown,
}

/// Why nothing was put into the cache.
enum NotRead {
    Unknown,
    Store(Error),
}

impl Verifier {
    /// `bound`: how long an answer may be used again; zero reads the store each time.
    pub fn new(bound: Duration) -> Self {
        let cache = moka::future::Cache::builder()
            .max_capacity(CAPACITY)
            .time_to_live(bound.max(Duration::from_millis(1)))
            .build();
        Self { cache, bound, generation: AtomicU64::new(0), revoked: RwLock::default() }
    }

    /// What the store says of the credential with this MAC, at most the bound ago, and whether it
    /// is good now. Writes down that it was used, at most once a minute.
    pub async fn verify(&self, db: &Db, clock: &Clock, mac: &Mac) -> Result<Verified, Error> {
        let entry = match self.cache.get(mac).await {
            Some(entry) if self.is_fresh(&entry, clock) => entry,
            stale => {
                // Boxed, so that a hit need not carry the room for a miss.
                match Box::pin(self.read_once(db, clock, mac, stale)).await? {
                    Some(entry) => entry,
                    None => return Ok(Verified::Unknown),
                }
            }
        };
        let now = clock.now();
        let facts = facts(&entry);
        if let Err(dead) = session::alive(&facts, now) {
            return Ok(Verified::Dead(dead));
        }
        if session::touch_due(facts.last_active, facts.idle, now) {
            Box::pin(touch(db, mac, &entry, &facts, now)).await?;
        }
        Ok(Verified::Live(Arc::clone(&entry.found)))
    }

    /// From now on, nothing that was read about this user before is used any more.
    pub fn revoke(&self, user: UserId, clock: &Clock) {
        let at = clock.monotonic();
        let mut revoked = self.revoked.write().unwrap_or_else(PoisonError::into_inner);
        let generation = self.generation.fetch_add(1, Ordering::SeqCst) + 1;
        if revoked.len() >= REVOCATIONS_SWEPT_AT {
            // Entries older than the bound are read again anyway.
            revoked.retain(|_, revocation| at.saturating_sub(revocation.at) <= self.bound * 2);
        }
        revoked.insert(user, Revocation { generation, at });
    }

    fn is_fresh(&self, entry: &Entry, clock: &Clock) -> bool {
        let within_bound = clock.monotonic().saturating_sub(entry.read_at) < self.bound;
        within_bound && !self.revoked_since(entry)
    }

    fn revoked_since(&self, entry: &Entry) -> bool {
        if self.generation.load(Ordering::SeqCst) == entry.generation {
            return false;
        }
        let revoked = self.revoked.read().unwrap_or_else(PoisonError::into_inner);
        let user = entry.found.user.id;
        revoked.get(&user).is_some_and(|revocation| revocation.generation > entry.generation)
    }

    /// One read for any number of requests that ask for the same credential at once. An answer
    /// that was too old when this request came, or was overtaken by a revocation, is read again.
    async fn read_once(
        &self,
        db: &Db,
        clock: &Clock,
        mac: &Mac,
        mut stale: Option<Arc<Entry>>,
    ) -> Result<Option<Arc<Entry>>, Error> {
        let asked = clock.monotonic();
        loop {
            if let Some(stale) = stale {
                self.forget(mac, &stale).await;
            }
            match self.cache.try_get_with(*mac, self.read(db, clock, mac)).await {
                Ok(entry) if self.is_good_for(&entry, asked) => return Ok(Some(entry)),
                Ok(entry) => stale = Some(entry),
                Err(not_read) => match &*not_read {
                    NotRead::Unknown => return Ok(None),
                    NotRead::Store(error) => return Err(shared(error)),
                },
            }
        }
    }

    /// Whether an entry answers a request that came at `asked`. A read that is slower than the bound
    /// still answers those who came before it started.
    fn is_good_for(&self, entry: &Entry, asked: Duration) -> bool {
        let within_bound = asked.saturating_sub(entry.read_at) < self.bound;
        (entry.read_at >= asked || within_bound) && !self.revoked_since(entry)
    }

    /// Throws out this very entry: of many requests that saw it, the slower ones must not throw out
    /// what the first has read since.
    async fn forget(&self, mac: &Mac, stale: &Arc<Entry>) {
        let decide = |current: Option<moka::Entry<Mac, Arc<Entry>>>| {
            let is_it = current.is_some_and(|current| Arc::ptr_eq(current.value(), stale));
            std::future::ready(if is_it { Op::Remove } else { Op::Nop })
        };
        drop(self.cache.entry(*mac).and_compute_with(decide).await);
    }

    async fn read(&self, db: &Db, clock: &Clock, mac: &Mac) -> Result<Arc<Entry>, NotRead> {
        let read_at = clock.monotonic();
        let generation = self.generation.load(Ordering::SeqCst);
        let found = load(db, mac).await.map_err(NotRead::Store)?.ok_or(NotRead::Unknown)?;
        let touched = AtomicI64::new(found.credential.last_active.0);
        Ok(Arc::new(Entry { found: Arc::new(found), read_at, generation, touched }))
    }
}

async fn load(db: &Db, mac: &Mac) -> Result<Option<Found>, Error> {
    let mut tx = db.read_once().await?;
    credentials::find(&mut tx, mac).await
}

/// What decides whether the credential is alive, with the use that was last written down from here.
fn facts(entry: &Entry) -> CredentialFacts {
    let last_active = Time(entry.touched.load(Ordering::SeqCst));
    CredentialFacts { last_active, ..entry.found.facts() }
}

/// Writes down that the credential was used. The statement itself refuses to wake what is idle
/// for too long or has ended, so a slow request cannot resurrect anything. Of parallel requests
/// one writes.
///
/// A good credential is not refused because this failed: the next request tries again. Only when
/// its idle time is nearly over the failure counts, because soon after it would be dead for all
/// others, who know nothing of this use.
async fn touch(
    db: &Db,
    mac: &Mac,
    entry: &Entry,
    facts: &CredentialFacts,
    now: Time,
) -> Result<(), Error> {
    let (seen, to) = (facts.last_active.0, now.0);
    if entry.touched.compare_exchange(seen, to, Ordering::SeqCst, Ordering::SeqCst).is_err() {
        return Ok(());
    }
    let Err(error) = write_touch(db, mac, now).await else { return Ok(()) };
    if entry.touched.compare_exchange(to, seen, Ordering::SeqCst, Ordering::SeqCst).is_err() {
        // A later request has taken over.
        return Ok(());
    }
    let enough = session::touch_after(facts.idle) * 2;
    let idle_ends = facts.idle.map(|idle| facts.last_active.plus(idle));
    if idle_ends.is_some_and(|end| end.since(now) < enough) {
        return Err(error);
    }
    tracing::debug!(error = &error as &dyn std::error::Error, "a use was not written down");
    Ok(())
}

async fn write_touch(db: &Db, mac: &Mac, now: Time) -> Result<(), Error> {
    let mut tx = db.write_once().await?;
    credentials::touch(&mut tx, mac, now, now).await?;
    tx.commit().await
}
