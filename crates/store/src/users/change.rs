//! Changing what a user is called, is reached by and is, and taking a user out. Nothing here brings
//! back a user who was deleted.

use portcullis_domain::account::{AccountStatus, AccountType};
use portcullis_domain::id::{RoleId, UserId};
use portcullis_domain::text::{Email, Name, Username, fold, full_name};
use portcullis_domain::time::Time;

use crate::counters;
use crate::driver::{Tx, params};
use crate::error::{Error, Result};
use crate::invalidations::Invalidation;

/// What describes a user and gives no rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub first_name: Name,
    pub last_name: Name,
    pub phone: Option<String>,
    pub branch_id: i64,
}

/// Lets one transaction at a time change who is what, until it ends: what it reads of users, their
/// status and their roles stays true.
pub async fn hold(tx: &mut Tx) -> Result<()> {
    counters::hold(tx, "users").await
}

/// Writes the profile; `false` if there is no such user.
pub async fn set_profile(tx: &mut Tx, id: UserId, new: &Profile, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE users SET first_name = $2, last_name = $3, name_folded = $4,
            phone = $5, branch_id = $6, updated_at = $7
        WHERE id = $1 AND status <> $8";
    let folded = folded_name(&new.first_name, &new.last_name);
    let row = params![
        id,
        new.first_name.as_str(),
        new.last_name.as_str(),
        &folded,
        new.phone.as_deref(),
        new.branch_id,
        now,
        AccountStatus::Deleted.id(),
    ];
    tx.invalidate(Invalidation::User(id));
    tx.changed(SQL, row).await
}

/// Gives the user an address and a username; `false` if there is no such user. [`Error::Conflict`]
/// if one of them is another user's, as address or as username.
pub async fn set_identity(
    tx: &mut Tx,
    id: UserId,
    email: &Email,
    username: Option<&Username>,
    now: Time,
) -> Result<bool> {
    const TAKEN: &str = "SELECT id FROM users WHERE id <> $1 AND (email_folded IN ($2, $3)
        OR username_folded IN ($2, $3)) LIMIT 1";
    const SQL: &str = "UPDATE users SET email = $2, email_folded = $3, username = $4,
            username_folded = $5, updated_at = $6
        WHERE id = $1 AND status <> $7";
    hold(tx).await?;
    let folded = username.map(Username::folded);
    let wanted = params![id, email.folded(), folded.unwrap_or(email.folded())];
    if tx.fetch_optional(TAKEN, wanted).await?.is_some() {
        return Err(Error::Conflict);
    }
    let row = params![
        id,
        email.as_str(),
        email.folded(),
        username.map(Username::as_str),
        folded,
        now,
        AccountStatus::Deleted.id(),
    ];
    tx.invalidate(Invalidation::User(id));
    tx.changed(SQL, row).await
}

/// Makes it an account of another type; `false` if it was so or there is no such user.
pub async fn set_account_type(
    tx: &mut Tx,
    id: UserId,
    account_type: AccountType,
    now: Time,
) -> Result<bool> {
    const SQL: &str = "UPDATE users SET account_type = $2, updated_at = $3
        WHERE id = $1 AND account_type <> $2 AND status <> $4";
    tx.invalidate(Invalidation::User(id));
    let row = params![id, account_type.id(), now, AccountStatus::Deleted.id()];
    tx.changed(SQL, row).await
}

/// Whether somebody else has the role who can sign in, and passes where this account type does: his
/// account is open and of the same type or staff's, he has a password that works, and he is not kept
/// out.
pub async fn another_has_role(
    tx: &mut Tx,
    id: UserId,
    role: RoleId,
    account_type: AccountType,
) -> Result<bool> {
    const SQL: &str = "SELECT u.id FROM users u
        WHERE u.role_id = $2 AND u.status = $3 AND u.id <> $1 AND u.account_type IN ($4, $5)
            AND u.password_phc IS NOT NULL AND NOT u.password_disabled
            AND NOT EXISTS (SELECT 1 FROM blacklist b WHERE b.user_id = u.id) LIMIT 1";
    let staff = AccountType::Staff.id();
    let wanted = params![id, role, AccountStatus::Active.id(), account_type.id(), staff];
    Ok(tx.fetch_optional(SQL, wanted).await?.is_some())
}

/// Takes a user out: the address, username, phone, picture, password and the places of sign-ins are
/// gone, address and username free for others, and everything that was signed in is dead. Nobody need
/// be kept out any more, so that the blacklist forgets him. The row stays for what the log says of it,
/// with the name, under `address`, which nobody is reached by, and `role`, which keeps no other role in
/// use.
/// `false` if there is no such user.
pub async fn delete(
    tx: &mut Tx,
    id: UserId,
    address: &Email,
    role: RoleId,
    now: Time,
) -> Result<bool> {
    const SQL: &str = "UPDATE users SET status = $2, email = $3, email_folded = $4,
            username = NULL, username_folded = NULL, phone = NULL, password_phc = NULL,
            password_set_at = NULL, avatar_url = NULL, email_verified_at = NULL, role_id = $5, updated_at = $6
        WHERE id = $1 AND status <> $2";
    const GRANTS: &str = "DELETE FROM user_grants WHERE user_id = $1";
    const PLACES: &str = "DELETE FROM places WHERE user_id = $1";
    const LISTED: &str = "DELETE FROM blacklist WHERE user_id = $1";
    let status = AccountStatus::Deleted.id();
    let row = params![id, status, address.as_str(), address.folded(), role, now];
    if !tx.changed(SQL, row).await? {
        return Ok(false);
    }
    tx.execute(GRANTS, params![id]).await?;
    tx.execute(LISTED, params![id]).await?;
    tx.execute(PLACES, params![id]).await?;
    super::bump_epoch(tx, id).await?;
    Ok(true)
}

/// How a name is searched.
pub(super) fn folded_name(first: &Name, last: &Name) -> String {
    fold(&full_name(first.as_str(), last.as_str()))
}
