//! People who can sign in, without their passwords: those are in [`password`].

mod avatar;
mod breach;
pub mod breach_status;
mod change;
pub mod directory;
mod email;
mod erase;
mod factor_told;
mod first_password;
mod password;

use portcullis_domain::account::{AccountStatus, AccountType};
use portcullis_domain::id::{RoleId, UserId};
use portcullis_domain::text::{Email, Identifier, Name, Username};
use portcullis_domain::time::Time;

use crate::counters;
use crate::driver::{Row, Tx, params};
use crate::error::{Error, Result, corrupt};
use crate::invalidations::Invalidation;
use crate::sessions;

pub use avatar::set_avatar_url;
pub use breach::{Checked, breach_standing, note_check};
pub use change::{
    Profile, another_has_role, delete, hold, set_account_type, set_identity, set_profile,
};
pub use email::{doubt_email, email_is_free, email_verified_at, set_email, verify_email};
pub use erase::{erase, is_erased};
pub use factor_told::{tell_of_factor, told_of_factor_at};
pub use first_password::{
    FirstPassword, any, any_but, role_has_password, set_first_password, without_password,
};
pub use password::{
    NewPassword, Password, PasswordPhc, Strength, disable_password, password, password_disabled,
    password_failed, password_strength, password_succeeded, rehash, set_password, unlock,
};

/// A user to be made. He starts active.
#[derive(Clone)]
pub struct NewUser {
    /// The documented UUID.
    pub uuid: String,
    pub email: Email,
    pub username: Option<Username>,
    pub first_name: Name,
    pub last_name: Name,
    pub phone: Option<String>,
    pub branch_id: i64,
    pub account_type: AccountType,
    pub role_id: RoleId,
    /// `None` for someone who cannot sign in by password yet.
    pub password: Option<NewPassword>,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub uuid: String,
    pub email: Email,
    pub username: Option<Username>,
    pub first_name: Name,
    pub last_name: Name,
    pub phone: Option<String>,
    pub branch_id: i64,
    pub account_type: AccountType,
    pub status: AccountStatus,
    pub role_id: RoleId,
    /// An https address; shown, and never fetched by us.
    pub avatar_url: Option<Box<str>>,
    /// Sessions that began under a lower epoch are dead.
    pub epoch: i64,
    pub created_at: Time,
    pub updated_at: Time,
}

/// Makes a user. An address that the operator gives counts as proved; [`doubt_email`] says that this
/// one does not. [`Error::Conflict`] if the UUID, the e-mail address or the username is taken,
/// also where one user's username would be another's address, or if there is no such role.
pub async fn insert(tx: &mut Tx, new: &NewUser, now: Time) -> Result<UserId> {
    const SQL: &str = "INSERT INTO users (
            id, uuid, email, email_folded, username, username_folded, first_name, last_name,
            phone, branch_id, account_type, status, role_id, password_phc, password_disabled,
            password_failures, epoch, created_at, updated_at, name_folded, email_verified_at,
            password_set_at, breach_state, breach_checked_at, breach_corpus)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, FALSE, 0, 0, $15, $15,
            $16, $15, $17, $18, $19, $20
        WHERE NOT EXISTS (
            SELECT 1 FROM users WHERE email_folded = $6 OR username_folded = $4)";
    // The counter lets one transaction in at a time, so what NOT EXISTS saw stays true.
    let id = UserId(counters::next(tx, "users").await?);
    let username = new.username.as_ref();
    let folded_name = change::folded_name(&new.first_name, &new.last_name);
    let password = new.password.as_ref();
    let checked = password.map(|password| password.checked.clone()).unwrap_or_default();
    let row = params![
        id,
        &new.uuid,
        new.email.as_str(),
        new.email.folded(),
        username.map(Username::as_str),
        username.map(Username::folded),
        new.first_name.as_str(),
        new.last_name.as_str(),
        new.phone.as_deref(),
        new.branch_id,
        new.account_type.id(),
        AccountStatus::Active.id(),
        new.role_id,
        password.map(|password| password.phc.as_str()),
        now,
        &folded_name,
        password.map(|_| now),
        checked.state.as_str(),
        checked.at(now),
        &checked.corpus,
    ];
    if tx.changed(SQL, row).await? { Ok(id) } else { Err(Error::Conflict) }
}

pub async fn by_id(tx: &mut Tx, id: UserId) -> Result<Option<User>> {
    const SQL: &str = select!("WHERE u.id = $1");
    tx.fetch_optional(SQL, params![id]).await?.as_ref().map(user).transpose()
}

pub async fn by_email(tx: &mut Tx, email: &Email) -> Result<Option<User>> {
    const SQL: &str = select!("WHERE u.email_folded = $1");
    tx.fetch_optional(SQL, params![email.folded()]).await?.as_ref().map(user).transpose()
}

/// The user whose username or e-mail address this is; no two users can be meant.
pub async fn by_identifier(tx: &mut Tx, identifier: &Identifier) -> Result<Option<User>> {
    const SQL: &str = select!("WHERE u.username_folded = $1 OR u.email_folded = $1");
    tx.fetch_optional(SQL, params![identifier.folded()]).await?.as_ref().map(user).transpose()
}

/// At most `limit` users with a higher id than `after`, by id, without those who were deleted.
pub async fn list(tx: &mut Tx, after: UserId, limit: i64) -> Result<Vec<User>> {
    const SQL: &str = select!("WHERE u.id > $1 AND u.status <> $3 ORDER BY u.id LIMIT $2");
    tx.fetch_all(SQL, params![after, limit, AccountStatus::Deleted.id()])
        .await?
        .iter()
        .map(user)
        .collect()
}

/// The staff who can sign in and may have been granted a key, in the order of their numbers, at most
/// `limit`. A pattern may fit here that does not quite: whether they hold the key is asked by the caller.
pub async fn staff_with(tx: &mut Tx, key: &str, limit: i64) -> Result<Vec<User>> {
    const SQL: &str = select!(
        "WHERE u.account_type = $1 AND u.status = $2 AND EXISTS (
            SELECT 1 FROM role_grants g WHERE g.role_id = u.role_id AND (g.grant_key = $4
                OR g.grant_key LIKE '%*' AND $4 LIKE REPLACE(g.grant_key, '*', '%'))
            UNION ALL
            SELECT 1 FROM user_grants g WHERE g.user_id = u.id AND (g.grant_key = $4
                OR g.grant_key LIKE '%*' AND $4 LIKE REPLACE(g.grant_key, '*', '%')))
        ORDER BY u.id LIMIT $3"
    );
    let row = params![AccountType::Staff.id(), AccountStatus::Active.id(), limit, key];
    tx.fetch_all(SQL, row).await?.iter().map(user).collect()
}

/// Opens or closes the account; `false` if it was so already or there is none (any more).
pub async fn set_status(tx: &mut Tx, id: UserId, status: AccountStatus, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE users SET status = $2, updated_at = $3
        WHERE id = $1 AND status <> $2 AND status <> $4";
    tx.invalidate(Invalidation::User(id));
    let changed =
        tx.changed(SQL, params![id, status.id(), now, AccountStatus::Deleted.id()]).await?;
    if changed {
        match status {
            AccountStatus::Active => sessions::reconsider(tx, id).await?,
            AccountStatus::Disabled | AccountStatus::Deleted => {
                sessions::strike_out(tx, id).await?;
            }
        }
    }
    Ok(changed)
}

/// Gives the user another role; `false` if he had it or there is no such user.
/// [`Error::Conflict`] if there is no such role.
pub async fn set_role(tx: &mut Tx, id: UserId, role: RoleId, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE users SET role_id = $2, updated_at = $3
        WHERE id = $1 AND role_id <> $2 AND status <> $4";
    tx.invalidate(Invalidation::User(id));
    tx.changed(SQL, params![id, role, now, AccountStatus::Deleted.id()]).await
}

/// Ends everything that was signed in before, by one number, and takes it out of the list of who is
/// signed in. The new epoch, or `None` if there is no such user.
pub async fn bump_epoch(tx: &mut Tx, id: UserId) -> Result<Option<i64>> {
    const SQL: &str = "UPDATE users SET epoch = epoch + 1 WHERE id = $1 RETURNING epoch";
    tx.invalidate(Invalidation::User(id));
    let epoch = tx.fetch_optional(SQL, params![id]).await?.map(|row| row.get("epoch"));
    sessions::strike_out(tx, id).await?;
    epoch.transpose()
}

/// Reads the columns that [`columns`] names.
pub(crate) fn user(row: &Row) -> Result<User> {
    let id = row.get("user_id")?;
    let fault = |column| move || corrupt("users", column, id);
    let name = |text: String, column| Name::stored(&text).map_err(|_| corrupt("users", column, id));
    let email: String = row.get("email")?;
    let username: Option<String> = row.get("username")?;
    let username = username.map(|text| Username::parse(&text)).transpose();
    Ok(User {
        id: UserId(id),
        uuid: row.get("uuid")?,
        email: Email::parse(&email).map_err(|_| corrupt("users", "email", id))?,
        username: username.map_err(|_| corrupt("users", "username", id))?,
        first_name: name(row.get("first_name")?, "first_name")?,
        last_name: name(row.get("last_name")?, "last_name")?,
        phone: row.get("phone")?,
        branch_id: row.get("branch_id")?,
        account_type: AccountType::from_id(row.get("account_type")?)
            .ok_or_else(fault("account_type"))?,
        status: AccountStatus::from_id(row.get("status")?).ok_or_else(fault("status"))?,
        role_id: RoleId(row.get("user_role_id")?),
        avatar_url: row.get::<Option<String>>("avatar_url")?.map(Into::into),
        epoch: row.get("epoch")?,
        created_at: Time(row.get("user_created_at")?),
        updated_at: Time(row.get("user_updated_at")?),
    })
}

/// The columns of a user `u`; never the password.
macro_rules! columns {
    () => {
        "u.id AS user_id, u.uuid, u.email, u.username, u.first_name, u.last_name, u.phone, \
         u.branch_id, u.account_type, u.status, u.role_id AS user_role_id, u.avatar_url, u.epoch, \
         u.created_at AS user_created_at, u.updated_at AS user_updated_at"
    };
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), " FROM users u ", $rest)
    };
}

pub(crate) use columns;
use select;
