//! Links that can be used once, found by the keyed MAC of what they carry. What a link buys is
//! written by the caller, in the transaction that spends it.

mod asked;
mod waiting;

use portcullis_domain::id::UserId;
use portcullis_domain::one_time_link::{Facts, LinkPurpose};
use portcullis_domain::secret::Mac;
use portcullis_domain::text::Email;
use portcullis_domain::time::Time;

use crate::driver::{Row, Tx, params};
use crate::error::{Result, corrupt};
use crate::users::{self, User};

pub use asked::{Asked, asked, note_asked};
pub use waiting::{Waiting, count_waiting, void, waiting};

/// A link to be made.
#[derive(Clone, Debug)]
pub struct NewLink {
    pub mac: Mac,
    pub purpose: LinkPurpose,
    pub user_id: UserId,
    /// The epoch of the user now. Under another the link is dead.
    pub user_epoch: i64,
    /// Where it was mailed to: whoever uses it has that address. `None` if it was not mailed.
    pub email: Option<Email>,
    pub expires_at: Time,
}

/// A link that was just spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    pub user_id: UserId,
    /// The epoch of the user, under which it was made and spent.
    pub user_epoch: i64,
    pub email: Option<Email>,
}

/// Makes a link in place of the user's earlier ones of the same purpose, which are void from now
/// on. [`crate::Error::Conflict`] if another is made at the same moment, or there is no such user.
pub async fn issue(tx: &mut Tx, new: &NewLink, now: Time) -> Result<()> {
    const VOID: &str = "UPDATE one_time_links SET used_at = $3
        WHERE user_id = $1 AND purpose = $2 AND used_at IS NULL";
    const INSERT: &str = "INSERT INTO one_time_links (
            mac, purpose, user_id, user_epoch, created_at, expires_at, email)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    tx.execute(VOID, params![new.user_id, new.purpose.as_str(), now]).await?;
    let row = params![
        &new.mac,
        new.purpose.as_str(),
        new.user_id,
        new.user_epoch,
        now,
        new.expires_at,
        new.email.as_ref().map(Email::as_str),
    ];
    tx.execute(INSERT, row).await.map(drop)
}

/// What is known of a link; `None` if no link of this purpose has the MAC.
pub async fn find(tx: &mut Tx, purpose: LinkPurpose, mac: &Mac) -> Result<Option<Facts>> {
    const SQL: &str = "SELECT l.expires_at, l.used_at, l.user_epoch, u.epoch
        FROM one_time_links l JOIN users u ON u.id = l.user_id
        WHERE l.mac = $1 AND l.purpose = $2";
    let row = tx.fetch_optional(SQL, params![mac, purpose.as_str()]).await?;
    row.as_ref().map(facts).transpose()
}

/// Whose a link is; `None` if no link of this purpose has the MAC.
pub async fn holder(tx: &mut Tx, purpose: LinkPurpose, mac: &Mac) -> Result<Option<User>> {
    const SQL: &str = "SELECT user_id FROM one_time_links WHERE mac = $1 AND purpose = $2";
    let Some(row) = tx.fetch_optional(SQL, params![mac, purpose.as_str()]).await? else {
        return Ok(None);
    };
    users::by_id(tx, UserId(row.get("user_id")?)).await
}

/// Spends a link, if it is unspent, its time is not over and its user's epoch is still the same. Of
/// parallel callers one wins.
pub async fn spend(
    tx: &mut Tx,
    purpose: LinkPurpose,
    mac: &Mac,
    now: Time,
) -> Result<Option<Spent>> {
    const SQL: &str = "UPDATE one_time_links SET used_at = $3
        WHERE mac = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3
            AND user_epoch = (SELECT u.epoch FROM users u WHERE u.id = user_id)
        RETURNING user_id, user_epoch, email";
    let row = tx.fetch_optional(SQL, params![mac, purpose.as_str(), now]).await?;
    row.as_ref().map(spent).transpose()
}

/// Forgets links whose time was over before `before`, at most `limit` of them; how many.
pub async fn sweep(tx: &mut Tx, before: Time, limit: u32) -> Result<u64> {
    const SQL: &str = "DELETE FROM one_time_links WHERE mac IN (
        SELECT mac FROM one_time_links WHERE expires_at < $1 LIMIT $2)";
    tx.execute(SQL, params![before, i64::from(limit)]).await
}

fn spent(row: &Row) -> Result<Spent> {
    let user_id: i64 = row.get("user_id")?;
    let email: Option<String> = row.get("email")?;
    let email = email.map(|text| Email::parse(&text)).transpose();
    Ok(Spent {
        user_id: UserId(user_id),
        user_epoch: row.get("user_epoch")?,
        email: email.map_err(|_| corrupt("one_time_links", "email", user_id))?,
    })
}

fn facts(row: &Row) -> Result<Facts> {
    let (then, now): (i64, i64) = (row.get("user_epoch")?, row.get("epoch")?);
    Ok(Facts {
        expires_at: Time(row.get("expires_at")?),
        is_spent: row.get::<Option<i64>>("used_at")?.is_some(),
        is_outdated: then != now,
    })
}
