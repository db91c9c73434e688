//! What happened: written in the transaction that makes it happen, never changed.

pub mod history;

use portcullis_domain::event::{Context, Event};
use portcullis_domain::id::UserId;
use portcullis_domain::time::Time;

use crate::driver::{Row, Tx, params};
use crate::error::{Result, corrupt};

/// An event as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent {
    /// A `UUIDv7`.
    pub id: String,
    pub at: Time,
    /// The name in the log, such as `authn_login_success`.
    pub name: String,
    pub outcome: String,
    pub severity: String,
    pub context: Context,
    /// A JSON object.
    pub detail: serde_json::Value,
}

/// Which events to read.
#[derive(Clone, Debug)]
pub struct EventFilter {
    /// Only those of this name.
    pub name: Option<String>,
    /// Only those about this user.
    pub subject: Option<UserId>,
    /// At most so many.
    pub limit: i64,
}

/// Writes an event under an id of its own, a `UUIDv7`.
pub async fn append(
    tx: &mut Tx,
    event: &Event,
    context: &Context,
    id: &str,
    now: Time,
) -> Result<()> {
    const SQL: &str = "INSERT INTO events (
            id, at, name, outcome, severity, actor, subject, session, ip, peer, user_agent,
            request_id, detail)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    let detail = event.detail().to_string();
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
    ];
    tx.execute(SQL, row).await?;
    tx.note_event();
    Ok(())
}

/// The newest events that match, newest first.
pub async fn list(tx: &mut Tx, filter: &EventFilter) -> Result<Vec<StoredEvent>> {
    const SQL: &str = "SELECT id, at, name, outcome, severity, actor, subject, session, ip, peer,
            user_agent, request_id, detail
        FROM events WHERE ($1 IS NULL OR name = $1) AND ($2 IS NULL OR subject = $2)
        ORDER BY at DESC, id DESC LIMIT $3";
    let wanted = params![filter.name.as_deref(), filter.subject, filter.limit];
    tx.fetch_all(SQL, wanted).await?.iter().map(event).collect()
}

fn event(row: &Row) -> Result<StoredEvent> {
    let id: String = row.get("id")?;
    let detail: String = row.get("detail")?;
    let user = |column| row.get::<Option<i64>>(column).map(|id| id.map(UserId));
    Ok(StoredEvent {
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
        detail: serde_json::from_str(&detail).map_err(|_| corrupt("events", "detail", &id))?,
        id,
    })
}
