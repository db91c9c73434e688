//! What a database of an older version brings along is sealed once, when it comes to the version in
//! which rows that wait are vouched for and people are bound to users. The log tells of it, because
//! whoever can change the schema and have us started could make a database look old.

use portcullis_domain::audit::entry::Person;
use portcullis_domain::audit::pending as vouched;
use portcullis_domain::event::{Context, Event};
use portcullis_domain::id::UserId;
use portcullis_domain::time::Time;

use super::{log, pending};
use crate::driver::{Tx, params};
use crate::error::Result;

/// Seals what is there, in the transaction of the migration.
pub(crate) async fn seal(tx: &mut Tx, now: Time) -> Result<()> {
    // Not a second time: what is not sealed then was made since.
    if log::newest_of(tx, "audit_upgraded").await?.is_some() {
        return Ok(());
    }
    let (people, waiting) = (bind(tx).await?, pending::vouch(tx).await?);
    if people == 0 && waiting == 0 {
        return Ok(());
    }
    let event = Event::AuditUpgraded { people, waiting };
    let id = vouched::id_of_upgrade(now, tx.audit_keys().pending());
    pending::insert(tx, &event, &Context::default(), &id, now).await
}

/// Binds everybody to the user for whom he stands; how many.
async fn bind(tx: &mut Tx) -> Result<u64> {
    const ALL: &str = "SELECT person, user_id, sealed_key FROM audit_people
        WHERE user_id IS NOT NULL AND sealed_key IS NOT NULL";
    const KEY: &str = "UPDATE audit_people SET sealed_key = $2 WHERE person = $1";
    let keys = tx.audit_keys();
    let mut bound = 0;
    for row in tx.fetch_all(ALL, params![]).await? {
        let (number, user): (i64, i64) = (row.get("person")?, row.get("user_id")?);
        let sealed: Vec<u8> = row.get("sealed_key")?;
        let person = Person::from_number(number);
        let key = person.and_then(|person| keys.bind(person, UserId(user), &sealed).ok());
        // One that does not open stays as it is, for the verification to find.
        let Some(key) = key else { continue };
        bound += tx.execute(KEY, params![number, key.as_slice()]).await?;
    }
    Ok(bound)
}
