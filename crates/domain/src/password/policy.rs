//! What is accepted as a new password. Length is the rule of form; beside it only what is no secret at
//! all is refused: digits alone, and the person's own name or address. Nothing here is asked at sign-in.

use unicode_normalization::UnicodeNormalization as _;

use crate::text::fold;

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
    /// The person's own name or address.
    #[error("must not be your own name or address")]
    TooSimilar,
}

impl PolicyFault {
    /// The stable word, as the Z clients know it (contract Z5).
    pub fn code(self) -> &'static str {
        match self {
            Self::TooShort { .. } => "min_length",
            Self::TooLong => "max_length",
            Self::EntirelyNumeric => "password_entirely_numeric",
            Self::TooSimilar => "password_too_similar",
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
    /// What everybody knows of the person: names and addresses.
    pub own_words: &'a [&'a str],
}

impl Policy<'_> {
    /// Everything that is wrong with a new password, worst first.
    pub fn faults(&self, password: &str) -> Vec<PolicyFault> {
        if is_too_long(password) {
            return vec![PolicyFault::TooLong];
        }
        let is_short = password.nfc().count() < self.min_chars;
        let is_numeric = !password.is_empty() && password.chars().all(char::is_numeric);
        let folded = fold(password.trim());
        let is_own = self.own_words.iter().any(|word| !word.is_empty() && fold(word) == folded);
        [
            is_short.then_some(PolicyFault::TooShort { min: self.min_chars }),
            is_numeric.then_some(PolicyFault::EntirelyNumeric),
            is_own.then_some(PolicyFault::TooSimilar),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Checks a new password of somebody of whom nothing is known. Length is the only rule of form (NIST
/// SP 800-63B-4, section 3.1.1.2): `min_chars` counts code points after normalisation; any character
/// is welcome.
pub fn check_policy(password: &str, min_chars: usize) -> Result<(), PolicyFault> {
    let faults = Policy { min_chars, own_words: &[] }.faults(password);
    faults.first().map_or(Ok(()), |fault| Err(*fault))
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
        let check = |password: &str, expected| {
            assert_eq!(check_policy(password, 15), expected, "{password:?}");
        };
        let short = Err(PolicyFault::TooShort { min: 15 });
        check("", short);
        check("fourteen chars", short);
        check("fifteen chars!!", Ok(()));
        check("               ", Ok(()));
        check(&"🔑".repeat(14), short);
        check(&"🔑".repeat(15), Ok(()));
        // Eight letters, each written as two code points: they count as eight.
        check(&"e\u{301}".repeat(8), short);
        check(&"a".repeat(MAX_BYTES), Ok(()));
        check(&"a".repeat(MAX_BYTES + 1), Err(PolicyFault::TooLong));
    }

    #[test]
    fn what_is_no_secret_is_refused_by_its_name() {
        let own_words = ["ada.lovelace@example.com", "ada.lovelace", "Ada Lovelace", ""];
        let policy = Policy { min_chars: 12, own_words: &own_words };
        let check = |password: &str, expected: &[&str]| {
            let faults = policy.faults(password);
            let codes: Vec<_> = faults.iter().map(|fault| fault.code()).collect();
            assert_eq!(codes, expected, "{password:?}");
        };
        check("a quiet harbour", &[]);
        check("123", &["min_length", "password_entirely_numeric"]);
        check("1234567890123456", &["password_entirely_numeric"]);
        check("١٢٣٤٥٦٧٨٩٠١٢٣٤٥", &["password_entirely_numeric"]);
        check("1234567890123456 ", &[]);
        check("Ada.Lovelace@Example.com", &["password_too_similar"]);
        check(" ada lovelace ", &["password_too_similar"]);
        check("ada lovelace, of London", &[]);
        check("", &["min_length"]);
    }
}
