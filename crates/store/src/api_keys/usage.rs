//! What was done with API keys: how often by the hour, and the last requests one by one. Written in
//! batches beside the requests, so it may be a moment behind.

use portcullis_domain::id::KeyId;
use portcullis_domain::time::Time;

use super::key_id;
use crate::driver::{Row, Tx, params};
use crate::error::Result;

/// How often a key was used, since the last batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    pub key: KeyId,
    pub requests: i64,
    pub last: Time,
}

/// How often a key asked for something in one hour, since the last batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted<'a> {
    pub key: KeyId,
    pub hour: Time,
    pub endpoint: &'a str,
    pub requests: i64,
    pub took_ms: i64,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    pub id: String,
    pub key: KeyId,
    pub at: Time,
    pub endpoint: String,
    pub method: String,
    pub status: i64,
    pub took_ms: i64,
}

/// Adds to what was counted of keys; one that is gone meanwhile is left out.
pub async fn count(tx: &mut Tx, used: &[Used]) -> Result<()> {
    const SQL: &str = "UPDATE api_keys SET usage_count = usage_count + $2,
            last_used_at = CASE WHEN last_used_at > $3 THEN last_used_at ELSE $3 END,
            active_at = CASE WHEN active_at > $3 THEN active_at ELSE $3 END
        WHERE id = $1";
    for used in used {
        tx.execute(SQL, params![used.key.as_str(), used.requests, used.last]).await?;
    }
    Ok(())
}

/// Adds to what was counted by the hour.
pub async fn count_hours(tx: &mut Tx, counted: &[Counted<'_>]) -> Result<()> {
    const SQL: &str = "INSERT INTO api_key_hours (key_id, hour, endpoint, requests, took_ms)
        SELECT $1, $2, $3, $4, $5 WHERE EXISTS (SELECT 1 FROM api_keys WHERE id = $1)
        ON CONFLICT (key_id, hour, endpoint) DO UPDATE
        SET requests = api_key_hours.requests + excluded.requests,
            took_ms = api_key_hours.took_ms + excluded.took_ms";
    for it in counted {
        let row = params![it.key.as_str(), it.hour, it.endpoint, it.requests, it.took_ms];
        tx.execute(SQL, row).await?;
    }
    Ok(())
}

/// Writes requests down.
pub async fn log(tx: &mut Tx, uses: &[Use]) -> Result<()> {
    const SQL: &str = "INSERT INTO api_key_uses (id, key_id, at, endpoint, method, status, took_ms)
        SELECT $1, $2, $3, $4, $5, $6, $7 WHERE EXISTS (SELECT 1 FROM api_keys WHERE id = $2)";
    for it in uses {
        let row = params![
            it.id.as_str(),
            it.key.as_str(),
            it.at,
            it.endpoint.as_str(),
            it.method.as_str(),
            it.status,
            it.took_ms,
        ];
        tx.execute(SQL, row).await?;
    }
    Ok(())
}

/// The requests of a key that were kept, the last first, and how many there are.
pub async fn page(tx: &mut Tx, key: KeyId, limit: i64, offset: i64) -> Result<(Vec<Use>, i64)> {
    const SQL: &str = "SELECT id, key_id, at, endpoint, method, status, took_ms FROM api_key_uses
        WHERE key_id = $1 ORDER BY id DESC LIMIT $2 OFFSET $3";
    const COUNT: &str = "SELECT COUNT(*) AS count FROM api_key_uses WHERE key_id = $1";
    let rows = tx.fetch_all(SQL, params![key.as_str(), limit, offset]).await?;
    let uses = rows.iter().map(one).collect::<Result<_>>()?;
    let total = tx.fetch_one(COUNT, params![key.as_str()]).await?.get("count")?;
    Ok((uses, total))
}

/// How many requests there were from an hour on, and how long they took together, of a key or of all.
pub async fn since(tx: &mut Tx, key: Option<KeyId>, hour: Time) -> Result<(i64, i64)> {
    const OF_KEY: &str = "SELECT CAST(COALESCE(SUM(requests), 0) AS BIGINT) AS requests,
            CAST(COALESCE(SUM(took_ms), 0) AS BIGINT) AS took_ms
        FROM api_key_hours WHERE key_id = $2 AND hour >= $1";
    const ALL: &str = "SELECT CAST(COALESCE(SUM(requests), 0) AS BIGINT) AS requests,
            CAST(COALESCE(SUM(took_ms), 0) AS BIGINT) AS took_ms
        FROM api_key_hours WHERE hour >= $1";
    let row = match key {
        Some(key) => tx.fetch_one(OF_KEY, params![hour, key.as_str()]).await?,
        None => tx.fetch_one(ALL, params![hour]).await?,
    };
    Ok((row.get("requests")?, row.get("took_ms")?))
}

/// What a key asked for most from an hour on, with how often.
pub async fn top(tx: &mut Tx, key: KeyId, hour: Time, limit: i64) -> Result<Vec<(String, i64)>> {
    const SQL: &str = "SELECT endpoint, CAST(SUM(requests) AS BIGINT) AS requests
        FROM api_key_hours WHERE key_id = $1 AND hour >= $2
        GROUP BY endpoint ORDER BY SUM(requests) DESC, endpoint LIMIT $3";
    let rows = tx.fetch_all(SQL, params![key.as_str(), hour, limit]).await?;
    rows.iter().map(|row| Ok((row.get("endpoint")?, row.get("requests")?))).collect()
}

/// Forgets requests of before, at most `limit` of them; how many.
pub async fn sweep(tx: &mut Tx, before: Time, limit: u32) -> Result<u64> {
    const SQL: &str = "DELETE FROM api_key_uses WHERE id IN (
        SELECT id FROM api_key_uses WHERE at < $1 LIMIT $2)";
    tx.execute(SQL, params![before, i64::from(limit)]).await
}

/// Forgets hours of before; how many rows.
pub async fn sweep_hours(tx: &mut Tx, before: Time) -> Result<u64> {
    tx.execute("DELETE FROM api_key_hours WHERE hour < $1", params![before]).await
}

fn one(row: &Row) -> Result<Use> {
    Ok(Use {
        id: row.get("id")?,
        key: key_id(row, "key_id")?,
        at: Time(row.get("at")?),
        endpoint: row.get("endpoint")?,
        method: row.get("method")?,
        status: row.get("status")?,
        took_ms: row.get("took_ms")?,
    })
}
