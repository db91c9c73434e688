//! Alerts: one row a difference. Every change of one says from what, and whether it happened. Not here:
//! what is to become of one that is seen again (`portcullis_domain::integrity::alert`).

mod list;

use portcullis_domain::id::{SightingId, UserId};
use portcullis_domain::integrity::alert::{Kind, Resolution, Severity, Standing, Status};
use portcullis_domain::time::Time;

use crate::counters;
use crate::driver::{Row, Tx, params};
use crate::error::{Result, corrupt};

pub use list::{Filter, Order, count, list, open_by_root, open_by_severity};

/// An alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    pub id: i64,
    pub fingerprint: Vec<u8>,
    pub about: About,
    pub status: Status,
    pub resolution: Option<Resolution>,
    pub note: String,
    pub judged_by: Option<UserId>,
    pub judged_at: Option<Time>,
    pub ignored_until: Option<Time>,
    pub occurrences: i64,
    pub reopened: i64,
    /// The alert that the same path had before.
    pub supersedes: Option<i64>,
    pub sighting: SightingId,
    pub created_at: Time,
    pub last_seen_at: Time,
}

/// What an alert is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    pub root: String,
    /// Below the root, in bytes; empty where it is about the root.
    pub path: Vec<u8>,
    /// The absolute path, for people.
    pub file_path: String,
    pub kind: Kind,
    pub severity: Severity,
    /// The name of the rule that said how bad it is.
    pub rule: String,
    pub details: String,
    /// The line of the baseline; empty where it has none.
    pub was: String,
    /// What is there; empty where nothing is.
    pub found: String,
    pub moved: Option<Vec<u8>>,
}

/// What telling whether a difference is known asks of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub id: i64,
    pub fingerprint: Vec<u8>,
    pub kind: Kind,
    pub severity: Severity,
    /// A baseline said what ought to be there.
    pub has_baseline: bool,
    pub standing: Standing,
    pub last_seen_at: Time,
}

/// Every alert of a root.
pub async fn known(tx: &mut Tx, root: &str) -> Result<Vec<Known>> {
    const SQL: &str = "SELECT a.id, a.fingerprint, a.kind, a.severity, a.status, a.resolution,
            a.ignored_until, a.judged_at, a.last_seen_at, CAST(LENGTH(a.was) AS BIGINT) AS was,
            s.at AS told_at
        FROM integrity_alerts a JOIN integrity_sightings s ON s.id = a.sighting_id
        WHERE a.root = $1";
    let known = |row: &Row| {
        let id = row.get("id")?;
        let (standing, kind) = (standing(row, id)?, kind(row, id)?);
        Ok(Known {
            id,
            fingerprint: row.get("fingerprint")?,
            kind,
            severity: severity(row, id)?,
            has_baseline: row.get::<i64>("was")? > 0 || !kind.is_of_a_path(),
            standing,
            last_seen_at: Time(row.get("last_seen_at")?),
        })
    };
    tx.fetch_all(SQL, params![root]).await?.iter().map(known).collect()
}

/// A new alert about a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPath {
    pub id: i64,
    pub path: Vec<u8>,
    pub last_seen_at: Time,
}

/// Every new alert of a root that is about a path.
pub async fn open_paths(tx: &mut Tx, root: &str) -> Result<Vec<OpenPath>> {
    const SQL: &str = "SELECT id, path, kind, last_seen_at FROM integrity_alerts
        WHERE root = $1 AND status = 0 ORDER BY id";
    let open = |row: &Row| {
        let id = row.get("id")?;
        let (path, last_seen_at) = (row.get("path")?, Time(row.get("last_seen_at")?));
        let is_of_a_path = kind(row, id)?.is_of_a_path();
        Ok(is_of_a_path.then_some(OpenPath { id, path, last_seen_at }))
    };
    tx.fetch_all(SQL, params![root]).await?.iter().filter_map(|row| open(row).transpose()).collect()
}

/// The newest alert of a path.
pub async fn last_of_path(tx: &mut Tx, root: &str, path: &[u8]) -> Result<Option<i64>> {
    const SQL: &str = "SELECT id FROM integrity_alerts WHERE root = $1 AND path = $2
        ORDER BY id DESC LIMIT 1";
    let row = tx.fetch_optional(SQL, params![root, path]).await?;
    row.map(|row| row.get("id")).transpose()
}

/// Whether a difference of a root was seen after a time that is not resolved.
pub async fn is_seen_after(tx: &mut Tx, root: &str, time: Time) -> Result<bool> {
    const SQL: &str = "SELECT id, kind FROM integrity_alerts
        WHERE root = $1 AND status <> 1 AND last_seen_at > $2";
    for row in tx.fetch_all(SQL, params![root, time]).await? {
        if kind(&row, row.get("id")?)?.is_of_a_path() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How it stands with one.
pub async fn standing_of(tx: &mut Tx, id: i64) -> Result<Option<Standing>> {
    const SQL: &str = "SELECT a.status, a.resolution, a.ignored_until, a.judged_at, s.at AS told_at
        FROM integrity_alerts a JOIN integrity_sightings s ON s.id = a.sighting_id
        WHERE a.id = $1";
    let row = tx.fetch_optional(SQL, params![id]).await?;
    row.map(|row| standing(&row, id)).transpose()
}

/// Makes an alert: its number. Two that make alerts wait for each other.
pub async fn insert(
    tx: &mut Tx,
    fingerprint: &[u8],
    about: &About,
    supersedes: Option<i64>,
    sighting: SightingId,
    now: Time,
) -> Result<i64> {
    const SQL: &str = "INSERT INTO integrity_alerts (id, fingerprint, root, path, file_path, kind,
            severity, rank, rule, details, was, found, moved, status, note, occurrences, reopened,
            supersedes, sighting_id, created_at, last_seen_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, '', 1, 0, $14, $15, $16,
            $16)";
    let id = counters::next(tx, "integrity_alerts").await?;
    let row = params![
        id,
        fingerprint,
        &about.root,
        about.path.as_slice(),
        &about.file_path,
        about.kind.as_str(),
        about.severity.as_str(),
        about.severity.rank(),
        &about.rule,
        &about.details,
        &about.was,
        &about.found,
        about.moved.as_deref(),
        supersedes,
        sighting.as_str(),
        now,
    ];
    tx.execute(SQL, row).await?;
    Ok(id)
}

/// Has one say what is true now; `true` if it said something else.
pub async fn restate(tx: &mut Tx, id: i64, about: &About) -> Result<bool> {
    const SQL: &str = "UPDATE integrity_alerts
        SET severity = $2, rank = $3, rule = $4, details = $5
        WHERE id = $1 AND (severity <> $2 OR rule <> $4 OR details <> $5)";
    let (severity, rank) = (about.severity.as_str(), about.severity.rank());
    tx.changed(SQL, params![id, severity, rank, &about.rule, &about.details]).await
}

/// Counts that the difference was seen once more.
pub async fn seen_again(tx: &mut Tx, id: i64, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE integrity_alerts
        SET occurrences = occurrences + 1, last_seen_at = $2 WHERE id = $1";
    tx.changed(SQL, params![id, now]).await
}

/// Opens one again that was taken for done or of no interest.
pub async fn reopen(tx: &mut Tx, id: i64, sighting: SightingId, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE integrity_alerts SET status = 0, resolution = NULL,
            ignored_until = NULL, reopened = reopened + 1, occurrences = occurrences + 1,
            last_seen_at = $3, sighting_id = $2
        WHERE id = $1 AND status <> 0";
    tx.changed(SQL, params![id, sighting.as_str(), now]).await
}

/// The same of one whose difference came back by itself, of which nobody is told.
pub async fn reopen_quietly(tx: &mut Tx, id: i64, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE integrity_alerts SET status = 0, resolution = NULL,
            reopened = reopened + 1, occurrences = occurrences + 1, last_seen_at = $2
        WHERE id = $1 AND status = 1 AND resolution = 'auto_reverted'";
    tx.changed(SQL, params![id, now]).await
}

/// Tells of a new one once more.
pub async fn tell_again(tx: &mut Tx, id: i64, sighting: SightingId, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE integrity_alerts SET occurrences = occurrences + 1,
            last_seen_at = $3, sighting_id = $2
        WHERE id = $1 AND status = 0";
    tx.changed(SQL, params![id, sighting.as_str(), now]).await
}

/// What somebody says of an alert.
#[derive(Clone, Copy, Debug)]
pub struct Judgement<'a> {
    pub by: Option<UserId>,
    pub note: &'a str,
    pub now: Time,
}

/// Resolves one that is not resolved.
pub async fn resolve(
    tx: &mut Tx,
    id: i64,
    resolution: Option<Resolution>,
    said: Judgement<'_>,
) -> Result<bool> {
    const SQL: &str = "UPDATE integrity_alerts SET status = 1, resolution = $2, note = $3,
            judged_by = $4, judged_at = $5, ignored_until = NULL
        WHERE id = $1 AND status <> 1";
    let resolution = resolution.map(Resolution::as_str);
    tx.changed(SQL, params![id, resolution, said.note, said.by, said.now]).await
}

/// Resolves a new one whose difference is gone.
pub async fn auto_revert(tx: &mut Tx, id: i64, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE integrity_alerts SET status = 1, resolution = 'auto_reverted',
            judged_by = NULL, judged_at = $2
        WHERE id = $1 AND status = 0";
    tx.changed(SQL, params![id, now]).await
}

/// Has one be of no interest until a day. One that is resolved stays so.
pub async fn ignore(tx: &mut Tx, id: i64, until: Time, said: Judgement<'_>) -> Result<bool> {
    const SQL: &str = "UPDATE integrity_alerts SET status = 2, resolution = NULL,
            ignored_until = $2, note = $3, judged_by = $4, judged_at = $5
        WHERE id = $1 AND status <> 1";
    tx.changed(SQL, params![id, until, said.note, said.by, said.now]).await
}

/// Deletes one, with the difference that was kept of it.
pub async fn delete(tx: &mut Tx, id: i64) -> Result<bool> {
    const SQL: &str = "DELETE FROM integrity_alerts WHERE id = $1";
    tx.changed(SQL, params![id]).await
}

/// Forgets alerts that were resolved and not seen since `before`, at most `limit`; how many.
pub async fn sweep(tx: &mut Tx, before: Time, limit: u32) -> Result<u64> {
    const SQL: &str = "DELETE FROM integrity_alerts WHERE id IN (
        SELECT id FROM integrity_alerts WHERE status = 1 AND last_seen_at < $1 LIMIT $2)";
    tx.execute(SQL, params![before, i64::from(limit)]).await
}

/// Forgets resolved alerts of a root of which there are more than `most`, those first that were not bad and
/// of what no baseline had, then those that ended by themselves and were not seen for longest; how many.
pub async fn sweep_beyond(tx: &mut Tx, root: &str, most: usize) -> Result<u64> {
    const SQL: &str = "DELETE FROM integrity_alerts WHERE id IN (
        SELECT id FROM integrity_alerts WHERE root = $1 AND status = 1
        ORDER BY CASE WHEN was <> '' AND rank <= 1 THEN 0 WHEN was <> '' OR rank <= 1 THEN 1 ELSE 2 END,
            CASE WHEN resolution = 'auto_reverted' THEN 1 ELSE 0 END, last_seen_at DESC, id DESC
        LIMIT 5000 OFFSET $2)";
    tx.execute(SQL, params![root, i64::try_from(most).unwrap_or(i64::MAX)]).await
}

/// The alert of a number.
pub async fn by_id(tx: &mut Tx, id: i64) -> Result<Option<Alert>> {
    const SQL: &str = concat!(select!(), " WHERE id = $1");
    tx.fetch_optional(SQL, params![id]).await?.as_ref().map(alert).transpose()
}

/// The alerts of a path, the newest first, at most `limit`.
pub async fn of_path(tx: &mut Tx, root: &str, path: &[u8], limit: i64) -> Result<Vec<Alert>> {
    const SQL: &str =
        concat!(select!(), " WHERE root = $1 AND path = $2 ORDER BY id DESC LIMIT $3");
    tx.fetch_all(SQL, params![root, path, limit]).await?.iter().map(alert).collect()
}

macro_rules! select {
    () => {
        "SELECT id, fingerprint, root, path, file_path, kind, severity, rule, details, was, found,
            moved, status, resolution, note, judged_by, judged_at, ignored_until, occurrences,
            reopened, supersedes, sighting_id, created_at, last_seen_at
        FROM integrity_alerts"
    };
}
use select;

fn alert(row: &Row) -> Result<Alert> {
    let id = row.get("id")?;
    let fault = |column| move || corrupt("integrity_alerts", column, id);
    let time = |column| row.get::<Option<i64>>(column).map(|time| time.map(Time));
    let sighting: String = row.get("sighting_id")?;
    Ok(Alert {
        id,
        fingerprint: row.get("fingerprint")?,
        about: About {
            root: row.get("root")?,
            path: row.get("path")?,
            file_path: row.get("file_path")?,
            kind: kind(row, id)?,
            severity: severity(row, id)?,
            rule: row.get("rule")?,
            details: row.get("details")?,
            was: row.get("was")?,
            found: row.get("found")?,
            moved: row.get("moved")?,
        },
        status: status(row, id)?,
        resolution: resolution(row, id)?,
        note: row.get("note")?,
        judged_by: row.get::<Option<i64>>("judged_by")?.map(UserId),
        judged_at: time("judged_at")?,
        ignored_until: time("ignored_until")?,
        occurrences: row.get("occurrences")?,
        reopened: row.get("reopened")?,
        supersedes: row.get("supersedes")?,
        sighting: SightingId::parse(&sighting).ok_or_else(fault("sighting_id"))?,
        created_at: Time(row.get("created_at")?),
        last_seen_at: Time(row.get("last_seen_at")?),
    })
}

fn kind(row: &Row, id: i64) -> Result<Kind> {
    let word: String = row.get("kind")?;
    Kind::parse(&word).ok_or_else(|| corrupt("integrity_alerts", "kind", id))
}

fn severity(row: &Row, id: i64) -> Result<Severity> {
    let word: String = row.get("severity")?;
    Severity::parse(&word).ok_or_else(|| corrupt("integrity_alerts", "severity", id))
}

fn standing(row: &Row, id: i64) -> Result<Standing> {
    let time = |column| row.get::<Option<i64>>(column).map(|time| time.map(Time));
    Ok(Standing {
        status: status(row, id)?,
        resolution: resolution(row, id)?,
        ignored_until: time("ignored_until")?,
        judged_at: time("judged_at")?,
        told_at: Time(row.get("told_at")?),
    })
}

fn resolution(row: &Row, id: i64) -> Result<Option<Resolution>> {
    let word: Option<String> = row.get("resolution")?;
    let parse = |word: String| {
        Resolution::parse(&word).ok_or_else(|| corrupt("integrity_alerts", "resolution", id))
    };
    word.map(parse).transpose()
}

fn status(row: &Row, id: i64) -> Result<Status> {
    Status::of(row.get("status")?).ok_or_else(|| corrupt("integrity_alerts", "status", id))
}
