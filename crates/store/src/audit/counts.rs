//! How often what happened, by the hour, counted as the entries are written.

use std::collections::BTreeMap;

pub use portcullis_domain::audit::count::{Count, Kind};

use crate::driver::{Tx, params};
use crate::error::Result;

/// Adds to what was counted.
pub async fn add(tx: &mut Tx, counts: &BTreeMap<Kind, Count>) -> Result<()> {
    const SQL: &str = "INSERT INTO audit_counts (hour, name, outcome, reason, events, amount)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (hour, name, outcome, reason) DO UPDATE
        SET events = audit_counts.events + excluded.events,
            amount = audit_counts.amount + excluded.amount";
    for (kind, count) in counts {
        let row = params![
            kind.hour,
            &kind.name,
            &kind.outcome,
            &kind.reason,
            i64::try_from(count.events).unwrap_or(i64::MAX),
            i64::try_from(count.amount).unwrap_or(i64::MAX),
        ];
        tx.execute(SQL, row).await?;
    }
    Ok(())
}
