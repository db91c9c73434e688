//! The numbers that stand for people in the log, and the sealed keys of their personal data, which say for
//! whom a number stands: a row that was given to another user is refused.

use portcullis_domain::audit::entry::Person;
use portcullis_domain::id::UserId;
use portcullis_domain::time::Time;

use crate::driver::{Row, Tx, params};
use crate::error::{Result, corrupt};

/// Somebody in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub person: Person,
    /// His key, sealed under one that comes from the secret.
    pub sealed_key: Vec<u8>,
}

/// Who stands for a user; `None` if nothing of his is in the log. [`crate::Error::Corrupt`] if that person
/// was made for somebody else.
pub async fn of_user(tx: &mut Tx, user: UserId) -> Result<Option<Known>> {
    const SQL: &str = "SELECT person, sealed_key FROM audit_people
        WHERE user_id = $1 AND sealed_key IS NOT NULL";
    let Some(row) = tx.fetch_optional(SQL, params![user]).await? else { return Ok(None) };
    let known = known(&row)?;
    let opened = tx.audit_keys().unwrap(known.person, user, &known.sealed_key);
    let altered = |_| corrupt("audit_people", "user_id", known.person);
    opened.map_err(altered).map(|_| Some(known))
}

/// A user comes into the log. [`crate::Error::Conflict`] if the number or the user is there.
pub async fn insert(tx: &mut Tx, user: UserId, known: &Known) -> Result<()> {
    const SQL: &str = "INSERT INTO audit_people (person, user_id, sealed_key) VALUES ($1, $2, $3)";
    let row = params![known.person.number(), user, known.sealed_key.as_slice()];
    tx.execute(SQL, row).await.map(drop)
}

/// What was taken out of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erased {
    pub person: Person,
    /// How many entries had personal data of his.
    pub entries: u64,
}

/// Takes a user out: his personal data and his key are gone, and nothing leads from the number that
/// stands for him to the user any more. `None` if nothing of his is in the log.
pub async fn erase(tx: &mut Tx, user: UserId, now: Time) -> Result<Option<Erased>> {
    const COUNT: &str =
        "SELECT COUNT(DISTINCT idx) AS entries FROM audit_personal WHERE person = $1";
    const DATA: &str = "DELETE FROM audit_personal WHERE person = $1";
    const KEY: &str = "UPDATE audit_people SET user_id = NULL, sealed_key = NULL, erased_at = $2
        WHERE person = $1 AND erased_at IS NULL";
    let Some(Known { person, .. }) = of_user(tx, user).await? else { return Ok(None) };
    let number = person.number();
    let entries: i64 = tx.fetch_one(COUNT, params![number]).await?.get("entries")?;
    tx.execute(DATA, params![number]).await?;
    tx.execute(KEY, params![number, now]).await?;
    Ok(Some(Erased { person, entries: entries.unsigned_abs() }))
}

fn known(row: &Row) -> Result<Known> {
    let number: i64 = row.get("person")?;
    let person = Person::from_number(number);
    Ok(Known {
        person: person.ok_or_else(|| corrupt("audit_people", "person", number.to_string()))?,
        sealed_key: row.get("sealed_key")?,
    })
}
