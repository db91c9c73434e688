//! The request limit of our own endpoints: a fixed window per client address, in memory (what must
//! survive a restart lives in the store, see `flows::sign_in`), and the headers that tell of it.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use portcullis_domain::client_address::Network;
use portcullis_domain::event::{Event, LimitName};
use portcullis_domain::throttle::{Limit, Verdict, Window, reserve};
use portcullis_domain::time::Time;

use super::error::Error;
use super::request::Facts;
use crate::app::App;

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

/// Counts requests by the client's network.
pub struct RequestLimiter {
    limit: Option<Limit>,
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
}

#[derive(Default)]
struct Shard {
    windows: HashMap<Network, Counted>,
    sweep_at: usize,
}

#[derive(Clone, Copy)]
struct Counted {
    window: Window,
    has_refused: bool,
}

impl RequestLimiter {
    /// `None` counts nothing.
    pub fn new(limit: Option<Limit>) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { limit, shards, hasher: RandomState::new() }
    }

    /// Counts one request: what to say of it, or how long to wait.
    pub fn admit(&self, network: Network, now: Time) -> Result<Option<Standing>, Refused> {
        let Some(limit) = self.limit else { return Ok(None) };
        let Some(shard) = self.shard(&network) else { return Ok(None) };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard.sweep(limit.period, now);
        let held = shard.windows.get(&network).copied();
        let (window, verdict) = reserve(limit, held.map(|held| held.window), now);
        let has_refused = matches!(verdict, Verdict::Refused { .. });
        shard.windows.insert(network, Counted { window, has_refused });
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

    /// What the headers say of a network without counting a request: for answers that the limit
    /// does not speak of.
    pub fn peek(&self, network: Network, now: Time) -> Option<Standing> {
        let limit = self.limit?;
        let shard = self.shard(&network)?.lock().unwrap_or_else(PoisonError::into_inner);
        let held = shard.windows.get(&network).map(|held| held.window);
        let held = held.filter(|window| window.started.plus(limit.period) > now);
        let (started, count) = held.map_or((now, 0), |window| (window.started, window.count));
        let remaining = limit.count.saturating_sub(count);
        Some(Standing { limit: limit.count, remaining, reset: started.plus(limit.period) })
    }

    fn shard(&self, network: &Network) -> Option<&Mutex<Shard>> {
        let hash = usize::try_from(self.hasher.hash_one(network) >> 32).unwrap_or_default();
        self.shards.get(hash % SHARDS)
    }
}

impl Shard {
    /// Forgets windows that are over, at times that double with what is left, so that the work
    /// stays constant per request.
    fn sweep(&mut self, period: Duration, now: Time) {
        if self.windows.len() >= self.sweep_at.max(FIRST_SWEEP) {
            self.windows.retain(|_, held| held.window.started.plus(period) > now);
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

/// What becomes of a request that is refused.
pub async fn refuse(app: &App, facts: &Facts, refused: Refused, limit: LimitName) -> Error {
    let Refused { standing, retry_after, is_first } = refused;
    facts.after().standing = Some(standing);
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
