//! What a restore ends. A backup knows nothing of what was ended, used or taken back after it, so
//! whatever signs anybody in is over: sessions with their tokens, browsers that stay signed in, links and
//! codes, devices that are trusted, and what browsers vouch for. Passwords stay. Whatever else is made that signs somebody in
//! belongs here too.

use portcullis_domain::event::EndReason;
use portcullis_domain::time::Time;

use crate::api_keys;
use crate::driver::{Tx, params};
use crate::error::Result;
use crate::invalidations::Invalidation;

/// How many there were of what was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Sessions that somebody could still have used.
    pub sessions: u64,
    /// Links and codes that nobody had used.
    pub one_time: u64,
    /// API keys that wait until somebody says that they are still wanted: any of them may have been
    /// revoked after the backup.
    pub keys: u64,
}

/// Ends all of it. The new epochs are beyond every one that was in use after the backup, so that what
/// is signed for an epoch, and kept by nobody, is not good again either.
pub async fn end_everything(tx: &mut Tx, now: Time) -> Result<Ended> {
    const LIVE: &str = "SELECT COUNT(*) AS count FROM sessions
        WHERE ended_at IS NULL AND live_until > $1";
    const EPOCHS: &str = "UPDATE users
        SET epoch = CASE WHEN epoch < $1 THEN $1 ELSE epoch + 1 END,
            places_epoch = CASE WHEN places_epoch < $1 THEN $1 ELSE places_epoch + 1 END";
    const SESSIONS: &str = "UPDATE sessions
        SET ended_at = $1, end_reason = $2, live_until = NULL WHERE ended_at IS NULL";
    const CREDENTIALS: &str = "UPDATE credentials SET ended_at = $1 WHERE ended_at IS NULL";
    const SERIES: &str = "UPDATE remember_series SET ended_at = $1, end_reason = $2
        WHERE ended_at IS NULL";
    const DEVICES: &str = "UPDATE trusted_devices SET ended_at = $1 WHERE ended_at IS NULL";
    const LINKS: &str = "UPDATE one_time_links SET used_at = $1 WHERE used_at IS NULL";
    const TICKETS: &str = "UPDATE sign_in_tickets SET used_at = $1 WHERE used_at IS NULL";
    const BEGUN: &str = "DELETE FROM factors WHERE state = 'pending'";
    // Which of them were used since, nobody knows.
    const BACKUP_CODES: &str = "UPDATE backup_codes SET used_at = $1 WHERE used_at IS NULL";
    const CODES: &str = "UPDATE one_time_codes SET used_at = $1 WHERE used_at IS NULL";
    let sessions: i64 = tx.fetch_one(LIVE, params![now]).await?.get("count")?;
    let reason = EndReason::Restored.as_str();
    tx.execute(EPOCHS, params![now]).await?;
    tx.execute(SESSIONS, params![now, reason]).await?;
    tx.execute(CREDENTIALS, params![now]).await?;
    tx.execute(SERIES, params![now, reason]).await?;
    tx.execute(DEVICES, params![now]).await?;
    tx.execute(TICKETS, params![now]).await?;
    tx.execute(BEGUN, params![]).await?;
    tx.execute(BACKUP_CODES, params![now]).await?;
    let links = tx.execute(LINKS, params![now]).await?;
    let codes = tx.execute(CODES, params![now]).await?;
    let keys = api_keys::suspend_all(tx, now).await?;
    tx.invalidate(Invalidation::Everybody);
    Ok(Ended {
        sessions: u64::try_from(sessions).unwrap_or_default(),
        one_time: links + codes,
        keys,
    })
}
