//! Events that happened and have no place in the log yet. A row counts for what it says only with the
//! MAC of whoever has the secret; every other is `rejected`, or not there.

use std::collections::HashSet;

pub use portcullis_domain::audit::growth::Happened;
use portcullis_domain::audit::pending as vouched;
use portcullis_domain::audit::personal::AuditKeys;
use portcullis_domain::event::{Context, Event};
use portcullis_domain::id::UserId;
use portcullis_domain::time::Time;
use serde_json::{Map, Value};

use super::rejected::{Reason, Rejected};
use crate::driver::{Row, Tx, params};
use crate::error::Result;

/// What waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    pub events: u64,
    /// When the oldest of them happened.
    pub since: Option<Time>,
}

/// What was taken out of it.
#[derive(Default)]
pub struct Taken {
    /// Oldest first.
    pub events: Vec<Happened>,
    /// Rows that are no events of ours.
    pub rejected: Vec<Rejected>,
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
            request_id, detail, texts, mac)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    let (detail, texts) = event.parts();
    let texts = (!texts.is_empty()).then(|| Value::Object(texts).to_string());
    let detail = Value::Object(detail).to_string();
    let row = vouched::Row {
        id,
        at: now,
        name: event.name(),
        outcome: event.outcome().as_str(),
        severity: event.severity().as_str(),
        actor: context.actor.map(|user| user.0),
        subject: context.subject.map(|user| user.0),
        session: context.session.as_deref(),
        ip: context.ip.as_deref(),
        peer: context.peer.as_deref(),
        user_agent: context.user_agent.as_deref(),
        request_id: context.request_id.as_deref(),
        detail: &detail,
        texts: texts.as_deref(),
    };
    let mac = tx.audit_keys().pending().mac(&row);
    let row = params![
        row.id,
        row.at,
        row.name,
        row.outcome,
        row.severity,
        row.actor,
        row.subject,
        row.session,
        row.ip,
        row.peer,
        row.user_agent,
        row.request_id,
        row.detail,
        row.texts,
        mac.as_slice(),
    ];
    tx.execute(SQL, row).await?;
    tx.note_event();
    Ok(())
}

/// Takes the oldest rows out, at most `limit` of them. Whoever calls it writes the events into the log,
/// and keeps what was rejected, in the same transaction.
pub async fn take(tx: &mut Tx, limit: u32) -> Result<Taken> {
    const SQL: &str = concat!(
        "DELETE FROM audit_pending
        WHERE id IN (SELECT id FROM audit_pending ORDER BY id LIMIT $1) RETURNING ",
        columns!()
    );
    let repeated = repeated(tx, limit).await?;
    let keys = tx.audit_keys();
    let mut taken = Taken::default();
    for row in tx.fetch_all(SQL, params![i64::from(limit)]).await? {
        match read(&row, &keys) {
            Ok(event) if repeated.contains(&event.id) => {
                taken.rejected.push(Rejected { reason: Reason::Repeated, content: content(&row) });
            }
            Ok(event) => taken.events.push(event),
            Err(reason) => taken.rejected.push(Rejected { reason, content: content(&row) }),
        }
    }
    taken.events.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(taken)
}

/// Those of the oldest rows that have a place in the log already: a row that waited once, with its MAC,
/// can be put there again by whoever kept a copy of it.
async fn repeated(tx: &mut Tx, limit: u32) -> Result<HashSet<String>> {
    // The order of the join is fixed: few rows wait, and the log is long.
    const SQL: &str = "SELECT p.id FROM audit_pending p CROSS JOIN audit_log l
        WHERE l.at = p.at AND l.id = p.id
            AND p.id IN (SELECT id FROM audit_pending ORDER BY id LIMIT $1)";
    let rows = tx.fetch_all(SQL, params![i64::from(limit)]).await?;
    rows.iter().map(|row| row.get("id")).collect()
}

/// Whether anything waits.
pub async fn any(tx: &mut Tx) -> Result<bool> {
    const SQL: &str = "SELECT 1 AS one FROM audit_pending LIMIT 1";
    Ok(tx.fetch_optional(SQL, params![]).await?.is_some())
}

/// Whether an event of this name waits.
pub async fn any_of(tx: &mut Tx, name: &str) -> Result<bool> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM audit_pending WHERE name = $1");
    let keys = tx.audit_keys();
    let rows = tx.fetch_all(SQL, params![name]).await?;
    Ok(rows.iter().any(|row| read(row, &keys).is_ok()))
}

/// How many rows wait that are no events of ours.
pub async fn forged(tx: &mut Tx) -> Result<u64> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM audit_pending");
    let keys = tx.audit_keys();
    let rows = tx.fetch_all(SQL, params![]).await?;
    Ok(rows.iter().filter(|row| read(row, &keys).is_err()).count() as u64)
}

/// How much waits, and since when.
pub async fn waiting(tx: &mut Tx) -> Result<Waiting> {
    const SQL: &str = "SELECT COUNT(*) AS events, MIN(at) AS since FROM audit_pending";
    let row = tx.fetch_one(SQL, params![]).await?;
    let events: i64 = row.get("events")?;
    Ok(Waiting { events: events.unsigned_abs(), since: row.get::<Option<i64>>("since")?.map(Time) })
}

/// The events that wait, newest first, at most `limit`.
pub async fn newest(tx: &mut Tx, limit: i64) -> Result<Vec<Happened>> {
    const SQL: &str =
        concat!("SELECT ", columns!(), " FROM audit_pending ORDER BY at DESC, id DESC LIMIT $1");
    let keys = tx.audit_keys();
    let rows = tx.fetch_all(SQL, params![limit]).await?;
    Ok(rows.iter().filter_map(|row| read(row, &keys).ok()).collect())
}

/// Vouches for what has waited since before anything was vouched for; how many rows. See
/// [`super::upgrade`].
pub(super) async fn vouch(tx: &mut Tx) -> Result<u64> {
    const ALL: &str = concat!("SELECT ", columns!(), " FROM audit_pending");
    const MAC: &str = "UPDATE audit_pending SET mac = $2 WHERE id = $1";
    let keys = tx.audit_keys();
    let mut vouched = 0;
    for row in tx.fetch_all(ALL, params![]).await? {
        // One that cannot be read is none of ours.
        let Ok(columns) = Columns::of(&row) else { continue };
        let mac = keys.pending().mac(&columns.row());
        vouched += tx.execute(MAC, params![&columns.id, mac.as_slice()]).await?;
    }
    Ok(vouched)
}

/// A row as it stands there.
struct Columns {
    id: String,
    at: i64,
    name: String,
    outcome: String,
    severity: String,
    actor: Option<i64>,
    subject: Option<i64>,
    session: Option<String>,
    ip: Option<String>,
    peer: Option<String>,
    user_agent: Option<String>,
    request_id: Option<String>,
    detail: String,
    texts: Option<String>,
}

impl Columns {
    /// An error where a value is not of the type of its column, which SQLite allows.
    fn of(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            at: row.get("at")?,
            name: row.get("name")?,
            outcome: row.get("outcome")?,
            severity: row.get("severity")?,
            actor: row.get("actor")?,
            subject: row.get("subject")?,
            session: row.get("session")?,
            ip: row.get("ip")?,
            peer: row.get("peer")?,
            user_agent: row.get("user_agent")?,
            request_id: row.get("request_id")?,
            detail: row.get("detail")?,
            texts: row.get("texts")?,
        })
    }

    /// What is vouched for.
    fn row(&self) -> vouched::Row<'_> {
        vouched::Row {
            id: &self.id,
            at: Time(self.at),
            name: &self.name,
            outcome: &self.outcome,
            severity: &self.severity,
            actor: self.actor,
            subject: self.subject,
            session: self.session.as_deref(),
            ip: self.ip.as_deref(),
            peer: self.peer.as_deref(),
            user_agent: self.user_agent.as_deref(),
            request_id: self.request_id.as_deref(),
            detail: &self.detail,
            texts: self.texts.as_deref(),
        }
    }
}

/// The event of a row, or why it is none.
fn read(row: &Row, keys: &AuditKeys) -> std::result::Result<Happened, Reason> {
    let columns = Columns::of(row).map_err(|_| Reason::Malformed)?;
    let mac: Option<Vec<u8>> = row.get("mac").map_err(|_| Reason::Malformed)?;
    let is_ours = mac.is_some_and(|mac| keys.pending().vouches_for(&columns.row(), &mac));
    if !is_ours {
        return Err(Reason::Forged);
    }
    let object = |text: &str| serde_json::from_str(text).map_err(|_| Reason::Malformed);
    let detail: Map<String, Value> = object(&columns.detail)?;
    let texts = columns.texts.as_deref().map(object).transpose()?.unwrap_or_default();
    Ok(Happened {
        id: columns.id,
        at: Time(columns.at),
        name: columns.name,
        outcome: columns.outcome,
        severity: columns.severity,
        context: Context {
            actor: columns.actor.map(UserId),
            subject: columns.subject.map(UserId),
            session: columns.session,
            ip: columns.ip,
            peer: columns.peer,
            user_agent: columns.user_agent,
            request_id: columns.request_id,
        },
        detail,
        texts,
    })
}

/// All columns of a row whatever is in them, for an operator to look at.
fn content(row: &Row) -> Map<String, Value> {
    const COLUMNS: [&str; 15] = [
        "id",
        "at",
        "name",
        "outcome",
        "severity",
        "actor",
        "subject",
        "session",
        "ip",
        "peer",
        "user_agent",
        "request_id",
        "detail",
        "texts",
        "mac",
    ];
    let shown = |column| {
        if let Ok(number) = row.get::<Option<i64>>(column) {
            return Value::from(number);
        }
        if let Ok(text) = row.get::<Option<String>>(column) {
            return Value::from(text);
        }
        let bytes = row.get::<Option<Vec<u8>>>(column).unwrap_or_default();
        Value::from(bytes.map(hex::encode))
    };
    COLUMNS.into_iter().map(|column| (column.to_owned(), shown(column))).collect()
}

macro_rules! columns {
    () => {
        "id, at, name, outcome, severity, actor, subject, session, ip, peer, user_agent, request_id,
            detail, texts, mac"
    };
}

use columns;
