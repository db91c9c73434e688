//! The watch over files, as it is remembered: roots with the baseline in force, and, each in its own
//! file, baselines, deployments, checks, alerts with what was different, and who was signed in.

pub mod alerts;
pub mod baselines;
pub mod checks;
pub mod deployments;
pub mod diffs;
pub mod sightings;

use portcullis_domain::time::Time;

use crate::driver::{Row, Tx, params};
use crate::error::Result;

/// A root and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    pub name: String,
    /// The number of the baseline in force.
    pub baseline: Option<i64>,
    /// What said at the last look how much is looked at.
    pub coverage: String,
    /// When the last look that came to its end began.
    pub looked_at: Option<Time>,
}

/// The root of a name, which is made if there is none.
pub async fn ensure(tx: &mut Tx, name: &str, coverage: &str) -> Result<Root> {
    const SQL: &str = "INSERT INTO integrity_roots (name, coverage) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET name = integrity_roots.name
        RETURNING name, baseline, coverage, looked_at";
    root(&tx.fetch_one(SQL, params![name, coverage]).await?)
}

/// The root of a name.
pub async fn by_name(tx: &mut Tx, name: &str) -> Result<Option<Root>> {
    const SQL: &str = "SELECT name, baseline, coverage, looked_at FROM integrity_roots
        WHERE name = $1";
    tx.fetch_optional(SQL, params![name]).await?.as_ref().map(root).transpose()
}

/// Every root that was ever looked at.
pub async fn all(tx: &mut Tx) -> Result<Vec<Root>> {
    const SQL: &str =
        "SELECT name, baseline, coverage, looked_at FROM integrity_roots ORDER BY name";
    tx.fetch_all(SQL, params![]).await?.iter().map(root).collect()
}

/// Waits for others who change the root, and has them wait until this transaction ends.
pub async fn hold(tx: &mut Tx, name: &str) -> Result<bool> {
    const SQL: &str = "UPDATE integrity_roots SET name = name WHERE name = $1";
    tx.changed(SQL, params![name]).await
}

/// Writes down how much is looked at, if that is still as it was read.
pub async fn set_coverage(tx: &mut Tx, name: &str, seen: &str, coverage: &str) -> Result<bool> {
    const SQL: &str = "UPDATE integrity_roots SET coverage = $3 WHERE name = $1 AND coverage = $2";
    tx.changed(SQL, params![name, seen, coverage]).await
}

/// Writes down that a look which began at `began` came to its end, unless a later one did.
pub async fn looked(tx: &mut Tx, name: &str, began: Time) -> Result<bool> {
    const SQL: &str = "UPDATE integrity_roots SET looked_at = $2
        WHERE name = $1 AND (looked_at IS NULL OR looked_at < $2)";
    tx.changed(SQL, params![name, began]).await
}

fn root(row: &Row) -> Result<Root> {
    Ok(Root {
        name: row.get("name")?,
        baseline: row.get("baseline")?,
        coverage: row.get("coverage")?,
        looked_at: row.get::<Option<i64>>("looked_at")?.map(Time),
    })
}
