//! Who must have a second factor, and from when. Not here: what one is (`second_factor`), and asking
//! whoever has one, which nothing switches off.

use std::time::Duration;

use crate::role::Role;
use crate::text::fold;
use crate::time::Time;

/// What the deployment asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirement {
    /// The names of the roles whose people must have one, folded.
    pub roles: Vec<String>,
    /// How long they may go on without one; `None` for not at all.
    pub grace: Option<Duration>,
}

/// How somebody who has no second factor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nobody asks him to have one.
    Free,
    /// He must have one from then on.
    Until(Time),
    /// He must have one.
    Overdue,
}

impl Requirement {
    /// Whether people of the role must have one.
    pub fn covers(&self, role: &Role) -> bool {
        self.roles.contains(&fold(&role.name))
    }

    /// How somebody of the role stands who was first told so at `told`.
    pub fn judge(&self, role: &Role, told: Time, now: Time) -> Standing {
        if !self.covers(role) {
            return Standing::Free;
        }
        match self.grace.map(|grace| told.plus(grace)) {
            Some(due) if now < due => Standing::Until(due),
            Some(_) | None => Standing::Overdue,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::RoleId;
    use crate::permission::Grants;
    use crate::role::Level;

    #[test]
    fn people_of_the_named_roles_must_have_one_when_their_time_is_over() {
        let told = Time(1_000_000);
        let grace = Duration::from_mins(1);
        let due = told.plus(grace);
        let check = |role: &str, grace, seconds: u64, expected| {
            let requirement = Requirement { roles: vec!["owner".into(), "büro".into()], grace };
            let now = told.plus(Duration::from_secs(seconds));
            assert_eq!(requirement.judge(&named(role), told, now), expected, "{role} {seconds}");
        };
        check("user", Some(grace), 999, Standing::Free);
        check("owners", Some(grace), 999, Standing::Free);
        check("owner", Some(grace), 0, Standing::Until(due));
        check("Owner", Some(grace), 59, Standing::Until(due));
        check("owner", Some(grace), 60, Standing::Overdue);
        check("BÜRO", None, 0, Standing::Overdue);
        assert_eq!(Requirement::default().judge(&named("owner"), told, due), Standing::Free);
    }

    fn named(name: &str) -> Role {
        Role {
            id: RoleId(1),
            name: name.to_owned(),
            level: Level::new(50).unwrap(),
            built_in: false,
            grants: Grants::default(),
        }
    }
}
