//! One line of what is published: a hash or the rest of one, a colon, and how often it was found.

use crate::{Prefix, Sha1};

/// Why a line is none of a published file. The line itself is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    #[error("is not a hash, a colon and a count")]
    Form,
    #[error("has an NTLM hash; the file with the SHA-1 hashes is needed")]
    Ntlm,
    #[error("is longer than any line can be")]
    TooLong,
}

/// Digits of a hash.
const HASH: usize = 40;
/// Digits of an NTLM hash, which is published in files of the same form.
const NTLM: usize = 32;
/// More than any published line has: a hash, a colon, a count, and the end of a line.
pub(crate) const LONGEST: usize = HASH + 1 + MOST_DIGITS + 2;
const MOST_DIGITS: usize = 12;

/// `HASH:COUNT`, without the line feed.
pub(crate) fn whole(line: &[u8]) -> Result<(Sha1, u64), BadLine> {
    let (digits, count) = parts(line)?;
    Ok((Sha1::parse(digits).ok_or(BadLine::Form)?, count))
}

/// `SUFFIX:COUNT` below a prefix, whose digits are given.
pub(crate) fn below(prefix: &str, line: &[u8]) -> Result<(Sha1, u64), BadLine> {
    let (suffix, count) = parts(line)?;
    let mut digits = [0; HASH];
    let (first, rest) = digits.split_at_mut(Prefix::DIGITS);
    if suffix.len() + Prefix::DIGITS == NTLM {
        return Err(BadLine::Ntlm);
    }
    if prefix.len() != first.len() || suffix.len() != rest.len() {
        return Err(BadLine::Form);
    }
    first.copy_from_slice(prefix.as_bytes());
    rest.copy_from_slice(suffix);
    Ok((Sha1::parse(&digits).ok_or(BadLine::Form)?, count))
}

fn parts(line: &[u8]) -> Result<(&[u8], u64), BadLine> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let colon = line.iter().position(|byte| *byte == b':').ok_or(BadLine::Form)?;
    let (digits, count) = line.split_at(colon);
    if digits.len() == NTLM {
        return Err(BadLine::Ntlm);
    }
    let count = count.split_first().map(|(_, count)| count).unwrap_or_default();
    let is_number = (1..=MOST_DIGITS).contains(&count.len());
    is_number.then_some(()).ok_or(BadLine::Form)?;
    let count = count.iter().try_fold(0, |sum, byte| match byte {
        b'0'..=b'9' => Ok(sum * 10 + u64::from(byte - b'0')),
        _ => Err(BadLine::Form),
    })?;
    Ok((digits, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH_OF_ABC: &str = "A9993E364706816ABA3E25717850C26C9CD0D89D";

    #[test]
    fn a_line_is_a_hash_and_a_count() {
        let check = |rest: &str, expected: Result<u64, BadLine>| {
            let abc = Sha1::of(b"abc");
            let (first, suffix) = HASH_OF_ABC.split_at(Prefix::DIGITS);
            for line in [format!("{HASH_OF_ABC}{rest}"), format!("{HASH_OF_ABC}{rest}\r")] {
                let read = whole(line.as_bytes()).map(|(hash, count)| (hash == abc, count));
                assert_eq!(read, expected.map(|count| (true, count)), "{line}");
            }
            let line = format!("{suffix}{rest}");
            let read = below(first, line.as_bytes()).map(|(hash, count)| (hash == abc, count));
            assert_eq!(read, expected.map(|count| (true, count)), "{line}");
        };
        check(":3", Ok(3));
        check(":0", Ok(0));
        check(":999999999999", Ok(999_999_999_999));
        check("", Err(BadLine::Form));
        check(":", Err(BadLine::Form));
        check(":-1", Err(BadLine::Form));
        check(":+1", Err(BadLine::Form));
        check(": 1", Err(BadLine::Form));
        check(":1 ", Err(BadLine::Form));
        check(":1:1", Err(BadLine::Form));
        check(":1000000000000", Err(BadLine::Form));
        check("0:1", Err(BadLine::Form));
    }

    #[test]
    fn other_hashes_are_told_by_their_name() {
        let ntlm = "8846F7EAEE8FB117AD06BDD830B7586C";
        assert_eq!(whole(format!("{ntlm}:1").as_bytes()).err(), Some(BadLine::Ntlm));
        let suffix = &ntlm[Prefix::DIGITS..];
        let read = below("8846F", format!("{suffix}:1").as_bytes());
        assert_eq!(read.err(), Some(BadLine::Ntlm));
        for line in ["", ":", "<html>", "\u{feff}A9993E364706816ABA3E25717850C26C9CD0D89D:1"] {
            assert_eq!(whole(line.as_bytes()).err(), Some(BadLine::Form), "{line}");
            assert_eq!(below("A9993", line.as_bytes()).err(), Some(BadLine::Form), "{line}");
        }
    }
}
