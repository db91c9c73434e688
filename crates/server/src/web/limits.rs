//! The request limits: a fixed window for each client address, and for each account that signs its
//! requests, in memory (what must survive a restart lives in the store, see `flows::limits`), and the
//! headers that tell of them.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use portcullis_domain::client_address::Network;
use portcullis_domain::event::{Event, LimitName};
use portcullis_domain::throttle::{Limit, Verdict, Window, reserve};
use portcullis_domain::time::Time;

use super::caller::{Access as _, Caller, LimitsManage, Staff};
use super::error::Error;
use super::identify::identify_if_ours;
use super::request::Facts;
use crate::app::App;

/// Refusals of strangers that are written down one by one, by network.
pub const STRANGERS: Limit = Limit { count: 20, period: Duration::from_mins(1) };

/// Locks that do not wait for each other.
const SHARDS: usize = 16;
/// Windows that one shard holds before it first sweeps those that are over.
const FIRST_SWEEP: usize = 4096;

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// What the three headers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Requests in a window.
    pub limit: u32,
    /// Requests left in this one.
    pub remaining: u32,
    /// When the window ends.
    pub reset: Time,
}

/// Counts requests by whom they come from.
pub struct RequestLimiter<K = Network> {
    shards: Vec<Mutex<Shard<K>>>,
    hasher: RandomState,
}

struct Shard<K> {
    windows: HashMap<K, Counted>,
    sweep_at: usize,
}

#[derive(Clone, Copy)]
struct Counted {
    window: Window,
    /// By what it is counted: a limit that is changed counts anew.
    limit: Limit,
    has_refused: bool,
}

impl Counted {
    fn ends(&self) -> Time {
        self.window.started.plus(self.limit.period)
    }
}

impl<K: Hash + Eq + Copy> RequestLimiter<K> {
    /// Nothing is counted yet.
    pub fn new() -> Self {
        let shard = || Mutex::new(Shard { windows: HashMap::new(), sweep_at: 0 });
        Self { shards: (0..SHARDS).map(|_| shard()).collect(), hasher: RandomState::new() }
    }

    /// Counts one request: what to say of it, or how long to wait. Without a limit nothing is counted.
    pub fn admit(
        &self,
        limit: Option<Limit>,
        key: K,
        now: Time,
    ) -> Result<Option<Standing>, Refused> {
        let Some(limit) = limit else { return Ok(None) };
        let Some(mut shard) = self.shard(&key) else { return Ok(None) };
        shard.sweep(now);
        let held = shard.windows.get(&key).copied().filter(|held| held.limit == limit);
        let (window, verdict) = reserve(limit, held.map(|held| held.window), now);
        let has_refused = matches!(verdict, Verdict::Refused { .. });
        shard.windows.insert(key, Counted { window, limit, has_refused });
        match verdict {
            Verdict::Admitted { remaining, reset } => {
                Ok(Some(Standing { limit: limit.count, remaining, reset }))
            }
            Verdict::Refused { retry_after, reset } => Err(Refused {
                standing: Standing { limit: limit.count, remaining: 0, reset },
                retry_after,
                is_first: !held.is_some_and(|held| held.has_refused),
            }),
        }
    }

    /// What the headers say without counting a request: for answers that the limit does not speak of.
    pub fn peek(&self, limit: Option<Limit>, key: K, now: Time) -> Option<Standing> {
        let limit = limit?;
        let held = self.shard(&key)?.windows.get(&key).copied();
        let held = held.filter(|held| held.limit == limit && held.ends() > now);
        let window = held.map_or(Window { started: now, count: 0 }, |held| held.window);
        let Window { started, count } = window;
        let remaining = limit.count.saturating_sub(count);
        Some(Standing { limit: limit.count, remaining, reset: started.plus(limit.period) })
    }

    /// How many windows are used up just now.
    pub fn used_up(&self, limit: Limit, now: Time) -> usize {
        let is_used_up = |held: &&Counted| {
            held.limit == limit && held.window.count >= limit.count && held.ends() > now
        };
        self.shards
            .iter()
            .map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner))
            .map(|shard| shard.windows.values().filter(is_used_up).count())
            .sum()
    }

    /// Begins anew with whoever this is; `false` if nothing was counted.
    pub fn forget(&self, key: K) -> bool {
        self.shard(&key).is_some_and(|mut shard| shard.windows.remove(&key).is_some())
    }

    fn shard(&self, key: &K) -> Option<MutexGuard<'_, Shard<K>>> {
        let hash = usize::try_from(self.hasher.hash_one(key) >> 32).unwrap_or_default();
        let shard = self.shards.get(hash % SHARDS)?;
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<K: Hash + Eq + Copy> Default for RequestLimiter<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Hash + Eq> Shard<K> {
    /// Forgets windows that are over, at times that double with what is left, so that the work
    /// stays constant per request.
    fn sweep(&mut self, now: Time) {
        if self.windows.len() >= self.sweep_at.max(FIRST_SWEEP) {
            self.windows.retain(|_, held| held.ends() > now);
            self.sweep_at = self.windows.len() * 2;
        }
    }
}

/// The window is used up.
#[derive(Debug)]
pub struct Refused {
    pub standing: Standing,
    pub retry_after: Duration,
    /// No other was refused in this window: worth an event, which the next thousand are not.
    pub is_first: bool,
}

/// Where whoever may change limits is never refused by one. Showing them gives the token that a change
/// is sent with, too; the last is where people prove again who they are, which a change asks for.
const WAY_BACK: [&str; 5] = [
    "/api/admin/limits",
    "/api/admin/limits/unlock",
    "/-/admin/limits",
    "/-/admin/limits/unlock",
    "/-/confirm",
];

/// Whether the request is on the way on which a limit is changed, from somebody who may: then it is
/// not counted, because whoever made a slip must be able to take it back.
pub async fn is_way_back(app: &App, facts: &Facts) -> bool {
    if !WAY_BACK.contains(&facts.target.path().as_str()) {
        return false;
    }
    match identify_if_ours(app, facts).await {
        Ok(Ok(caller)) => may_change_limits(caller),
        Ok(Err(_)) | Err(_) => false,
    }
}

fn may_change_limits(caller: Caller) -> bool {
    Staff::<LimitsManage, Caller>::admit(Ok(caller)).is_ok()
}

/// Counts a request by its account as well, from wherever it came. The headers speak of the limit
/// that is nearer to its end.
pub async fn count_account(app: &App, facts: &Facts, caller: &Caller) -> Result<(), Error> {
    if WAY_BACK.contains(&facts.target.path().as_str()) && may_change_limits(caller.clone()) {
        return Ok(());
    }
    let limit = app.limits.in_force().requests;
    match app.account_limiter.admit(limit, caller.user_id(), app.clock.now()) {
        Ok(None) => Ok(()),
        Ok(Some(of_account)) => {
            let mut after = facts.after();
            let is_nearer = |other: Standing| of_account.remaining < other.remaining;
            if after.standing.is_none_or(is_nearer) {
                after.standing = Some(of_account);
            }
            Ok(())
        }
        // Boxed: whoever is admitted need not carry the room for a refusal.
        Err(refused) => Err(Box::pin(refuse(app, facts, refused, LimitName::Requests)).await),
    }
}

/// What becomes of a request that is refused.
pub async fn refuse(app: &App, facts: &Facts, refused: Refused, limit: LimitName) -> Error {
    let Refused { standing, retry_after, is_first } = refused;
    facts.tell_of_refusal(standing);
    if is_first {
        let event = Event::LimitExceeded { limit };
        app.recorder.record(event, facts.context(), app.clock.now()).await;
    }
    Error::TooMany { code: "too_many_requests", retry_after }
}

/// Whether somebody has written the headers.
pub fn are_set(headers: &HeaderMap) -> bool {
    headers.contains_key(LIMIT)
}

/// Writes the three documented headers.
pub fn set_headers(headers: &mut HeaderMap, standing: Standing) {
    headers.insert(LIMIT, HeaderValue::from(standing.limit));
    headers.insert(REMAINING, HeaderValue::from(standing.remaining));
    headers.insert(RESET, HeaderValue::from(standing.reset.secs()));
}
