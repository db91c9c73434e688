//! Accounts: making them, opening and closing them, setting and forgiving passwords. Nobody gives
//! a role that is more than their own, or touches an account whose role is above it.
//!
//! Not here: what people do with their own account, and the cache of a running server. Whoever
//! serves requests in this process tells it about a change that is done; other processes see it
//! within the revocation bound.

mod arrival;
mod departure;
pub mod own_grants;
mod reset_factor;
mod update;

use std::collections::HashMap;

use portcullis_domain::account::{AccountStatus, AccountType};
use portcullis_domain::administration::{self, Act};
use portcullis_domain::event::{Event, PasswordChanger, Text};
use portcullis_domain::id::{RoleId, UserId};
use portcullis_domain::password::BreachState;
use portcullis_domain::permission::Grants;
use portcullis_domain::role;
use portcullis_domain::text::{Email, Identifier, Name, Username};
use portcullis_store::users::{User, breach_status};
use portcullis_store::{Db, Error, Tx, roles, users};

pub use arrival::{Newcomer, arrive};
pub(super) use departure::depart;
pub use departure::{delete, sign_out};
pub use reset_factor::{reset_factor, reset_factor_of};
pub use update::{Status, Updated, Wanted, update};

use super::administration::{Account, Desk, Halt};
use super::limits::forgive;
use super::new_password::{NewPassword, Person};
use super::password::Fresh;
use super::roles::Acting;
use super::sessions::alive_of;

/// An account to be made. It starts open.
pub struct NewAccount {
    pub email: Email,
    pub username: Option<Username>,
    pub first_name: Name,
    pub last_name: Name,
    pub phone: Option<String>,
    pub branch_id: i64,
    pub account_type: AccountType,
    /// The name of a role, in any case.
    pub role: String,
    /// `None`: nobody signs in by password until one is set.
    pub password: Option<NewPassword>,
}

impl NewAccount {
    /// Whose password it is to be.
    pub fn whose(&self) -> Person<'_> {
        Person {
            email: self.email.as_str(),
            username: self.username.as_ref().map_or("", Username::as_str),
            first_name: self.first_name.as_str(),
            last_name: self.last_name.as_str(),
        }
    }
}

/// What became of making an account.
#[derive(Debug, PartialEq, Eq)]
pub enum Create {
    Created {
        id: UserId,
        uuid: String,
    },
    /// The address is another user's, as address or as username.
    EmailTaken,
    /// The username is another user's, as username or as address.
    UsernameTaken,
    /// The username is an address, and not the account's own.
    UsernameIsAddress,
    /// There is no role of this name.
    UnknownRole,
    Refused(role::Refusal),
}

/// What became of changing an account.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    Done,
    /// It was so already.
    Unchanged,
    /// There is no such user.
    Unknown,
    Refused(administration::Refusal),
}

/// A user with the name of his role, and how it stands with his password.
pub struct Listed {
    pub user: User,
    pub role: String,
    /// `None`: there is none.
    pub password: Option<BreachState>,
}

/// Makes an account.
pub async fn create(acting: &Acting<'_>, new: &NewAccount) -> Result<Create, Error> {
    let mut tx = acting.db.write().await?;
    let Some(role) = roles::by_name(&mut tx, &new.role).await? else {
        return Ok(Create::UnknownRole);
    };
    if let Err(refusal) = role::may_assign(acting.authority, &role) {
        return Ok(Create::Refused(refusal));
    }
    if new.username.as_ref().is_some_and(|name| name.is_address_but(&new.email)) {
        return Ok(Create::UsernameIsAddress);
    }
    let row = row(acting, new, role.id);
    let id = match users::insert(&mut tx, &row, acting.now).await {
        Ok(id) => id,
        Err(Error::Conflict) => {
            drop(tx);
            return what_is_taken(acting.db, new).await;
        }
        Err(error) => return Err(error),
    };
    let event = Event::UserCreated { account_type: new.account_type, role: Text::clip(&role.name) };
    acting.record(&mut tx, &event, Some(id)).await?;
    tx.commit().await?;
    Ok(Create::Created { id, uuid: row.uuid })
}

/// The user of an address.
pub async fn find(db: &Db, email: &Email) -> Result<Option<User>, Error> {
    users::by_email(&mut db.read_once().await?, email).await
}

/// Every user, by id.
pub async fn list(db: &Db) -> Result<Vec<Listed>, Error> {
    const PAGE: i64 = 500;
    let mut tx = db.read().await?;
    let all = roles::list(&mut tx).await?;
    let names: HashMap<RoleId, String> = all.into_iter().map(|role| (role.id, role.name)).collect();
    let mut listed: Vec<Listed> = Vec::new();
    loop {
        let after = listed.last().map_or(UserId(0), |last| last.user.id);
        let page = users::list(&mut tx, after, PAGE).await?;
        let Some(last) = page.last().map(|user| user.id) else { return Ok(listed) };
        let passwords = breach_status::between(&mut tx, after, last).await?;
        listed.extend(page.into_iter().map(|user| {
            let role = names.get(&user.role_id).cloned().unwrap_or_default();
            let password = passwords.get(&user.id).copied();
            Listed { user, role, password }
        }));
    }
}

/// Closes an account: everything that was signed in to it is dead, on every node.
pub async fn disable(acting: &Acting<'_>, id: UserId) -> Result<Change, Error> {
    let mut tx = acting.db.write().await?;
    if let Some(refused) = refused(acting, &mut tx, id).await? {
        return Ok(refused);
    }
    let sessions = alive_of(&mut tx, id, acting.now).await?;
    if !users::set_status(&mut tx, id, AccountStatus::Disabled, acting.now).await? {
        return Ok(Change::Unchanged);
    }
    users::bump_epoch(&mut tx, id).await?;
    acting.record(&mut tx, &Event::UserDisabled { sessions }, Some(id)).await?;
    tx.commit().await?;
    Ok(Change::Done)
}

/// Opens an account again. What was signed in before stays dead.
pub async fn enable(acting: &Acting<'_>, id: UserId) -> Result<Change, Error> {
    let mut tx = acting.db.write().await?;
    if let Some(refused) = refused(acting, &mut tx, id).await? {
        return Ok(refused);
    }
    if !users::set_status(&mut tx, id, AccountStatus::Active, acting.now).await? {
        return Ok(Change::Unchanged);
    }
    acting.record(&mut tx, &Event::UserEnabled, Some(id)).await?;
    tx.commit().await?;
    Ok(Change::Done)
}

/// Sets a password. Wrong guesses at the earlier one are forgotten, sign-in by password works
/// again if it was switched off, everything that was signed in before is dead, and the person is told.
/// Whoever sets it can sign in by it, so that it takes every right that the account has. `place` is the
/// address that people type.
pub async fn set_password(
    acting: &Acting<'_>,
    id: UserId,
    new: &NewPassword,
    by: PasswordChanger,
    place: &str,
) -> Result<Change, Error> {
    let (mut desk, account) = match judged(acting, id, Act::Identify).await {
        Ok(judged) => judged,
        Err(halt) => return undone(halt),
    };
    let context = acting.context;
    let fresh = Fresh { user: &account.user, new, by, kept: None, context, place };
    let put = fresh.put(&mut desk.tx, desk.random, desk.now).await?;
    put.ok_or(Error::Conflict)?;
    desk.tx.commit().await?;
    Ok(Change::Done)
}

/// Forgives wrong passwords: the count, the switch that a hundred of them turn, every network that is
/// locked out of the account, and the attempts that were counted for its names.
pub async fn unlock(acting: &Acting<'_>, id: UserId) -> Result<Change, Error> {
    let (mut desk, account) = match judged(acting, id, Act::Unlock).await {
        Ok(judged) => judged,
        Err(halt) => return undone(halt),
    };
    let was_limited = forgive::names(&mut desk.tx, &account.user).await?;
    let was_locked = users::unlock(&mut desk.tx, id).await?;
    if !was_locked && !was_limited {
        return Ok(Change::Unchanged);
    }
    desk.record(&Event::UserUnlocked, Some(id)).await?;
    desk.tx.commit().await?;
    Ok(Change::Done)
}

/// The account, for whoever may do this to it.
async fn judged<'a>(
    acting: &Acting<'a>,
    id: UserId,
    act: Act<'_>,
) -> Result<(Desk<'a>, Account), Halt> {
    let mut desk = Desk::of(acting).await?;
    let account = desk.account_of(id).await?;
    desk.judge(&account, act)?;
    Ok((desk, account))
}

fn undone(halt: Halt) -> Result<Change, Error> {
    match halt {
        Halt::UnknownUser | Halt::UnknownRole => Ok(Change::Unknown),
        Halt::Refused(refusal) => Ok(Change::Refused(refusal)),
        Halt::UsernameIsAddress | Halt::Conflict(_) => Err(Error::Conflict),
        Halt::Store(error) => Err(error),
    }
}

fn row(acting: &Acting<'_>, new: &NewAccount, role_id: RoleId) -> users::NewUser {
    users::NewUser {
        uuid: acting.random.row_id(acting.now),
        email: new.email.clone(),
        username: new.username.clone(),
        first_name: new.first_name.clone(),
        last_name: new.last_name.clone(),
        phone: new.phone.clone(),
        branch_id: new.branch_id,
        account_type: new.account_type,
        role_id,
        password: new.password.as_ref().map(|password| password.row().clone()),
    }
}

/// Looked up only after the store refused: what it says under its lock is what counts.
async fn what_is_taken(db: &Db, new: &NewAccount) -> Result<Create, Error> {
    let Ok(name) = Identifier::parse(new.email.as_str()) else { return Ok(Create::EmailTaken) };
    let holder = users::by_identifier(&mut db.read_once().await?, &name).await?;
    Ok(if holder.is_some() { Create::EmailTaken } else { Create::UsernameTaken })
}

/// `None` if the actor may change the account.
async fn refused(acting: &Acting<'_>, tx: &mut Tx, id: UserId) -> Result<Option<Change>, Error> {
    let Some(user) = users::by_id(tx, id).await? else { return Ok(Some(Change::Unknown)) };
    let Some(role) = roles::by_id(tx, user.role_id).await? else { return Err(Error::Conflict) };
    // Only the level counts here: nothing is granted.
    let allowed = role::may_create(acting.authority, role.level, &Grants::default());
    Ok(allowed.err().map(|refusal| Change::Refused(refusal.into())))
}

#[cfg(test)]
mod tests;
