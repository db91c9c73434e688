//! The links that wait for their use, for whoever looks after them.

use portcullis_domain::id::UserId;
use portcullis_domain::one_time_link::LinkPurpose;
use portcullis_domain::time::Time;

use crate::driver::{Row, Tx, params};
use crate::error::Result;

/// Who has links in force. What they carry is kept nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub user: UserId,
    /// The username, or the address of a user without one.
    pub username: String,
    /// Of the newest.
    pub created_at: Time,
    /// Of the last to end.
    pub expires_at: Time,
}

/// Who has links in force of either purpose, by user: at most as many as the first number of `page`, after as many as the
/// second.
pub async fn waiting(
    tx: &mut Tx,
    purposes: [LinkPurpose; 2],
    now: Time,
    page: (i64, i64),
) -> Result<Vec<Waiting>> {
    const SQL: &str = "SELECT l.user_id, COALESCE(u.username, u.email) AS name,
            MAX(l.created_at) AS created_at, MAX(l.expires_at) AS expires_at
        FROM one_time_links l JOIN users u ON u.id = l.user_id AND u.epoch = l.user_epoch
        WHERE l.purpose IN ($1, $2) AND l.used_at IS NULL AND l.expires_at > $3
        GROUP BY l.user_id, u.username, u.email
        ORDER BY l.user_id LIMIT $4 OFFSET $5";
    let [one, other] = purposes.map(LinkPurpose::as_str);
    let rows = tx.fetch_all(SQL, params![one, other, now, page.0, page.1]).await?;
    rows.iter().map(read).collect()
}

/// How many users have links in force of either purpose.
pub async fn count_waiting(tx: &mut Tx, purposes: [LinkPurpose; 2], now: Time) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(DISTINCT l.user_id) AS number
        FROM one_time_links l JOIN users u ON u.id = l.user_id AND u.epoch = l.user_epoch
        WHERE l.purpose IN ($1, $2) AND l.used_at IS NULL AND l.expires_at > $3";
    let [one, other] = purposes.map(LinkPurpose::as_str);
    tx.fetch_one(SQL, params![one, other, now]).await?.get("number")
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
