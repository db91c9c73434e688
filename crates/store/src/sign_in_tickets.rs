//! Sign-ins that wait for a second factor, found by the keyed MAC of a ticket. Not here: what a ticket
//! waits for, and the wrong codes, which are counted for the user and not for a ticket.

use portcullis_domain::id::UserId;
use portcullis_domain::secret::Mac;
use portcullis_domain::time::Time;

use crate::driver::{Tx, params};
use crate::error::Result;

/// A ticket to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewTicket<'a> {
    pub mac: Mac,
    pub user: UserId,
    /// The epoch of the user now. Under another the ticket is dead.
    pub user_epoch: i64,
    /// What was proved so far and what is wanted, as the caller writes it.
    pub detail: &'a str,
    pub expires_at: Time,
}

pub async fn insert(tx: &mut Tx, new: &NewTicket<'_>, now: Time) -> Result<()> {
    const SQL: &str = "INSERT INTO sign_in_tickets (
            mac, user_id, user_epoch, detail, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6)";
    let row = params![&new.mac, new.user, new.user_epoch, new.detail, now, new.expires_at];
    tx.execute(SQL, row).await.map(drop)
}

/// Whose ticket it is and what it says, if it is good. Others who show it wait until this transaction
/// ends.
pub async fn hold(tx: &mut Tx, mac: &Mac, now: Time) -> Result<Option<(UserId, String)>> {
    // Changing it to what it is lets one caller in at a time.
    const SQL: &str = "UPDATE sign_in_tickets SET detail = detail
        WHERE mac = $1 AND used_at IS NULL AND expires_at > $2
            AND user_epoch = (SELECT u.epoch FROM users u WHERE u.id = user_id)
        RETURNING user_id, detail";
    let Some(row) = tx.fetch_optional(SQL, params![mac, now]).await? else { return Ok(None) };
    Ok(Some((UserId(row.get("user_id")?), row.get("detail")?)))
}

/// Uses a ticket; `false` if somebody was faster.
pub async fn spend(tx: &mut Tx, mac: &Mac, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE sign_in_tickets SET used_at = $2
        WHERE mac = $1 AND used_at IS NULL AND expires_at > $2";
    tx.changed(SQL, params![mac, now]).await
}

/// Forgets tickets whose time was over before `before`, at most `limit` of them; how many.
pub async fn sweep(tx: &mut Tx, before: Time, limit: u32) -> Result<u64> {
    const SQL: &str = "DELETE FROM sign_in_tickets WHERE mac IN (
        SELECT mac FROM sign_in_tickets WHERE expires_at < $1 LIMIT $2)";
    tx.execute(SQL, params![before, i64::from(limit)]).await
}
