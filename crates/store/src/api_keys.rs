//! API keys: rows, and the values that clients hold, found by keyed MAC. Not here: what was done with
//! them ([`usage`]), and what requests ask of one ([`found`]).

mod found;
pub mod usage;

use std::time::Duration;

use portcullis_domain::api_key::{Addresses, Scopes, State};
use portcullis_domain::id::{KeyId, UserId};
use portcullis_domain::secret::Mac;
use portcullis_domain::throttle::Limit;
use portcullis_domain::time::Time;

use crate::driver::{Row, Tx, params};
use crate::error::{Result, corrupt};
use crate::invalidations::Invalidation;

pub use found::{KeyFacts, find, is_live};

/// A key as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    pub id: KeyId,
    pub user_id: UserId,
    pub terms: Terms,
    /// The beginning of the value in force.
    pub prefix: String,
    pub created_at: Time,
    pub updated_at: Time,
    pub revoked_at: Option<Time>,
    pub suspended_at: Option<Time>,
    pub last_used_at: Option<Time>,
    pub usage_count: i64,
}

/// What its owner chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    pub name: String,
    pub description: String,
    pub scopes: Scopes,
    pub addresses: Addresses,
    pub limit: Limit,
    pub expires_at: Option<Time>,
}

/// A value of a key, as the store keeps it.
#[derive(Clone, Copy, Debug)]
pub struct NewValue<'a> {
    pub mac: &'a Mac,
    pub prefix: &'a str,
}

impl ApiKey {
    /// How it stands with it.
    pub fn state(&self, now: Time) -> State {
        State::of(self.revoked_at, self.suspended_at, self.terms.expires_at, now)
    }
}

/// Makes a key; `false`, and nothing is made, if its owner has `most` that are not revoked.
pub async fn insert(
    tx: &mut Tx,
    (id, owner): (KeyId, UserId),
    terms: &Terms,
    value: NewValue<'_>,
    most: i64,
    now: Time,
) -> Result<bool> {
    // One after the other, so that two cannot both be the last.
    const HOLD: &str = "UPDATE users SET epoch = epoch WHERE id = $1";
    const COUNT: &str = "SELECT COUNT(*) AS count FROM api_keys
        WHERE user_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)";
    const SQL: &str = "INSERT INTO api_keys (id, user_id, name, description, scopes, allowed_ips,
            limit_count, limit_ms, expires_at, created_at, updated_at, active_at, usage_count)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $10, 0)";
    tx.execute(HOLD, params![owner]).await?;
    let count: i64 = tx.fetch_one(COUNT, params![owner, now]).await?.get("count")?;
    if count >= most {
        return Ok(false);
    }
    let written = Written::of(terms);
    let row = params![
        id.as_str(),
        owner,
        terms.name.as_str(),
        terms.description.as_str(),
        written.scopes.as_str(),
        written.addresses.as_str(),
        written.limit_count,
        written.limit_ms,
        terms.expires_at,
        now,
    ];
    tx.execute(SQL, row).await?;
    insert_value(tx, id, value, now).await?;
    Ok(true)
}

/// The keys of a user, the newest first; of everybody without one. At most `limit` of them.
pub async fn list(tx: &mut Tx, owner: Option<UserId>, limit: i64) -> Result<Vec<ApiKey>> {
    const OF_USER: &str =
        concat!(select!(), " WHERE k.user_id = $1 ORDER BY k.created_at DESC, k.id DESC LIMIT $2");
    const ALL: &str = concat!(select!(), " ORDER BY k.created_at DESC, k.id DESC LIMIT $1");
    let rows = match owner {
        Some(owner) => tx.fetch_all(OF_USER, params![owner, limit]).await?,
        None => tx.fetch_all(ALL, params![limit]).await?,
    };
    rows.iter().map(key).collect()
}

/// The key of an id.
pub async fn by_id(tx: &mut Tx, id: KeyId) -> Result<Option<ApiKey>> {
    const SQL: &str = concat!(select!(), " WHERE k.id = $1");
    tx.fetch_optional(SQL, params![id.as_str()]).await?.as_ref().map(key).transpose()
}

/// Puts other terms in force, if nobody has changed the key since it was read as `seen`.
pub async fn change(tx: &mut Tx, seen: &ApiKey, terms: &Terms, now: Time) -> Result<bool> {
    // Whoever moves the end is told anew of the next one.
    const SQL: &str = "UPDATE api_keys SET name = $3, description = $4, scopes = $5,
            allowed_ips = $6, limit_count = $7, limit_ms = $8, expires_at = $9, told_days = NULL,
            updated_at = CASE WHEN updated_at < $10 THEN $10 ELSE updated_at + 1 END
        WHERE id = $1 AND updated_at = $2";
    let written = Written::of(terms);
    let row = params![
        seen.id.as_str(),
        seen.updated_at,
        terms.name.as_str(),
        terms.description.as_str(),
        written.scopes.as_str(),
        written.addresses.as_str(),
        written.limit_count,
        written.limit_ms,
        terms.expires_at,
        now,
    ];
    let changed = tx.changed(SQL, row).await?;
    tx.invalidate(Invalidation::User(seen.user_id));
    Ok(changed)
}

/// Takes a key back with all its values; `false` if somebody did so before.
pub async fn revoke(tx: &mut Tx, id: KeyId, owner: UserId, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE api_keys SET revoked_at = $2, updated_at = $2
        WHERE id = $1 AND revoked_at IS NULL";
    tx.invalidate(Invalidation::User(owner));
    tx.changed(SQL, params![id.as_str(), now]).await
}

/// A key that came back with a backup is wanted; `false` if it does not wait for that.
pub async fn resume(tx: &mut Tx, id: KeyId, owner: UserId, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE api_keys SET suspended_at = NULL, updated_at = $2
        WHERE id = $1 AND suspended_at IS NOT NULL AND revoked_at IS NULL";
    tx.invalidate(Invalidation::User(owner));
    tx.changed(SQL, params![id.as_str(), now]).await
}

/// Puts another value in the place of a key's, which goes on until `old_ends`; those that ended earlier
/// stay over. What was revoked or suspended can be used again, by the new value alone. `false`, and
/// nothing is changed, if somebody was faster.
pub async fn regenerate(
    tx: &mut Tx,
    seen: &ApiKey,
    value: NewValue<'_>,
    old_ends: Time,
    now: Time,
) -> Result<bool> {
    const HOLD: &str = "UPDATE api_keys SET revoked_at = NULL, suspended_at = NULL,
            usage_count = 0, active_at = $3,
            updated_at = CASE WHEN updated_at < $3 THEN $3 ELSE updated_at + 1 END
        WHERE id = $1 AND updated_at = $2";
    const END: &str = "UPDATE api_key_values SET ends_at = $2
        WHERE key_id = $1 AND (ends_at IS NULL OR ends_at > $2)";
    tx.invalidate(Invalidation::User(seen.user_id));
    if !tx.changed(HOLD, params![seen.id.as_str(), seen.updated_at, now]).await? {
        return Ok(false);
    }
    let was_usable = seen.revoked_at.is_none() && seen.suspended_at.is_none();
    let ends = if was_usable { old_ends } else { now };
    tx.execute(END, params![seen.id.as_str(), ends]).await?;
    insert_value(tx, seen.id, value, now).await?;
    Ok(true)
}

/// Lets every key wait until somebody says that it is still wanted; how many there were that could be
/// used.
pub async fn suspend_all(tx: &mut Tx, now: Time) -> Result<u64> {
    const SQL: &str = "UPDATE api_keys SET suspended_at = $1, updated_at = $1
        WHERE revoked_at IS NULL AND suspended_at IS NULL
            AND (expires_at IS NULL OR expires_at > $1)";
    tx.execute(SQL, params![now]).await
}

/// Keys that end before `before` and can be used until then, with the days that their owners were last
/// told of, at most `limit`.
pub async fn ending(tx: &mut Tx, now: Time, before: Time, limit: i64) -> Result<Vec<Ending>> {
    const SQL: &str = "SELECT k.id, k.user_id, k.name, k.expires_at, k.told_days
        FROM api_keys k WHERE k.revoked_at IS NULL AND k.expires_at > $1 AND k.expires_at <= $2
            AND (k.told_days IS NULL OR k.told_days > 1)
        ORDER BY k.expires_at LIMIT $3";
    let rows = tx.fetch_all(SQL, params![now, before, limit]).await?;
    rows.iter()
        .map(|row| {
            Ok(Ending {
                id: key_id(row, "id")?,
                owner: UserId(row.get("user_id")?),
                name: row.get("name")?,
                expires_at: Time(row.get("expires_at")?),
                told: row.get("told_days")?,
            })
        })
        .collect()
}

/// A key whose end is near.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    pub id: KeyId,
    pub owner: UserId,
    pub name: String,
    pub expires_at: Time,
    /// The days before it that its owner was last told of.
    pub told: Option<i64>,
}

/// Notes that the owner is told of the end so many days before; `false` if another node did.
pub async fn note_told(tx: &mut Tx, ending: &Ending, days: i64) -> Result<bool> {
    const SQL: &str = "UPDATE api_keys SET told_days = $3
        WHERE id = $1 AND expires_at = $2 AND (told_days IS NULL OR told_days > $3)";
    tx.changed(SQL, params![ending.id.as_str(), ending.expires_at, days]).await
}

/// How many keys there are of each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub total: i64,
    pub active: i64,
    pub revoked: i64,
    pub expired: i64,
    pub suspended: i64,
}

/// Counts them all.
pub async fn totals(tx: &mut Tx, now: Time) -> Result<Totals> {
    const SQL: &str = "SELECT COUNT(*) AS total,
            COALESCE(SUM(CASE WHEN revoked_at IS NOT NULL THEN 1 ELSE 0 END), 0) AS revoked,
            COALESCE(SUM(CASE WHEN revoked_at IS NULL AND expires_at <= $1
                THEN 1 ELSE 0 END), 0) AS expired,
            COALESCE(SUM(CASE WHEN revoked_at IS NULL AND suspended_at IS NOT NULL
                AND (expires_at IS NULL OR expires_at > $1) THEN 1 ELSE 0 END), 0) AS suspended
        FROM api_keys";
    let row = tx.fetch_one(SQL, params![now]).await?;
    let (total, revoked): (i64, i64) = (row.get("total")?, row.get("revoked")?);
    let (expired, suspended): (i64, i64) = (row.get("expired")?, row.get("suspended")?);
    let active = total - revoked - expired - suspended;
    Ok(Totals { total, active, revoked, expired, suspended })
}

/// Forgets values that stopped before `before`, at most `limit` of them; how many.
pub async fn sweep_values(tx: &mut Tx, before: Time, limit: u32) -> Result<u64> {
    const SQL: &str = "DELETE FROM api_key_values WHERE mac IN (
        SELECT mac FROM api_key_values WHERE ends_at < $1 LIMIT $2)";
    tx.execute(SQL, params![before, i64::from(limit)]).await
}

async fn insert_value(tx: &mut Tx, id: KeyId, value: NewValue<'_>, now: Time) -> Result<()> {
    const SQL: &str = "INSERT INTO api_key_values (mac, key_id, prefix, created_at)
        VALUES ($1, $2, $3, $4)";
    tx.execute(SQL, params![value.mac, id.as_str(), value.prefix, now]).await.map(drop)
}

/// Terms as their columns have them.
struct Written {
    scopes: String,
    addresses: String,
    limit_count: i64,
    limit_ms: i64,
}

impl Written {
    fn of(terms: &Terms) -> Self {
        Self {
            scopes: terms.scopes.to_string(),
            addresses: terms.addresses.to_string(),
            limit_count: terms.limit.count.into(),
            limit_ms: i64::try_from(terms.limit.period.as_millis()).unwrap_or(i64::MAX),
        }
    }
}

fn key(row: &Row) -> Result<ApiKey> {
    let time = |column| Ok::<_, crate::Error>(row.get::<Option<i64>>(column)?.map(Time));
    let id = key_id(row, "id")?;
    Ok(ApiKey {
        id,
        user_id: UserId(row.get("user_id")?),
        terms: Terms {
            name: row.get("name")?,
            description: row.get("description")?,
            scopes: scopes(row, id)?,
            addresses: addresses(row, id)?,
            limit: limit(row, id)?,
            expires_at: time("expires_at")?,
        },
        prefix: row.get("prefix")?,
        created_at: Time(row.get("created_at")?),
        updated_at: Time(row.get("updated_at")?),
        revoked_at: time("revoked_at")?,
        suspended_at: time("suspended_at")?,
        last_used_at: time("last_used_at")?,
        usage_count: row.get("usage_count")?,
    })
}

fn key_id(row: &Row, column: &'static str) -> Result<KeyId> {
    let text: String = row.get(column)?;
    KeyId::parse(&text).ok_or_else(|| corrupt("api_keys", "id", &text))
}

fn scopes(row: &Row, id: KeyId) -> Result<Scopes> {
    let text: String = row.get("scopes")?;
    Scopes::parse(&text).ok_or_else(|| corrupt("api_keys", "scopes", id.as_str()))
}

fn addresses(row: &Row, id: KeyId) -> Result<Addresses> {
    let text: String = row.get("allowed_ips")?;
    Addresses::parse(&text).ok_or_else(|| corrupt("api_keys", "allowed_ips", id.as_str()))
}

fn limit(row: &Row, id: KeyId) -> Result<Limit> {
    let (count, millis): (i64, i64) = (row.get("limit_count")?, row.get("limit_ms")?);
    let read = || {
        let (count, millis) = (u32::try_from(count).ok()?, u64::try_from(millis).ok()?);
        Some(Limit { count, period: Duration::from_millis(millis) })
    };
    read().ok_or_else(|| corrupt("api_keys", "limit_count", id.as_str()))
}

macro_rules! select {
    () => {
        "SELECT k.id, k.user_id, k.name, k.description, k.scopes, k.allowed_ips, k.limit_count, \
         k.limit_ms, k.expires_at, k.created_at, k.updated_at, k.revoked_at, k.suspended_at, \
         k.last_used_at, k.usage_count, v.prefix \
         FROM api_keys k JOIN api_key_values v ON v.key_id = k.id AND v.ends_at IS NULL"
    };
}
use select;
