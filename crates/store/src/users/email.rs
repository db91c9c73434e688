//! The e-mail address of a user: whether it was proved, and putting another in its place.

use portcullis_domain::id::UserId;
use portcullis_domain::text::Email;
use portcullis_domain::time::Time;

use crate::counters;
use crate::driver::{Tx, params};
use crate::error::{Error, Result};
use crate::invalidations::Invalidation;

/// When the address was proved to be the user's own; `None` if it was not, or there is no such user.
pub async fn email_verified_at(tx: &mut Tx, id: UserId) -> Result<Option<Time>> {
    const SQL: &str = "SELECT email_verified_at FROM users WHERE id = $1";
    let Some(row) = tx.fetch_optional(SQL, params![id]).await? else { return Ok(None) };
    Ok(row.get::<Option<i64>>("email_verified_at")?.map(Time))
}

/// Notes that the user has this address, if it is still the user's and was not proved before.
pub async fn verify_email(tx: &mut Tx, id: UserId, email: &Email, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE users SET email_verified_at = $3
        WHERE id = $1 AND email_folded = $2 AND email_verified_at IS NULL";
    tx.changed(SQL, params![id, email.folded(), now]).await
}

/// Notes that the address is not known to be the user's own; `false` if it was so already.
pub async fn doubt_email(tx: &mut Tx, id: UserId) -> Result<bool> {
    const SQL: &str = "UPDATE users SET email_verified_at = NULL
        WHERE id = $1 AND email_verified_at IS NOT NULL";
    tx.changed(SQL, params![id]).await
}

/// Puts a proved address in the place of the user's; `false` if there is no such user.
/// [`Error::Conflict`] if the address belongs to another user, as address or as username.
pub async fn set_email(tx: &mut Tx, id: UserId, email: &Email, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE users SET email = $2, email_folded = $3, email_verified_at = $4,
            updated_at = $4 WHERE id = $1";
    if !email_is_free(tx, id, email).await? {
        return Err(Error::Conflict);
    }
    tx.invalidate(Invalidation::User(id));
    tx.changed(SQL, params![id, email.as_str(), email.folded(), now]).await
}

/// Whether nobody but this user has the address, as address or as username. It stays so until the
/// transaction is over: whoever makes a user or gives one an address waits for the same counter.
pub async fn email_is_free(tx: &mut Tx, id: UserId, email: &Email) -> Result<bool> {
    const TAKEN: &str = "SELECT u.id FROM users u
        WHERE u.id <> $1 AND (u.email_folded = $2 OR u.username_folded = $2) LIMIT 1";
    counters::hold(tx, "users").await?;
    Ok(tx.fetch_optional(TAKEN, params![id, email.folded()]).await?.is_none())
}
