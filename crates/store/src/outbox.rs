//! Mail to send, written in the transaction that caused it and sent afterwards.

use portcullis_domain::delivery::Undelivered;
use portcullis_domain::text::fold;
use portcullis_domain::time::Time;

use crate::driver::{Row, Tx, params};
use crate::error::{Result, corrupt};

pub use crate::jobs::{LEASE, claim};

/// A mail to be sent as soon as the transaction commits. It may carry secrets: no `Debug`.
#[derive(Clone)]
pub struct NewMail {
    /// A `UUIDv7`.
    pub id: String,
    pub recipient: String,
    pub subject: String,
    pub body: String,
    /// The same as HTML.
    pub html: String,
    /// The link in the body, if there is one.
    pub link: Option<String>,
    /// The code in the body, if there is one.
    pub code: Option<String>,
    /// When it is worth nothing any more.
    pub worth_until: Time,
}

/// A mail that this node is to send now. It may carry secrets: no `Debug`.
#[derive(Clone)]
pub struct Mail {
    pub id: String,
    pub recipient: String,
    pub subject: String,
    pub body: String,
    /// `None` for a mail of before there was one.
    pub html: Option<String>,
    pub link: Option<String>,
    pub code: Option<String>,
    pub created_at: Time,
    pub worth_until: Option<Time>,
    /// Claims so far, this one included.
    pub attempts: i64,
}

/// A mail as an operator sees it: without what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub id: String,
    pub recipient: String,
    pub subject: String,
    pub created_at: Time,
    pub attempts: i64,
    /// When it is tried next.
    pub next_at: Time,
    pub state: State,
}

/// How far a mail is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Waiting,
    Sent(Time),
    GivenUp(Time, Undelivered),
}

/// What waits to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub count: i64,
    /// When the oldest of it was queued.
    pub oldest: Option<Time>,
}

/// A mail that is to leave later, as far as whoever may write it anew asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub id: String,
    pub created_at: Time,
}

/// Queues a mail.
pub async fn insert(tx: &mut Tx, mail: &NewMail, now: Time) -> Result<()> {
    hold(tx, mail, now, now).await
}

/// Queues a mail that is to leave at a time.
pub async fn hold(tx: &mut Tx, mail: &NewMail, now: Time, leaves_at: Time) -> Result<()> {
    const SQL: &str = "INSERT INTO outbox (id, recipient, subject, body, html, link, code,
            worth_until, created_at, attempts, next_at, sent_at, user_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $11, NULL,
            (SELECT id FROM users WHERE email_folded = $10))";
    let folded = fold(&mail.recipient);
    let row = params![
        &mail.id,
        &mail.recipient,
        &mail.subject,
        &mail.body,
        &mail.html,
        mail.link.as_deref(),
        mail.code.as_deref(),
        mail.worth_until,
        now,
        folded.as_str(),
        leaves_at,
    ];
    tx.execute(SQL, row).await.map(drop)
}

/// The mail of a subject to somebody that is to leave later.
pub async fn held(tx: &mut Tx, to: &str, subject: &str, now: Time) -> Result<Option<Held>> {
    const SQL: &str = "SELECT id, created_at FROM outbox
        WHERE recipient = $1 AND subject = $2 AND next_at > $3 AND attempts = 0
            AND sent_at IS NULL AND given_up_at IS NULL ORDER BY created_at LIMIT 1";
    let row = tx.fetch_optional(SQL, params![to, subject, now]).await?;
    let held = |row: Row| Ok(Held { id: row.get("id")?, created_at: Time(row.get("created_at")?) });
    row.map(held).transpose()
}

/// Has a mail that is to leave later say what another one does; `false` if somebody sends it now.
pub async fn rewrite(tx: &mut Tx, id: &str, to: &NewMail) -> Result<bool> {
    const SQL: &str = "UPDATE outbox SET body = $2, html = $3
        WHERE id = $1 AND attempts = 0 AND sent_at IS NULL AND given_up_at IS NULL";
    tx.changed(SQL, params![id, &to.body, &to.html]).await
}

/// Whether there is mail to claim or to give up.
pub async fn is_due(tx: &mut Tx, now: Time) -> Result<bool> {
    const SQL: &str = "SELECT id FROM outbox
        WHERE sent_at IS NULL AND given_up_at IS NULL AND next_at <= $1 LIMIT 1";
    Ok(tx.fetch_optional(SQL, params![now]).await?.is_some())
}

/// Notes that a mail went out, and forgets its text; `false` if it was noted before.
pub async fn sent(tx: &mut Tx, id: &str, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE outbox
        SET sent_at = $2, body = '', html = NULL, link = NULL, code = NULL
        WHERE id = $1 AND sent_at IS NULL AND given_up_at IS NULL";
    tx.changed(SQL, params![id, now]).await
}

/// Notes that the attempt of this number did not succeed, and when to try again; `false` if
/// somebody else has it meanwhile, or has settled it.
pub async fn late(tx: &mut Tx, id: &str, attempt: i64, next_at: Time) -> Result<bool> {
    const SQL: &str = "UPDATE outbox SET next_at = $3
        WHERE id = $1 AND attempts = $2 AND sent_at IS NULL AND given_up_at IS NULL";
    tx.changed(SQL, params![id, attempt, next_at]).await
}

/// Notes that a mail will never go out, and forgets its text; `false` if it is settled already.
pub async fn give_up(tx: &mut Tx, id: &str, why: Undelivered, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE outbox
        SET given_up_at = $3, undelivered = $2, body = '', html = NULL, link = NULL, code = NULL
        WHERE id = $1 AND sent_at IS NULL AND given_up_at IS NULL";
    tx.changed(SQL, params![id, why.word(), now]).await
}

/// Gives up at most `limit` mails that are worth nothing any more and that nobody has claimed; their
/// ids.
pub async fn give_up_expired(tx: &mut Tx, now: Time, limit: u32) -> Result<Vec<String>> {
    const SQL: &str = "UPDATE outbox
        SET given_up_at = $1, undelivered = $2, body = '', html = NULL, link = NULL, code = NULL
        WHERE sent_at IS NULL AND given_up_at IS NULL AND next_at <= $1 AND id IN (
            SELECT id FROM outbox
            WHERE sent_at IS NULL AND given_up_at IS NULL AND next_at <= $1 AND worth_until <= $1
            LIMIT $3)
        RETURNING id";
    let parameters = params![now, Undelivered::Expired.word(), i64::from(limit)];
    let rows = tx.fetch_all(SQL, parameters).await?;
    rows.iter().map(|row| row.get("id")).collect()
}

/// How much mail has not gone out yet, and how old it is. What is to leave later does not wait.
pub async fn waiting(tx: &mut Tx, now: Time) -> Result<Waiting> {
    const SQL: &str = "SELECT COUNT(*) AS waiting, MIN(created_at) AS oldest FROM outbox
        WHERE sent_at IS NULL AND given_up_at IS NULL AND (attempts > 0 OR next_at <= $1)";
    let row = tx.fetch_one(SQL, params![now]).await?;
    let oldest: Option<i64> = row.get("oldest")?;
    Ok(Waiting { count: row.get("waiting")?, oldest: oldest.map(Time) })
}

/// The newest mails, at most `limit` of them.
pub async fn list(tx: &mut Tx, limit: u32) -> Result<Vec<Listed>> {
    const SQL: &str = "SELECT id, recipient, subject, created_at, attempts, next_at, sent_at,
            given_up_at, undelivered
        FROM outbox ORDER BY created_at DESC, id DESC LIMIT $1";
    tx.fetch_all(SQL, params![i64::from(limit)]).await?.iter().map(listed).collect()
}

/// Forgets mail that was settled before `before`, and mail that was queued before it and never got
/// out, at most `limit` of it; how much.
pub async fn sweep(tx: &mut Tx, before: Time, limit: u32) -> Result<u64> {
    // No mail is sent before it is queued, so the index finds all that there is to look at. Asked
    // once more outside: by then another node may have sent it.
    const SQL: &str = "DELETE FROM outbox WHERE (sent_at IS NULL OR sent_at < $1) AND id IN (
        SELECT id FROM outbox
        WHERE created_at < $1 AND (sent_at IS NULL OR sent_at < $1) LIMIT $2)";
    tx.execute(SQL, params![before, i64::from(limit)]).await
}

fn listed(row: &Row) -> Result<Listed> {
    let id: String = row.get("id")?;
    let sent_at: Option<i64> = row.get("sent_at")?;
    let given_up_at: Option<i64> = row.get("given_up_at")?;
    let state = match (sent_at, given_up_at) {
        (Some(at), _) => State::Sent(Time(at)),
        (None, Some(at)) => {
            let word: Option<String> = row.get("undelivered")?;
            let why = word.as_deref().and_then(Undelivered::parse);
            State::GivenUp(Time(at), why.ok_or_else(|| corrupt("outbox", "undelivered", &id))?)
        }
        (None, None) => State::Waiting,
    };
    Ok(Listed {
        recipient: row.get("recipient")?,
        subject: row.get("subject")?,
        created_at: Time(row.get("created_at")?),
        attempts: row.get("attempts")?,
        next_at: Time(row.get("next_at")?),
        state,
        id,
    })
}
