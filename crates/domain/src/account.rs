//! What kind of account a user has, and whether it is open.
//!
//! Not permissions: those come from roles.

/// Whether a number can be that of a branch: from 1 to the largest that the clients of the documents,
/// which know it as an integer, hold in 32 bits.
pub fn is_branch(number: i64) -> bool {
    (1..=i64::from(i32::MAX)).contains(&number)
}

/// The five documented account types and their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountType {
    Staff = 1,
    Agent = 2,
    Landlord = 3,
    Tenant = 4,
    Contractor = 5,
}

crate::word::written_as!(AccountType, name);

impl AccountType {
    /// All of them, by id.
    pub const ALL: [Self; 5] =
        [Self::Staff, Self::Agent, Self::Landlord, Self::Tenant, Self::Contractor];

    /// The documented id, 1 to 5.
    pub fn id(self) -> i64 {
        self as i64
    }

    /// The account type of a documented id.
    pub fn from_id(id: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.id() == id)
    }

    /// The documented name, such as `Staff`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Staff => "Staff",
            Self::Agent => "Agent",
            Self::Landlord => "Landlord",
            Self::Tenant => "Tenant",
            Self::Contractor => "Contractor",
        }
    }

    /// Reads a name in any case, such as `staff`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(text))
    }
}

/// Whether an account may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccountStatus {
    Active = 1,
    Disabled = 2,
    /// Gone for everybody but the log: nothing brings it back.
    Deleted = 3,
}

crate::word::written_as!(AccountStatus, name);

impl AccountStatus {
    /// All of them, by id.
    pub const ALL: [Self; 3] = [Self::Active, Self::Disabled, Self::Deleted];

    /// The id, 1 to 3.
    pub fn id(self) -> i64 {
        self as i64
    }

    /// The status of an id.
    pub fn from_id(id: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.id() == id)
    }

    /// `active`, `disabled` or `deleted`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Deleted => "deleted",
        }
    }

    /// The documented name, such as `Active`.
    pub fn title(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Disabled => "Disabled",
            Self::Deleted => "Deleted",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_names_read_back() {
        for (kind, id) in AccountType::ALL.into_iter().zip(1..) {
            assert_eq!(kind.id(), id);
            assert_eq!(AccountType::from_id(id), Some(kind));
            assert_eq!(AccountType::parse(kind.name()), Some(kind));
            assert_eq!(AccountType::parse(&kind.name().to_lowercase()), Some(kind));
        }
        assert_eq!(AccountType::from_id(0), None);
        assert_eq!(AccountType::from_id(6), None);
        assert_eq!(AccountType::parse("staff "), None);
    }

    #[test]
    fn statuses_read_back() {
        assert_eq!(AccountStatus::from_id(1), Some(AccountStatus::Active));
        assert_eq!(AccountStatus::from_id(2), Some(AccountStatus::Disabled));
        assert_eq!(AccountStatus::from_id(3), Some(AccountStatus::Deleted));
        assert_eq!(AccountStatus::from_id(4), None);
        assert_eq!(AccountStatus::Disabled.name(), "disabled");
    }
}
