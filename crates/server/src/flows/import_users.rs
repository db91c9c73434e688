//! Bringing the users of another system along, with their passwords or, better, the hashes of those. Good
//! rows are written, bad ones are reported, and users who are here already are left as they are, so a file
//! can be imported again after it was mended.
//!
//! Not here: the files (`read`), what makes a row good (`row`), what becomes of plain passwords (`plain`), and
//! the hashes themselves, which are checked at sign-in and replaced there by our own.

mod plain;
mod read;
mod row;

use std::collections::HashMap;

use portcullis_domain::account::{AccountStatus, AccountType};
use portcullis_domain::event::{Event, Text};
use portcullis_domain::id::RoleId;
use portcullis_domain::password::PolicyFault;
use portcullis_domain::role::{self, Role};
use portcullis_domain::text::{Email, Identifier, Username, fold};
use portcullis_store::{Error, Tx, roles, users};

pub use plain::Passwords;
pub use read::{FileFault, Row, rows};
pub use row::{Cells, Column, Origin, RowFault};

use super::roles::Acting;
use crate::hasher::Busy;
use plain::Ready;
use row::{Given, Person};

/// Rows that are written in one transaction. A running server waits for it at most that long.
const BATCH: usize = 200;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line, with the names of our columns as keys.
    Portcullis,
    /// What `manage.py dumpdata auth.user` prints.
    Django,
    /// A first line that names columns, in any order.
    Csv,
}

/// What an import does with good rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Write,
    /// Everything but hashing and writing.
    DryRun,
}

/// How to import.
#[derive(Clone, Debug)]
pub struct Options {
    pub mode: Mode,
    /// Whose hashes they are.
    pub origin: Origin,
    /// The name of the role of rows that name none.
    pub role: String,
    /// The account type of rows that name none.
    pub account_type: AccountType,
}

/// What became of an import.
#[derive(Debug)]
pub enum Outcome {
    /// The file was read. Good rows were written, unless it was a dry run.
    Read(Report),
    /// There is no role of the name that rows without one should get. Nothing was read.
    UnknownRole,
}

/// What became of the rows.
#[derive(Debug, Default)]
pub struct Report {
    pub created: u64,
    /// How many of those cannot sign in by password yet.
    pub without_password: u64,
    /// How many of those are closed accounts.
    pub disabled: u64,
    /// How many of those have a password that not everybody who was asked could look up.
    pub deferred: u64,
    /// Users who are here already.
    pub skipped: Vec<Skipped>,
    pub refused: Vec<Refused>,
}

/// A user who is here already.
#[derive(Debug, PartialEq, Eq)]
pub struct Skipped {
    pub at: u64,
    pub email: Email,
}

/// A row that was not imported.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    /// The number of its line, or of its record.
    pub at: u64,
    /// Whose it is, if that could be read.
    pub email: Option<Email>,
    pub fault: Fault,
}

/// Why a row was not imported.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error(transparent)]
    Row(RowFault),
    #[error("role: There is no role of this name.")]
    UnknownRole,
    #[error(transparent)]
    NotAllowed(role::Refusal),
    #[error("The file names this user before, in number {0}.")]
    Twice(u64),
    #[error("email: This is another user's username.")]
    EmailTaken,
    #[error("username: It belongs to another user.")]
    UsernameTaken,
    #[error("password: {}.", told(.0))]
    Password(Vec<PolicyFault>),
    /// Nothing after it was read.
    #[error("{0} Nothing after it was read.")]
    File(FileFault),
}

fn told(faults: &[PolicyFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Why an import ended before the file did. What was written before stays.
#[derive(Debug, thiserror::Error)]
pub enum Halt {
    #[error(transparent)]
    Store(#[from] Error),
    #[error("a password cannot be hashed: there may be too little memory")]
    Hash(#[from] Busy),
}

/// Imports rows. `told` hears after each batch how far it is.
pub async fn import(
    acting: &Acting<'_>,
    passwords: &Passwords<'_>,
    options: &Options,
    rows: impl Iterator<Item = Result<Row, FileFault>>,
    mut told: impl FnMut(&Report),
) -> Result<Outcome, Halt> {
    let all = roles::list(&mut acting.db.read().await?).await?;
    let roles: HashMap<String, Role> =
        all.into_iter().map(|role| (fold(&role.name), role)).collect();
    if !roles.contains_key(&fold(options.role.trim())) {
        return Ok(Outcome::UnknownRole);
    }
    let mut importer = Importer { acting, passwords, options, roles, seen: HashMap::new() };
    let mut report = Report::default();
    let mut rows = rows.peekable();
    while rows.peek().is_some() {
        let batch: Vec<_> = rows.by_ref().take(BATCH).collect();
        importer.batch(batch, &mut report).await?;
        told(&report);
    }
    Ok(Outcome::Read(report))
}

struct Importer<'a> {
    acting: &'a Acting<'a>,
    passwords: &'a Passwords<'a>,
    options: &'a Options,
    /// By folded name.
    roles: HashMap<String, Role>,
    /// Folded addresses and usernames of the file, and where they were.
    seen: HashMap<String, u64>,
}

/// What is to become of a row, as far as it is known. `P` is the password of a good one.
enum Fate<P> {
    Good(Good<P>),
    Skipped(Skipped),
    Refused(Refused),
}

/// A row that may be written.
struct Good<P> {
    at: u64,
    person: Person,
    role: (RoleId, Text),
    password: Option<P>,
}

impl<P> Good<P> {
    /// What becomes of it when it is known whether its names are free.
    fn with(self, standing: Standing) -> Fate<P> {
        let (at, email) = (self.at, self.person.email.clone());
        match standing {
            Standing::Free => Fate::Good(self),
            Standing::Here => Fate::Skipped(Skipped { at, email }),
            Standing::Taken(fault) => Fate::Refused(Refused { at, email: Some(email), fault }),
        }
    }
}

/// Whether a name is somebody's.
enum Standing {
    Free,
    /// The user is here.
    Here,
    Taken(Fault),
}

impl Report {
    fn count(&mut self, fate: Fate<Ready>) {
        match fate {
            Fate::Good(good) => {
                self.created += 1;
                self.without_password += u64::from(good.password.is_none());
                self.disabled += u64::from(good.person.status == AccountStatus::Disabled);
                self.deferred += u64::from(good.password.is_some_and(|ready| ready.is_deferred));
            }
            Fate::Skipped(skipped) => self.skipped.push(skipped),
            Fate::Refused(refused) => self.refused.push(refused),
        }
    }
}

impl Importer<'_> {
    async fn batch(
        &mut self,
        rows: Vec<Result<Row, FileFault>>,
        report: &mut Report,
    ) -> Result<(), Halt> {
        let fates = rows.into_iter().map(|row| self.judge(row)).collect();
        let fates = self.newcomers(fates).await?;
        // A running server waits for this transaction, so it waits for nothing.
        let fates = self.passwords.ready(fates, self.options.mode, self.acting.random).await?;
        let mut tx = match self.options.mode {
            Mode::Write => self.acting.db.write().await?,
            Mode::DryRun => self.acting.db.read().await?,
        };
        for fate in fates {
            let done = match fate {
                Fate::Good(good) => {
                    let standing = self.write(&mut tx, &good).await?;
                    good.with(standing)
                }
                other @ (Fate::Skipped(_) | Fate::Refused(_)) => other,
            };
            report.count(done);
        }
        match self.options.mode {
            Mode::Write => Ok(tx.commit().await?),
            Mode::DryRun => Ok(()),
        }
    }

    /// Everything that can be said of a row without asking who is here.
    fn judge(&mut self, row: Result<Row, FileFault>) -> Fate<Given> {
        let (at, judged) = match row {
            Ok(Row { at, cells }) => (at, self.good(at, cells)),
            Err(fault) => (fault.at(), Err((None, Fault::File(fault)))),
        };
        match judged {
            Ok(good) => Fate::Good(good),
            Err((email, fault)) => Fate::Refused(Refused { at, email, fault }),
        }
    }

    fn good(
        &mut self,
        at: u64,
        cells: Result<Cells, RowFault>,
    ) -> Result<Good<Given>, (Option<Email>, Fault)> {
        let cells = cells.map_err(|fault| (None, Fault::Row(fault)))?;
        let read = Person::read(&cells, self.options.origin, self.options.account_type);
        let (person, password) = read.map_err(|(email, fault)| (email, Fault::Row(fault)))?;
        let mine = |fault| (Some(person.email.clone()), fault);
        let name = person.role.as_deref().unwrap_or(&self.options.role);
        let role = self.roles.get(&fold(name.trim())).ok_or_else(|| mine(Fault::UnknownRole))?;
        role::may_assign(self.acting.authority, role).map_err(|no| mine(Fault::NotAllowed(no)))?;
        let role = (role.id, Text::clip(&role.name));
        let username = person.username.as_ref().map(Username::folded);
        let names = [Some(person.email.folded()), username];
        if let Some(before) = names.iter().flatten().find_map(|name| self.seen.get(*name)) {
            return Err(mine(Fault::Twice(*before)));
        }
        self.seen.extend(names.into_iter().flatten().map(|name| (name.to_owned(), at)));
        Ok(Good { at, person, role, password })
    }

    /// Sorts out whose names are not free, so that no plain password of theirs is hashed. Where there is none,
    /// that is left to the transaction that writes.
    async fn newcomers(&self, fates: Vec<Fate<Given>>) -> Result<Vec<Fate<Given>>, Error> {
        let is_plain = |good: &Good<Given>| matches!(good.password, Some(Given::Plain(_)));
        let mut tx = None;
        let mut sorted = Vec::with_capacity(fates.len());
        for fate in fates {
            sorted.push(match fate {
                Fate::Good(good) if is_plain(&good) => {
                    let tx = match &mut tx {
                        Some(tx) => tx,
                        none @ None => none.insert(self.acting.db.read().await?),
                    };
                    let standing = look_up(tx, &good.person).await?;
                    good.with(standing)
                }
                other @ (Fate::Good(_) | Fate::Skipped(_) | Fate::Refused(_)) => other,
            });
        }
        Ok(sorted)
    }

    /// Writes the user if all names are free.
    async fn write(&self, tx: &mut Tx, good: &Good<Ready>) -> Result<Standing, Error> {
        let standing = look_up(tx, &good.person).await?;
        if !matches!(standing, Standing::Free) || self.options.mode == Mode::DryRun {
            return Ok(standing);
        }
        let id = match users::insert(tx, &self.new_user(good), self.acting.now).await {
            Ok(id) => id,
            // Somebody was faster; now he can be seen.
            Err(Error::Conflict) => {
                return match look_up(tx, &good.person).await? {
                    Standing::Free => Err(Error::Conflict),
                    taken @ (Standing::Here | Standing::Taken(_)) => Ok(taken),
                };
            }
            Err(error) => return Err(error),
        };
        let (account_type, status) = (good.person.account_type, good.person.status);
        if status == AccountStatus::Disabled {
            users::set_status(tx, id, status, self.acting.now).await?;
        }
        let event = Event::UserImported { account_type, role: good.role.1.clone(), status };
        self.acting.record(tx, &event, Some(id)).await?;
        Ok(Standing::Free)
    }

    fn new_user(&self, good: &Good<Ready>) -> users::NewUser {
        let person = &good.person;
        users::NewUser {
            uuid: self.acting.random.row_id(self.acting.now),
            email: person.email.clone(),
            username: person.username.clone(),
            first_name: person.first_name.clone(),
            last_name: person.last_name.clone(),
            phone: person.phone.clone(),
            branch_id: person.branch_id,
            account_type: person.account_type,
            role_id: good.role.0,
            password: good.password.as_ref().and_then(|ready| ready.stored.clone()),
        }
    }
}

async fn look_up(tx: &mut Tx, person: &Person) -> Result<Standing, Error> {
    if users::by_email(tx, &person.email).await?.is_some() {
        return Ok(Standing::Here);
    }
    let username = person.username.as_ref().map(Username::as_str);
    for (name, fault) in
        [(Some(person.email.as_str()), Fault::EmailTaken), (username, Fault::UsernameTaken)]
    {
        // What is an address or a username can be looked up.
        let Some(name) = name.and_then(|name| Identifier::parse(name).ok()) else { continue };
        if users::by_identifier(tx, &name).await?.is_some() {
            return Ok(Standing::Taken(fault));
        }
    }
    Ok(Standing::Free)
}

#[cfg(test)]
mod tests;
