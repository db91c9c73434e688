//! Numbers that are given out once and never again, such as the ids of users and roles.

use crate::driver::{Tx, params};
use crate::error::Result;

/// The next number, from 1. Others who ask wait until this transaction ends, so what follows in
/// it is done by one transaction at a time.
pub async fn next(tx: &mut Tx, name: &str) -> Result<i64> {
    const SQL: &str = "INSERT INTO counters (name, value) VALUES ($1, 1)
        ON CONFLICT (name) DO UPDATE SET value = counters.value + 1
        RETURNING value";
    tx.fetch_one(SQL, params![name]).await?.get("value")
}

/// Waits for those who take a number, and lets nobody take one until this transaction ends.
pub async fn hold(tx: &mut Tx, name: &str) -> Result<()> {
    const SQL: &str = "UPDATE counters SET value = value WHERE name = $1";
    tx.execute(SQL, params![name]).await.map(drop)
}
