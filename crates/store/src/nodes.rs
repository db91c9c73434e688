//! The servers that are running over one database, each with a lease that it renews: whether there
//! is anybody who may still remember what was just ended. Not here: what a server does about it.

use std::time::Duration;

use portcullis_domain::time::Time;

use crate::driver::{Tx, params};
use crate::error::Result;

/// How long a server counts as running after it last said so.
pub const LEASE: Duration = Duration::from_secs(30);

/// A server says that it is running.
pub async fn renew(tx: &mut Tx, id: &str, now: Time) -> Result<()> {
    const SQL: &str = "INSERT INTO nodes (id, seen_at) VALUES ($1, $2)
        ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at";
    tx.execute(SQL, params![id, now]).await.map(drop)
}

/// A server has stopped; `false` if it was not known to run.
pub async fn remove(tx: &mut Tx, id: &str) -> Result<bool> {
    tx.changed("DELETE FROM nodes WHERE id = $1", params![id]).await
}

/// Whether any server is running, but for the one that asks if it is one.
pub async fn others(tx: &mut Tx, id: Option<&str>, now: Time) -> Result<bool> {
    const SQL: &str = "SELECT id FROM nodes
        WHERE seen_at > $1 AND ($2 IS NULL OR id <> $2) LIMIT 1";
    Ok(tx.fetch_optional(SQL, params![now.minus(LEASE), id]).await?.is_some())
}

/// Forgets servers that last said so before `before`, at most `limit` of them; how many.
pub async fn sweep(tx: &mut Tx, before: Time, limit: u32) -> Result<u64> {
    const SQL: &str = "DELETE FROM nodes WHERE seen_at < $1
        AND id IN (SELECT id FROM nodes WHERE seen_at < $1 LIMIT $2)";
    tx.execute(SQL, params![before, i64::from(limit)]).await
}
