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
use portcullis_domain::text::{Identifier, Username};
use portcullis_domain::throttle::{self as domain, Limit, Verdict};
use portcullis_domain::time::Time;
use portcullis_store::users::User;
use portcullis_store::{Error, Tx, throttle};

use super::record;
use crate::app::App;

/// What is counted. Each has attempts of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// Attempts to sign in, by address and, where one is given, name.
    Login,
    /// Tries of codes and of the tokens of links, which are not many where somebody has signed in often.
    Code,
    /// Requests that send mail, by address: who is asked about does not matter.
    Sensitive,
}

impl Counter {
    const ALL: [Self; 3] = [Self::Login, Self::Code, Self::Sensitive];

    fn word(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Code => "code",
            Self::Sensitive => "sensitive",
        }
    }

    fn limit(self, app: &App) -> Option<Limit> {
        let limits = app.limits.in_force();
        match self {
            Self::Login | Self::Code => limits.login,
            Self::Sensitive => limits.sensitive,
        }
    }

    /// What is written of an attempt that is over the limit.
    fn exceeded(self) -> Event {
        let limit = match self {
            Self::Login | Self::Code => LimitName::Login,
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

impl LimitStanding {
    /// Of a limit with nothing left, such as a lock-out.
    pub(super) fn used_up(limit: Limit, retry_after: Duration, now: Time) -> Self {
        let reset = now.plus(retry_after);
        Self { limit: limit.count, remaining: 0, reset, retry_after: Some(retry_after) }
    }
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
    let Some(limit) = asking.counter.limit(app) else { return Ok(None) };
    let mut standing = reserve_name(tx, asking, limit, now).await?;
    if asking.name.is_some() && standing.retry_after.is_none() {
        let of_address = reserve_address(tx, asking, limit, now).await?;
        if of_address.retry_after.is_some() {
            standing = of_address;
        }
    }
    told(app, tx, asking, standing, event, now).await
}

/// Counts an attempt by its address alone, however many names it tries.
pub(super) async fn admit_address(
    app: &App,
    tx: &mut Tx,
    asking: &Asking<'_>,
    now: Time,
) -> Result<Option<LimitStanding>, Error> {
    let Some(limit) = asking.counter.limit(app) else { return Ok(None) };
    let standing = reserve_address(tx, asking, limit, now).await?;
    told(app, tx, asking, standing, &asking.counter.exceeded(), now).await
}

/// Counts an attempt by its address and name alone: for whoever has asked [`admit_address`] before.
pub(super) async fn admit_name(
    app: &App,
    tx: &mut Tx,
    asking: &Asking<'_>,
    now: Time,
) -> Result<Option<LimitStanding>, Error> {
    let Some(limit) = asking.counter.limit(app) else { return Ok(None) };
    let standing = reserve_name(tx, asking, limit, now).await?;
    told(app, tx, asking, standing, &asking.counter.exceeded(), now).await
}

/// Writes down an attempt that must wait.
async fn told(
    app: &App,
    tx: &mut Tx,
    asking: &Asking<'_>,
    standing: LimitStanding,
    event: &Event,
    now: Time,
) -> Result<Option<LimitStanding>, Error> {
    if standing.retry_after.is_some() {
        record(tx, app.random, event, asking.context, now).await?;
    }
    Ok(Some(standing))
}

/// Counts, by its address alone, an attempt to sign in that names nobody, such as a body that cannot be
/// read.
pub async fn admit_nameless(
    app: &App,
    from: &ClientAddress,
    context: &Context,
) -> Result<Option<LimitStanding>, Error> {
    admit_alone(app, Asking { counter: Counter::Login, from, name: None, context }).await
}

/// Counts the try of a token by its address alone.
pub(super) async fn admit_token(
    app: &App,
    from: &ClientAddress,
    context: &Context,
) -> Result<Option<LimitStanding>, Error> {
    admit_alone(app, Asking { counter: Counter::Code, from, name: None, context }).await
}

/// Counts the try of a code that has tries of its own, by its address alone, however many codes it tries.
pub(super) async fn admit_code(
    app: &App,
    from: &ClientAddress,
    context: &Context,
) -> Result<Option<LimitStanding>, Error> {
    let asking = Asking { counter: Counter::Code, from, name: None, context };
    let mut tx = app.db.write().await?;
    let standing = admit_address(app, &mut tx, &asking, app.clock.now()).await?;
    tx.commit().await?;
    Ok(standing)
}

async fn admit_alone(app: &App, asking: Asking<'_>) -> Result<Option<LimitStanding>, Error> {
    let mut tx = app.db.write().await?;
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

/// By (address, name), or by address where there is no name.
async fn reserve_name(
    tx: &mut Tx,
    asking: &Asking<'_>,
    limit: Limit,
    now: Time,
) -> Result<LimitStanding, Error> {
    let key = key(asking.counter, asking.from, asking.name);
    Ok(standing(limit, throttle::reserve(tx, &key, limit, now).await?))
}

/// By address, six times as many.
async fn reserve_address(
    tx: &mut Tx,
    asking: &Asking<'_>,
    limit: Limit,
    now: Time,
) -> Result<LimitStanding, Error> {
    let all = limit.times(ADDRESS_FACTOR);
    let key = format!("{}:{}:all", asking.counter.word(), asking.from.network());
    Ok(standing(all, throttle::reserve(tx, &key, all, now).await?))
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

/// The fingerprints under which attempts for the names of an account are counted.
pub(super) fn fingerprints(user: &User) -> Vec<String> {
    let names = [Some(user.email.as_str()), user.username.as_ref().map(Username::as_str)];
    let names = names.into_iter().flatten().filter_map(|name| Identifier::parse(name).ok());
    names.map(|name| fingerprint(&name)).collect()
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
