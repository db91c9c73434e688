//! Personal data of entries, sealed.

use portcullis_domain::audit::entry::Person;
use portcullis_domain::audit::personal::Part;

use super::stored;
use crate::driver::{Tx, params};
use crate::error::Result;

/// One part of an entry's personal data.
#[derive(Clone, Debug)]
pub struct Personal {
    pub index: u64,
    pub part: Part,
    /// Whose key it is under; `None`: that of nobody known.
    pub person: Option<Person>,
    pub sealed: Vec<u8>,
    /// By what the entries of an address are found.
    pub address: Option<[u8; 16]>,
}

/// Keeps it.
pub async fn insert(tx: &mut Tx, row: &Personal) -> Result<()> {
    const SQL: &str = "INSERT INTO audit_personal (idx, part, person, sealed, address)
        VALUES ($1, $2, $3, $4, $5)";
    let row = params![
        stored(row.index)?,
        row.part.as_str(),
        row.person.map(Person::number),
        row.sealed.as_slice(),
        row.address.as_ref().map(<[u8; 16]>::as_slice),
    ];
    tx.execute(SQL, row).await.map(drop)
}
