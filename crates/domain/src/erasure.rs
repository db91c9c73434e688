//! Taking a person out: the reason that is kept of it. Not here: what is taken out of where.

use std::fmt;

use crate::event::Text;
use crate::text::TextFault;

/// On what somebody was erased, in the words of who did it, such as the number of his request: 1 to
/// 256 characters of one line. It is kept with the log, so it must not name the person again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basis(String);

const LINES: TextFault = TextFault::Invalid("Control characters are not allowed.");

impl Basis {
    /// Trims and checks.
    pub fn parse(text: &str) -> Result<Self, TextFault> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TextFault::Blank);
        }
        if text.chars().any(char::is_control) {
            return Err(LINES);
        }
        if text.chars().count() > Text::MAX_CHARS {
            return Err(TextFault::TooLong { max: Text::MAX_CHARS });
        }
        Ok(Self(text.to_owned()))
    }

    /// For its event.
    pub fn text(&self) -> Text {
        Text::clip(&self.0)
    }
}

impl fmt::Display for Basis {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_basis_says_something_in_one_line() {
        let check = |text: &str, expected: Result<&str, TextFault>| {
            let parsed = Basis::parse(text).map(|basis| basis.to_string());
            assert_eq!(parsed, expected.map(str::to_owned), "{text:?}");
        };
        check(" request 4711 ", Ok("request 4711"));
        check(&"ö".repeat(256), Ok(&"ö".repeat(256)));
        check(&"ö".repeat(257), Err(TextFault::TooLong { max: 256 }));
        check(" ", Err(TextFault::Blank));
        check("a\nb", Err(LINES));
        check("a\0b", Err(LINES));
    }
}
