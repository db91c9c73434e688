//! API keys of people: made, changed, made anew, taken back, and what was done with them. The value of
//! one leaves here once. Not here: what a key is worth in a request (`verify`, `web/key_use`).

use std::time::Duration;

use portcullis_domain::administration::Act;
use portcullis_domain::api_key::{self, Scopes, State};
use portcullis_domain::event::{Event, Text};
use portcullis_domain::id::{KeyId, UserId};
use portcullis_domain::secret::{MacKey, Opaque, Purpose};
use portcullis_domain::time::Time;
use portcullis_store::api_keys::usage::{self, Use};
use portcullis_store::api_keys::{self, ApiKey, NewValue, Terms, Totals};
use portcullis_store::{Db, Error, Tx, users};

use super::administration::{self, Desk, Halt};
use super::roles::Acting;
use crate::app::App;
use crate::mail::{self, Letter};

/// How many keys somebody may have that can still be used.
pub const MOST: i64 = 50;
/// The longest time for which an old value goes on beside the new one.
pub const LONGEST_OVERLAP: Duration = Duration::from_hours(30 * 24);
/// How many lines of statistics.
const TOP: i64 = 10;
const HOUR: i64 = 60 * 60 * 1000;
const DAY: i64 = 24 * HOUR;

/// Who acts on whose keys, and by what.
#[derive(Clone, Copy)]
pub struct Keeper<'a> {
    pub acting: Acting<'a>,
    pub keys: &'a MacKey,
    pub reach: Reach,
    /// Tells the owner by mail; at the command line nobody does.
    pub letters: Option<&'a App>,
}

/// Whose keys are within reach: those of others look as if they were not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Own(UserId),
    Everybody,
}

/// A key with its value, which is shown now or never. No `Debug`.
pub struct Made {
    pub key: ApiKey,
    pub value: String,
}

/// Why nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum No {
    /// There is no such key, or it is somebody else's.
    Unknown,
    /// Whoever acts is not signed in any more.
    SignedOut,
    /// There are [`MOST`] of them.
    Full,
    /// Somebody was faster.
    Overtaken,
    /// It was taken back, for good.
    Revoked,
    /// Its time is over, so a new value would be worth nothing.
    Expired,
}

/// What came of it.
pub type Outcome<T> = Result<Result<T, No>, Error>;

/// Makes a key.
pub async fn create(keeper: Keeper<'_>, owner: UserId, terms: &Terms) -> Outcome<Made> {
    let now = keeper.acting.now;
    let mut tx = keeper.acting.db.write().await?;
    if !is_in(&mut tx, keeper).await? {
        return Ok(Err(No::SignedOut));
    }
    let id = KeyId::from_random(keeper.acting.random.bytes());
    let secret = Opaque::from_random(keeper.acting.random.bytes());
    let (mac, prefix) = value_of(keeper, &secret);
    let value = NewValue { mac: &mac, prefix: &prefix };
    if !api_keys::insert(&mut tx, (id, owner), terms, value, MOST, now).await? {
        return Ok(Err(No::Full));
    }
    let event =
        Event::ApiKeyCreated { key: id, prefix: Text::clip(&prefix), scopes: words(terms.scopes) };
    keeper.acting.record(&mut tx, &event, Some(owner)).await?;
    tell(keeper, &mut tx, owner, |at| Letter::api_key_created(&terms.name, at)).await?;
    let key = api_keys::by_id(&mut tx, id).await?.ok_or(Error::Conflict)?;
    tx.commit().await?;
    Ok(Ok(Made { key, value: api_key::reveal(&secret) }))
}

/// The keys within reach, the newest first.
pub async fn list(db: &Db, reach: Reach) -> Result<Vec<ApiKey>, Error> {
    const SHOWN: i64 = 1000;
    let owner = match reach {
        Reach::Own(owner) => Some(owner),
        Reach::Everybody => None,
    };
    api_keys::list(&mut db.read_once().await?, owner, SHOWN).await
}

/// One key.
pub async fn one(db: &Db, reach: Reach, id: KeyId) -> Result<Option<ApiKey>, Error> {
    find(&mut db.read_once().await?, reach, id).await
}

/// What is to become of a key.
pub struct Change {
    pub terms: Terms,
    /// `None`: as it is.
    pub state: Option<State>,
}

/// Changes a key: its terms, and whether it can be used. What was taken back stays so.
pub async fn change(keeper: Keeper<'_>, seen: &ApiKey, change: &Change) -> Outcome<ApiKey> {
    let (id, owner, now) = (seen.id, seen.user_id, keeper.acting.now);
    let mut tx = keeper.acting.db.write().await?;
    if !is_in(&mut tx, keeper).await? {
        return Ok(Err(No::SignedOut));
    }
    if change.state == Some(State::Active) && seen.revoked_at.is_some() {
        return Ok(Err(No::Revoked));
    }
    if change.terms != seen.terms {
        if !api_keys::change(&mut tx, seen, &change.terms, now).await? {
            return Ok(Err(No::Overtaken));
        }
        keeper.acting.record(&mut tx, &Event::ApiKeyChanged { key: id }, Some(owner)).await?;
        tell_change(keeper, &mut tx, seen, "was changed").await?;
    }
    match change.state {
        Some(State::Revoked) => end(keeper, &mut tx, seen).await?,
        Some(State::Active) if api_keys::resume(&mut tx, id, owner, now).await? => {
            keeper.acting.record(&mut tx, &Event::ApiKeyResumed { key: id }, Some(owner)).await?;
            tell_change(keeper, &mut tx, seen, "was put in use again").await?;
        }
        Some(State::Active | State::Expired | State::Suspended) | None => {}
    }
    let key = api_keys::by_id(&mut tx, id).await?.ok_or(Error::Conflict)?;
    tx.commit().await?;
    Ok(Ok(key))
}

/// Takes a key back. One that was taken back before is so.
pub async fn revoke(keeper: Keeper<'_>, id: KeyId) -> Outcome<ApiKey> {
    let mut tx = keeper.acting.db.write().await?;
    if !is_in(&mut tx, keeper).await? {
        return Ok(Err(No::SignedOut));
    }
    let Some(seen) = find(&mut tx, keeper.reach, id).await? else { return Ok(Err(No::Unknown)) };
    end(keeper, &mut tx, &seen).await?;
    tx.commit().await?;
    Ok(Ok(seen))
}

/// Takes somebody else's key back, as whoever looks after users may.
pub async fn revoke_of_other(desk: &mut Desk<'_>, app: &App, id: KeyId) -> Result<(), Halt> {
    let key = api_keys::by_id(&mut desk.tx, id).await?.ok_or(Halt::Conflict("key_unknown"))?;
    let account = desk.anybody(key.user_id).await?;
    desk.judge(&account, Act::SignOut)?;
    if api_keys::revoke(&mut desk.tx, id, key.user_id, desk.now).await? {
        desk.record(&Event::ApiKeyRevoked { key: id }, Some(key.user_id)).await?;
        let letter = Letter::api_key_revoked(&key.terms.name, desk.now);
        mail::send(app, &mut desk.tx, &account.user.email, &letter, desk.now).await?;
    }
    Ok(())
}

/// Puts a new value in the place of a key's, which goes on for `overlap`. Of parallel callers one wins.
pub async fn regenerate(keeper: Keeper<'_>, id: KeyId, overlap: Duration) -> Outcome<Made> {
    let now = keeper.acting.now;
    let mut tx = keeper.acting.db.write().await?;
    if !is_in(&mut tx, keeper).await? {
        return Ok(Err(No::SignedOut));
    }
    let Some(seen) = find(&mut tx, keeper.reach, id).await? else { return Ok(Err(No::Unknown)) };
    if seen.terms.expires_at.is_some_and(|end| now >= end) {
        return Ok(Err(No::Expired));
    }
    let secret = Opaque::from_random(keeper.acting.random.bytes());
    let (mac, prefix) = value_of(keeper, &secret);
    let value = NewValue { mac: &mac, prefix: &prefix };
    if !api_keys::regenerate(&mut tx, &seen, value, now.plus(overlap), now).await? {
        return Ok(Err(No::Overtaken));
    }
    let event = Event::ApiKeyRegenerated {
        key: id,
        prefix: Text::clip(&prefix),
        overlap_s: overlap.as_secs(),
    };
    keeper.acting.record(&mut tx, &event, Some(seen.user_id)).await?;
    tell_change(keeper, &mut tx, &seen, "was given a new value").await?;
    let key = api_keys::by_id(&mut tx, id).await?.ok_or(Error::Conflict)?;
    tx.commit().await?;
    Ok(Ok(Made { key, value: api_key::reveal(&secret) }))
}

/// The requests of a key that were kept, and how many there are.
pub async fn uses(db: &Db, id: KeyId, limit: i64, offset: i64) -> Result<(Vec<Use>, i64), Error> {
    usage::page(&mut db.read().await?, id, limit, offset).await
}

/// What was done with a key.
pub struct Statistics {
    pub last_24h: i64,
    pub last_7d: i64,
    pub last_30d: i64,
    /// What was asked for most, with how often.
    pub top: Vec<(String, i64)>,
    /// In milliseconds.
    pub average_ms: i64,
}

/// Counts by whole hours, so the first of them is counted whole.
pub async fn statistics(db: &Db, id: KeyId, now: Time) -> Result<Statistics, Error> {
    let mut tx = db.read().await?;
    let (last_24h, _) = usage::since(&mut tx, Some(id), since(now, DAY)).await?;
    let (last_7d, _) = usage::since(&mut tx, Some(id), since(now, 7 * DAY)).await?;
    let (last_30d, took) = usage::since(&mut tx, Some(id), since(now, 30 * DAY)).await?;
    let top = usage::top(&mut tx, id, since(now, 30 * DAY), TOP).await?;
    let average_ms = took.checked_div(last_30d).unwrap_or_default();
    Ok(Statistics { last_24h, last_7d, last_30d, top, average_ms })
}

/// How many keys there are of each state, and how many requests came by them in the last 24 hours.
pub async fn totals(db: &Db, now: Time) -> Result<(Totals, i64), Error> {
    let mut tx = db.read().await?;
    let (requests, _) = usage::since(&mut tx, None, since(now, DAY)).await?;
    Ok((api_keys::totals(&mut tx, now).await?, requests))
}

/// Tells owners of keys that end soon.
pub async fn tell_of_ends(app: &App) -> Result<(), Error> {
    const AT_ONCE: i64 = 200;
    const SOON: Duration = Duration::from_hours(7 * 24);
    let now = app.clock.now();
    let ending = api_keys::ending(&mut app.db.read().await?, now, now.plus(SOON), AT_ONCE).await?;
    for key in ending {
        let Some(days) = api_key::days_to_tell(key.expires_at, key.told, now) else { continue };
        let mut tx = app.db.write().await?;
        if !api_keys::note_told(&mut tx, &key, days).await? {
            continue;
        }
        if let Some(owner) = users::by_id(&mut tx, key.owner).await? {
            let letter = Letter::api_key_ends(&key.name, key.expires_at);
            mail::send(app, &mut tx, &owner.email, &letter, now).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

fn since(now: Time, span: i64) -> Time {
    let from = now.0 - span;
    Time(from - from.rem_euclid(HOUR))
}

async fn is_in(tx: &mut Tx, keeper: Keeper<'_>) -> Result<bool, Error> {
    Ok(administration::actor(tx, keeper.acting.context).await?.is_some())
}

async fn find(tx: &mut Tx, reach: Reach, id: KeyId) -> Result<Option<ApiKey>, Error> {
    let found = api_keys::by_id(tx, id).await?;
    Ok(found.filter(|key| match reach {
        Reach::Own(owner) => key.user_id == owner,
        Reach::Everybody => true,
    }))
}

async fn end(keeper: Keeper<'_>, tx: &mut Tx, key: &ApiKey) -> Result<(), Error> {
    if api_keys::revoke(tx, key.id, key.user_id, keeper.acting.now).await? {
        let event = Event::ApiKeyRevoked { key: key.id };
        keeper.acting.record(tx, &event, Some(key.user_id)).await?;
        tell_change(keeper, tx, key, "was revoked").await?;
    }
    Ok(())
}

/// What the store keeps of a value: its MAC, and the beginning that people know it by.
fn value_of(keeper: Keeper<'_>, secret: &Opaque) -> (portcullis_domain::secret::Mac, String) {
    (keeper.keys.credential_mac(Purpose::ApiKey, secret), api_key::prefix(secret))
}

fn words(scopes: Scopes) -> Text {
    Text::clip(&scopes.to_string())
}

async fn tell_change(
    keeper: Keeper<'_>,
    tx: &mut Tx,
    key: &ApiKey,
    what: &str,
) -> Result<(), Error> {
    let letter = |at| Letter::api_key_changed(&key.terms.name, what, at);
    tell(keeper, tx, key.user_id, letter).await
}

async fn tell(
    keeper: Keeper<'_>,
    tx: &mut Tx,
    owner: UserId,
    letter: impl FnOnce(Time) -> Letter,
) -> Result<(), Error> {
    let Some(app) = keeper.letters else { return Ok(()) };
    let Some(owner) = users::by_id(tx, owner).await? else { return Ok(()) };
    let now = keeper.acting.now;
    mail::send(app, tx, &owner.email, &letter(now), now).await
}
