//! Beginning anew without signing out: the epoch of a user goes up, which ends everything that hung on
//! the old one, and what stays is carried over to the new one; the session that stays gets a new secret.
//! Every step is conditional, so of parallel callers one wins.

use portcullis_domain::id::{SessionId, UserId};
use portcullis_domain::secret::Mac;
use portcullis_domain::time::Time;

use crate::driver::{Tx, params};
use crate::error::Result;
use crate::invalidations::Invalidation;

/// Raises the epoch of a user if it is still `from`: every session, remembered browser, link and code of
/// before is dead, unless it is carried over. The new epoch, or `None` if somebody was faster.
pub async fn raise_epoch(tx: &mut Tx, user: UserId, from: i64) -> Result<Option<i64>> {
    const SQL: &str = "UPDATE users SET epoch = epoch + 1 WHERE id = $1 AND epoch = $2
        RETURNING epoch";
    let row = tx.fetch_optional(SQL, params![user, from]).await?;
    if row.is_some() {
        tx.invalidate(Invalidation::User(user));
    }
    row.map(|row| row.get("epoch")).transpose()
}

/// Carries one session with its remembered browser over from an epoch to the next; `false` if it has
/// ended or was of another epoch.
pub async fn carry_over(tx: &mut Tx, id: &SessionId, from: i64, to: i64) -> Result<bool> {
    // The series first, as everywhere.
    const SERIES: &str = "UPDATE remember_series SET user_epoch = $3
        WHERE user_epoch = $2 AND ended_at IS NULL
            AND id = (SELECT remember_series FROM sessions WHERE id = $1)";
    const SESSION: &str = "UPDATE sessions SET user_epoch = $3
        WHERE id = $1 AND user_epoch = $2 AND ended_at IS NULL";
    tx.execute(SERIES, params![id, from, to]).await?;
    tx.changed(SESSION, params![id, from, to]).await
}

/// Carries everything over that somebody is signed in by; links and codes stay behind.
pub async fn carry_over_all(tx: &mut Tx, user: UserId, from: i64, to: i64) -> Result<()> {
    const SERIES: &str = "UPDATE remember_series SET user_epoch = $3
        WHERE user_id = $1 AND user_epoch = $2 AND ended_at IS NULL";
    const SESSIONS: &str = "UPDATE sessions SET user_epoch = $3
        WHERE user_id = $1 AND user_epoch = $2 AND ended_at IS NULL";
    tx.execute(SERIES, params![user, from, to]).await?;
    tx.execute(SESSIONS, params![user, from, to]).await.map(drop)
}

/// Notes that whoever has the session has just proved again who they are; `false` if it has ended.
pub async fn prove_again(tx: &mut Tx, id: &SessionId, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE sessions SET auth_time = $2 WHERE id = $1 AND ended_at IS NULL
        RETURNING user_id";
    let Some(row) = tx.fetch_optional(SQL, params![id, now]).await? else { return Ok(false) };
    tx.invalidate(Invalidation::User(UserId(row.get("user_id")?)));
    Ok(true)
}

/// Puts a new secret in the place of a cookie's, whose life goes on; `false` if somebody was faster or
/// it has ended.
pub async fn replace_cookie(tx: &mut Tx, old: &Mac, new: &Mac) -> Result<bool> {
    const SQL: &str = "UPDATE credentials SET mac = $2
        WHERE mac = $1 AND kind = 'cookie' AND ended_at IS NULL";
    tx.changed(SQL, params![old, new]).await
}

/// Ends what a session handed out, except one credential and the one that it was made with; how many.
pub async fn end_other_credentials(
    tx: &mut Tx,
    id: &SessionId,
    kept: &Mac,
    now: Time,
) -> Result<u64> {
    const SQL: &str = "UPDATE credentials SET ended_at = $3
        WHERE session_id = $1 AND ended_at IS NULL AND mac <> $2 AND NOT EXISTS (
            SELECT 1 FROM credentials k WHERE k.mac = $2 AND k.parent_mac = credentials.mac)";
    tx.execute(SQL, params![id, kept, now]).await
}
