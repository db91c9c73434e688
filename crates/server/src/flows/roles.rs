//! Roles: making them, and giving and taking what they grant. Nobody gives what they lack or
//! touches a role above their own level. Not here: roles as a file, which is `exchange`.

pub mod administer;
mod exchange;

use portcullis_domain::event::{Context, Event, Text};
use portcullis_domain::id::{RoleId, UserId};
use portcullis_domain::permission::{Grant, Grants};
use portcullis_domain::role::{self, Authority, Level, Refusal, Role};
use portcullis_domain::text::{Name, TextFault};
use portcullis_domain::time::Time;
use portcullis_store::users::User;
use portcullis_store::{Db, Error, Tx, roles, user_grants};

pub use exchange::{Import, ImportFault, WantedRole, export, import, parse};

use super::record;
use crate::random::Random;

/// Who changes roles or accounts, and what every such act needs. The same for the command line,
/// where it is the operator, and for whoever has the permission.
#[derive(Clone, Copy)]
pub struct Acting<'a> {
    pub db: &'a Db,
    pub random: Random,
    pub now: Time,
    /// How far the actor's word reaches.
    pub authority: &'a Authority,
    /// Who it is, for the events.
    pub context: &'a Context,
}

impl Acting<'_> {
    /// Writes an event of this actor, about a user if there is one.
    pub(super) async fn record(
        &self,
        tx: &mut Tx,
        event: &Event,
        subject: Option<UserId>,
    ) -> Result<(), Error> {
        let context = Context { subject, ..self.context.clone() };
        record(tx, self.random, event, &context, self.now).await
    }
}

/// The role of a user, with what the user was given beside it.
pub(super) async fn of_user(tx: &mut Tx, user: &User) -> Result<Option<Role>, Error> {
    let Some(role) = roles::by_id(tx, user.role_id).await? else { return Ok(None) };
    Ok(Some(role.with(&user_grants::list(tx, user.id).await?)))
}

/// What became of making a role.
#[derive(Debug, PartialEq, Eq)]
pub enum Create {
    Created(RoleId),
    /// There is a role of this name.
    Taken,
    Refused(Refusal),
}

/// What became of changing what a role grants.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    Done,
    /// It was so already.
    Unchanged,
    /// There is no role of this name.
    Unknown,
    /// The role would keep what was to be taken from it, by this wider grant: nothing was changed.
    KeptBy(Grant),
    Refused(Refusal),
}

/// The name of a role: 1 to 150 characters.
pub fn parse_name(text: &str) -> Result<Name, TextFault> {
    let name = Name::parse(text)?;
    if name.as_str().is_empty() { Err(TextFault::Blank) } else { Ok(name) }
}

/// Every role, highest level first.
pub async fn list(db: &Db) -> Result<Vec<Role>, Error> {
    roles::list(&mut db.read().await?).await
}

/// Makes a role that grants `grants`.
pub async fn create(
    acting: &Acting<'_>,
    name: &Name,
    level: Level,
    grants: &Grants,
) -> Result<Create, Error> {
    if let Err(refusal) = role::may_create(acting.authority, level, grants) {
        return Ok(Create::Refused(refusal));
    }
    if let Err(refusal) = role::may_have(grants.len()) {
        return Ok(Create::Refused(refusal));
    }
    let mut tx = acting.db.write().await?;
    if let Err(refusal) = role::may_add(roles::list(&mut tx).await?.len()) {
        return Ok(Create::Refused(refusal));
    }
    match insert(acting, &mut tx, name, level, grants).await {
        Ok(id) => {
            tx.commit().await?;
            Ok(Create::Created(id))
        }
        Err(Error::Conflict) => Ok(Create::Taken),
        Err(error) => Err(error),
    }
}

/// Gives a role one grant more.
pub async fn grant(acting: &Acting<'_>, name: &str, grant: &Grant) -> Result<Change, Error> {
    let mut tx = acting.db.write().await?;
    let Some(role) = roles::by_name(&mut tx, name).await? else { return Ok(Change::Unknown) };
    let may = role::may_grant(acting.authority, &role, grant);
    if let Err(refusal) = may.and_then(|()| role::has_room(&role, grant)) {
        return Ok(Change::Refused(refusal));
    }
    if !give(acting, &mut tx, &role.name, role.id, grant).await? {
        return Ok(Change::Unchanged);
    }
    tx.commit().await?;
    Ok(Change::Done)
}

/// Takes a grant from a role. When it is done the role does not hold it in any way.
pub async fn revoke(acting: &Acting<'_>, name: &str, grant: &Grant) -> Result<Change, Error> {
    let mut tx = acting.db.write().await?;
    let Some(role) = roles::by_name(&mut tx, name).await? else { return Ok(Change::Unknown) };
    if let Err(refusal) = role::may_revoke(acting.authority, &role) {
        return Ok(Change::Refused(refusal));
    }
    if let Some(wider) = role.grants.iter().find(|held| *held != grant && held.covers(grant)) {
        return Ok(Change::KeptBy(wider.clone()));
    }
    if !take(acting, &mut tx, &role, grant).await? {
        return Ok(Change::Unchanged);
    }
    tx.commit().await?;
    Ok(Change::Done)
}

async fn insert(
    acting: &Acting<'_>,
    tx: &mut Tx,
    name: &Name,
    level: Level,
    grants: &Grants,
) -> Result<RoleId, Error> {
    let new = roles::NewRole { name: name.clone(), level };
    let id = roles::insert(tx, &new, acting.now).await?;
    let event = Event::RoleCreated { role: Text::clip(name.as_str()), level: level.get() };
    acting.record(tx, &event, None).await?;
    for grant in grants {
        give(acting, tx, name.as_str(), id, grant).await?;
    }
    Ok(id)
}

async fn give(
    acting: &Acting<'_>,
    tx: &mut Tx,
    name: &str,
    id: RoleId,
    grant: &Grant,
) -> Result<bool, Error> {
    let given = roles::grant(tx, id, grant).await?;
    if given {
        acting.record(tx, &permissions_changed(name, grant, true), None).await?;
    }
    Ok(given)
}

async fn take(acting: &Acting<'_>, tx: &mut Tx, role: &Role, grant: &Grant) -> Result<bool, Error> {
    let taken = roles::revoke(tx, role.id, grant).await?;
    if taken {
        acting.record(tx, &permissions_changed(&role.name, grant, false), None).await?;
    }
    Ok(taken)
}

fn permissions_changed(role: &str, grant: &Grant, granted: bool) -> Event {
    Event::PermissionsChanged {
        role: Text::clip(role),
        key: Text::clip(&grant.to_string()),
        granted,
    }
}

#[cfg(test)]
pub(super) mod tests;
