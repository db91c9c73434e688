//! What is accepted as a new password (NIST SP 800-63B-4, section 3.1.1.2). Length is the rule of form; beside
//! it only what is no secret at all is refused, and the whole password counts for that, never a part of it.
//! Nothing here is asked at sign-in. Not here: who knows common and breached passwords.

use std::fmt;

use unicode_normalization::UnicodeNormalization as _;

use super::known_words;
use super::predictable::is_predictable;
use crate::text::grouped;

/// The longest text that is looked at, in bytes. It leaves room for 255 characters of any script.
pub const MAX_BYTES: usize = 1024;

/// Why a new password is not accepted. The text says what is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFault {
    /// Fewer characters than asked for.
    #[error("must have at least {min} characters")]
    TooShort {
        /// The least number of Unicode code points.
        min: usize,
    },
    /// More than [`MAX_BYTES`].
    #[error("must have at most {MAX_BYTES} bytes")]
    TooLong,
    /// Digits and nothing else, as in a date or a telephone number.
    #[error("must not be made of digits alone")]
    EntirelyNumeric,
    /// Made of the person's own names and address, and the name of the service.
    #[error("must not be made of your own name or address, or of the name of this service")]
    TooSimilar,
    /// It follows from its first characters.
    #[error("must not be one piece over and over, or a row of letters, digits or keys")]
    Predictable,
    /// It is among the first that are guessed.
    #[error("must not be one of the most common passwords")]
    TooCommon,
    /// It stands in lists that guesses are made from.
    #[error("must be another: it has appeared in {}", Breaches(*count))]
    Breached {
        /// In how many, at least.
        count: u64,
    },
}

/// So many breaches, in words.
struct Breaches(u64);

impl fmt::Display for Breaches {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match i64::try_from(self.0) {
            Ok(0 | 1) => out.write_str("a data breach"),
            Ok(many) => write!(out, "{} data breaches", grouped(many)),
            Err(_) => out.write_str("countless data breaches"),
        }
    }
}

impl PolicyFault {
    /// The stable word, as the Z clients know it (contract Z5).
    pub fn code(self) -> &'static str {
        match self {
            Self::TooShort { .. } => "min_length",
            Self::TooLong => "max_length",
            Self::EntirelyNumeric => "password_entirely_numeric",
            Self::TooSimilar => "password_too_similar",
            Self::Predictable | Self::TooCommon => "password_too_common",
            Self::Breached { .. } => "password_breached",
        }
    }
}

/// How long new passwords must be, in Unicode code points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths {
    /// One that stands alone.
    pub alone: usize,
    /// One beside a second factor; not more.
    pub with_factor: usize,
}

/// What a new password is measured by.
#[derive(Debug, Clone, Copy)]
pub struct Policy<'a> {
    /// The least number of Unicode code points.
    pub min_chars: usize,
    /// What everybody knows of the person and the service: names and addresses.
    pub known_words: &'a [&'a str],
}

impl Policy<'_> {
    /// Whether it is long enough, in its normal form.
    pub fn is_long(&self, password: &str) -> bool {
        password.nfc().count() >= self.min_chars
    }

    /// Everything that is wrong with a new password, worst first.
    pub fn faults(&self, password: &str) -> Vec<PolicyFault> {
        if is_too_long(password) {
            return vec![PolicyFault::TooLong];
        }
        let is_short = !self.is_long(password);
        let is_numeric = !password.is_empty() && password.chars().all(char::is_numeric);
        let is_known = known_words::is_made_of(password, self.known_words);
        [
            is_short.then_some(PolicyFault::TooShort { min: self.min_chars }),
            is_numeric.then_some(PolicyFault::EntirelyNumeric),
            is_known.then_some(PolicyFault::TooSimilar),
            (!is_numeric && is_predictable(password)).then_some(PolicyFault::Predictable),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Whether a text is too long to be looked at, at sign-in as well.
pub fn is_too_long(password: &str) -> bool {
    password.len() > MAX_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_the_only_rule_of_form() {
        let check = |password: &str, expected: &[PolicyFault]| {
            let faults = Policy { min_chars: 15, known_words: &[] }.faults(password);
            assert_eq!(faults, expected, "{password:?}");
        };
        let short = [PolicyFault::TooShort { min: 15 }];
        check("", &short);
        check("fourteen chars", &short);
        check("fifteen chars!!", &[]);
        check("this is a phrase of words alone, of sixty-four characters and so", &[]);
        check("🔑🚪🔑🔒🗝🔑🔒🚪🔑🗝🚪🔑🔒🔑🚪", &[]);
        // Fourteen letters, the first written as two code points.
        check("e\u{301}quatorze lett", &short);
        check("e\u{301}quatorze lettr", &[]);
        check(&"a b".repeat(400), &[PolicyFault::TooLong]);
    }

    #[test]
    fn what_is_no_secret_is_refused_by_its_name() {
        let known_words = ["ada.lovelace@example.com", "ada.lovelace", "Ada Lovelace", ""];
        let policy = Policy { min_chars: 12, known_words: &known_words };
        let check = |password: &str, expected: &[&str]| {
            let faults = policy.faults(password);
            let codes: Vec<_> = faults.iter().map(|fault| fault.code()).collect();
            assert_eq!(codes, expected, "{password:?}");
        };
        check("a quiet harbour", &[]);
        check("123", &["min_length", "password_entirely_numeric"]);
        check("1234567890123456", &["password_entirely_numeric"]);
        check("١٢٣٤٥٦٧٨٩٠١٢٣٤٥", &["password_entirely_numeric"]);
        check("1234567890123456 ", &["password_too_common"]);
        check("aaaaaaaaaaaa", &["password_too_common"]);
        check("Ada.Lovelace@Example.com", &["password_too_similar"]);
        check(" ada lovelace ", &["password_too_similar"]);
        check("ada lovelace, of London", &[]);
        check("", &["min_length"]);
    }

    #[test]
    fn every_fault_is_told_in_words() {
        let check = |count: u64, expected: &str| {
            assert_eq!(PolicyFault::Breached { count }.to_string(), expected);
        };
        check(1, "must be another: it has appeared in a data breach");
        check(52_256_179, "must be another: it has appeared in 52,256,179 data breaches");
        check(u64::MAX, "must be another: it has appeared in countless data breaches");
    }
}
