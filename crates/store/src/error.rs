//! The four kinds of failure, chosen by what the caller can do about them. "Not there" is not a
//! failure: it is `None` or `false`.

use std::fmt;

use sqlx::error::{DatabaseError, ErrorKind};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A unique value is taken, or a row that must exist does not.
    #[error("the database holds something that does not go with this")]
    Conflict,
    /// The database is down, full, or too busy. Trying again later may help. The cause is logged
    /// where it is found.
    #[error("the database cannot be reached or is too busy")]
    Unavailable,
    /// A stored value is none that we could have written.
    #[error("{table}.{column} of {id} cannot be read")]
    Corrupt { table: &'static str, column: &'static str, id: String },
    /// Anything else: a fault of ours, of the driver or of the database.
    #[error("the database driver failed")]
    Driver(#[source] Fault),
}

/// A driver's error without the values that PostgreSQL repeats in its details.
pub struct Fault(sqlx::Error);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fault({})", self.0)
    }
}

impl std::error::Error for Fault {}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match kind(&error) {
            Kind::Conflict => Self::Conflict,
            Kind::Unavailable => {
                tracing::warn!(cause = %error, "the database is unavailable");
                Self::Unavailable
            }
            Kind::Other => Self::Driver(Fault(error)),
        }
    }
}

pub(crate) fn corrupt(table: &'static str, column: &'static str, id: impl fmt::Display) -> Error {
    Error::Corrupt { table, column, id: id.to_string() }
}

pub(crate) fn second_statement() -> Error {
    let text = "a second statement through a handle for one statement".to_owned();
    Error::Driver(Fault(sqlx::Error::Protocol(text)))
}

enum Kind {
    Conflict,
    Unavailable,
    Other,
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the driver's enum is non-exhaustive")]
fn kind(error: &sqlx::Error) -> Kind {
    match error {
        sqlx::Error::Database(error) => database_kind(error.as_ref()),
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Io(_)
        | sqlx::Error::Tls(_) => Kind::Unavailable,
        _ => Kind::Other,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the driver's enum is non-exhaustive")]
fn database_kind(error: &dyn DatabaseError) -> Kind {
    match error.kind() {
        ErrorKind::UniqueViolation | ErrorKind::ForeignKeyViolation => Kind::Conflict,
        _ => match error.code() {
            Some(code) if passes_by_itself(&code) => Kind::Unavailable,
            _ => Kind::Other,
        },
    }
}

/// Codes of SQLite are numbers (the low byte is the kind); those of PostgreSQL have five
/// characters, of which the first two are the class.
fn passes_by_itself(code: &str) -> bool {
    const BUSY_LOCKED_IO_FULL_CANTOPEN: [i64; 5] = [5, 6, 10, 13, 14];
    const CONNECTION_ROLLBACK_RESOURCES_OPERATOR: [&str; 4] = ["08", "40", "53", "57"];
    /// A write on a server that became a replica (the pool will find the new primary), a transaction
    /// in which we were silent for too long, and a lock that others hold.
    const READ_ONLY_IDLE_LOCKED: [&str; 3] = ["25006", "25P03", "55P03"];
    match code.parse::<i64>() {
        Ok(number) if code.len() != 5 => BUSY_LOCKED_IO_FULL_CANTOPEN.contains(&(number & 0xff)),
        _ => {
            READ_ONLY_IDLE_LOCKED.contains(&code)
                || CONNECTION_ROLLBACK_RESOURCES_OPERATOR
                    .iter()
                    .any(|class| code.starts_with(class))
        }
    }
}
