//! Who may do what to whose account. Nobody reaches above his own level, gives what he lacks, ends
//! himself by mistake, or takes away the last owner.
//!
//! Not roles, which are in [`crate::role`], and not the permission to administer at all: the door
//! asks for that.

use crate::account::AccountType;
use crate::id::UserId;
use crate::permission::{Grants, Key};
use crate::role::{self, Authority, Role};

/// Moves people to another branch, oneself among them.
const USERS_MANAGE: &str = "api.users.users.manage";
/// Changes the blacklist.
const SESSIONS_MANAGE: &str = "api.security.sessions.manage";

/// Who acts.
#[derive(Clone, Debug)]
pub struct Actor {
    /// `None` for the operator at the command line, who is nobody's equal.
    pub id: Option<UserId>,
    pub authority: Authority,
    pub account_type: AccountType,
}

/// Whose account it is about.
#[derive(Clone, Debug)]
pub struct Target {
    pub id: UserId,
    /// Its level is that of the account.
    pub role: Role,
    /// What was given to the user beside the role.
    pub own: Grants,
    /// It is open, has the built-in role that holds everything, and nobody else who can sign in and do
    /// as much has it.
    pub is_last_owner: bool,
}

/// What is to be done to an account.
#[derive(Clone, Copy, Debug)]
pub enum Act<'a> {
    /// Names, phone.
    Describe,
    /// Another branch.
    Move,
    /// The address, the username, the password: whoever sets them can sign in as the user.
    Identify,
    /// Take its second factor away: with the password alone somebody can sign in as the user then.
    ResetFactor,
    /// Forgive it wrong passwords: whoever does so knows none of it afterwards.
    Unlock,
    /// Make it an account of this type.
    Type(AccountType),
    /// Give it this role in place of its own.
    Assign(&'a Role),
    /// Give it these permissions beside its role.
    Grant(&'a Grants),
    /// Take permissions away that were given beside the role.
    Revoke,
    Enable,
    Disable,
    Delete,
    /// End everything that is signed in to it.
    SignOut,
    /// Put it on the blacklist.
    KeepOut,
    /// Take it off the blacklist.
    LetIn,
}

/// Why it was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("You cannot do this to your own account.")]
    Yourself,
    #[error("This is above your own level.")]
    AboveLevel,
    #[error("You cannot give, or sign in with, a permission that you do not hold yourself.")]
    Lacking,
    #[error("Only staff accounts may do this.")]
    StaffOnly,
    #[error("You may not do this without the permission {0}.")]
    Missing(&'static str),
    #[error("You are not signed in any more.")]
    SignedOut,
    #[error("There must be one open account with the role owner that somebody can sign in to.")]
    LastOwner,
    #[error("This is a built-in role and cannot be changed so.")]
    BuiltIn,
    /// There is no room for more.
    #[error("{0}")]
    Full(role::Refusal),
}

impl From<role::Refusal> for Refusal {
    fn from(refusal: role::Refusal) -> Self {
        match refusal {
            role::Refusal::AboveLevel => Self::AboveLevel,
            role::Refusal::Lacking => Self::Lacking,
            role::Refusal::BuiltIn => Self::BuiltIn,
            full @ (role::Refusal::TooManyRoles | role::Refusal::TooManyGrants) => Self::Full(full),
        }
    }
}

/// Whether the actor may do this to the account.
pub fn judge(actor: &Actor, target: &Target, act: Act<'_>) -> Result<(), Refusal> {
    if actor.id == Some(target.id) && !is_for_oneself(act) {
        return Err(Refusal::Yourself);
    }
    if target.role.level > actor.authority.level {
        return Err(Refusal::AboveLevel);
    }
    // The operator can make another owner at any time.
    if actor.id.is_some() && target.is_last_owner && takes_ownership(act) {
        return Err(Refusal::LastOwner);
    }
    match act {
        Act::Identify | Act::ResetFactor => {
            covers(actor, &target.role.grants).and(covers(actor, &target.own))
        }
        Act::Move => staff_only(actor).and(must_hold(actor, USERS_MANAGE)),
        Act::KeepOut | Act::LetIn => staff_only(actor).and(must_hold(actor, SESSIONS_MANAGE)),
        Act::Type(account_type) => may_make(actor, account_type),
        Act::Assign(role) => role::may_assign(&actor.authority, role).map_err(Refusal::from),
        Act::Grant(grants) => covers(actor, grants),
        Act::Describe
        | Act::Unlock
        | Act::Revoke
        | Act::Enable
        | Act::Disable
        | Act::Delete
        | Act::SignOut => Ok(()),
    }
}

/// Whether the actor may make accounts of this type: staff pass doors that no permission opens, so
/// only staff make staff.
pub fn may_make(actor: &Actor, account_type: AccountType) -> Result<(), Refusal> {
    if account_type == AccountType::Staff { staff_only(actor) } else { Ok(()) }
}

/// Whether a role is the one that nobody can lose altogether: built in, and holding everything.
pub fn is_owner(role: &Role) -> bool {
    role.built_in && role.grants.contains(&crate::permission::Grant::All)
}

/// What people may do to their own account here. A role is among it, because nobody gains by one
/// that is within their level and holds nothing new.
fn is_for_oneself(act: Act<'_>) -> bool {
    matches!(act, Act::Describe | Act::Move | Act::Unlock | Act::Assign(_))
}

fn takes_ownership(act: Act<'_>) -> bool {
    match act {
        Act::Disable | Act::Delete | Act::KeepOut => true,
        Act::Assign(role) => !is_owner(role),
        // The pages that administer are for staff alone.
        Act::Type(account_type) => account_type != AccountType::Staff,
        Act::Describe
        | Act::Move
        | Act::Identify
        | Act::ResetFactor
        | Act::Unlock
        | Act::Grant(_)
        | Act::Revoke
        | Act::Enable
        | Act::SignOut
        | Act::LetIn => false,
    }
}

fn staff_only(actor: &Actor) -> Result<(), Refusal> {
    if actor.account_type == AccountType::Staff { Ok(()) } else { Err(Refusal::StaffOnly) }
}

/// The door asks for it, too; this is what the store says of it now.
fn must_hold(actor: &Actor, key: &'static str) -> Result<(), Refusal> {
    let holds = Key::parse(key).is_ok_and(|key| actor.authority.grants.allows(&key));
    if holds { Ok(()) } else { Err(Refusal::Missing(key)) }
}

fn covers(actor: &Actor, grants: &Grants) -> Result<(), Refusal> {
    let holds_all = grants.iter().all(|grant| actor.authority.grants.covers(grant));
    if holds_all { Ok(()) } else { Err(Refusal::Lacking) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::RoleId;
    use crate::permission::Grant;
    use crate::role::Level;

    const ME: UserId = UserId(1);
    const OTHER: UserId = UserId(2);

    fn grants(list: &[&str]) -> Grants {
        list.iter().map(|text| Grant::parse(text).unwrap()).collect()
    }

    fn role(level: i64, list: &[&str]) -> Role {
        let level = Level::new(level).unwrap();
        Role { id: RoleId(1), name: "r".to_owned(), level, grants: grants(list), built_in: false }
    }

    fn owner() -> Role {
        Role { built_in: true, ..role(100, &["*"]) }
    }

    fn actor(level: i64, list: &[&str]) -> Actor {
        let level = Level::new(level).unwrap();
        let authority = Authority { level, grants: grants(list) };
        Actor { id: Some(ME), authority, account_type: AccountType::Staff }
    }

    fn target(id: UserId, role: Role) -> Target {
        Target { id, role, own: Grants::default(), is_last_owner: false }
    }

    /// The documented table: level of the caller × level of the account × act.
    #[test]
    fn nobody_reaches_above_his_own_level() {
        let (low, given) = (role(10, &[]), grants(&["api.a"]));
        let acts = [
            Act::Describe,
            Act::Move,
            Act::Identify,
            Act::ResetFactor,
            Act::Type(AccountType::Tenant),
            Act::Assign(&low),
            Act::Grant(&given),
            Act::Revoke,
            Act::Enable,
            Act::Disable,
            Act::Delete,
            Act::SignOut,
            Act::KeepOut,
            Act::LetIn,
        ];
        for mine in [10, 50, 100] {
            for theirs in [0, 10, 49, 50, 51, 99, 100] {
                for act in acts {
                    let found = judge(&actor(mine, &["*"]), &target(OTHER, role(theirs, &[])), act);
                    let expected = if theirs > mine { Err(Refusal::AboveLevel) } else { Ok(()) };
                    assert_eq!(found, expected, "{mine} {theirs} {act:?}");
                }
            }
        }
    }

    #[test]
    fn nobody_ends_or_raises_himself() {
        let (low, high, more) = (role(10, &[]), role(60, &[]), role(50, &["api.b"]));
        let given = grants(&["api.a"]);
        let check = |act: Act<'_>, expected| {
            let me = target(ME, role(50, &["api.a"]));
            let mine = ["api.a", USERS_MANAGE, SESSIONS_MANAGE];
            assert_eq!(judge(&actor(50, &mine), &me, act), expected, "{act:?}");
            let operator = Actor { id: None, ..actor(100, &["*"]) };
            assert_eq!(judge(&operator, &me, act), Ok(()), "the operator: {act:?}");
        };
        check(Act::Describe, Ok(()));
        check(Act::Move, Ok(()));
        check(Act::Assign(&low), Ok(()));
        check(Act::Assign(&high), Err(Refusal::AboveLevel));
        check(Act::Assign(&more), Err(Refusal::Lacking));
        for act in [
            Act::Identify,
            Act::ResetFactor,
            Act::Type(AccountType::Agent),
            Act::Grant(&given),
            Act::Revoke,
            Act::Enable,
            Act::Disable,
            Act::Delete,
            Act::SignOut,
            Act::KeepOut,
            Act::LetIn,
        ] {
            check(act, Err(Refusal::Yourself));
        }
    }

    #[test]
    fn nobody_gives_or_takes_over_what_he_lacks() {
        let check = |role: Role, own: &[&str], act: Act<'_>, expected| {
            let other = Target { own: grants(own), ..target(OTHER, role) };
            assert_eq!(judge(&actor(50, &["api.a.*"]), &other, act), expected, "{other:?} {act:?}");
        };
        let (fine, wide) = (grants(&["api.a.b"]), grants(&["api.a.b", "api.c"]));
        check(role(10, &[]), &[], Act::Grant(&fine), Ok(()));
        check(role(10, &[]), &[], Act::Grant(&wide), Err(Refusal::Lacking));
        check(role(50, &["api.c"]), &[], Act::Describe, Ok(()));
        check(role(50, &["api.c"]), &[], Act::Disable, Ok(()));
        check(role(50, &["api.a.b"]), &["api.a.c"], Act::Identify, Ok(()));
        check(role(50, &["api.c"]), &[], Act::Identify, Err(Refusal::Lacking));
        check(role(50, &["api.a.b"]), &[], Act::ResetFactor, Ok(()));
        check(role(50, &["api.c"]), &[], Act::ResetFactor, Err(Refusal::Lacking));
        check(role(50, &[]), &["api.c"], Act::Identify, Err(Refusal::Lacking));
    }

    #[test]
    fn only_staff_make_staff_and_move_people() {
        let check = |mine: AccountType, act: Act<'_>, expected| {
            let keys = [USERS_MANAGE, SESSIONS_MANAGE];
            let actor = Actor { account_type: mine, ..actor(50, &keys) };
            let found = judge(&actor, &target(OTHER, role(10, &[])), act);
            assert_eq!(found, expected, "{mine:?} {act:?}");
        };
        check(AccountType::Staff, Act::Type(AccountType::Staff), Ok(()));
        check(AccountType::Agent, Act::Type(AccountType::Tenant), Ok(()));
        check(AccountType::Agent, Act::Type(AccountType::Staff), Err(Refusal::StaffOnly));
        check(AccountType::Staff, Act::Move, Ok(()));
        check(AccountType::Agent, Act::Move, Err(Refusal::StaffOnly));
        for act in [Act::KeepOut, Act::LetIn] {
            check(AccountType::Staff, act, Ok(()));
            check(AccountType::Agent, act, Err(Refusal::StaffOnly));
        }
    }

    #[test]
    fn a_permission_counts_that_is_still_held() {
        for (act, key) in [
            (Act::Move, USERS_MANAGE),
            (Act::KeepOut, SESSIONS_MANAGE),
            (Act::LetIn, SESSIONS_MANAGE),
        ] {
            let other = target(OTHER, role(10, &[]));
            assert_eq!(judge(&actor(50, &["api.a"]), &other, act), Err(Refusal::Missing(key)));
            assert_eq!(judge(&actor(50, &[key]), &other, act), Ok(()), "{act:?}");
        }
        let me = target(ME, role(50, &[]));
        let found = judge(&actor(50, &["api.a"]), &me, Act::Move);
        assert_eq!(found, Err(Refusal::Missing(USERS_MANAGE)), "nor does anybody move himself");
    }

    #[test]
    fn the_last_owner_stays() {
        let (owner_role, low) = (owner(), role(10, &[]));
        let check = |id: UserId, is_last_owner: bool, act: Act<'_>, expected| {
            let target = Target { is_last_owner, ..target(id, owner()) };
            assert_eq!(judge(&actor(100, &["*"]), &target, act), expected, "{act:?}");
        };
        let away = Act::Type(AccountType::Agent);
        for act in [Act::Disable, Act::Delete, Act::KeepOut, Act::Assign(&low), away] {
            check(OTHER, true, act, Err(Refusal::LastOwner));
            check(OTHER, false, act, Ok(()));
        }
        check(ME, true, Act::Assign(&low), Err(Refusal::LastOwner));
        check(ME, false, Act::Assign(&low), Ok(()));
        let staff = Act::Type(AccountType::Staff);
        for act in [Act::Assign(&owner_role), Act::Describe, Act::SignOut, Act::LetIn, staff] {
            check(OTHER, true, act, Ok(()));
        }
        let operator = Actor { id: None, ..actor(100, &["*"]) };
        let last = Target { is_last_owner: true, ..target(OTHER, owner()) };
        assert_eq!(judge(&operator, &last, Act::KeepOut), Ok(()), "he makes another");
    }
}
