//! Events that happened and have no place in the log yet.

pub use portcullis_domain::audit::growth::Happened;
use portcullis_domain::event::{Context, Event};
use portcullis_domain::id::UserId;
use portcullis_domain::time::Time;
use serde_json::Value;

use crate::driver::{Row, Tx, params};
use crate::error::{Result, corrupt};

/// What waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    pub events: u64,
    /// When the oldest of them happened.
    pub since: Option<Time>,
}

pub(crate) async fn insert(
    tx: &mut Tx,
    event: &Event,
    context: &Context,
    id: &str,
    now: Time,
) -> Result<()> {
    const SQL: &str = "INSERT INTO audit_pending (
            id, at, name, outcome, severity, actor, subject, session, ip, peer, user_agent,
            request_id, detail, texts)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    let (detail, texts) = event.parts();
    let texts = (!texts.is_empty()).then(|| Value::Object(texts).to_string());
    let detail = Value::Object(detail).to_string();
    let row = params![
        id,
        now,
        event.name(),
        event.outcome().as_str(),
        event.severity().as_str(),
        context.actor,
        context.subject,
        context.session.as_deref(),
        context.ip.as_deref(),
        context.peer.as_deref(),
        context.user_agent.as_deref(),
        context.request_id.as_deref(),
        &detail,
        texts.as_deref(),
    ];
    tx.execute(SQL, row).await?;
    tx.note_event();
    Ok(())
}

/// Takes the oldest events out, at most `limit` of them, oldest first. Whoever calls it writes them
/// into the log in the same transaction.
pub async fn take(tx: &mut Tx, limit: u32) -> Result<Vec<Happened>> {
    const SQL: &str = "DELETE FROM audit_pending
        WHERE id IN (SELECT id FROM audit_pending ORDER BY id LIMIT $1)
        RETURNING id, at, name, outcome, severity, actor, subject, session, ip, peer, user_agent,
            request_id, detail, texts";
    let rows = tx.fetch_all(SQL, params![i64::from(limit)]).await?;
    let mut events: Vec<Happened> = rows.iter().map(pending).collect::<Result<_>>()?;
    events.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(events)
}

/// Whether anything waits.
pub async fn any(tx: &mut Tx) -> Result<bool> {
    const SQL: &str = "SELECT id FROM audit_pending LIMIT 1";
    Ok(tx.fetch_optional(SQL, params![]).await?.is_some())
}

/// Whether an event of this name waits.
pub async fn any_of(tx: &mut Tx, name: &str) -> Result<bool> {
    const SQL: &str = "SELECT id FROM audit_pending WHERE name = $1 LIMIT 1";
    Ok(tx.fetch_optional(SQL, params![name]).await?.is_some())
}

/// How much waits, and since when.
pub async fn waiting(tx: &mut Tx) -> Result<Waiting> {
    const SQL: &str = "SELECT COUNT(*) AS events, MIN(at) AS since FROM audit_pending";
    let row = tx.fetch_one(SQL, params![]).await?;
    let events: i64 = row.get("events")?;
    Ok(Waiting { events: events.unsigned_abs(), since: row.get::<Option<i64>>("since")?.map(Time) })
}

/// What waits, newest first, at most `limit`.
pub async fn newest(tx: &mut Tx, limit: i64) -> Result<Vec<Happened>> {
    const SQL: &str = "SELECT id, at, name, outcome, severity, actor, subject, session, ip, peer,
            user_agent, request_id, detail, texts
        FROM audit_pending ORDER BY at DESC, id DESC LIMIT $1";
    tx.fetch_all(SQL, params![limit]).await?.iter().map(pending).collect()
}

fn pending(row: &Row) -> Result<Happened> {
    let id: String = row.get("id")?;
    let user = |column| row.get::<Option<i64>>(column).map(|id| id.map(UserId));
    let object = |text: &str| {
        serde_json::from_str(text).map_err(|_| corrupt("audit_pending", "detail", &id))
    };
    let detail: String = row.get("detail")?;
    let texts: Option<String> = row.get("texts")?;
    Ok(Happened {
        at: Time(row.get("at")?),
        name: row.get("name")?,
        outcome: row.get("outcome")?,
        severity: row.get("severity")?,
        context: Context {
            actor: user("actor")?,
            subject: user("subject")?,
            session: row.get("session")?,
            ip: row.get("ip")?,
            peer: row.get("peer")?,
            user_agent: row.get("user_agent")?,
            request_id: row.get("request_id")?,
        },
        detail: object(&detail)?,
        texts: texts.as_deref().map(object).transpose()?.unwrap_or_default(),
        id,
    })
}
