//! The blacklist: who is kept out whatever he knows, and why. Not here: who may put somebody on it
//! (`role`), and what ends when they do.

use std::fmt;

use crate::text::TextFault;

/// Why somebody is kept out, in the words of who did it: 1 to 500 characters, as they were typed
/// but for space around them. It may hold anything but NUL, so whoever shows it must not let it act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(String);

const NUL: TextFault = TextFault::Invalid("The character NUL is not allowed.");

impl Reason {
    /// Characters that it may have.
    pub const MAX_CHARS: usize = 500;

    /// Trims and checks.
    pub fn parse(text: &str) -> Result<Self, TextFault> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TextFault::Blank);
        }
        if text.contains('\0') {
            return Err(NUL);
        }
        if text.chars().count() > Self::MAX_CHARS {
            return Err(TextFault::TooLong { max: Self::MAX_CHARS });
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_says_something() {
        let check = |text: &str, expected: Result<&str, TextFault>| {
            let parsed = Reason::parse(text);
            assert_eq!(parsed.as_ref().map(Reason::as_str), expected.as_ref().copied(), "{text:?}");
        };
        check("Left the company", Ok("Left the company"));
        check("  two\nlines\t", Ok("two\nlines"));
        check("=cmd|' /C calc'!A0", Ok("=cmd|' /C calc'!A0"));
        check("<script>", Ok("<script>"));
        check("\u{202e}<script>\u{1b}[31m", Ok("\u{202e}<script>\u{1b}[31m"));
        check("", Err(TextFault::Blank));
        check(" \n\u{a0} ", Err(TextFault::Blank));
        check("a\0b", Err(NUL));
        let long = "ä".repeat(500);
        check(&long, Ok(&long));
        check(&"ä".repeat(501), Err(TextFault::TooLong { max: 500 }));
    }
}
