//! Attempts counted by key and limit: one that is changed counts anew, because windows judged by the
//! count or the period of another could shut everybody out at once. The arithmetic is the domain's;
//! here it is made to hold for attempts in parallel.

use portcullis_domain::throttle::{self, Limit, Verdict, Window};
use portcullis_domain::time::Time;

use crate::driver::{Row, Tx, params};
use crate::error::{Result, corrupt};

/// Counts an attempt before it is made. Others who ask for the same key wait until this
/// transaction ends, so parallel attempts cannot outrun the limit. A refusal counts nothing: the
/// transaction may as well be dropped.
pub async fn reserve(tx: &mut Tx, key: &str, limit: Limit, now: Time) -> Result<Verdict> {
    // A row that is new, or changed to what it is, belongs to this transaction.
    const HOLD: &str = "INSERT INTO throttle (key, started, count, expires_at)
        VALUES ($1, $2, 0, $2) ON CONFLICT (key) DO UPDATE SET key = excluded.key
        RETURNING started, count";
    const COUNT: &str = "UPDATE throttle SET started = $2, count = $3, expires_at = $4
        WHERE key = $1";
    let key = with_limit(key, limit);
    let row = tx.fetch_one(HOLD, params![key.as_str(), now]).await?;
    let (after, verdict) = throttle::reserve(limit, Some(window(&row, &key)?), now);
    let ends = after.started.plus(limit.period);
    match verdict {
        Verdict::Admitted { .. } => {
            tx.execute(COUNT, params![key.as_str(), after.started, i64::from(after.count), ends])
                .await?;
        }
        Verdict::Refused { .. } => {}
    }
    Ok(verdict)
}

/// What was counted. With [`throttle::reserve`] a cheap look ahead, which spares the database the
/// attempts that are refused anyway.
pub async fn get(tx: &mut Tx, key: &str, limit: Limit) -> Result<Option<Window>> {
    const SQL: &str = "SELECT started, count FROM throttle WHERE key = $1";
    let key = with_limit(key, limit);
    let row = tx.fetch_optional(SQL, params![key.as_str()]).await?;
    row.map(|row| window(&row, &key)).transpose()
}

/// How many windows of this limit are used up now, of keys that match: `%` stands for any characters.
pub async fn used_up(tx: &mut Tx, pattern: &str, limit: Limit, now: Time) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) AS number FROM throttle
        WHERE key LIKE $1 AND count >= $2 AND started > $3";
    let pattern = with_limit(pattern, limit);
    let since = now.minus(limit.period);
    let wanted = params![pattern.as_str(), i64::from(limit.count), since];
    tx.fetch_one(SQL, wanted).await?.get("number")
}

/// Forgets windows whose key matches, of whatever limit; how many.
pub async fn forget(tx: &mut Tx, pattern: &str) -> Result<u64> {
    let pattern = format!("{pattern} %");
    tx.execute("DELETE FROM throttle WHERE key LIKE $1", params![pattern.as_str()]).await
}

/// Forgets windows that ended before `before`, at most `limit` of them; how many.
pub async fn sweep(tx: &mut Tx, before: Time, limit: u32) -> Result<u64> {
    // Asked once more outside: by then another node may have begun a new window in the row.
    const SQL: &str = "DELETE FROM throttle WHERE expires_at < $1
        AND key IN (SELECT key FROM throttle WHERE expires_at < $1 LIMIT $2)";
    tx.execute(SQL, params![before, i64::from(limit)]).await
}

/// What is kept: no limit has a space in it.
fn with_limit(key: &str, limit: Limit) -> String {
    format!("{key} {limit}")
}

fn window(row: &Row, key: &str) -> Result<Window> {
    let count: i64 = row.get("count")?;
    let count = u32::try_from(count).map_err(|_| corrupt("throttle", "count", key))?;
    Ok(Window { started: Time(row.get("started")?), count })
}
