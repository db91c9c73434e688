//! Codes for a lost phone, which hang on a factor and go with it.

use portcullis_domain::secret::Mac;
use portcullis_domain::time::Time;

use crate::driver::{Tx, params};
use crate::error::Result;

/// A code, without the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupCodeRow {
    /// From 1.
    pub number: i64,
    pub used_at: Option<Time>,
}

/// Uses a code; `false` if it is none of this factor's, or was used before.
pub async fn spend(tx: &mut Tx, factor: &str, mac: &Mac, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE backup_codes SET used_at = $3
        WHERE factor_id = $1 AND mac = $2 AND used_at IS NULL";
    tx.changed(SQL, params![factor, mac, now]).await
}

/// Puts other codes in the place of all that there were.
pub async fn renew(tx: &mut Tx, factor: &str, macs: &[Mac]) -> Result<()> {
    tx.execute("DELETE FROM backup_codes WHERE factor_id = $1", params![factor]).await?;
    insert(tx, factor, macs).await
}

/// How many were not used.
pub async fn left(tx: &mut Tx, factor: &str) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) AS number FROM backup_codes
        WHERE factor_id = $1 AND used_at IS NULL";
    tx.fetch_one(SQL, params![factor]).await?.get("number")
}

/// All of them, in order.
pub async fn list(tx: &mut Tx, factor: &str) -> Result<Vec<BackupCodeRow>> {
    const SQL: &str = "SELECT number, used_at FROM backup_codes
        WHERE factor_id = $1 ORDER BY number";
    let rows = tx.fetch_all(SQL, params![factor]).await?;
    let read = |row: &crate::driver::Row| {
        let used_at: Option<i64> = row.get("used_at")?;
        Ok(BackupCodeRow { number: row.get("number")?, used_at: used_at.map(Time) })
    };
    rows.iter().map(read).collect()
}

pub(super) async fn insert(tx: &mut Tx, factor: &str, macs: &[Mac]) -> Result<()> {
    const SQL: &str = "INSERT INTO backup_codes (factor_id, number, mac) VALUES ($1, $2, $3)";
    for (number, mac) in (1_i64..).zip(macs) {
        tx.execute(SQL, params![factor, number, mac]).await?;
    }
    Ok(())
}
