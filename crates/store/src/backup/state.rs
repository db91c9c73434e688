//! When the last backup was made, what came of the last attempt, and whose turn the next one of the
//! schedule is: one row, which every server of the database reads.

use std::time::Duration;

use portcullis_domain::backup::{LEASE, TRIED_AGAIN};
use portcullis_domain::event::BackupFailure;
use portcullis_domain::time::Time;

use crate::driver::{Tx, params};
use crate::error::Result;

/// How it stands with backups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The last good one; `None`: there never was one.
    pub good: Option<Good>,
    /// When the last attempt failed and the word for why, if none was good since.
    pub failed: Option<(Time, String)>,
}

/// A good backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Good {
    /// The moment that it holds.
    pub at: Time,
    /// The name of its file, wherever that is.
    pub file: String,
    pub bytes: i64,
}

/// How it stands.
pub async fn state(tx: &mut Tx) -> Result<State> {
    const SQL: &str = "SELECT good_at, good_file, good_bytes, failed_at, failure FROM backup_state
        WHERE id = 1";
    let Some(row) = tx.fetch_optional(SQL, params![]).await? else { return Ok(State::default()) };
    let time = |column| row.get::<Option<i64>>(column).map(|time| time.map(Time));
    let (good_at, failed_at) = (time("good_at")?, time("failed_at")?);
    let (file, bytes): (Option<String>, Option<i64>) =
        (row.get("good_file")?, row.get("good_bytes")?);
    let failure: Option<String> = row.get("failure")?;
    Ok(State {
        good: good_at.map(|at| Good {
            at,
            file: file.unwrap_or_default(),
            bytes: bytes.unwrap_or_default(),
        }),
        failed: failed_at.map(|at| (at, failure.unwrap_or_default())),
    })
}

/// Takes the turn of the schedule, if it is due and nobody has it: of several servers one does. Whoever
/// took it and was never heard of again loses it after a while.
pub async fn claim(tx: &mut Tx, every: Duration, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE backup_state SET not_before = $3
        WHERE id = 1 AND scheduled_at <= $2 AND not_before <= $1";
    tx.changed(SQL, params![now, now.minus(every), now.plus(LEASE)]).await
}

/// The turn that was taken at `began` has brought a good backup.
pub async fn release(tx: &mut Tx, began: Time) -> Result<()> {
    const SQL: &str = "UPDATE backup_state SET scheduled_at = $1, not_before = 0
        WHERE id = 1 AND scheduled_at < $1";
    tx.execute(SQL, params![began]).await.map(drop)
}

/// Whoever took the turn at `began` stops without having made one: another may take it at once.
pub async fn give_back(tx: &mut Tx, began: Time) -> Result<()> {
    const SQL: &str = "UPDATE backup_state SET not_before = 0 WHERE id = 1 AND not_before = $1";
    tx.execute(SQL, params![began.plus(LEASE)]).await.map(drop)
}

/// A good backup was made; one of a later moment that is noted already stands.
pub async fn note_good(tx: &mut Tx, good: &Good) -> Result<()> {
    const SQL: &str = "UPDATE backup_state
        SET good_at = $1, good_file = $2, good_bytes = $3, failed_at = NULL, failure = NULL
        WHERE id = 1 AND (good_at IS NULL OR good_at < $1)";
    tx.execute(SQL, params![good.at, &good.file, good.bytes]).await.map(drop)
}

/// An attempt failed; it is tried again soon.
pub async fn note_failure(tx: &mut Tx, why: BackupFailure, now: Time) -> Result<()> {
    const SQL: &str = "UPDATE backup_state SET failed_at = $1, failure = $2, not_before = $3
        WHERE id = 1 AND (failed_at IS NULL OR failed_at <= $1)";
    tx.execute(SQL, params![now, why.as_str(), now.plus(TRIED_AGAIN)]).await.map(drop)
}

/// The database was filled from this backup: it is the last good one, and nobody is at work.
pub async fn note_restored(tx: &mut Tx, good: &Good) -> Result<()> {
    const SQL: &str = "UPDATE backup_state SET good_at = $1, good_file = $2, good_bytes = $3,
        failed_at = NULL, failure = NULL, not_before = 0 WHERE id = 1";
    tx.execute(SQL, params![good.at, &good.file, good.bytes]).await.map(drop)
}
