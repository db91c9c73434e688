//! The first page of an index: what it is of, as text that people can read with `head -c 4096`, and
//! signatures of that text. It has the digest of all that follows, so whoever signs the head signs the
//! index. Not here: keys; a head with its signatures is a signed note (C2SP), which others check.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;

/// Bytes of the page: text, then zeros.
pub(crate) const PAGE: usize = 4096;
/// The first line, with the version of the format.
const FIRST: &str = "portcullis breach index 1";
/// The first line of any version.
const ANY: &str = "portcullis breach index ";
/// What opens a line of a signature: an em dash and a space.
const SIGNATURE: &str = "\u{2014} ";

/// What an index is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Of when the published passwords are.
    pub date: Date,
    /// Those that were found fewer times are not in it.
    pub min_count: u64,
    /// How many passwords are in it.
    pub entries: u64,
    /// Of all bytes behind the head.
    pub digest: Digest,
}

/// A head with its signatures, as they stand there.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) head: Head,
    /// The text, an empty line, and the lines of the signatures.
    pub(crate) note: String,
}

/// Why a page is no head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadPage {
    /// It is something else.
    Foreign,
    /// It is one of another version.
    Version,
    /// It was one.
    Damaged,
}

/// SHA-256, as 64 lower-case digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub(crate) [u8; 32]);

impl Head {
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        (lines.next()? == FIRST && lines.next()? == "hash sha1").then_some(())?;
        let mut value = |key: &str| lines.next()?.strip_prefix(key)?.strip_prefix(' ');
        let head = Self {
            date: value("date")?.parse().ok()?,
            min_count: value("min-count")?.parse().ok()?,
            entries: value("entries")?.parse().ok()?,
            digest: value("sha256")?.parse().ok()?,
        };
        // One head has one spelling.
        (head.to_string() == text).then_some(head)
    }
}

impl fmt::Display for Head {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { date, min_count, entries, digest } = self;
        writeln!(out, "{FIRST}\nhash sha1\ndate {date}\nmin-count {min_count}")?;
        writeln!(out, "entries {entries}\nsha256 {digest}")
    }
}

impl Page {
    /// Reads what [`write`] wrote.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, BadPage> {
        let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        if !first.starts_with(ANY.as_bytes()) {
            return Err(BadPage::Foreign);
        }
        if first != FIRST.as_bytes() {
            return Err(BadPage::Version);
        }
        let length = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let note = bytes.get(..length).and_then(|text| std::str::from_utf8(text).ok());
        let (text, signatures) =
            note.and_then(|note| note.split_once("\n\n")).ok_or(BadPage::Damaged)?;
        let are_signatures = signatures.lines().all(|line| line.starts_with(SIGNATURE));
        let head = Head::parse(&format!("{text}\n")).filter(|_| are_signatures);
        Ok(Self { head: head.ok_or(BadPage::Damaged)?, note: note.unwrap_or_default().to_owned() })
    }
}

/// The page of a head, with the signatures of a note of it, if there is one. None if it is no note of this
/// head, or does not fit.
pub(crate) fn write(head: &Head, note: Option<&str>) -> Option<Vec<u8>> {
    let bare = format!("{head}\n");
    let text = note.unwrap_or(&bare);
    let mut page = text.as_bytes().to_vec();
    (page.len() <= PAGE && text.starts_with(&bare)).then_some(())?;
    page.resize(PAGE, 0);
    Page::parse(&page).ok().map(|_| page)
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Digest({self})")
    }
}

/// The text is not 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotADigest;

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| NotADigest)?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        Head {
            date: "2025-11-20".parse().unwrap(),
            min_count: 2,
            entries: 2_000_000_000,
            digest: Digest([7; 32]),
        }
    }

    #[test]
    fn a_head_is_read_as_it_was_written() {
        let signed = format!("{}\n\u{2014} example.com AAAA\n\u{2014} other BBBB\n", head());
        for note in [None, Some(signed.as_str())] {
            let page = write(&head(), note).unwrap();
            assert_eq!(page.len(), PAGE);
            let read = Page::parse(&page).unwrap();
            assert_eq!(read.head, head());
            assert_eq!(read.note, note.map_or(format!("{}\n", head()), str::to_owned));
        }
    }

    #[test]
    fn what_is_no_head_is_not_read() {
        let good = head().to_string();
        let check = |text: &str, expected: BadPage| {
            let mut page = text.as_bytes().to_vec();
            page.resize(PAGE, 0);
            assert_eq!(Page::parse(&page).err(), Some(expected), "{text}");
        };
        check("", BadPage::Foreign);
        check("SQLite format 3", BadPage::Foreign);
        check(&good.replace("index 1", "index 2"), BadPage::Version);
        check(&good.replace("index 1", "index 11"), BadPage::Version);
        for (from, to) in [
            ("sha1", "ntlm"),
            ("2025-11-20", "2025-13-20"),
            ("min-count 2", "min-count 02"),
            ("entries 2", "entries -2"),
            ("0707", "070G"),
            ("min-count 2\n", ""),
        ] {
            check(&(good.replace(from, to) + "\n"), BadPage::Damaged);
        }
        check(&good, BadPage::Damaged);
        check(&format!("{good}\nnot a signature\n"), BadPage::Damaged);
        check(&format!("{good}more\n\n"), BadPage::Damaged);
    }

    #[test]
    fn a_note_of_something_else_is_not_written() {
        let other = Head { entries: 1, ..head() }.to_string();
        let long = format!("{}\n{}", head(), "\u{2014} k AAAA\n".repeat(PAGE / 8));
        for note in [other.as_str(), "", &long, &format!("{}\nnothing signed\n", head())] {
            assert_eq!(write(&head(), Some(note)), None, "{note}");
        }
    }
}
