//! What an alert's file and the good one differ in, as it was when the alert was made; sealed by whoever
//! writes it. Goes with its alert.

use portcullis_domain::time::Time;

use crate::driver::{Tx, params};
use crate::error::Result;

/// A difference that was kept, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub sealed: Option<Vec<u8>>,
    pub added: i64,
    pub removed: i64,
    /// A word; empty where there is a difference to show.
    pub reason: String,
    pub taken_at: Time,
}

/// Keeps the difference of an alert; one that there is stays.
pub async fn put(tx: &mut Tx, alert: i64, kept: &Kept) -> Result<bool> {
    const SQL: &str =
        "INSERT INTO integrity_diffs (alert_id, sealed, bytes, added, removed, reason,
            taken_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (alert_id) DO NOTHING";
    let bytes = kept.sealed.as_ref().map_or(0, Vec::len);
    let row = params![
        alert,
        kept.sealed.as_deref(),
        i64::try_from(bytes).unwrap_or(i64::MAX),
        kept.added,
        kept.removed,
        &kept.reason,
        kept.taken_at,
    ];
    tx.changed(SQL, row).await
}

/// The difference of an alert.
pub async fn of(tx: &mut Tx, alert: i64) -> Result<Option<Kept>> {
    const SQL: &str = "SELECT sealed, added, removed, reason, taken_at FROM integrity_diffs
        WHERE alert_id = $1";
    let Some(row) = tx.fetch_optional(SQL, params![alert]).await? else { return Ok(None) };
    Ok(Some(Kept {
        sealed: row.get("sealed")?,
        added: row.get("added")?,
        removed: row.get("removed")?,
        reason: row.get("reason")?,
        taken_at: Time(row.get("taken_at")?),
    }))
}

/// Drops the text of at most `limit` differences that matter least, for this reason; how many. Those are
/// of alerts that are low or whose difference has gone by itself, the least bad and the oldest first.
pub async fn drop_least(tx: &mut Tx, reason: &str, limit: u32) -> Result<u64> {
    const SQL: &str = "UPDATE integrity_diffs SET sealed = NULL, bytes = 0, reason = $1
        WHERE alert_id IN (
            SELECT d.alert_id FROM integrity_diffs d JOIN integrity_alerts a ON a.id = d.alert_id
            WHERE d.bytes > 0 AND (a.severity = 'low' OR a.resolution = 'auto_reverted')
            ORDER BY a.rank DESC, a.last_seen_at, a.id LIMIT $2)";
    tx.execute(SQL, params![reason, i64::from(limit)]).await
}

/// How many bytes all of them are.
pub async fn bytes(tx: &mut Tx) -> Result<i64> {
    const SQL: &str =
        "SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) AS bytes FROM integrity_diffs";
    tx.fetch_one(SQL, params![]).await?.get("bytes")
}
