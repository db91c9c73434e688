//! SQLite with the same hashes and an index of them, asked in this process by one prepared statement.

use std::path::Path;

use anyhow::Result;
use rusqlite::{Connection, Statement};
use serde_json::{Value, json};

/// The name of the database, which is kept.
pub(super) const FILE: &str = "hashes.db";
/// What SQLite is told, one statement a file.
const TABLE: &str = include_str!("sqlite/table.sql");
const INDEX: &str = include_str!("sqlite/index.sql");
const ADD: &str = include_str!("sqlite/add.sql");
const ASK: &str = include_str!("sqlite/ask.sql");

/// Writes the hashes, which come in order.
pub(super) fn make(folder: &Path, hashes: impl Iterator<Item = [u8; 20]>) -> Result<Value> {
    let (path, unfinished) = (folder.join(FILE), folder.join("hashes.unfinished"));
    if unfinished.exists() {
        std::fs::remove_file(&unfinished)?;
    }
    let mut database = Connection::open(&unfinished)?;
    database.pragma_update(None, "journal_mode", "OFF")?;
    let all = database.transaction()?;
    all.execute_batch(TABLE)?;
    {
        let mut add = all.prepare(ADD)?;
        for hash in hashes {
            add.execute((hash, i64::from(hash[19]) + 1))?;
        }
    }
    all.execute_batch(INDEX)?;
    all.commit()?;
    drop(database);
    std::fs::rename(unfinished, path)?;
    Ok(json!({}))
}

/// A database that is asked.
pub(super) struct Ask(Statement<'static>);

pub(super) fn open(folder: &Path) -> Result<Ask> {
    let database = Connection::open(folder.join(FILE))?;
    // This process ends with it.
    Ok(Ask(Box::leak(Box::new(database)).prepare(ASK)?))
}

impl Ask {
    pub(super) fn is_there(&mut self, hash: &[u8; 20]) -> Result<bool> {
        let mut rows = self.0.query([hash])?;
        let count: Option<i64> = rows.next()?.map(|row| row.get(0)).transpose()?;
        Ok(count.is_some())
    }
}
