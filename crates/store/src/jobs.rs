//! Claiming work so that two nodes never do the same piece at once. The claim is a lease: what a
//! node that died had claimed comes round again.

use std::time::Duration;

use portcullis_domain::time::Time;

use crate::driver::{Row, Tx, params};
use crate::error::Result;
use crate::outbox::Mail;

/// How long a claimed mail is left to the node that claimed it.
const LEASE: Duration = Duration::from_mins(1);

/// Claims up to `limit` mails that are due, oldest first. A node that finds some being claimed by
/// another passes over them instead of waiting.
pub async fn claim(tx: &mut Tx, now: Time, limit: i64) -> Result<Vec<Mail>> {
    const SQLITE: &str = claim_sql!("");
    const POSTGRES: &str = claim_sql!("FOR UPDATE SKIP LOCKED");
    let sql = if tx.is_postgres() { POSTGRES } else { SQLITE };
    let rows = tx.fetch_all(sql, params![now, now.plus(LEASE), limit]).await?;
    let mut mails: Vec<Mail> = rows.iter().map(mail).collect::<Result<_>>()?;
    mails.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    Ok(mails)
}

fn mail(row: &Row) -> Result<Mail> {
    Ok(Mail {
        id: row.get("id")?,
        recipient: row.get("recipient")?,
        subject: row.get("subject")?,
        body: row.get("body")?,
        link: row.get("link")?,
        code: row.get("code")?,
        created_at: Time(row.get("created_at")?),
        attempts: row.get("attempts")?,
    })
}

macro_rules! claim_sql {
    ($lock:literal) => {
        concat!(
            "WITH due AS MATERIALIZED (
                SELECT id FROM outbox WHERE sent_at IS NULL AND next_at <= $1
                ORDER BY next_at, id LIMIT $3 ",
            $lock,
            ") UPDATE outbox SET attempts = attempts + 1, next_at = $2
            WHERE id IN (SELECT id FROM due)
            RETURNING id, recipient, subject, body, link, code, created_at, attempts"
        )
    };
}
use claim_sql;
