//! Checks of all roots: one at a time, whose progress whoever makes it writes down.

use portcullis_domain::id::{CheckId, UserId};
use portcullis_domain::integrity::{Cause, CheckState};
use portcullis_domain::time::Time;

use crate::driver::{Row, Tx, params};
use crate::error::{Result, corrupt};

/// A check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub id: CheckId,
    pub state: CheckState,
    pub cause: Cause,
    /// What is being done, and in which root.
    pub phase: String,
    pub root: String,
    pub asked_by: Option<UserId>,
    pub started_at: Time,
    pub finished_at: Option<Time>,
    pub counts: Counts,
    /// Why it failed; empty if it did not.
    pub fault: String,
}

/// How far a check is, and what it came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How many paths there are, as far as baselines tell.
    pub expected: i64,
    pub scanned: i64,
    pub bytes: i64,
    pub violations: i64,
    /// Alerts that are new or open again.
    pub alerts: i64,
    pub unverifiable: i64,
}

/// Begins a check; `false` if one goes on.
pub async fn begin(
    tx: &mut Tx,
    id: CheckId,
    cause: Cause,
    by: Option<UserId>,
    now: Time,
) -> Result<bool> {
    const SQL: &str = "INSERT INTO integrity_checks (id, state, cause, phase, root, asked_by,
            started_at, beat_at, expected, scanned, bytes, violations, alerts, unverifiable, fault)
        VALUES ($1, 'running', $2, 'begin', '', $3, $4, $4, 0, 0, 0, 0, 0, 0, '')
        ON CONFLICT DO NOTHING";
    tx.changed(SQL, params![id.as_str(), cause.as_str(), by, now]).await
}

/// The check that goes on.
pub async fn running(tx: &mut Tx) -> Result<Option<Check>> {
    const SQL: &str = concat!(select!(), " WHERE state = 'running'");
    tx.fetch_optional(SQL, params![]).await?.as_ref().map(check).transpose()
}

/// The check of an id.
pub async fn by_id(tx: &mut Tx, id: CheckId) -> Result<Option<Check>> {
    const SQL: &str = concat!(select!(), " WHERE id = $1");
    tx.fetch_optional(SQL, params![id.as_str()]).await?.as_ref().map(check).transpose()
}

/// The newest checks first, at most `limit`.
pub async fn list(tx: &mut Tx, limit: i64) -> Result<Vec<Check>> {
    const SQL: &str = concat!(select!(), " ORDER BY started_at DESC, id DESC LIMIT $1");
    tx.fetch_all(SQL, params![limit]).await?.iter().map(check).collect()
}

/// When the last check of every root began.
pub async fn last_of_all(tx: &mut Tx) -> Result<Option<Time>> {
    const SQL: &str = "SELECT started_at FROM integrity_checks WHERE cause <> $1
        ORDER BY started_at DESC LIMIT 1";
    let row = tx.fetch_optional(SQL, params![Cause::Deployment.as_str()]).await?;
    row.map(|row| row.get("started_at").map(Time)).transpose()
}

/// Writes down how far a check is; `false` if it is to stop, because it was cancelled or given up.
pub async fn beat(
    tx: &mut Tx,
    id: CheckId,
    (phase, root): (&str, &str),
    counts: &Counts,
    now: Time,
) -> Result<bool> {
    const SQL: &str = "UPDATE integrity_checks SET phase = $2, root = $3, expected = $4,
            scanned = $5, bytes = $6, violations = $7, alerts = $8, unverifiable = $9, beat_at = $10
        WHERE id = $1 AND state = 'running'";
    let row = params![
        id.as_str(),
        phase,
        root,
        counts.expected,
        counts.scanned,
        counts.bytes,
        counts.violations,
        counts.alerts,
        counts.unverifiable,
        now,
    ];
    tx.changed(SQL, row).await
}

/// Ends a check that goes on.
pub async fn finish(
    tx: &mut Tx,
    id: CheckId,
    state: CheckState,
    fault: &str,
    now: Time,
) -> Result<bool> {
    const SQL: &str = "UPDATE integrity_checks SET state = $2, fault = $3, finished_at = $4,
            phase = 'end'
        WHERE id = $1 AND state = 'running'";
    tx.changed(SQL, params![id.as_str(), state.as_str(), fault, now]).await
}

/// Says of a check of which nobody has heard since `before` that it was interrupted: which one.
pub async fn interrupt_silent(tx: &mut Tx, before: Time, now: Time) -> Result<Option<CheckId>> {
    const SQL: &str = "UPDATE integrity_checks SET state = 'interrupted', finished_at = $2
        WHERE state = 'running' AND beat_at < $1 RETURNING id";
    let row = tx.fetch_optional(SQL, params![before, now]).await?;
    row.map(|row| id(&row)).transpose()
}

/// Forgets checks that began before `before`, at most `limit`; how many. The last that was complete
/// stays.
pub async fn sweep(tx: &mut Tx, before: Time, limit: u32) -> Result<u64> {
    const SQL: &str = "DELETE FROM integrity_checks WHERE id IN (
        SELECT id FROM integrity_checks WHERE started_at < $1 AND state <> 'running'
            AND started_at < (SELECT MAX(started_at) FROM integrity_checks WHERE state = 'complete')
        LIMIT $2)";
    tx.execute(SQL, params![before, i64::from(limit)]).await
}

macro_rules! select {
    () => {
        "SELECT id, state, cause, phase, root, asked_by, started_at, finished_at, expected, scanned,
            bytes, violations, alerts, unverifiable, fault
        FROM integrity_checks"
    };
}
use select;

fn id(row: &Row) -> Result<CheckId> {
    let id: String = row.get("id")?;
    CheckId::parse(&id).ok_or_else(|| corrupt("integrity_checks", "id", &id))
}

fn check(row: &Row) -> Result<Check> {
    let id = id(row)?;
    let (state, cause): (String, String) = (row.get("state")?, row.get("cause")?);
    let fault = |column| move || corrupt("integrity_checks", column, id);
    Ok(Check {
        id,
        state: CheckState::parse(&state).ok_or_else(fault("state"))?,
        cause: Cause::parse(&cause).ok_or_else(fault("cause"))?,
        phase: row.get("phase")?,
        root: row.get("root")?,
        asked_by: row.get::<Option<i64>>("asked_by")?.map(UserId),
        started_at: Time(row.get("started_at")?),
        finished_at: row.get::<Option<i64>>("finished_at")?.map(Time),
        counts: Counts {
            expected: row.get("expected")?,
            scanned: row.get("scanned")?,
            bytes: row.get("bytes")?,
            violations: row.get("violations")?,
            alerts: row.get("alerts")?,
            unverifiable: row.get("unverifiable")?,
        },
        fault: row.get("fault")?,
    })
}
