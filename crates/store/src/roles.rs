//! Roles and what each one grants.

mod change;

use portcullis_domain::id::RoleId;
use portcullis_domain::permission::Grant;
use portcullis_domain::role::{BUILT_IN, Level, Role};
use portcullis_domain::text::{Name, fold};
use portcullis_domain::time::Time;

use crate::counters;
use crate::driver::{Row, Tx, params};
use crate::error::{Result, corrupt};
use crate::invalidations::Invalidation;

pub use change::{delete, members, rename};

/// A role to be made; it starts without grants.
#[derive(Clone, Debug)]
pub struct NewRole {
    pub name: Name,
    pub level: Level,
}

/// Makes a role. [`crate::Error::Conflict`] if the name is taken in any case.
pub async fn insert(tx: &mut Tx, new: &NewRole, now: Time) -> Result<RoleId> {
    const SQL: &str = "INSERT INTO roles
        (id, name, name_folded, level, built_in, created_at, updated_at)
        VALUES ($1, $2, $3, $4, FALSE, $5, $5)";
    let id = RoleId(counters::next(tx, "roles").await?);
    let (name, level) = (new.name.as_str(), i64::from(new.level.get()));
    tx.execute(SQL, params![id, name, &fold(name), level, now]).await?;
    Ok(id)
}

/// Makes the built-in roles that are missing. Those that exist keep what administrators made of
/// them. Safe to call from many nodes at once.
pub async fn ensure_built_in(tx: &mut Tx, now: Time) -> Result<()> {
    const SQL: &str = "INSERT INTO roles
        (id, name, name_folded, level, built_in, created_at, updated_at)
        VALUES ($1, $2, $2, $3, TRUE, $4, $4) ON CONFLICT DO NOTHING";
    for role in &BUILT_IN {
        if by_name(tx, role.name).await?.is_some() {
            continue;
        }
        let id = RoleId(counters::next(tx, "roles").await?);
        let level = i64::from(role.level.get());
        if tx.changed(SQL, params![id, role.name, level, now]).await? {
            let grants = role.grants();
            for each in &grants {
                grant(tx, id, each).await?;
            }
        }
    }
    Ok(())
}

pub async fn by_id(tx: &mut Tx, id: RoleId) -> Result<Option<Role>> {
    const SQL: &str = select!("WHERE r.id = $1");
    tx.fetch_optional(SQL, params![id]).await?.as_ref().map(role).transpose()
}

/// The role of a name in any case.
pub async fn by_name(tx: &mut Tx, name: &str) -> Result<Option<Role>> {
    const SQL: &str = select!("WHERE r.name_folded = $1");
    tx.fetch_optional(SQL, params![&fold(name)]).await?.as_ref().map(role).transpose()
}

/// Every role, highest level first.
pub async fn list(tx: &mut Tx) -> Result<Vec<Role>> {
    const SQL: &str = select!("ORDER BY r.level DESC, r.id");
    tx.fetch_all(SQL, params![]).await?.iter().map(role).collect()
}

/// Adds a grant; `false` if the role had it. [`crate::Error::Conflict`] if there is no such role.
pub async fn grant(tx: &mut Tx, id: RoleId, grant: &Grant) -> Result<bool> {
    const SQL: &str = "INSERT INTO role_grants (role_id, grant_key) VALUES ($1, $2)
        ON CONFLICT DO NOTHING";
    tx.invalidate(Invalidation::Everybody);
    tx.changed(SQL, params![id, &grant.to_string()]).await
}

/// Takes a grant away; `false` if the role did not have it.
pub async fn revoke(tx: &mut Tx, id: RoleId, grant: &Grant) -> Result<bool> {
    const SQL: &str = "DELETE FROM role_grants WHERE role_id = $1 AND grant_key = $2";
    tx.invalidate(Invalidation::Everybody);
    tx.changed(SQL, params![id, &grant.to_string()]).await
}

/// Changes the level; `false` if there is no such role.
pub async fn update_level(tx: &mut Tx, id: RoleId, level: Level, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE roles SET level = $2, updated_at = $3 WHERE id = $1";
    tx.invalidate(Invalidation::Everybody);
    tx.changed(SQL, params![id, i64::from(level.get()), now]).await
}

/// Reads the columns that [`columns`] names.
pub(crate) fn role(row: &Row) -> Result<Role> {
    let id = row.get("role_id")?;
    let grants: Option<String> = row.get("role_grants")?;
    let parse =
        |text: &str| Grant::parse(text).map_err(|_| corrupt("role_grants", "grant_key", id));
    let level = Level::new(row.get("role_level")?).ok_or_else(|| corrupt("roles", "level", id))?;
    Ok(Role {
        id: RoleId(id),
        name: row.get("role_name")?,
        level,
        grants: grants.iter().flat_map(|list| list.split(' ')).map(parse).collect::<Result<_>>()?,
        built_in: row.get("role_built_in")?,
    })
}

/// The columns of a role `r`, with its grants as one text, so that one statement is enough.
macro_rules! columns {
    () => {
        "r.id AS role_id, r.name AS role_name, r.level AS role_level, \
         r.built_in AS role_built_in, \
         (SELECT string_agg(g.grant_key, ' ') FROM role_grants g WHERE g.role_id = r.id) \
         AS role_grants"
    };
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), " FROM roles r ", $rest)
    };
}

pub(crate) use columns;
use select;
