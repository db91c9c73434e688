//! Backups of the whole server but for its secret: `create` makes one while others work, `verify` looks
//! whether one can be restored, `restore` fills an empty database. What stands in one is the store's.

pub mod create;
mod reading;
pub mod restore;
pub mod verify;

use portcullis_store::backup::Refusal;
use portcullis_store::migrate::MigrateError;

pub use reading::Progress;

/// The stable word for why a backup is not restored.
pub fn code(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Foreign => "backup_foreign",
        Refusal::NewerFormat { .. } | Refusal::Migrate(MigrateError::Newer { .. }) => {
            "backup_newer"
        }
        Refusal::Truncated => "backup_truncated",
        Refusal::Damaged | Refusal::Line { .. } | Refusal::Changed => "backup_damaged",
        Refusal::Forged => "backup_forged",
        Refusal::Migrate(MigrateError::OtherSecret) => "other_secret",
        Refusal::Migrate(MigrateError::Changed { .. }) => "schema_differs",
        Refusal::NotEmpty => "database_not_empty",
        Refusal::Io(_) => "backup_unreadable",
        Refusal::Migrate(MigrateError::Store(_)) => "store_unavailable",
    }
}

/// A size for people.
pub fn in_mebibytes(bytes: i64) -> String {
    const TENTH: i64 = 1024 * 1024 / 10;
    let tenths = bytes.saturating_add(TENTH / 2) / TENTH;
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}
