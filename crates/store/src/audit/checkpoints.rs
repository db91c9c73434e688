//! What was signed of the log.

use portcullis_domain::time::Time;

use super::{number, stored};
use crate::driver::{Row, Tx, params};
use crate::error::Result;

/// A signed note about the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub size: u64,
    pub at: Time,
    /// See `domain::audit::checkpoint`.
    pub note: String,
}

/// Keeps one.
pub async fn insert(tx: &mut Tx, checkpoint: &Checkpoint) -> Result<()> {
    const SQL: &str = "INSERT INTO audit_checkpoints (size, at, note) VALUES ($1, $2, $3)";
    let row = params![stored(checkpoint.size)?, checkpoint.at, &checkpoint.note];
    tx.execute(SQL, row).await.map(drop)
}

/// The newest.
pub async fn newest(tx: &mut Tx) -> Result<Option<Checkpoint>> {
    const SQL: &str =
        "SELECT size, at, note FROM audit_checkpoints ORDER BY size DESC, at DESC LIMIT 1";
    let row = tx.fetch_optional(SQL, params![]).await?;
    row.as_ref().map(checkpoint).transpose()
}

pub(super) fn checkpoint(row: &Row) -> Result<Checkpoint> {
    Ok(Checkpoint {
        size: number(row.get("size")?)?,
        at: Time(row.get("at")?),
        note: row.get("note")?,
    })
}
