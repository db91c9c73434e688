//! Wrong passwords in a row, counted by key. The arithmetic is the domain's; here it is made to
//! hold for guesses in parallel.
//!
//! A key of the form `user:{id}:…` is forgiven by [`crate::users::unlock`].

use std::time::Duration;

use portcullis_domain::id::UserId;
use portcullis_domain::throttle::{self, Failures, Limit, Lock};
use portcullis_domain::time::Time;

use crate::driver::{Row, Tx, params};
use crate::error::{Result, corrupt};

/// Failures further apart than this, and than a lock-out lasts, are no row.
const REMEMBERED: Duration = Duration::from_hours(24);

/// Counts an attempt as failed before it is verified, until [`clear`] says otherwise. Others who
/// ask for the same key wait until this transaction ends, so parallel guesses cannot outrun the
/// count. An attempt during a lock-out is not counted: the transaction may as well be dropped.
pub async fn reserve_failure(tx: &mut Tx, key: &str, limit: Limit, now: Time) -> Result<Lock> {
    // A row that is new, or changed to what it is, belongs to this transaction.
    const HOLD: &str = "INSERT INTO lockouts (key, failures, last_at, expires_at)
        VALUES ($1, 0, $2, $2) ON CONFLICT (key) DO UPDATE SET key = excluded.key
        RETURNING failures, last_at";
    const COUNT: &str = "UPDATE lockouts SET failures = $2, last_at = $3, expires_at = $4
        WHERE key = $1";
    let row = tx.fetch_one(HOLD, params![key, now]).await?;
    let (after, lock) = throttle::lockout(limit, Some(failures(&row, key)?), now);
    match lock {
        Lock::Open { .. } => {
            let expires_at = after.last.plus(REMEMBERED.max(limit.period));
            let row = params![key, i64::from(after.count), after.last, expires_at];
            tx.execute(COUNT, row).await?;
        }
        Lock::Locked { .. } => {}
    }
    Ok(lock)
}

/// What was counted. With [`throttle::lockout`] a look ahead, which counts nothing.
pub async fn get(tx: &mut Tx, key: &str) -> Result<Option<Failures>> {
    const SQL: &str = "SELECT failures, last_at FROM lockouts WHERE key = $1";
    let row = tx.fetch_optional(SQL, params![key]).await?;
    row.map(|row| failures(&row, key)).transpose()
}

/// Ends the row of failures of a key, after a success; `false` if there were none.
pub async fn clear(tx: &mut Tx, key: &str) -> Result<bool> {
    tx.changed("DELETE FROM lockouts WHERE key = $1", params![key]).await
}

/// A lock-out that is going on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedOut {
    pub user: UserId,
    /// The rest of the key: what is locked out of the account.
    pub what: String,
    pub failures: Failures,
}

/// At most `limit` lock-outs of users that began after `since` with this many failures, the newest
/// first; those of one user, or of all.
pub async fn of_users(
    tx: &mut Tx,
    user: Option<UserId>,
    failures: u32,
    since: Time,
    limit: i64,
) -> Result<Vec<LockedOut>> {
    const SQL: &str = "SELECT key, failures, last_at FROM lockouts
        WHERE key LIKE $1 AND failures >= $2 AND last_at > $3
        ORDER BY last_at DESC, key LIMIT $4";
    let pattern = user.map_or_else(|| "user:%".to_owned(), |id| format!("user:{id}:%"));
    let rows = tx.fetch_all(SQL, params![&pattern, i64::from(failures), since, limit]).await?;
    rows.iter().map(locked_out).collect()
}

/// How many lock-outs of users are going on under a limit; no more than `most` are counted.
pub async fn count_of_users(tx: &mut Tx, limit: Limit, now: Time, most: i64) -> Result<i64> {
    // What began within the period is forgotten no earlier than this, which an index finds.
    const SQL: &str = "SELECT COUNT(*) AS number FROM (SELECT 1 FROM lockouts
        WHERE expires_at > $1 AND failures >= $2 AND last_at > $3 AND key LIKE 'user:%'
        LIMIT $4) few";
    let since = now.minus(limit.period);
    let kept = since.plus(REMEMBERED.max(limit.period));
    let wanted = params![kept, i64::from(limit.count), since, most];
    tx.fetch_one(SQL, wanted).await?.get("number")
}

/// Forgets failures whose key matches: `%` stands for any characters. How many.
pub async fn forget(tx: &mut Tx, pattern: &str) -> Result<u64> {
    tx.execute("DELETE FROM lockouts WHERE key LIKE $1", params![pattern]).await
}

/// Forgets rows of failures that were over before `before`, at most `limit` of them; how many.
pub async fn sweep(tx: &mut Tx, before: Time, limit: u32) -> Result<u64> {
    // Asked once more outside: by then another node may have counted on in the row.
    const SQL: &str = "DELETE FROM lockouts WHERE expires_at < $1
        AND key IN (SELECT key FROM lockouts WHERE expires_at < $1 LIMIT $2)";
    tx.execute(SQL, params![before, i64::from(limit)]).await
}

fn locked_out(row: &Row) -> Result<LockedOut> {
    let key: String = row.get("key")?;
    let fault = || corrupt("lockouts", "key", &key);
    let rest = key.strip_prefix("user:").ok_or_else(fault)?;
    let (user, what) = rest.split_once(':').ok_or_else(fault)?;
    Ok(LockedOut {
        user: UserId(user.parse().map_err(|_| fault())?),
        what: what.to_owned(),
        failures: failures(row, &key)?,
    })
}

fn failures(row: &Row, key: &str) -> Result<Failures> {
    let count: i64 = row.get("failures")?;
    let count = u32::try_from(count).map_err(|_| corrupt("lockouts", "failures", key))?;
    Ok(Failures { count, last: Time(row.get("last_at")?) })
}
