//! Short codes that people read in a mail and type: what each is for, how long it may wait, how
//! often it may be guessed at. A code is good with its ticket alone, so a guess is at one code of one
//! person and not at all that are in force. Not here: counting guesses, which is the store's.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::secret::Purpose;

/// How often a code may be tried, whoever tries (contract S20).
pub const MAX_ATTEMPTS: i64 = 5;

/// What a code is for. It is good for nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CodePurpose {
    /// To set a new password (contract S19, S20).
    PasswordReset,
    /// To sign in from a place where nobody did before.
    NewPlace,
    /// To sign in where a link was asked for that was opened elsewhere.
    MagicLink,
}

impl CodePurpose {
    /// The word for it in rows and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PasswordReset => "password_reset",
            Self::NewPlace => "new_place",
            Self::MagicLink => "magic_link",
        }
    }

    /// How long it may wait for its use: as documented (contract 2.8), or as NIST SP 800-63B-4 has it
    /// for codes out of band. The code of a link is over with its link.
    pub fn life(self) -> Duration {
        match self {
            Self::PasswordReset => Duration::from_mins(30),
            Self::NewPlace | Self::MagicLink => Duration::from_mins(10),
        }
    }

    /// What its ticket is MAC'd for.
    pub fn of_ticket(self) -> Purpose {
        match self {
            Self::PasswordReset => Purpose::PasswordResetTicket,
            Self::NewPlace => Purpose::NewPlaceTicket,
            Self::MagicLink => Purpose::AskingBrowser,
        }
    }
}

/// Six digits. It has no `Debug`, and leaves this type through [`Self::reveal`].
#[derive(Clone)]
pub struct Code(Zeroizing<String>);

impl Code {
    /// A new code from eight bytes of a cryptographic generator, enough that no code is likelier than
    /// another by more than one part in 10^13.
    pub fn from_random(bytes: [u8; 8]) -> Self {
        Self(Zeroizing::new(format!("{:06}", u64::from_be_bytes(bytes) % 1_000_000)))
    }

    /// Six digits; spaces and hyphens, which people put between them, do not matter.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).take(7).collect();
        let is_code = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_code.then(|| Self(Zeroizing::new(digits)))
    }

    /// The text for its owner. It must not go into a log, an event or the store.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_six_digits() {
        let check = |text: &str, expected: Option<&str>| {
            let code = Code::parse(text);
            assert_eq!(code.as_ref().map(Code::reveal), expected, "{text:?}");
        };
        check("012345", Some("012345"));
        check(" 012 345 ", Some("012345"));
        check("012-345", Some("012345"));
        check("01234", None);
        check("0123456", None);
        check("01234a", None);
        check("٠١٢٣٤٥", None);
        check(&" ".repeat(1000), None);
        check("", None);
    }

    #[test]
    fn a_new_code_keeps_its_zeros() {
        let check = |bytes, expected: &str| {
            let code = Code::from_random(bytes);
            assert_eq!(code.reveal(), expected);
            assert!(Code::parse(code.reveal()).is_some());
        };
        check([0; 8], "000000");
        check(1_000_042_u64.to_be_bytes(), "000042");
        check([0xff; 8], "551615");
    }
}
