//! Codes for a lost phone: ten of them, each good once, written `XXXX-XXXX` because the documented
//! clients have a field of at most ten characters for them (contract S5). That is 40 bits, so wrong ones
//! are counted like wrong codes of the app. Kept as keyed MACs. Not here: the app's codes (`totp`).

use zeroize::Zeroizing;

use crate::base32;

/// How many of them there are.
pub const COUNT: usize = 10;

/// Letters and digits that nobody takes for one another.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const HALF: usize = 4;

/// One code. No `Debug`; it leaves this type through [`Self::reveal`].
#[derive(Clone, PartialEq, Eq)]
pub struct BackupCode(Zeroizing<String>);

impl BackupCode {
    /// A new code from bytes of a cryptographic generator.
    pub fn from_random(bytes: [u8; 5]) -> Self {
        Self(Zeroizing::new(base32::spell(&bytes, ALPHABET)))
    }

    /// Reads a code as people type it: capitals or not, with the hyphen or without.
    pub fn parse(text: &str) -> Option<Self> {
        let plain: Zeroizing<String> = Zeroizing::new(match text.split_at_checked(HALF) {
            Some((first, rest)) => {
                let second = rest.strip_prefix('-').unwrap_or(rest);
                [first, second].concat().to_ascii_uppercase()
            }
            None => return None,
        });
        let is_code = plain.len() == 2 * HALF && plain.bytes().all(|byte| ALPHABET.contains(&byte));
        is_code.then_some(Self(plain))
    }

    /// The text for its owner. It must not go into a log, an event or the store.
    pub fn reveal(&self) -> String {
        let (first, second) = self.0.split_at_checked(HALF).unwrap_or((&self.0, ""));
        format!("{first}-{second}")
    }

    /// What is MAC'd.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_code_is_read_back_however_it_is_typed() {
        let check = |bytes, expected: &str| {
            let code = BackupCode::from_random(bytes);
            assert_eq!(code.reveal(), expected);
            for typed in [expected.to_owned(), expected.to_lowercase(), expected.replace('-', "")] {
                assert!(BackupCode::parse(&typed) == Some(code.clone()), "{typed}");
            }
        };
        check([0; 5], "AAAA-AAAA");
        check([0xff; 5], "9999-9999");
        check([0x12, 0x34, 0x56, 0x78, 0x9a], "CJ4F-N8E4");
    }

    #[test]
    fn nothing_else_is_a_code() {
        for text in [
            "",
            "AAAA",
            "AAAA-AAA",
            "AAAA-AAAAA",
            "AAAA--AAAA",
            "AAA-AAAAA",
            "AAAA AAAA",
            " AAAA-AAAA",
            "IIII-IIII",
            "0OO0-1IL1",
            "ÄÄÄÄ-ÄÄÄÄ",
            "123456",
        ] {
            assert!(BackupCode::parse(text).is_none(), "{text:?}");
        }
    }
}
