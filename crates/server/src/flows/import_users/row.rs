//! One row of an import: its cells by column, as text, and the person that they make. No fault
//! repeats what a cell holds, because a file whose columns are out of step has hashes anywhere.

use std::collections::BTreeMap;

use portcullis_domain::account::{AccountStatus, AccountType, is_branch};
use portcullis_domain::password::{ForeignFault, Imported};
use portcullis_domain::text::{Email, Name, TextFault, Username};

/// What a cell is about. The names are those of the columns in a CSV file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    Email,
    Username,
    FirstName,
    LastName,
    Phone,
    Branch,
    AccountType,
    Role,
    Active,
    PasswordHash,
}

impl Column {
    const ALL: [(Self, &'static str); 10] = [
        (Self::Email, "email"),
        (Self::Username, "username"),
        (Self::FirstName, "first_name"),
        (Self::LastName, "last_name"),
        (Self::Phone, "phone"),
        (Self::Branch, "branch"),
        (Self::AccountType, "account_type"),
        (Self::Role, "role"),
        (Self::Active, "active"),
        (Self::PasswordHash, "password_hash"),
    ];

    /// The column of a name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.trim();
        let found = Self::ALL.into_iter().find(|(_, known)| name.eq_ignore_ascii_case(known));
        found.map(|(column, _)| column)
    }

    /// All names, as a sentence lists them.
    pub(super) fn names() -> String {
        Self::ALL.map(|(_, name)| name).join(", ")
    }
}

/// The cells of one row.
#[derive(Default)]
pub struct Cells(BTreeMap<Column, String>);

impl Cells {
    /// Fills a cell; `false` if it was filled before.
    pub fn set(&mut self, column: Column, text: impl Into<String>) -> bool {
        self.0.insert(column, text.into()).is_none()
    }

    /// The trimmed text of a cell; `None` if there is none.
    fn get(&self, column: Column) -> Option<&str> {
        self.0.get(&column).map(|text| text.trim()).filter(|text| !text.is_empty())
    }
}

/// Where hashes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Portcullis,
    Elsewhere,
}

/// Why a row makes no user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowFault {
    #[error("There is no e-mail address, and users are known by it here.")]
    NoEmail,
    #[error("{column}: {fault}")]
    Text { column: &'static str, fault: TextFault },
    #[error("branch: Enter a whole number from 1 to 2147483647.")]
    Branch,
    #[error("account_type: Enter staff, agent, landlord, tenant or contractor.")]
    AccountType,
    #[error("active: Enter true or false.")]
    Active,
    #[error(transparent)]
    Hash(#[from] ForeignFault),
    #[error("Plain passwords are not taken: give password_hash, or set a password later.")]
    PlainPassword,
    #[error("It is not UTF-8 text.")]
    NotUtf8,
    #[error("It is no JSON object of a user.")]
    NotJson,
    #[error("It has {found} fields, and the first line has {expected}.")]
    Fields { found: usize, expected: usize },
    #[error("{0} is none of its keys: {names}.", names = Column::names())]
    UnknownKey(String),
    #[error("It has one key twice.")]
    KeyTwice,
    #[error("It is no record of users: export with manage.py dumpdata auth.user.")]
    OtherModel,
}

/// Somebody who can be made a user.
pub(super) struct Person {
    pub(super) email: Email,
    pub(super) username: Option<Username>,
    pub(super) first_name: Name,
    pub(super) last_name: Name,
    pub(super) phone: Option<String>,
    pub(super) branch_id: i64,
    pub(super) account_type: AccountType,
    pub(super) role: Option<String>,
    pub(super) status: AccountStatus,
    pub(super) hash: Option<Imported>,
}

impl Person {
    /// Reads the cells, or says whose they are and what is wrong.
    pub(super) fn read(
        cells: &Cells,
        origin: Origin,
        account_type: AccountType,
    ) -> Result<Self, (Option<Email>, RowFault)> {
        let text = |column| move |fault| RowFault::Text { column, fault };
        let email = cells.get(Column::Email).ok_or((None, RowFault::NoEmail))?;
        let email = Email::parse(email).map_err(|fault| (None, text("email")(fault)))?;
        Self::with(cells, email.clone(), origin, account_type).map_err(|fault| (Some(email), fault))
    }

    fn with(
        cells: &Cells,
        email: Email,
        origin: Origin,
        otherwise: AccountType,
    ) -> Result<Self, RowFault> {
        let text = |column| move |fault| RowFault::Text { column, fault };
        let name = |column| Name::parse(cells.get(column).unwrap_or_default());
        let username = cells.get(Column::Username).map(Username::parse).transpose();
        let phone = name(Column::Phone).map_err(text("phone"))?;
        let account_type = cells.get(Column::AccountType);
        let hash = cells.get(Column::PasswordHash).map(|hash| match origin {
            Origin::Portcullis => Imported::from_portcullis(hash),
            Origin::Elsewhere => Imported::from_elsewhere(hash),
        });
        Ok(Self {
            email,
            username: username.map_err(text("username"))?,
            first_name: name(Column::FirstName).map_err(text("first_name"))?,
            last_name: name(Column::LastName).map_err(text("last_name"))?,
            phone: Some(phone.as_str().to_owned()).filter(|phone| !phone.is_empty()),
            branch_id: branch(cells.get(Column::Branch))?,
            account_type: account_type
                .map_or(Some(otherwise), AccountType::parse)
                .ok_or(RowFault::AccountType)?,
            role: cells.get(Column::Role).map(str::to_owned),
            status: status(cells.get(Column::Active))?,
            hash: hash.transpose()?,
        })
    }
}

fn branch(cell: Option<&str>) -> Result<i64, RowFault> {
    let Some(text) = cell else { return Ok(1) };
    text.parse().ok().filter(|number| is_branch(*number)).ok_or(RowFault::Branch)
}

fn status(cell: Option<&str>) -> Result<AccountStatus, RowFault> {
    match cell.map(str::to_ascii_lowercase).as_deref() {
        None | Some("true" | "yes" | "1" | "t") => Ok(AccountStatus::Active),
        Some("false" | "no" | "0" | "f") => Ok(AccountStatus::Disabled),
        Some(_) => Err(RowFault::Active),
    }
}
