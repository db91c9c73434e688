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
