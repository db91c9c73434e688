//! Personal data of entries, sealed.

use portcullis_domain::audit::entry::Person;
pub use portcullis_domain::audit::growth::Personal;

use super::stored;
use crate::driver::{Many, Tx, Value, params};
use crate::error::Result;

/// Keeps it.
pub async fn insert(tx: &mut Tx, rows: &[Personal]) -> Result<()> {
    static INSERT: Many<5> =
        Many::new("INSERT INTO audit_personal (idx, part, person, sealed, address)");
    let rows: Vec<_> = rows.iter().map(row).collect::<Result<_>>()?;
    INSERT.insert(tx, &rows).await
}

/// Deletes what belongs to entries below `below`, at most `limit` rows, the oldest first; how many.
pub async fn forget_below(tx: &mut Tx, below: u64, limit: u32) -> Result<u64> {
    const SQL: &str = "DELETE FROM audit_personal WHERE idx < $1 AND idx <= (
        SELECT MAX(idx) FROM (
            SELECT idx FROM audit_personal WHERE idx < $1 ORDER BY idx LIMIT $2) AS oldest)";
    tx.execute(SQL, params![stored(below)?, i64::from(limit)]).await
}

fn row(row: &Personal) -> Result<[Value<'_>; 5]> {
    let row: &[Value<'_>; 5] = params![
        stored(row.index)?,
        row.part.as_str(),
        row.person.map(Person::number),
        row.sealed.as_slice(),
        row.address.as_ref().map(<[u8; 16]>::as_slice),
    ];
    Ok(*row)
}
