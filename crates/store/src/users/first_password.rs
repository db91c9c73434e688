//! Accounts before their first password: finding those of a role, and giving one its address, its
//! names and its password.

use portcullis_domain::account::AccountStatus;
use portcullis_domain::id::{RoleId, UserId};
use portcullis_domain::text::{Email, Name};
use portcullis_domain::time::Time;

use super::change::folded_name;
use super::{NewPassword, User, columns, email_is_free, select, user};
use crate::driver::{Tx, params};
use crate::error::{Error, Result};
use crate::invalidations::Invalidation;

/// What an account is given with its first password.
#[derive(Clone)]
pub struct FirstPassword {
    pub email: Email,
    pub first_name: Name,
    pub last_name: Name,
    pub password: NewPassword,
}

/// Whether there is any user at all, or ever was one.
pub async fn any(tx: &mut Tx) -> Result<bool> {
    Ok(tx.fetch_optional("SELECT id FROM users LIMIT 1", params![]).await?.is_some())
}

/// Whether there is, or was, any user but this one.
pub async fn any_but(tx: &mut Tx, id: UserId) -> Result<bool> {
    const SQL: &str = "SELECT id FROM users WHERE id <> $1 LIMIT 1";
    Ok(tx.fetch_optional(SQL, params![id]).await?.is_some())
}

/// Whether anybody of the role has a password.
pub async fn role_has_password(tx: &mut Tx, role: RoleId) -> Result<bool> {
    const SQL: &str = "SELECT u.id FROM users u
        WHERE u.role_id = $1 AND u.password_phc IS NOT NULL LIMIT 1";
    Ok(tx.fetch_optional(SQL, params![role]).await?.is_some())
}

/// The first open account of the role that has no password.
pub async fn without_password(tx: &mut Tx, role: RoleId) -> Result<Option<User>> {
    const SQL: &str = select!(
        "WHERE u.role_id = $1 AND u.password_phc IS NULL AND u.status = $2 ORDER BY u.id LIMIT 1"
    );
    let row = tx.fetch_optional(SQL, params![role, AccountStatus::Active.id()]).await?;
    row.as_ref().map(user).transpose()
}

/// Sets address, names and password of an account that has no password yet; `false` if it has one
/// or there is no such user. [`Error::Conflict`] if the address belongs to another user, as address
/// or as username.
pub async fn set_first_password(
    tx: &mut Tx,
    id: UserId,
    new: &FirstPassword,
    now: Time,
) -> Result<bool> {
    const SQL: &str = "UPDATE users SET email = $2, email_folded = $3, first_name = $4,
            last_name = $5, password_phc = $6, password_set_at = $7, updated_at = $7,
            name_folded = $8, breach_state = $9, breach_count = 0, breach_checked_at = $7,
            breach_corpus = $10
        WHERE id = $1 AND password_phc IS NULL";
    if !email_is_free(tx, id, &new.email).await? {
        return Err(Error::Conflict);
    }
    let folded_name = folded_name(&new.first_name, &new.last_name);
    let row = params![
        id,
        new.email.as_str(),
        new.email.folded(),
        new.first_name.as_str(),
        new.last_name.as_str(),
        &new.password.phc,
        now,
        &folded_name,
        new.password.checked.state.as_str(),
        &new.password.checked.corpus,
    ];
    if !tx.changed(SQL, row).await? {
        return Ok(false);
    }
    tx.invalidate(Invalidation::User(id));
    Ok(true)
}
