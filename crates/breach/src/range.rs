//! What the range service says of a prefix, or a file of it: a line for each password that has it, suffix
//! and count. The service may add lines with the count 0, so that the length of an answer tells less; they
//! are no passwords.

use crate::{BadLine, Prefix, Sha1, line};

/// All passwords of a prefix.
#[derive(Clone)]
pub struct Range(Vec<Suffix>);

/// One of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Suffix {
    /// The whole hash.
    pub hash: Sha1,
    /// How often it was found; more than never.
    pub count: u64,
}

/// Why a text says nothing of a prefix. What stands there is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotARange {
    #[error("line {line} {why}")]
    Line { line: usize, why: BadLine },
    #[error("line {line} is there twice")]
    Twice { line: usize },
    #[error("nothing stands there")]
    Empty,
}

impl Range {
    /// Reads a text. Its lines may be in any order, and each is a suffix.
    pub fn parse(prefix: Prefix, text: &[u8]) -> Result<Self, NotARange> {
        let digits = prefix.digits();
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        if text.is_empty() {
            return Err(NotARange::Empty);
        }
        let mut found = Vec::with_capacity(text.len() / line::LONGEST);
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let (hash, count) = line::below(&digits, line)
                .map_err(|why| NotARange::Line { line: index + 1, why })?;
            if count > 0 {
                found.push((Suffix { hash, count }, index + 1));
            }
        }
        found.sort_by_key(|(suffix, line)| (suffix.hash, *line));
        let twice = found.array_windows().find(|[one, other]| one.0.hash == other.0.hash);
        match twice {
            Some([_, (_, line)]) => Err(NotARange::Twice { line: *line }),
            None => Ok(Self(found.into_iter().map(|(suffix, _)| suffix).collect())),
        }
    }

    /// How often a password was found, if it was.
    pub fn find(&self, hash: &Sha1) -> Option<u64> {
        let at = self.0.binary_search_by_key(hash, |suffix| suffix.hash).ok()?;
        self.0.get(at).map(|suffix| suffix.count)
    }

    /// In the order of their hashes.
    pub fn suffixes(&self) -> &[Suffix] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUFFIX: &str = "2DC183F740EE76F27B78EB39C8AD972A757";

    fn read(text: &str) -> Result<Range, NotARange> {
        Range::parse(Prefix::parse("21BD1").unwrap(), text.as_bytes())
    }

    #[test]
    fn passwords_are_found_and_padding_is_none() {
        let other = SUFFIX.replace('7', "6");
        let padding = SUFFIX.replace('7', "0");
        for end in ["\r\n", "\n"] {
            let text = [format!("{SUFFIX}:52256179"), format!("{padding}:0"), format!("{other}:1")];
            for text in [text.join(end), text.join(end) + end] {
                let range = read(&text).unwrap();
                assert_eq!(range.find(&Sha1::of(b"P@ssw0rd")), Some(52_256_179));
                assert_eq!(range.suffixes().len(), 2);
                let hash = Sha1::parse(format!("21BD1{padding}").as_bytes()).unwrap();
                assert_eq!(range.find(&hash), None);
            }
        }
        assert!(read(&format!("{SUFFIX}:0")).unwrap().suffixes().is_empty());
    }

    #[test]
    fn what_is_something_else_is_not_read() {
        let check = |text: &str, expected: NotARange| {
            assert_eq!(read(text).err(), Some(expected), "{text}");
        };
        let form = |line| NotARange::Line { line, why: BadLine::Form };
        check("", NotARange::Empty);
        check("\n", NotARange::Empty);
        check("<!doctype html>\n<title>Sign in</title>\n", form(1));
        check(&format!("{SUFFIX}:1\n\n"), form(2));
        check(&format!("{SUFFIX}:1\n{SUFFIX}0:1"), form(2));
        check(&format!("{SUFFIX}:1\n{}:1", &SUFFIX[1..]), form(2));
        check(&format!("21BD1{SUFFIX}:1"), form(1));
        check(&format!("{SUFFIX}:1\n{SUFFIX}:2"), NotARange::Twice { line: 2 });
        let ntlm = NotARange::Line { line: 1, why: BadLine::Ntlm };
        check(&format!("{}:1", &SUFFIX[8..]), ntlm);
    }
}
