//! The second factor of a sign-in: what somebody may type as one, how often and how long, and what a
//! session knows of it. Not here: the codes themselves (`totp`, `backup_code`), and counting, which is
//! the store's.

use std::time::Duration;

use crate::backup_code::BackupCode;
use crate::throttle::Limit;
use crate::totp::TotpCode;

/// How long whoever begins to set a factor up may take until its first code.
pub const PENDING_FOR: Duration = Duration::from_mins(10);
/// How long somebody whose password was right may take for the code.
pub const TICKET_LIFE: Duration = Duration::from_mins(5);
/// Wrong codes in a row, whoever tries and however he came there, after which nobody tries for a while
/// (contract S6).
pub const LOCK: Limit = Limit { count: 5, period: Duration::from_mins(15) };
/// After so many wrong codes in a row those of the app are not taken any more: the lock alone leaves
/// somebody with the password an even chance within two years (NIST SP 800-63B-4, section 3.2.2).
pub const EXHAUSTED_AFTER: i64 = 100;
/// The longest text that is looked at as a code, in characters (contract S5).
pub const MAX_CODE: usize = 10;

/// What a sign-in knows of the second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondFactor {
    /// Nobody was asked, because the user has none.
    NotAsked,
    /// It was passed.
    Passed,
}

/// What somebody typed as a second factor.
pub enum Typed {
    App(TotpCode),
    Backup(BackupCode),
    /// It can be neither.
    Neither,
}

impl Typed {
    /// Reads it. No text is both.
    pub fn read(text: &str) -> Self {
        match (TotpCode::parse(text), BackupCode::parse(text)) {
            (Some(code), _) => Self::App(code),
            (None, Some(code)) => Self::Backup(code),
            (None, None) => Self::Neither,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_one_or_the_other() {
        let check = |text: &str, expected: &str| {
            let found = match Typed::read(text) {
                Typed::App(_) => "app",
                Typed::Backup(_) => "backup",
                Typed::Neither => "neither",
            };
            assert_eq!(found, expected, "{text:?}");
        };
        check("123456", "app");
        check("2345-6789", "backup");
        check("23456789", "backup");
        check("abcd-efgh", "backup");
        check("12345678", "neither");
        check(" 123456", "neither");
        check("", "neither");
    }
}
