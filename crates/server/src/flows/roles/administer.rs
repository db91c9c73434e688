//! Changing roles on an administrator's word: name, level, permissions of one or of many, and taking
//! roles out. All of what is asked for at once, or nothing.

use portcullis_domain::event::{Context, Event, Text};
use portcullis_domain::id::RoleId;
use portcullis_domain::permission::{Grant, Grants};
use portcullis_domain::role::{self, Level, Role};
use portcullis_domain::text::Name;
use portcullis_store::{Error, roles};

use super::exchange::bring;
use super::{Acting, Import, WantedRole};
use crate::app::App;
use crate::flows::administration::{Desk, Halt};
use crate::flows::barrier;

/// One permission of one role, as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    pub role: RoleId,
    pub grant: Grant,
    pub held: bool,
}

/// A role with how many users have it.
pub struct WithMembers {
    pub role: Role,
    pub members: i64,
}

/// Every role, highest level first.
pub async fn list(app: &App) -> Result<Vec<WithMembers>, Error> {
    let mut tx = app.db.read().await?;
    let members = roles::members(&mut tx).await?;
    let count = |id| members.iter().find(|(of, _)| *of == id).map_or(0, |(_, count)| *count);
    let all = roles::list(&mut tx).await?;
    Ok(all.into_iter().map(|role| WithMembers { members: count(role.id), role }).collect())
}

/// Makes a role that grants `grants`.
pub async fn create(
    app: &App,
    context: &Context,
    name: &Name,
    level: Level,
    grants: &Grants,
) -> Result<RoleId, Halt> {
    let mut desk = Desk::open(app, context).await?;
    role::may_create(&desk.actor.authority, level, grants)?;
    role::may_have(grants.len())?;
    role::may_add(roles::list(&mut desk.tx).await?.len())?;
    let new = roles::NewRole { name: name.clone(), level };
    let id = roles::insert(&mut desk.tx, &new, desk.now).await.map_err(conflict)?;
    let event = Event::RoleCreated { role: Text::clip(name.as_str()), level: level.get() };
    desk.record(&event, None).await?;
    for grant in grants {
        set(&mut desk, id, name.as_str(), grant, true).await?;
    }
    desk.close().await?;
    Ok(id)
}

/// Gives the role another name or level, or both. Says whether anything changed.
pub async fn update(
    app: &App,
    context: &Context,
    id: RoleId,
    name: Option<&Name>,
    level: Option<Level>,
) -> Result<bool, Halt> {
    let mut desk = Desk::open(app, context).await?;
    let role = desk.role(id).await?;
    let name = name.filter(|name| name.as_str() != role.name);
    let level = level.filter(|level| *level != role.level);
    if let Some(level) = level {
        role::may_change(&desk.actor.authority, &role)?;
        role::may_create(&desk.actor.authority, level, &Grants::default())?;
        roles::update_level(&mut desk.tx, id, level, desk.now).await?;
        let event = Event::RoleLevelChanged { role: Text::clip(&role.name), level: level.get() };
        desk.record(&event, None).await?;
    }
    if let Some(name) = name {
        role::may_change(&desk.actor.authority, &role)?;
        roles::rename(&mut desk.tx, id, name, desk.now).await.map_err(conflict)?;
        let event =
            Event::RoleRenamed { role: Text::clip(name.as_str()), from: Text::clip(&role.name) };
        desk.record(&event, None).await?;
    }
    desk.close().await?;
    if level.is_some_and(|level| level < role.level) {
        barrier::felt_everywhere(app).await;
    }
    Ok(name.is_some() || level.is_some())
}

/// Takes a role out that nobody has.
pub async fn delete(app: &App, context: &Context, id: RoleId) -> Result<(), Halt> {
    let mut desk = Desk::open(app, context).await?;
    let role = desk.role(id).await?;
    role::may_change(&desk.actor.authority, &role)?;
    match roles::delete(&mut desk.tx, id).await {
        Ok(_) => {}
        Err(Error::Conflict) => return Err(Halt::Conflict("role_in_use")),
        Err(error) => return Err(error.into()),
    }
    desk.record(&Event::RoleDeleted { role: Text::clip(&role.name) }, None).await?;
    desk.close().await
}

/// Gives the role these permissions and no others; how many were given and taken away.
pub async fn set_permissions(
    app: &App,
    context: &Context,
    id: RoleId,
    wanted: &Grants,
) -> Result<usize, Halt> {
    let mut desk = Desk::open(app, context).await?;
    let role = desk.role(id).await?;
    role::may_have(wanted.len())?;
    let more =
        wanted.iter().filter(|grant| !role.grants.contains(grant)).map(|grant| (grant, true));
    let less =
        role.grants.iter().filter(|grant| !wanted.contains(grant)).map(|grant| (grant, false));
    let (mut changed, mut taken) = (0, false);
    for (grant, held) in more.chain(less) {
        judge(&desk, &role, grant, held)?;
        let is_done = set(&mut desk, id, &role.name, grant, held).await?;
        changed += usize::from(is_done);
        taken |= is_done && !held;
    }
    desk.close().await?;
    if taken {
        barrier::felt_everywhere(app).await;
    }
    Ok(changed)
}

/// Gives roles permissions and takes them away; how many of the cells changed.
pub async fn set_cells(app: &App, context: &Context, cells: &[Cell]) -> Result<usize, Halt> {
    let mut desk = Desk::open(app, context).await?;
    let (mut changed, mut taken) = (0, false);
    for cell in cells {
        // Read anew for each: an earlier cell may be about the same role.
        let role = desk.role(cell.role).await?;
        judge(&desk, &role, &cell.grant, cell.held)?;
        if cell.held {
            role::has_room(&role, &cell.grant)?;
        }
        let wider = |held: &&Grant| **held != cell.grant && held.covers(&cell.grant);
        if !cell.held && role.grants.iter().any(|held| wider(&held)) {
            return Err(Halt::Conflict("permission_kept"));
        }
        let is_done = set(&mut desk, role.id, &role.name, &cell.grant, cell.held).await?;
        changed += usize::from(is_done);
        taken |= is_done && !cell.held;
    }
    desk.close().await?;
    if taken {
        barrier::felt_everywhere(app).await;
    }
    Ok(changed)
}

/// Brings the roles to what a file wants, as the command line does, with the rights that the actor
/// has in the transaction.
pub async fn import(app: &App, context: &Context, wanted: &[WantedRole]) -> Result<Import, Halt> {
    let mut desk = Desk::open(app, context).await?;
    let authority = desk.actor.authority.clone();
    let (random, now) = (app.random, desk.now);
    let acting = Acting { db: &app.db, random, now, authority: &authority, context };
    let import = bring(&acting, &mut desk.tx, wanted).await?;
    if let Import::Done { changed, .. } = import {
        desk.close().await?;
        if changed > 0 {
            barrier::felt_everywhere(app).await;
        }
    }
    Ok(import)
}

fn judge(desk: &Desk<'_>, role: &Role, grant: &Grant, held: bool) -> Result<(), Halt> {
    let authority = &desk.actor.authority;
    Ok(if held {
        role::may_grant(authority, role, grant)
    } else {
        role::may_revoke(authority, role)
    }?)
}

async fn set(
    desk: &mut Desk<'_>,
    id: RoleId,
    name: &str,
    grant: &Grant,
    held: bool,
) -> Result<bool, Halt> {
    let changed = if held {
        roles::grant(&mut desk.tx, id, grant).await?
    } else {
        roles::revoke(&mut desk.tx, id, grant).await?
    };
    if changed {
        desk.record(&super::permissions_changed(name, grant, held), None).await?;
    }
    Ok(changed)
}

fn conflict(error: Error) -> Halt {
    match error {
        Error::Conflict => Halt::Conflict("role_taken"),
        error @ (Error::Unavailable | Error::Corrupt { .. } | Error::Driver(_)) => {
            Halt::Store(error)
        }
    }
}
