//! Taking what is known of a person out of every table but the log: for users who were deleted before.
//! The number and the UUID stay, so that neither is ever given to somebody else. Not here: the log
//! (`audit::people`).

use std::collections::BTreeSet;

use portcullis_domain::account::AccountStatus;
use portcullis_domain::client_address::Network;
use portcullis_domain::id::UserId;
use portcullis_domain::time::Time;

use crate::driver::{Tx, params};
use crate::error::Result;
use crate::invalidations::Invalidation;
use crate::{lockouts, throttle};

/// Blanks the row and deletes everything that hangs on it; `false` if the user was not deleted, or was
/// erased before. `names` are the fingerprints under which attempts for his names were counted.
pub async fn erase(tx: &mut Tx, id: UserId, names: &[String], now: Time) -> Result<bool> {
    const BLANK: &str = "UPDATE users SET first_name = '', last_name = '', name_folded = '',
            phone = NULL, avatar_url = NULL, erased_at = $2, updated_at = $2
        WHERE id = $1 AND status = $3 AND erased_at IS NULL";
    // A session goes before the series that it belongs to. Its credentials go with it.
    const ROWS: [&str; 12] = [
        "DELETE FROM sessions WHERE user_id = $1",
        // With their values and what was written down of their use.
        "DELETE FROM api_keys WHERE user_id = $1",
        "DELETE FROM remember_series WHERE user_id = $1",
        "DELETE FROM places WHERE user_id = $1",
        "DELETE FROM one_time_links WHERE user_id = $1",
        "DELETE FROM one_time_codes WHERE user_id = $1",
        "DELETE FROM factors WHERE user_id = $1",
        "DELETE FROM sign_in_tickets WHERE user_id = $1",
        "DELETE FROM blacklist WHERE user_id = $1",
        "DELETE FROM trusted_devices WHERE user_id = $1",
        "DELETE FROM user_grants WHERE user_id = $1",
        "DELETE FROM outbox WHERE user_id = $1",
    ];
    tx.invalidate(Invalidation::User(id));
    if !tx.changed(BLANK, params![id, now, AccountStatus::Deleted.id()]).await? {
        return Ok(false);
    }
    forget_counted(tx, id, names).await?;
    forget_mail(tx, id).await?;
    for row in ROWS {
        tx.execute(row, params![id]).await?;
    }
    Ok(true)
}

/// Whether somebody was erased.
pub async fn is_erased(tx: &mut Tx, id: UserId) -> Result<bool> {
    const SQL: &str = "SELECT id FROM users WHERE id = $1 AND erased_at IS NOT NULL";
    Ok(tx.fetch_optional(SQL, params![id]).await?.is_some())
}

/// What was counted for his account, for his names, and for the networks that he was signed in from.
/// Lock-outs of others from the same networks stay.
async fn forget_counted(tx: &mut Tx, id: UserId, names: &[String]) -> Result<()> {
    lockouts::forget(tx, &format!("user:{id}:%")).await?;
    lockouts::forget(tx, &format!("factor:{id}")).await?;
    throttle::forget(tx, &format!("new_place:{id}")).await?;
    for name in names {
        lockouts::forget(tx, &format!("%:{name}%")).await?;
        throttle::forget(tx, &format!("%:{name}%")).await?;
    }
    for network in networks(tx, id).await? {
        lockouts::forget(tx, &format!("unknown:%:{network}")).await?;
        throttle::forget(tx, &format!("%:{network}%")).await?;
    }
    Ok(())
}

async fn networks(tx: &mut Tx, id: UserId) -> Result<BTreeSet<String>> {
    const SQL: &str = "SELECT ip FROM sessions WHERE user_id = $1
        UNION SELECT ip FROM remember_series WHERE user_id = $1";
    let rows = tx.fetch_all(SQL, params![id]).await?;
    let mut networks = BTreeSet::new();
    for row in rows {
        let address: String = row.get("ip")?;
        networks.extend(address.parse().ok().map(|ip| Network::of(ip).to_string()));
    }
    Ok(networks)
}

/// Mail to addresses that were to become his, which is not known to be to him by its row.
async fn forget_mail(tx: &mut Tx, id: UserId) -> Result<()> {
    const SQL: &str = "DELETE FROM outbox WHERE user_id IS NULL AND recipient IN (
        SELECT email FROM one_time_links WHERE user_id = $1 AND email IS NOT NULL)";
    tx.execute(SQL, params![id]).await.map(drop)
}
