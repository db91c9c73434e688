//! One row of an import: its cells by column, as text, and the person that they make. No fault
//! repeats what a cell holds, because a file whose columns are out of step has passwords anywhere.

use std::collections::BTreeMap;

use portcullis_domain::account::{AccountStatus, AccountType, is_branch};
use portcullis_domain::password::{ForeignFault, Imported, looks_like_hash};
use portcullis_domain::text::{Email, Name, TextFault, Username};
use zeroize::Zeroizing;

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
    /// In plain text.
    Password,
    PasswordHash,
}

impl Column {
    const ALL: [(Self, &'static str); 11] = [
        (Self::Email, "email"),
        (Self::Username, "username"),
        (Self::FirstName, "first_name"),
        (Self::LastName, "last_name"),
        (Self::Phone, "phone"),
        (Self::Branch, "branch"),
        (Self::AccountType, "account_type"),
        (Self::Role, "role"),
        (Self::Active, "active"),
        (Self::Password, "password"),
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

/// The cells of one row. Any of them may hold a password.
#[derive(Default)]
pub struct Cells(BTreeMap<Column, Zeroizing<String>>);

impl Cells {
    /// Fills a cell; `false` if it was filled before.
    pub fn set(&mut self, column: Column, text: impl Into<String>) -> bool {
        self.0.insert(column, Zeroizing::new(text.into())).is_none()
    }

    /// The trimmed text of a cell; `None` if there is none.
    fn get(&self, column: Column) -> Option<&str> {
        self.whole(column).map(str::trim)
    }

    /// The text of a cell as it stands; `None` if it holds white space alone.
    fn whole(&self, column: Column) -> Option<&str> {
        self.0.get(&column).map(|text| text.as_str()).filter(|text| !text.trim().is_empty())
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
    #[error("It has a password and a password_hash: give one of them.")]
    TwoPasswords,
    #[error("password: It looks like a hash, which belongs in password_hash.")]
    HashAsPassword,
    #[error("password: It is no text: write it in quotes.")]
    PasswordNotText,
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

/// What a row has to sign in by.
pub(super) enum Given {
    Hash(Imported),
    Plain(Zeroizing<String>),
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
}

impl Person {
    /// Reads the cells, or says whose they are and what is wrong.
    pub(super) fn read(
        cells: &Cells,
        origin: Origin,
        account_type: AccountType,
    ) -> Result<(Self, Option<Given>), (Option<Email>, RowFault)> {
        let text = |column| move |fault| RowFault::Text { column, fault };
        let email = cells.get(Column::Email).ok_or((None, RowFault::NoEmail))?;
        let email = Email::parse(email).map_err(|fault| (None, text("email")(fault)))?;
        let person = Self::with(cells, email.clone(), account_type);
        let read = person.and_then(|person| Ok((person, given(cells, origin)?)));
        read.map_err(|fault| (Some(email), fault))
    }

    fn with(cells: &Cells, email: Email, otherwise: AccountType) -> Result<Self, RowFault> {
        let text = |column| move |fault| RowFault::Text { column, fault };
        let name = |column| Name::parse(cells.get(column).unwrap_or_default());
        let username = cells.get(Column::Username).map(Username::parse).transpose();
        let phone = name(Column::Phone).map_err(text("phone"))?;
        let account_type = cells.get(Column::AccountType);
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
        })
    }
}

/// A plain password is taken as it stands: white space around it is a part of it.
fn given(cells: &Cells, origin: Origin) -> Result<Option<Given>, RowFault> {
    let (plain, hash) = (cells.whole(Column::Password), cells.get(Column::PasswordHash));
    Ok(match (plain, hash) {
        (None, None) => None,
        (Some(_), Some(_)) => return Err(RowFault::TwoPasswords),
        (None, Some(hash)) => Some(Given::Hash(match origin {
            Origin::Portcullis => Imported::from_portcullis(hash)?,
            Origin::Elsewhere => Imported::from_elsewhere(hash)?,
        })),
        // It would become the password, and whoever stole it elsewhere could sign in with it.
        (Some(plain), None) if looks_like_hash(plain) => return Err(RowFault::HashAsPassword),
        (Some(plain), None) => Some(Given::Plain(Zeroizing::new(plain.to_owned()))),
    })
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
