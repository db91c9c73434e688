//! What was found when the log was verified, and when the next time is due: one of each.

use portcullis_domain::time::Time;

use crate::driver::{Tx, params};
use crate::error::Result;
use crate::meta;

const VERDICT: &str = "audit_verdict";
const DUE: &str = "audit_verify_due";

/// Keeps what was found, in the place of what was found before.
pub async fn put(tx: &mut Tx, verdict: &[u8]) -> Result<()> {
    const SQL: &str = "INSERT INTO meta (name, value) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    tx.execute(SQL, params![VERDICT, verdict]).await.map(drop)
}

/// What was found last.
pub async fn get(tx: &mut Tx) -> Result<Option<Vec<u8>>> {
    meta::get(tx, VERDICT).await
}

/// When it is to be verified again; `None` before the first time.
pub async fn due(tx: &mut Tx) -> Result<Option<Time>> {
    let value = meta::get(tx, DUE).await?;
    // What cannot be read is due.
    let bytes = value.map(|value| value.try_into().unwrap_or_default());
    Ok(bytes.map(|bytes| Time(i64::from_be_bytes(bytes))))
}

/// Whoever is first puts the next time in the place of the one that he saw.
pub async fn claim(tx: &mut Tx, seen: Option<Time>, next: Time) -> Result<bool> {
    const SQL: &str = "UPDATE meta SET value = $3 WHERE name = $1 AND value = $2";
    let next = next.0.to_be_bytes();
    match seen {
        None => meta::insert_if_absent(tx, DUE, &next).await,
        Some(seen) => {
            let seen = seen.0.to_be_bytes();
            tx.changed(SQL, params![DUE, seen.as_slice(), next.as_slice()]).await
        }
    }
}
