//! The one row that says how far the log is, whose lock is what makes places be given by one at a
//! time, and the tiles of the tree over it.

use portcullis_domain::time::Time;

use super::{number, stored};
use crate::driver::{Row, Tx, params};
use crate::error::Result;

/// How far the log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// What the log is called, in its checkpoints and keys.
    pub origin: String,
    /// How many entries there have been.
    pub size: u64,
    /// When the newest got its place.
    pub logged_at: Time,
    /// Entries below are gone.
    pub pruned: u64,
    /// Of entries below, the personal data has gone with its age.
    pub personal_floor: u64,
}

impl Tree {
    /// A log without entries.
    pub fn empty(origin: &str) -> Self {
        let origin = origin.to_owned();
        Self { origin, size: 0, logged_at: Time(0), pruned: 0, personal_floor: 0 }
    }
}

/// The log begins, unless it has.
pub async fn begin(tx: &mut Tx, origin: &str) -> Result<()> {
    const SQL: &str = "INSERT INTO audit_tree (id, origin, size, logged_at, pruned)
        VALUES (1, $1, 0, 0, 0) ON CONFLICT DO NOTHING";
    tx.execute(SQL, params![origin]).await.map(drop)
}

/// How far the log is; `None` if it has not begun.
pub async fn read(tx: &mut Tx) -> Result<Option<Tree>> {
    const SQL: &str = "SELECT origin, size, logged_at, pruned, personal_floor
        FROM audit_tree WHERE id = 1";
    tx.fetch_optional(SQL, params![]).await?.as_ref().map(tree).transpose()
}

/// The same, and nobody else gives places until this transaction ends: others who ask wait.
pub async fn lock(tx: &mut Tx) -> Result<Option<Tree>> {
    const SQL: &str = "UPDATE audit_tree SET size = size WHERE id = 1
        RETURNING origin, size, logged_at, pruned, personal_floor";
    tx.fetch_optional(SQL, params![]).await?.as_ref().map(tree).transpose()
}

/// The log has grown; `false` if it was not of that size any more.
pub async fn grow(tx: &mut Tx, from: u64, to: u64, logged_at: Time) -> Result<bool> {
    const SQL: &str = "UPDATE audit_tree SET size = $2, logged_at = $3 WHERE id = 1 AND size = $1";
    tx.changed(SQL, params![stored(from)?, stored(to)?, logged_at]).await
}

/// The personal data of entries below `to` may go; `false` if it was not of those below `from` until now.
pub async fn raise_personal_floor(tx: &mut Tx, from: u64, to: u64) -> Result<bool> {
    const SQL: &str = "UPDATE audit_tree SET personal_floor = $2
        WHERE id = 1 AND personal_floor = $1 AND $2 <= size";
    tx.changed(SQL, params![stored(from)?, stored(to)?]).await
}

/// Entries below `to` may go; `false` if it was not those below `from` until now, or there are fewer.
pub async fn prune(tx: &mut Tx, from: u64, to: u64) -> Result<bool> {
    const SQL: &str = "UPDATE audit_tree SET pruned = $2
        WHERE id = 1 AND pruned = $1 AND $2 <= size";
    tx.changed(SQL, params![stored(from)?, stored(to)?]).await
}

/// The hashes of a tile, 32 bytes each; `None` if there is no such tile.
pub async fn tile(tx: &mut Tx, level: u8, n: u64) -> Result<Option<Vec<u8>>> {
    const SQL: &str = "SELECT hashes FROM audit_tiles WHERE level = $1 AND n = $2";
    let row = tx.fetch_optional(SQL, params![i64::from(level), stored(n)?]).await?;
    row.map(|row| row.get("hashes")).transpose()
}

/// A tile got more hashes.
pub async fn put_tile(tx: &mut Tx, level: u8, n: u64, hashes: &[u8]) -> Result<()> {
    const SQL: &str = "INSERT INTO audit_tiles (level, n, hashes) VALUES ($1, $2, $3)
        ON CONFLICT (level, n) DO UPDATE SET hashes = excluded.hashes";
    tx.execute(SQL, params![i64::from(level), stored(n)?, hashes]).await.map(drop)
}

fn tree(row: &Row) -> Result<Tree> {
    Ok(Tree {
        origin: row.get("origin")?,
        size: number(row.get("size")?)?,
        logged_at: Time(row.get("logged_at")?),
        pruned: number(row.get("pruned")?)?,
        personal_floor: number(row.get("personal_floor")?)?,
    })
}
