//! The numbers that stand for people in the log, and the sealed keys of their personal data.

use portcullis_domain::audit::entry::Person;
use portcullis_domain::id::UserId;

use crate::driver::{Row, Tx, params};
use crate::error::{Result, corrupt};

/// Somebody in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub person: Person,
    /// His key, sealed under one that comes from the secret.
    pub sealed_key: Vec<u8>,
}

/// Who stands for a user; `None` if nothing of his is in the log.
pub async fn of_user(tx: &mut Tx, user: UserId) -> Result<Option<Known>> {
    const SQL: &str = "SELECT person, sealed_key FROM audit_people
        WHERE user_id = $1 AND sealed_key IS NOT NULL";
    tx.fetch_optional(SQL, params![user]).await?.as_ref().map(known).transpose()
}

/// A user comes into the log. [`crate::Error::Conflict`] if the number or the user is there.
pub async fn insert(tx: &mut Tx, user: UserId, known: &Known) -> Result<()> {
    const SQL: &str = "INSERT INTO audit_people (person, user_id, sealed_key) VALUES ($1, $2, $3)";
    let row = params![known.person.number(), user, known.sealed_key.as_slice()];
    tx.execute(SQL, row).await.map(drop)
}

fn known(row: &Row) -> Result<Known> {
    let number: i64 = row.get("person")?;
    let person = Person::from_number(number);
    Ok(Known {
        person: person.ok_or_else(|| corrupt("audit_people", "person", number.to_string()))?,
        sealed_key: row.get("sealed_key")?,
    })
}
