//! Claiming work so that two nodes never do the same piece at once, and none waits for what another
//! has in hand. The claim of a mail is a lease: what a node that died had claimed comes round again.

use std::time::Duration;

use portcullis_domain::account::AccountStatus;
use portcullis_domain::time::Time;

use crate::driver::{Row, Tx, params};
use crate::error::Result;
use crate::outbox::Mail;
use crate::sessions::{has_good_credential, listed};

/// How long a claimed mail is left to the node that claimed it: longer than an attempt to send it may
/// take, so that no two nodes send it.
pub const LEASE: Duration = Duration::from_mins(3);

/// Claims up to `limit` mails that are due and still worth something, oldest first. A node that finds some being claimed by
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

/// Looks again at sessions whose time has come (see [`crate::sessions`]) and which live on, because
/// they were used or renewed meanwhile; at most `limit` of them. How many.
pub async fn move_on(tx: &mut Tx, now: Time, limit: u32) -> Result<u64> {
    const SQLITE: &str = move_on_sql!("");
    const POSTGRES: &str = move_on_sql!("FOR UPDATE OF s SKIP LOCKED");
    let sql = if tx.is_postgres() { POSTGRES } else { SQLITE };
    tx.execute(sql, params![now, i64::from(limit)]).await
}

/// Takes sessions out of the list of the living that were over at `before`, or whose user is
/// disabled or changed since; at most `limit` of them. How many. `before` lies so far back that no
/// node still has to write down a use of theirs.
pub async fn let_go(tx: &mut Tx, before: Time, limit: u32) -> Result<u64> {
    const SQLITE: &str = let_go_sql!("");
    const POSTGRES: &str = let_go_sql!("FOR UPDATE OF s SKIP LOCKED");
    let sql = if tx.is_postgres() { POSTGRES } else { SQLITE };
    tx.execute(sql, params![before, i64::from(limit), AccountStatus::Active.id()]).await
}

fn mail(row: &Row) -> Result<Mail> {
    Ok(Mail {
        id: row.get("id")?,
        recipient: row.get("recipient")?,
        subject: row.get("subject")?,
        body: row.get("body")?,
        html: row.get("html")?,
        link: row.get("link")?,
        code: row.get("code")?,
        created_at: Time(row.get("created_at")?),
        worth_until: row.get::<Option<i64>>("worth_until")?.map(Time),
        attempts: row.get("attempts")?,
    })
}

macro_rules! claim_sql {
    ($lock:literal) => {
        concat!(
            "WITH due AS MATERIALIZED (
                SELECT id FROM outbox
                WHERE sent_at IS NULL AND given_up_at IS NULL AND next_at <= $1
                    AND (worth_until IS NULL OR worth_until > $1)
                ORDER BY next_at, id LIMIT $3 ",
            $lock,
            ") UPDATE outbox SET attempts = attempts + 1, next_at = $2
            WHERE id IN (SELECT id FROM due)
            RETURNING id, recipient, subject, body, html, link, code, created_at, worth_until,
                attempts"
        )
    };
}

macro_rules! move_on_sql {
    ($lock:literal) => {
        concat!(
            "WITH due AS MATERIALIZED (
                SELECT s.id FROM sessions s WHERE ",
            listed!(),
            " AND s.live_until <= $1 AND ",
            has_good_credential!("$1"),
            " LIMIT $2 ",
            $lock,
            ") UPDATE sessions SET live_until = (
                SELECT MAX(CASE WHEN c.idle_ms IS NULL OR c.last_active + c.idle_ms > c.expires_at
                    THEN c.expires_at ELSE c.last_active + c.idle_ms END)
                FROM credentials c WHERE c.session_id = sessions.id AND c.ended_at IS NULL)
            WHERE id IN (SELECT id FROM due)"
        )
    };
}

macro_rules! let_go_sql {
    ($lock:literal) => {
        concat!(
            "WITH gone AS MATERIALIZED (
                SELECT s.id FROM sessions s WHERE ",
            listed!(),
            " AND s.live_until <= $1 AND (NOT ",
            has_good_credential!("$1"),
            " OR NOT EXISTS (SELECT 1 FROM users u
                WHERE u.id = s.user_id AND u.status = $3 AND u.epoch = s.user_epoch)) LIMIT $2 ",
            $lock,
            ") UPDATE sessions SET live_until = NULL WHERE id IN (SELECT id FROM gone)"
        )
    };
}

use {claim_sql, let_go_sql, move_on_sql};
