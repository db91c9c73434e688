//! The links that wait for their use, for whoever looks after them.

use portcullis_domain::id::UserId;
use portcullis_domain::one_time_link::LinkPurpose;
use portcullis_domain::time::Time;

use crate::driver::{Row, Tx, params};
use crate::error::Result;

/// A link in force. What it carries is kept nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub user: UserId,
    /// The username, or the address of a user without one.
    pub username: String,
    pub created_at: Time,
    pub expires_at: Time,
}

/// The links in force, by user: at most as many as the first number of `page`, after as many as the
/// second.
pub async fn waiting(
    tx: &mut Tx,
    purpose: LinkPurpose,
    now: Time,
    page: (i64, i64),
) -> Result<Vec<Waiting>> {
    const SQL: &str = "SELECT l.user_id, COALESCE(u.username, u.email) AS name, l.created_at,
            l.expires_at
        FROM one_time_links l JOIN users u ON u.id = l.user_id AND u.epoch = l.user_epoch
        WHERE l.purpose = $1 AND l.used_at IS NULL AND l.expires_at > $2
        ORDER BY l.user_id LIMIT $3 OFFSET $4";
    let rows = tx.fetch_all(SQL, params![purpose.as_str(), now, page.0, page.1]).await?;
    rows.iter().map(read).collect()
}

/// How many links are in force.
pub async fn count_waiting(tx: &mut Tx, purpose: LinkPurpose, now: Time) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) AS number
        FROM one_time_links l JOIN users u ON u.id = l.user_id AND u.epoch = l.user_epoch
        WHERE l.purpose = $1 AND l.used_at IS NULL AND l.expires_at > $2";
    tx.fetch_one(SQL, params![purpose.as_str(), now]).await?.get("number")
}

/// Voids the user's link; `false` if none is in force.
pub async fn void(tx: &mut Tx, purpose: LinkPurpose, user: UserId, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE one_time_links SET used_at = $3
        WHERE user_id = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3";
    tx.changed(SQL, params![user, purpose.as_str(), now]).await
}

fn read(row: &Row) -> Result<Waiting> {
    Ok(Waiting {
        user: UserId(row.get("user_id")?),
        username: row.get("name")?,
        created_at: Time(row.get("created_at")?),
        expires_at: Time(row.get("expires_at")?),
    })
}
