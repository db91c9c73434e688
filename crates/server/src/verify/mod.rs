//! The hot path: from the credential in a request to the caller it stands for, through a cache
//! that is never trusted for longer than the revocation bound.
//!
//! Rules that keep the bound (each has a test):
//! - an answer is good for the bound from when its read *started*, by a clock that does not stop;
//! - then it is read again, unless [`follow`] has meanwhile seen the log of all changes: what is
//!   not in there has not changed since;
//! - a change through this process is felt at once, also by a read that is under way;
//! - a node that has not told the others that it runs, lately, asks each time ([`crate::nodes`]);
//! - only what is alive is believed for longer than the bound, and the unknown for a tenth of a second;
//! - when the store cannot be read, the answer is 503.

pub mod access_token;
mod flights;
pub mod follow;
mod generation;
mod interned;
pub mod presented;
#[cfg(test)]
pub(crate) mod tests;
mod touch;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use portcullis_domain::csrf::AuthKind;
use portcullis_domain::id::{RoleId, UserId};
use portcullis_domain::role::Role;
use portcullis_domain::secret::Mac;
use portcullis_domain::session::{self, CredentialFacts, Dead};
use portcullis_domain::time::Time;
use portcullis_store::credentials::Found;
use portcullis_store::invalidations::Invalidation;
use portcullis_store::users::User;
use portcullis_store::{Db, Error, api_keys, credentials};
use quick_cache::sync::Cache;

use self::flights::{Flight, Flights};
use self::generation::{Generation, Generations};
use self::interned::Interned;
pub use self::touch::Toucher;
use crate::clock::Clock;
use crate::fault::{in_time, shared};
use crate::telemetry::Telemetry;
use crate::telemetry::metrics::Verification;
use crate::telemetry::spans::Spans;

/// How many credentials are remembered at most; each takes about 350 bytes, with its share of a user.
const CAPACITY: usize = 1 << 20;
/// How long an answer is kept at most, however well the log is followed: a change that somebody
/// makes past us, in the database itself, is in no log.
const LONGEST: Duration = Duration::from_mins(10);
/// How long it is remembered that the store has never heard of a credential, so that a client
/// that keeps asking with the same one does not keep the store busy.
const UNKNOWN_FOR: Duration = Duration::from_millis(100);
/// How many unknown ones are remembered: in a place of their own, where guesses push out guesses.
const UNKNOWN_CAPACITY: usize = 4096;

/// Turns the MAC of a credential into what the store says of it.
pub struct Verifier {
    cache: Cache<Mac, Arc<Entry>>,
    unknown: Cache<Mac, Duration>,
    flights: Flights<Mac, Read>,
    users: Interned<UserId, User>,
    roles: Interned<(RoleId, Option<UserId>), Role>,
    generations: Generations,
    toucher: Toucher,
    /// When the log was last seen, in milliseconds of monotonic time from 1; 0: never.
    confirmed: AtomicU64,
    /// Until when other nodes wait for this one, in milliseconds of monotonic time.
    trusted_until: AtomicU64,
    bound: Duration,
    counts: Verification,
    spans: Spans,
}

struct Entry {
    found: Found,
    /// In nanoseconds of monotonic time, which is half as long as the usual type.
    read_nanos: u64,
    generation: Generation,
    touched: AtomicI64,
}

/// What one read brought, for all who waited for it.
type Read = Result<Option<Arc<Entry>>, Arc<Error>>;

/// What a request shows: how, which tells where the store looks, and the MAC. Those of one way are never
/// those of another.
#[derive(Clone, Copy)]
pub struct Proof {
    pub auth: AuthKind,
    pub mac: Mac,
}

/// A live credential, as the store knew it.
#[derive(Clone)]
pub struct Live(Arc<Entry>);

/// What became of a credential.
pub enum Verified {
    /// It is good now.
    Live(Live),
    /// It was known once; why it is not good any longer.
    Dead(Dead),
    /// The store has never heard of it.
    Unknown,
}

impl Verifier {
    /// `bound`: how long an answer may be used without asking again; zero reads the store each
    /// time.
    pub fn new(bound: Duration, toucher: Toucher) -> Self {
        Self {
            cache: Cache::new(CAPACITY),
            unknown: Cache::new(UNKNOWN_CAPACITY),
            flights: Flights::new(),
            users: Interned::new(),
            roles: Interned::new(),
            generations: Generations::new(),
            toucher,
            confirmed: AtomicU64::new(0),
            trusted_until: AtomicU64::new(u64::MAX),
            bound,
            counts: Verification::default(),
            spans: Spans::default(),
        }
    }

    /// Counts and traces there from now on.
    #[must_use]
    pub fn watched_by(self, telemetry: &Telemetry) -> Self {
        let counts = telemetry.metrics.verification.clone();
        Self { counts, spans: telemetry.spans.clone(), ..self }
    }

    /// What the store says of the credential with this MAC, at most the bound ago, and whether it
    /// is good now. Writes down that it was used, at most once a minute.
    pub async fn verify(
        self: &Arc<Self>,
        db: &Db,
        clock: &Clock,
        proof: Proof,
    ) -> Result<Verified, Error> {
        self.verify_within(self.bound, db, clock, proof).await
    }

    /// The same, from what the store said at most this long ago.
    pub async fn verify_within(
        self: &Arc<Self>,
        within: Duration,
        db: &Db,
        clock: &Clock,
        proof: Proof,
    ) -> Result<Verified, Error> {
        let (now, mac) = (clock.now(), &proof.mac);
        let is_usable = |entry: &Arc<Entry>| self.is_usable(entry, within, clock, now);
        let remembered = self.cache.get(mac).filter(is_usable);
        let (entry, good) = match remembered {
            Some(entry) => (entry, &self.counts.hit),
            // Boxed, so that a hit need not carry the room for a miss.
            None => match Box::pin(self.read_once(within, db, clock, proof)).await? {
                Some(entry) => (entry, &self.counts.read),
                None => return Ok(Verified::Unknown),
            },
        };
        let facts = facts(&entry);
        if let Err(dead) = session::alive(&facts, now) {
            return Ok(Verified::Dead(dead));
        }
        let is_session = entry.found.session().is_some();
        if is_session && session::touch_due(facts.last_active, facts.idle, now) {
            Box::pin(self.toucher.touch(mac, &entry, &facts, now)).await?;
        }
        good.inc();
        Ok(Verified::Live(Live(entry)))
    }

    /// From now on, nothing that was read before about whom this concerns is used any more.
    pub fn invalidate(&self, what: Invalidation) {
        self.generations.raise(what);
    }

    /// Every change that was committed before `moment` (of monotonic time) has been passed to
    /// [`Self::invalidate`].
    fn confirm(&self, moment: Duration) {
        let millis = u64::try_from(moment.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        self.confirmed.fetch_max(millis, Ordering::SeqCst);
    }

    /// What is remembered is used up to `moment` (of monotonic time): so long other nodes wait for
    /// this one when they end something. Until this is first called there are no other nodes.
    pub fn trust_until(&self, moment: Duration) {
        let millis = u64::try_from(moment.as_millis()).unwrap_or(u64::MAX);
        self.trusted_until.store(millis, Ordering::SeqCst);
    }

    /// The bound, or nothing where no other node waits for this one: then each time the store is asked.
    fn within_trust(&self, within: Duration, monotonic: Duration) -> Duration {
        let until = Duration::from_millis(self.trusted_until.load(Ordering::SeqCst));
        if monotonic < until { within } else { Duration::ZERO }
    }

    /// Lets go of what is of no more use.
    fn sweep(&self, clock: &Clock) {
        let now = clock.monotonic();
        self.cache.retain(|_, entry| now.saturating_sub(entry.read_at()) < LONGEST);
        self.users.sweep();
        self.roles.sweep();
    }

    /// Whether an entry may be used without a read. What the log cannot tell is that another node
    /// has lengthened a life: only what is alive is believed for longer than the bound.
    fn is_usable(&self, entry: &Entry, within: Duration, clock: &Clock, now: Time) -> bool {
        let monotonic = clock.monotonic();
        let within = self.within_trust(within, monotonic);
        let age = monotonic.saturating_sub(entry.read_at());
        let is_confirmed = || {
            age < LONGEST
                && self.was_confirmed(within, monotonic)
                && session::alive(&facts(entry), now).is_ok()
        };
        self.is_current(entry) && (age < within || is_confirmed())
    }

    fn was_confirmed(&self, within: Duration, now: Duration) -> bool {
        let millis = self.confirmed.load(Ordering::SeqCst);
        let moment = millis.checked_sub(1).map(Duration::from_millis);
        moment.is_some_and(|moment| now.saturating_sub(moment) < within)
    }

    fn is_current(&self, entry: &Entry) -> bool {
        self.generations.is_current(entry.found.user.id, entry.generation)
    }

    /// One read for any number of requests that ask for the same credential at once. An answer
    /// that was too old when this request came, or was overtaken by a change, is read again.
    async fn read_once(
        self: &Arc<Self>,
        within: Duration,
        db: &Db,
        clock: &Clock,
        proof: Proof,
    ) -> Result<Option<Arc<Entry>>, Error> {
        let (asked, mac) = (clock.monotonic(), &proof.mac);
        let within = self.within_trust(within, asked);
        if self.unknown.get(mac).is_some_and(|at| asked.saturating_sub(at) < UNKNOWN_FOR) {
            return Ok(None);
        }
        loop {
            let read_at = clock.monotonic();
            // Somebody's flight may have ended since we looked into the cache.
            let landed =
                || self.cache.get(mac).filter(|entry| self.is_good_for(entry, within, asked));
            let fetch = || match landed() {
                Some(entry) => Box::pin(std::future::ready(Ok(Some(entry)))),
                None => self.read(db, proof, read_at),
            };
            let read = self.flights.join(*mac, fetch).await;
            match read.map_err(|error| shared(&error))? {
                None => {
                    self.unknown.insert(*mac, read_at);
                    return Ok(None);
                }
                Some(entry) if self.is_good_for(&entry, within, asked) => return Ok(Some(entry)),
                Some(_) => {}
            }
        }
    }

    /// Whether an entry answers a request that came at `asked`. A read that is slower than the bound
    /// still answers those who came before it started.
    fn is_good_for(&self, entry: &Entry, within: Duration, asked: Duration) -> bool {
        let is_young = asked.saturating_sub(entry.read_at()) < within;
        (entry.read_at() >= asked || is_young) && self.is_current(entry)
    }

    /// The generation is that of before the read starts, like the time. The answer is in the cache
    /// before the flight is over, so nobody can come too late for both.
    fn read(self: &Arc<Self>, db: &Db, proof: Proof, read_at: Duration) -> Flight<Read> {
        let (verifier, db) = (Arc::clone(self), db.clone());
        let generation = self.generations.now();
        Box::pin(async move {
            let load = verifier.spans.around("read credential", load(&db, proof));
            let Some(mut found) = in_time(load).await.map_err(Arc::new)? else { return Ok(None) };
            found.user = verifier.users.share(found.user.id, found.user);
            // Whoever was given more beside his role shares it only with himself.
            let alone = found.has_own_grants.then_some(found.user.id);
            found.role = verifier.roles.share((found.role.id, alone), found.role);
            let touched = AtomicI64::new(found.facts().last_active.0);
            let read_nanos = u64::try_from(read_at.as_nanos()).unwrap_or(u64::MAX);
            let entry = Arc::new(Entry { found, read_nanos, generation, touched });
            verifier.remember(proof.mac, &entry);
            Ok(Some(entry))
        })
    }

    /// Puts an entry into the cache, unless somebody has put a later one there.
    fn remember(&self, mac: Mac, entry: &Arc<Entry>) {
        let is_later = |held: &Arc<Entry>| {
            (held.generation, held.read_nanos) > (entry.generation, entry.read_nanos)
        };
        let is_overtaken = self.cache.peek(&mac).as_ref().is_some_and(is_later);
        if !is_overtaken && !self.bound.is_zero() {
            self.cache.insert(mac, Arc::clone(entry));
        }
    }
}

impl Entry {
    /// When the read of it started, in monotonic time.
    fn read_at(&self) -> Duration {
        Duration::from_nanos(self.read_nanos)
    }
}

impl Live {
    /// The credential, session, user and role.
    pub fn found(&self) -> &Found {
        &self.0.found
    }
}

async fn load(db: &Db, proof: Proof) -> Result<Option<Found>, Error> {
    let mut tx = db.read_once().await?;
    match proof.auth {
        AuthKind::Cookie | AuthKind::Bearer | AuthKind::Jwt => {
            credentials::find(&mut tx, &proof.mac).await
        }
        AuthKind::Key => api_keys::find(&mut tx, &proof.mac).await,
    }
}

/// What decides whether the credential is alive, with the use that was last written down from here.
fn facts(entry: &Entry) -> CredentialFacts {
    let last_active = Time(entry.touched.load(Ordering::SeqCst));
    CredentialFacts { last_active, ..entry.found.facts() }
}
