//! Roles, their levels, and who may give what to whom.
//!
//! Not the decision on a request: that is [`crate::rule`] for the application's routes and the
//! server's extractors for ours.

use crate::id::RoleId;
use crate::permission::{Grant, Grants};

/// Power from 0 to 100; higher is more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(u8);

impl Level {
    /// The level of owners and of the operator at the command line.
    pub const MAX: Self = Self(100);

    /// That of those who have none.
    pub const MIN: Self = Self(0);

    /// `None` above 100 and below 0.
    pub fn new(level: i64) -> Option<Self> {
        u8::try_from(level).ok().map(Self).filter(|level| *level <= Self::MAX)
    }

    /// The number, 0 to 100.
    pub fn get(self) -> u8 {
        self.0
    }
}

/// How many roles there may be in all, and how many grants one of them may have: pages show all of
/// both.
pub const MAX_ROLES: usize = 500;
pub const MAX_GRANTS: usize = 500;

/// A named set of grants with a level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    pub id: RoleId,
    pub name: String,
    pub level: Level,
    pub grants: Grants,
    /// Came with the product: it can be neither renamed nor deleted.
    pub built_in: bool,
}

impl Role {
    /// The role as one user has it who was given more beside it.
    #[must_use]
    pub fn with(self, own: &Grants) -> Self {
        if own.is_empty() {
            return self;
        }
        let grants = self.grants.iter().chain(own).cloned().collect();
        Self { grants, ..self }
    }
}

/// What the one who changes roles holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    pub level: Level,
    pub grants: Grants,
}

impl Authority {
    /// Whoever runs the command line on the server: the highest level, every permission.
    pub fn operator() -> Self {
        Self { level: Level::MAX, grants: Grants::all() }
    }
}

/// Why a change of roles was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("The role is above your own level.")]
    AboveLevel,
    #[error("You cannot give a permission that you do not hold yourself.")]
    Lacking,
    #[error("This is a built-in role and cannot be changed so.")]
    BuiltIn,
    #[error("There may be at most {MAX_ROLES} roles.")]
    TooManyRoles,
    #[error("A role may have at most {MAX_GRANTS} permissions.")]
    TooManyGrants,
}

/// Whether one role more may be made, where there are so many.
pub fn may_add(roles: usize) -> Result<(), Refusal> {
    if roles < MAX_ROLES { Ok(()) } else { Err(Refusal::TooManyRoles) }
}

/// Whether the role has room for the grant, if it lacks it.
pub fn has_room(role: &Role, grant: &Grant) -> Result<(), Refusal> {
    may_have(role.grants.len() + usize::from(!role.grants.contains(grant)))
}

/// Whether a role may have so many grants.
pub fn may_have(grants: usize) -> Result<(), Refusal> {
    if grants <= MAX_GRANTS { Ok(()) } else { Err(Refusal::TooManyGrants) }
}

/// Whether the actor may give the role to a user.
pub fn may_assign(actor: &Authority, role: &Role) -> Result<(), Refusal> {
    may_create(actor, role.level, &role.grants)
}

/// Whether the actor may make a role with this level and these grants.
pub fn may_create(actor: &Authority, level: Level, grants: &Grants) -> Result<(), Refusal> {
    within_level(actor, level)?;
    let holds_all = grants.iter().all(|grant| actor.grants.covers(grant));
    if holds_all { Ok(()) } else { Err(Refusal::Lacking) }
}

/// Whether the actor may rename the role or delete it.
pub fn may_change(actor: &Authority, role: &Role) -> Result<(), Refusal> {
    if role.built_in {
        return Err(Refusal::BuiltIn);
    }
    within_level(actor, role.level)
}

/// Whether the actor may add the grant to the role.
pub fn may_grant(actor: &Authority, role: &Role, grant: &Grant) -> Result<(), Refusal> {
    may_revoke(actor, role)?;
    if actor.grants.covers(grant) { Ok(()) } else { Err(Refusal::Lacking) }
}

/// Whether the actor may take grants from the role. The built-in role that holds everything keeps
/// it, so that nobody can lock every administrator out.
pub fn may_revoke(actor: &Authority, role: &Role) -> Result<(), Refusal> {
    let is_owner = role.built_in && role.grants.contains(&Grant::All);
    if is_owner {
        return Err(Refusal::BuiltIn);
    }
    within_level(actor, role.level)
}

fn within_level(actor: &Authority, level: Level) -> Result<(), Refusal> {
    if level <= actor.level { Ok(()) } else { Err(Refusal::AboveLevel) }
}

/// A role that every installation starts with.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    pub name: &'static str,
    pub level: Level,
    /// Grants in canonical spelling.
    pub grants: &'static [&'static str],
}

impl BuiltIn {
    /// The grants as a set.
    pub fn grants(&self) -> Grants {
        self.grants.iter().filter_map(|text| Grant::parse(text).ok()).collect()
    }
}

/// The name of the built-in role that may do everything.
pub const OWNER: &str = "owner";
/// The name of the built-in role that may do the least.
pub const USER: &str = "user";

/// `owner`, `staff` and `user`, in falling order of level.
pub const BUILT_IN: [BuiltIn; 3] = [
    BuiltIn { name: OWNER, level: Level::MAX, grants: &["*"] },
    BuiltIn { name: "staff", level: Level(50), grants: &DOCUMENTED_KEYS },
    BuiltIn { name: USER, level: Level(10), grants: &["api.security.mobile_auth.use"] },
];

/// Every permission key of our own endpoints that the documents name.
pub const DOCUMENTED_KEYS: [&str; 17] = [
    "api.admin.activity_log.manage",
    "api.admin.api_permissions.manage",
    "api.admin.api_usage_stats.manage",
    "api.admin.password_breach_status.manage",
    "api.admin.roles.manage",
    "api.admin.security_report.manage",
    "api.admin.user_management_policy.manage",
    "api.security.file_integrity_alerts.manage",
    "api.security.mobile_auth.use",
    "api.security.password_breach_check.read",
    "api.security.sessions.list",
    "api.security.sessions.manage",
    "api.security.sessions.terminate",
    "api.users.edit",
    "api.users.logout_user.manage",
    "api.users.permissions.manage",
    "api.users.users.manage",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permission::Key;

    fn grants(list: &[&str]) -> Grants {
        list.iter().map(|text| Grant::parse(text).unwrap()).collect()
    }

    fn actor(level: i64, list: &[&str]) -> Authority {
        Authority { level: Level::new(level).unwrap(), grants: grants(list) }
    }

    fn role(level: i64, list: &[&str]) -> Role {
        let level = Level::new(level).unwrap();
        let name = "helpers".to_owned();
        Role { id: RoleId(1), name, level, grants: grants(list), built_in: false }
    }

    fn built_in(level: i64, list: &[&str]) -> Role {
        Role { built_in: true, ..role(level, list) }
    }

    #[test]
    fn levels_are_0_to_100() {
        assert_eq!(Level::new(0).map(Level::get), Some(0));
        assert_eq!(Level::new(100), Some(Level::MAX));
        assert_eq!(Level::new(101), None);
        assert_eq!(Level::new(-1), None);
        assert_eq!(Level::new(256), None);
    }

    #[test]
    fn nobody_assigns_above_himself() {
        let check = |actor: Authority, role: Role, expected: Result<(), Refusal>| {
            assert_eq!(may_assign(&actor, &role), expected, "{actor:?} {role:?}");
        };
        check(actor(50, &["api.*"]), role(50, &["api.jobs.read"]), Ok(()));
        check(actor(50, &["api.*"]), role(51, &[]), Err(Refusal::AboveLevel));
        check(actor(50, &["api.jobs.read"]), role(10, &["api.jobs.*"]), Err(Refusal::Lacking));
        check(actor(50, &["api.*"]), role(10, &["*"]), Err(Refusal::Lacking));
        check(actor(50, &["*"]), built_in(50, &["api.x"]), Ok(()));
        check(Authority::operator(), built_in(100, &["*"]), Ok(()));
    }

    #[test]
    fn nobody_changes_a_role_above_himself_or_a_built_in_one() {
        let check = |actor: Authority, role: Role, expected: Result<(), Refusal>| {
            assert_eq!(may_change(&actor, &role), expected, "{actor:?} {role:?}");
        };
        check(actor(50, &[]), role(50, &["api.x"]), Ok(()));
        check(actor(50, &["*"]), role(51, &[]), Err(Refusal::AboveLevel));
        check(Authority::operator(), built_in(10, &[]), Err(Refusal::BuiltIn));
    }

    #[test]
    fn nobody_grants_what_he_lacks() {
        let check = |actor: Authority, role: Role, grant: &str, expected: Result<(), Refusal>| {
            let grant = Grant::parse(grant).unwrap();
            assert_eq!(may_grant(&actor, &role, &grant), expected, "{actor:?} {role:?} {grant}");
        };
        check(actor(50, &["api.x"]), role(50, &[]), "api.x", Ok(()));
        check(actor(50, &["api.x"]), role(50, &[]), "api.y", Err(Refusal::Lacking));
        check(actor(50, &["api.x"]), role(50, &[]), "api.*", Err(Refusal::Lacking));
        check(actor(50, &["api.x"]), role(60, &[]), "api.x", Err(Refusal::AboveLevel));
        check(actor(60, &["api.x"]), built_in(50, &[]), "api.x", Ok(()));
        check(Authority::operator(), built_in(100, &["*"]), "api.x", Err(Refusal::BuiltIn));
    }

    #[test]
    fn the_owner_keeps_everything() {
        let check = |actor: Authority, role: Role, expected: Result<(), Refusal>| {
            assert_eq!(may_revoke(&actor, &role), expected, "{actor:?} {role:?}");
        };
        check(Authority::operator(), built_in(100, &["*"]), Err(Refusal::BuiltIn));
        check(Authority::operator(), role(100, &["*"]), Ok(()));
        check(actor(50, &[]), role(50, &["api.x"]), Ok(()));
        check(actor(50, &[]), role(51, &["api.x"]), Err(Refusal::AboveLevel));
    }

    #[test]
    fn built_in_roles_are_spelled_canonically() {
        for role in BUILT_IN {
            assert_eq!(role.grants().len(), role.grants.len(), "{}", role.name);
            for grant in &role.grants() {
                assert!(role.grants.contains(&grant.to_string().as_str()), "{grant}");
            }
        }
        for key in DOCUMENTED_KEYS {
            assert_eq!(Key::parse(key).unwrap().as_str(), key);
        }
    }
}
