//! The limits on signing in, on trying codes and on asking for mail: how many attempts an address may
//! make, and the lock-out of a network that guesses. Every attempt is counted before it is looked at, so
//! parallel guesses cannot outrun the counter. The counters live in the store: they survive a restart and are
//! shared by all nodes. What administrators do with limits is in the files below.

pub mod change;
pub mod forgive;
pub mod overview;

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use portcullis_domain::client_address::ClientAddress;
use portcullis_domain::event::{Context, Event, LimitName};
use portcullis_domain::id::UserId;
use portcullis_domain::text::Identifier;
use portcullis_domain::throttle::{self as domain, Limit, Verdict};
use portcullis_domain::time::Time;
use portcullis_store::{Error, Tx, throttle};

use super::record;
use crate::app::App;

/// What is counted. Each has attempts of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// Attempts to sign in, and tries of codes and links, by address and, where one is given, name.
    Login,
    /// Requests that send mail, by address: who is asked about does not matter.
    Sensitive,
}

impl Counter {
    const ALL: [Self; 2] = [Self::Login, Self::Sensitive];

    fn word(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Sensitive => "sensitive",
        }
    }

    fn limit(self, app: &App) -> Option<Limit> {
        let limits = app.limits.in_force();
        match self {
            Self::Login => limits.login,
            Self::Sensitive => limits.sensitive,
        }
    }

    /// What is written of an attempt that is over the limit.
    fn exceeded(self) -> Event {
        let limit = match self {
            Self::Login => LimitName::Login,
            Self::Sensitive => LimitName::Sensitive,
        };
        Event::LimitExceeded { limit }
    }
}

/// An address may make this many times the attempts that it may make for one name.
const ADDRESS_FACTOR: u32 = 6;

/// What the limit says of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitStanding {
    pub limit: u32,
    pub remaining: u32,
    pub reset: Time,
    /// Set when the attempt must wait.
    pub retry_after: Option<Duration>,
}

/// An attempt that is counted before it is looked at.
pub struct Asking<'a> {
    pub counter: Counter,
    pub from: &'a ClientAddress,
    pub name: Option<&'a Identifier>,
    pub context: &'a Context,
}

/// Counts an attempt, and writes down one that must wait. `None`: its limit is off.
pub(super) async fn admit(
    app: &App,
    tx: &mut Tx,
    asking: &Asking<'_>,
    now: Time,
) -> Result<Option<LimitStanding>, Error> {
    admit_or(app, tx, asking, &asking.counter.exceeded(), now).await
}

/// As [`admit`], with another event.
pub(super) async fn admit_or(
    app: &App,
    tx: &mut Tx,
    asking: &Asking<'_>,
    event: &Event,
    now: Time,
) -> Result<Option<LimitStanding>, Error> {
    let Asking { counter, from, name, context } = *asking;
    let Some(limit) = counter.limit(app) else { return Ok(None) };
    let standing = reserve(tx, counter, limit, from, name, now).await?;
    if standing.retry_after.is_some() {
        record(tx, app.random, event, context, now).await?;
    }
    Ok(Some(standing))
}

/// Counts, by its address alone, an attempt that names nobody: a body that cannot be read, a link, or a
/// code whose account is not told.
pub async fn admit_nameless(
    app: &App,
    from: &ClientAddress,
    context: &Context,
) -> Result<Option<LimitStanding>, Error> {
    let mut tx = app.db.write().await?;
    let asking = Asking { counter: Counter::Login, from, name: None, context };
    let standing = admit(app, &mut tx, &asking, app.clock.now()).await?;
    tx.commit().await?;
    Ok(standing)
}

/// Looks whether an attempt would be refused, without counting it: cheap, and spares the writer.
pub async fn peek(
    tx: &mut Tx,
    counter: Counter,
    limit: Limit,
    from: &ClientAddress,
    name: Option<&Identifier>,
    now: Time,
) -> Result<Option<LimitStanding>, Error> {
    let window = throttle::get(tx, &key(counter, from, name), limit).await?;
    let (_, verdict) = domain::reserve(limit, window, now);
    let standing = standing(limit, verdict);
    Ok(standing.retry_after.is_some().then_some(standing))
}

/// Counts an attempt by (address, name), or by address where there is no name, and six times that
/// by address alone.
async fn reserve(
    tx: &mut Tx,
    counter: Counter,
    limit: Limit,
    from: &ClientAddress,
    name: Option<&Identifier>,
    now: Time,
) -> Result<LimitStanding, Error> {
    let verdict = throttle::reserve(tx, &key(counter, from, name), limit, now).await?;
    let of_name = standing(limit, verdict);
    if name.is_none() || of_name.retry_after.is_some() {
        return Ok(of_name);
    }
    let all = limit.times(ADDRESS_FACTOR);
    let key = format!("{}:{}:all", counter.word(), from.network());
    let verdict = throttle::reserve(tx, &key, all, now).await?;
    let of_address = standing(all, verdict);
    Ok(if of_address.retry_after.is_some() { of_address } else { of_name })
}

/// The key of what is counted by a name alone, from wherever it comes.
pub(crate) fn key_of_name(word: &str, name: &Identifier) -> String {
    format!("{word}:{}", fingerprint(name))
}

/// Whose failures a lock-out counts.
pub enum LockKey<'a> {
    /// A device that has signed in to this account before: it is not locked out with its network.
    Device(UserId, [u8; 16]),
    /// An account, from a network.
    Account(UserId, &'a ClientAddress),
    /// A name that is nobody's: counted alike, so that the answer does not tell.
    Unknown(&'a Identifier, &'a ClientAddress),
}

impl LockKey<'_> {
    /// The key in the store. Those of an account begin with `user:{id}:`, which unlocking clears.
    pub fn text(&self) -> String {
        match self {
            Self::Device(user, nonce) => format!("user:{}:device:{}", user.0, hex::encode(nonce)),
            Self::Account(user, from) => format!("user:{}:{}", user.0, from.network()),
            Self::Unknown(name, from) => {
                format!("unknown:{}:{}", fingerprint(name), from.network())
            }
        }
    }
}

/// What is locked out of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Locked {
    /// One address, or a /64 of IPv6.
    Network(String),
    /// A device that had signed in before.
    Device,
}

impl Locked {
    /// Reads the rest of the key of an account.
    fn read(rest: &str) -> Self {
        let is_device = rest.starts_with("device:");
        if is_device { Self::Device } else { Self::Network(rest.to_owned()) }
    }
}

fn key(counter: Counter, from: &ClientAddress, name: Option<&Identifier>) -> String {
    let (word, network) = (counter.word(), from.network());
    match name {
        Some(name) => format!("{word}:{network}:{}", fingerprint(name)),
        None => format!("{word}:{network}"),
    }
}

/// People type passwords where a name belongs, so the store keeps no name that it was not given.
fn fingerprint(name: &Identifier) -> String {
    hex::encode(digest(&SHA256, name.folded().as_bytes()).as_ref().get(..16).unwrap_or_default())
}

fn standing(limit: Limit, verdict: Verdict) -> LimitStanding {
    let limit = limit.count;
    match verdict {
        Verdict::Admitted { remaining, reset } => {
            LimitStanding { limit, remaining, reset, retry_after: None }
        }
        Verdict::Refused { retry_after, reset } => {
            LimitStanding { limit, remaining: 0, reset, retry_after: Some(retry_after) }
        }
    }
}
