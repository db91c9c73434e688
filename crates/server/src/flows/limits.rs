//! The limits on signing in: how many attempts an address may make, and the lock-out of a network
//! that guesses. Every attempt is counted before its password is looked at, so parallel guesses
//! cannot outrun the counter. The counters live in the store: they survive a restart and are
//! shared by all nodes. What administrators do with limits is in the files below.

pub mod change;
pub mod forgive;
pub mod overview;

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use portcullis_domain::client_address::ClientAddress;
use portcullis_domain::id::UserId;
use portcullis_domain::text::Identifier;
use portcullis_domain::throttle::{self as domain, Limit, Verdict};
use portcullis_domain::time::Time;
use portcullis_store::{Error, Tx, throttle};

/// What is counted. Each has attempts of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// Attempts to sign in, by address and name.
    Login,
    /// Requests that send mail or try codes, by address: who is asked about does not matter.
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
}

/// An address may make this many times the attempts that it may make for one name.
const ADDRESS_FACTOR: u32 = 6;

/// What the limit says of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginStanding {
    pub limit: u32,
    pub remaining: u32,
    pub reset: Time,
    /// Set when the attempt must wait.
    pub retry_after: Option<Duration>,
}

/// Looks whether an attempt would be refused, without counting it: cheap, and spares the writer.
pub async fn peek(
    tx: &mut Tx,
    counter: Counter,
    limit: Limit,
    from: &ClientAddress,
    name: Option<&Identifier>,
    now: Time,
) -> Result<Option<LoginStanding>, Error> {
    let window = throttle::get(tx, &key(counter, from, name)).await?;
    let (_, verdict) = domain::reserve(limit, window, now);
    let standing = standing(limit, verdict);
    Ok(standing.retry_after.is_some().then_some(standing))
}

/// Counts an attempt by (address, name), or by address where there is no name, and six times that
/// by address alone.
pub async fn reserve(
    tx: &mut Tx,
    counter: Counter,
    limit: Limit,
    from: &ClientAddress,
    name: Option<&Identifier>,
    now: Time,
) -> Result<LoginStanding, Error> {
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
pub(super) fn key_of_name(word: &str, name: &Identifier) -> String {
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

fn standing(limit: Limit, verdict: Verdict) -> LoginStanding {
    let limit = limit.count;
    match verdict {
        Verdict::Admitted { remaining, reset } => {
            LoginStanding { limit, remaining, reset, retry_after: None }
        }
        Verdict::Refused { retry_after, reset } => {
            LoginStanding { limit, remaining: 0, reset, retry_after: Some(retry_after) }
        }
    }
}
