//! Baselines: what there ought to be below a root, numbered and never changed. Their lines are kept in
//! parts, each once. Not here: what the text means, and whether its signature is good.

use portcullis_domain::id::UserId;
use portcullis_domain::integrity::Origin;
use portcullis_domain::time::Time;

use crate::driver::{Row, Tx, params};
use crate::error::{Result, corrupt};

/// A baseline without its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Baseline {
    pub root: String,
    pub number: i64,
    pub origin: Origin,
    /// `proposed`, `active`, `superseded` or `rejected`.
    pub state: String,
    /// Its head, as a signed note.
    pub note: String,
    /// The digest of the text of the head.
    pub digest: Vec<u8>,
    pub entries: i64,
    pub reason: String,
    pub created_at: Time,
    pub created_by: Option<UserId>,
    pub activated_at: Option<Time>,
}

/// What a new baseline is made of.
#[derive(Clone, Copy, Debug)]
pub struct NewBaseline<'a> {
    pub root: &'a str,
    pub number: i64,
    pub origin: Origin,
    pub note: &'a str,
    pub digest: &'a [u8],
    pub entries: i64,
    pub reason: &'a str,
    pub by: Option<UserId>,
}

/// The number that the next baseline of a root has.
pub async fn next_number(tx: &mut Tx, root: &str) -> Result<i64> {
    const SQL: &str = "SELECT COALESCE(MAX(number), 0) + 1 AS next FROM integrity_baselines
        WHERE root = $1";
    tx.fetch_one(SQL, params![root]).await?.get("next")
}

/// Keeps a baseline as proposed; its parts follow. `false`: there is one of this number.
pub async fn insert(tx: &mut Tx, new: &NewBaseline<'_>, now: Time) -> Result<bool> {
    const SQL: &str = "INSERT INTO integrity_baselines (root, number, origin, state, note, digest,
            entries, reason, created_at, created_by)
        VALUES ($1, $2, $3, 'proposed', $4, $5, $6, $7, $8, $9)
        ON CONFLICT (root, number) DO NOTHING";
    let row = params![
        new.root,
        new.number,
        new.origin.as_str(),
        new.note,
        new.digest,
        new.entries,
        new.reason,
        now,
        new.by,
    ];
    tx.changed(SQL, row).await
}

/// Keeps the part of a baseline that stands at a place.
pub async fn put_part(
    tx: &mut Tx,
    (root, number): (&str, i64),
    position: i64,
    (digest, lines): (&[u8], &[u8]),
) -> Result<()> {
    const PART: &str = "INSERT INTO integrity_parts (digest, lines) VALUES ($1, $2)
        ON CONFLICT (digest) DO NOTHING";
    const PLACE: &str = "INSERT INTO integrity_baseline_parts (root, number, position, digest)
        VALUES ($1, $2, $3, $4)";
    tx.execute(PART, params![digest, lines]).await?;
    tx.execute(PLACE, params![root, number, position, digest]).await.map(drop)
}

/// At most `limit` parts from a place on, in order.
pub async fn parts(
    tx: &mut Tx,
    root: &str,
    number: i64,
    from: i64,
    limit: i64,
) -> Result<Vec<Vec<u8>>> {
    const SQL: &str = "SELECT p.lines FROM integrity_baseline_parts b
        JOIN integrity_parts p ON p.digest = b.digest
        WHERE b.root = $1 AND b.number = $2 AND b.position >= $3
        ORDER BY b.position LIMIT $4";
    let rows = tx.fetch_all(SQL, params![root, number, from, limit]).await?;
    rows.iter().map(|row| row.get("lines")).collect()
}

/// Puts a proposed baseline in force in the place of the one that was read to be, if it still is.
pub async fn activate(
    tx: &mut Tx,
    root: &str,
    number: i64,
    over: Option<i64>,
    now: Time,
) -> Result<bool> {
    const ROOT: &str = "UPDATE integrity_roots SET baseline = $2
        WHERE name = $1 AND COALESCE(baseline, 0) = $3";
    const OLD: &str = "UPDATE integrity_baselines SET state = 'superseded'
        WHERE root = $1 AND state = 'active'";
    const NEW: &str = "UPDATE integrity_baselines SET state = 'active', activated_at = $3
        WHERE root = $1 AND number = $2 AND state = 'proposed'";
    if !tx.changed(ROOT, params![root, number, over.unwrap_or(0)]).await? {
        return Ok(false);
    }
    tx.execute(OLD, params![root]).await?;
    tx.changed(NEW, params![root, number, now]).await
}

/// Says of a proposed baseline that it never comes into force.
pub async fn reject(tx: &mut Tx, root: &str, number: i64) -> Result<bool> {
    const SQL: &str = "UPDATE integrity_baselines SET state = 'rejected'
        WHERE root = $1 AND number = $2 AND state = 'proposed'";
    tx.changed(SQL, params![root, number]).await
}

/// The baseline of a number.
pub async fn by_number(tx: &mut Tx, root: &str, number: i64) -> Result<Option<Baseline>> {
    const SQL: &str = concat!(select!(), " WHERE root = $1 AND number = $2");
    let row = tx.fetch_optional(SQL, params![root, number]).await?;
    row.as_ref().map(baseline).transpose()
}

/// The baseline in force.
pub async fn active(tx: &mut Tx, root: &str) -> Result<Option<Baseline>> {
    const SQL: &str = concat!(select!(), " WHERE root = $1 AND state = 'active'");
    tx.fetch_optional(SQL, params![root]).await?.as_ref().map(baseline).transpose()
}

/// The baselines of all roots, the newest first, at most `limit`.
pub async fn list(tx: &mut Tx, limit: i64) -> Result<Vec<Baseline>> {
    const SQL: &str = concat!(select!(), " ORDER BY created_at DESC, root, number DESC LIMIT $1");
    tx.fetch_all(SQL, params![limit]).await?.iter().map(baseline).collect()
}

/// Forgets the lines of a baseline that is out of force, or never came into it, and was made before
/// `before`; its head stays. How many baselines that were: one, if there is one.
pub async fn forget_lines(tx: &mut Tx, before: Time) -> Result<u64> {
    const OVER: &str = "SELECT b.root, b.number FROM integrity_baselines b
        WHERE b.state <> 'active' AND b.created_at < $1 AND EXISTS (
            SELECT 1 FROM integrity_baseline_parts p WHERE p.root = b.root AND p.number = b.number)
        LIMIT 1";
    const PLACES: &str = "DELETE FROM integrity_baseline_parts WHERE root = $1 AND number = $2";
    const PARTS: &str = "DELETE FROM integrity_parts WHERE NOT EXISTS (
        SELECT 1 FROM integrity_baseline_parts p WHERE p.digest = integrity_parts.digest)";
    let Some(row) = tx.fetch_optional(OVER, params![before]).await? else { return Ok(0) };
    let (root, number): (String, i64) = (row.get("root")?, row.get("number")?);
    tx.execute(PLACES, params![&root, number]).await?;
    tx.execute(PARTS, params![]).await?;
    Ok(1)
}

macro_rules! select {
    () => {
        "SELECT root, number, origin, state, note, digest, entries, reason, created_at, created_by,
            activated_at
        FROM integrity_baselines"
    };
}
use select;

fn baseline(row: &Row) -> Result<Baseline> {
    let root: String = row.get("root")?;
    let origin: String = row.get("origin")?;
    let fault = || corrupt("integrity_baselines", "origin", &root);
    Ok(Baseline {
        number: row.get("number")?,
        origin: Origin::parse(&origin).ok_or_else(fault)?,
        state: row.get("state")?,
        note: row.get("note")?,
        digest: row.get("digest")?,
        entries: row.get("entries")?,
        reason: row.get("reason")?,
        created_at: Time(row.get("created_at")?),
        created_by: row.get::<Option<i64>>("created_by")?.map(UserId),
        activated_at: row.get::<Option<i64>>("activated_at")?.map(Time),
        root,
    })
}
