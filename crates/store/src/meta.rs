//! Facts about the database itself, by name: the seal, keys that every node shares.

use crate::driver::{Tx, params};
use crate::error::Result;

/// The value of a name.
pub async fn get(tx: &mut Tx, name: &str) -> Result<Option<Vec<u8>>> {
    let row = tx.fetch_optional("SELECT value FROM meta WHERE name = $1", params![name]).await?;
    row.map(|row| row.get("value")).transpose()
}

/// Stores a value if the name has none; `false` if it has.
pub async fn insert_if_absent(tx: &mut Tx, name: &str, value: &[u8]) -> Result<bool> {
    const SQL: &str = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    tx.changed(SQL, params![name, value]).await
}
