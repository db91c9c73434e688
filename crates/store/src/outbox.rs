//! Mail to send, written in the transaction that caused it and sent afterwards.

use portcullis_domain::time::Time;

use crate::driver::{Tx, params};
use crate::error::Result;

pub use crate::jobs::claim;

/// A mail to be sent as soon as the transaction commits. It may carry secrets: no `Debug`.
#[derive(Clone)]
pub struct NewMail {
    /// A `UUIDv7`.
    pub id: String,
    pub recipient: String,
    pub subject: String,
    pub body: String,
    /// The link in the body, if there is one.
    pub link: Option<String>,
    /// The code in the body, if there is one.
    pub code: Option<String>,
}

/// A mail that this node is to send now. It may carry secrets: no `Debug`.
#[derive(Clone)]
pub struct Mail {
    pub id: String,
    pub recipient: String,
    pub subject: String,
    pub body: String,
    pub link: Option<String>,
    pub code: Option<String>,
    pub created_at: Time,
    /// Claims so far, this one included.
    pub attempts: i64,
}

/// Queues a mail.
pub async fn insert(tx: &mut Tx, mail: &NewMail, now: Time) -> Result<()> {
    const SQL: &str = "INSERT INTO outbox
        (id, recipient, subject, body, link, code, created_at, attempts, next_at, sent_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $7, NULL)";
    let row = params![
        &mail.id,
        &mail.recipient,
        &mail.subject,
        &mail.body,
        mail.link.as_deref(),
        mail.code.as_deref(),
        now,
    ];
    tx.execute(SQL, row).await.map(drop)
}

/// Notes that a mail went out, and forgets its text; `false` if it was noted before.
pub async fn sent(tx: &mut Tx, id: &str, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE outbox SET sent_at = $2, body = '', link = NULL, code = NULL
        WHERE id = $1 AND sent_at IS NULL";
    tx.changed(SQL, params![id, now]).await
}

/// Notes that a mail did not go out, and when to try again; `false` if it was sent meanwhile.
pub async fn failed(tx: &mut Tx, id: &str, next_at: Time) -> Result<bool> {
    const SQL: &str = "UPDATE outbox SET next_at = $2 WHERE id = $1 AND sent_at IS NULL";
    tx.changed(SQL, params![id, next_at]).await
}

/// How much mail has not gone out yet.
pub async fn waiting(tx: &mut Tx) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) AS waiting FROM outbox WHERE sent_at IS NULL";
    tx.fetch_one(SQL, params![]).await?.get("waiting")
}

/// Forgets mail that was sent before `before`, and mail that was queued before it and never got
/// out, at most `limit` of it; how much.
pub async fn sweep(tx: &mut Tx, before: Time, limit: u32) -> Result<u64> {
    // No mail is sent before it is queued, so the index finds all that there is to look at. Asked
    // once more outside: by then another node may have sent it.
    const SQL: &str = "DELETE FROM outbox WHERE (sent_at IS NULL OR sent_at < $1) AND id IN (
        SELECT id FROM outbox
        WHERE created_at < $1 AND (sent_at IS NULL OR sent_at < $1) LIMIT $2)";
    tx.execute(SQL, params![before, i64::from(limit)]).await
}
