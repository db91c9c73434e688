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
#[expect(clippy::match_same_arms, reason = "a reason has a line of its own")]
pub fn code(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Foreign => "backup_foreign",
        Refusal::NewerFormat { .. } => "backup_newer",
        Refusal::Migrate(MigrateError::Newer { .. }) => "backup_newer",
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

/// A size for people, rounded down.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let (mut tenths, mut unit) = (bytes.saturating_mul(10) / 1024, "KiB");
    for larger in UNITS.into_iter().skip(1) {
        if tenths < 10 * 1024 {
            break;
        }
        (tenths, unit) = (tenths / 1024, larger);
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_the_unit_that_fits() {
        let check = |bytes, told: &str| assert_eq!(size(bytes), told, "{bytes}");
        check(0, "0.0 KiB");
        check(1536, "1.5 KiB");
        check(1024 * 1024, "1.0 MiB");
        check(473_040_845, "451.1 MiB");
        check(5 << 40, "5.0 TiB");
    }
}
