//! A baseline as text: a head that says what it is of, and a line for each path, in order. The head has
//! the digest of the lines, so whoever signs the head signs all of it. Not here: signatures, which are
//! lines between the two and are passed over.

use std::fmt;
use std::io::{self, BufRead, Write};

use crate::digest::Hasher;
use crate::path::{self, escape, order, unescape};
use crate::{Digest, Entry, Exclude};

/// The first line, with the version of the format.
const FIRST: &str = "portcullis manifest 1";
/// What opens a line of a signature (C2SP signed-note): an em dash and a space.
const SIGNATURE: &str = "\u{2014} ";
/// A longer line, its end with it, is none of ours, and is neither written nor read.
const LONGEST_LINE: usize = 64 * 1024;
/// A path and what a link leads to, as long as each may be and every byte of them escaped, fit.
const _: () = assert!(LONGEST_LINE > 2 * path::LONGEST * r"\xNN".len() + 1024);
/// As many as are read.
pub const MOST_SIGNATURES: usize = 16;
/// A head with all its patterns is no longer.
const LONGEST_HEAD: usize = 64 * 1024;

/// What a manifest is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The name of the root.
    pub root: String,
    /// One more than that of the one before it.
    pub number: u64,
    /// The digest of the head before it.
    pub previous: Option<Digest>,
    /// Patterns of what was passed over when it was made, sorted, each once. They are in the head so that
    /// whoever signs it says what it does not tell of.
    pub exclude: Vec<String>,
    /// How many lines there are.
    pub entries: u64,
    /// Of all lines, each with its end.
    pub digest: Digest,
}

/// Why a manifest cannot be used. `line` counts from 1.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("the manifest cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error("line {line} is not that of a manifest")]
    Line { line: u64 },
    #[error("line {line} is out of order or there twice")]
    Order { line: u64 },
    #[error("the lines are not those that the head was made for")]
    Digest,
}

impl Head {
    /// Whether a name can be that of a root: up to 64 of `a-z`, `0-9`, dot, dash and underscore.
    pub fn is_root(name: &str) -> bool {
        let is_good = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_')
        };
        (1..=64).contains(&name.len()) && name.bytes().all(is_good)
    }

    /// The digest of its text, by which the one after it names it.
    pub fn own_digest(&self) -> Digest {
        let mut hasher = Hasher::default();
        hasher.update(self.to_string().as_bytes());
        hasher.finish()
    }

    /// Reads what [`fmt::Display`] wrote, and no other spelling of it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().peekable();
        (lines.next()? == FIRST).then_some(())?;
        let mut value = |key: &str| {
            let line =
                lines.next_if(|line| line.split_once(' ').is_some_and(|(is, _)| is == key))?;
            line.split_once(' ').map(|(_, value)| value)
        };
        let head = Self {
            root: value("root").filter(|name| Self::is_root(name))?.to_owned(),
            number: value("number")?.parse().ok()?,
            previous: match value("previous")? {
                "-" => None,
                digest => Some(digest.parse().ok()?),
            },
            exclude: patterns(std::iter::from_fn(|| value("exclude")))?,
            entries: value("entries")?.parse().ok()?,
            digest: value("sha256")?.parse().ok()?,
        };
        (head.to_string() == text).then_some(head)
    }
}

impl fmt::Display for Head {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { root, number, previous, exclude, entries, digest } = self;
        let previous = previous.map_or_else(|| "-".to_owned(), |digest| digest.to_string());
        writeln!(out, "{FIRST}\nroot {root}\nnumber {number}\nprevious {previous}")?;
        for pattern in exclude {
            writeln!(out, "exclude {}", escape(pattern.as_bytes()))?;
        }
        writeln!(out, "entries {entries}\nsha256 {digest}")
    }
}

/// Patterns as a head has them: each can be read, is behind the one before it, and they fit.
fn patterns<'t>(written: impl Iterator<Item = &'t str>) -> Option<Vec<String>> {
    let patterns: Vec<String> =
        written.map(|text| String::from_utf8(unescape(text)?).ok()).collect::<Option<_>>()?;
    let is_sorted = patterns.is_sorted_by(|one, other| one < other);
    let is_read = Exclude::parse(patterns.iter().map(String::as_str)).is_ok();
    (is_sorted && is_read).then_some(patterns)
}

/// Writes the lines of a manifest, which its head is made of.
pub struct Body<W> {
    to: W,
    hasher: Hasher,
    entries: u64,
}

impl<W: Write> Body<W> {
    /// Writes to `to`.
    pub fn new(to: W) -> Self {
        Self { to, hasher: Hasher::default(), entries: 0 }
    }

    /// Writes one line. They come in order. One that nobody could read again is refused.
    pub fn push(&mut self, entry: &Entry) -> io::Result<()> {
        let line = format!("{entry}\n");
        if line.len() > LONGEST_LINE {
            let fault = "the path is too long for a manifest";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, fault));
        }
        self.hasher.update(line.as_bytes());
        self.entries += 1;
        self.to.write_all(line.as_bytes())
    }

    /// What the lines went to, with the head for them. Nothing was passed over; whoever did says so in
    /// [`Head::exclude`].
    pub fn finish(self, root: &str, number: u64, previous: Option<Digest>) -> (W, Head) {
        let (entries, digest) = (self.entries, self.hasher.finish());
        let (root, exclude) = (root.to_owned(), Vec::new());
        (self.to, Head { root, number, previous, exclude, entries, digest })
    }
}

/// A manifest whose head was read. Its lines follow; whoever wants to believe it checks
/// [`Self::note`] first.
pub struct Manifest<R> {
    pub head: Head,
    /// Head and signatures as they stand there: a signed note, if there are any.
    pub note: String,
    pub lines: Lines<R>,
}

impl<R: BufRead> Manifest<R> {
    /// Reads the head and the signatures.
    pub fn open(from: R) -> Result<Self, Fault> {
        let mut lines = Lines {
            from,
            hasher: Hasher::default(),
            line: 0,
            entries: 0,
            last: Vec::new(),
            end: None,
            waiting: None,
            spare: Vec::new(),
        };
        let mut text = String::new();
        loop {
            match lines.read()? {
                Some(line) if line.is_empty() => break,
                Some(line) if text.len() + line.len() < LONGEST_HEAD => {
                    text.extend([line.as_str(), "\n"]);
                }
                _ => return Err(lines.fault()),
            }
        }
        let head = Head::parse(&text).ok_or_else(|| lines.fault())?;
        let mut note = format!("{text}\n");
        let mut signatures = 0;
        while let Some(line) = lines.read()? {
            if line.starts_with(SIGNATURE) && signatures < MOST_SIGNATURES {
                signatures += 1;
                note.extend([line.as_str(), "\n"]);
            } else if signatures > 0 && line.is_empty() {
                break;
            } else if signatures == 0 {
                lines.waiting = Some(line);
                break;
            } else {
                return Err(lines.fault());
            }
        }
        lines.end = Some((head.entries, head.digest));
        Ok(Self { head, note, lines })
    }
}

impl<R> Manifest<R> {
    /// The lines of the signatures; empty where there are none.
    pub fn signatures(&self) -> &str {
        let below = self.note.strip_prefix(&self.head.to_string());
        below.and_then(|rest| rest.strip_prefix('\n')).unwrap_or_default()
    }
}

/// The entries, in order. The last thing that comes is a fault, if they are not those of the head: until
/// the end nothing of it is to be believed.
pub struct Lines<R> {
    from: R,
    hasher: Hasher,
    line: u64,
    entries: u64,
    last: Vec<u8>,
    /// What the head says; taken when all was compared.
    end: Option<(u64, Digest)>,
    /// A line that was read already.
    waiting: Option<String>,
    /// What the last line was read into.
    spare: Vec<u8>,
}

impl<R> Lines<R> {
    /// What is left of the text. Of a signed manifest of which no entry was read, these are its lines.
    pub fn into_rest(self) -> R {
        self.from
    }
}

impl<R: BufRead> Lines<R> {
    /// A line without its end; `None` after the last.
    fn read(&mut self) -> Result<Option<String>, Fault> {
        if let Some(line) = self.waiting.take() {
            return Ok(Some(line));
        }
        let mut bytes = std::mem::take(&mut self.spare);
        bytes.clear();
        let longest = u64::try_from(LONGEST_LINE).unwrap_or(u64::MAX);
        let count = io::Read::take(&mut self.from, longest).read_until(b'\n', &mut bytes)?;
        if count == 0 {
            return Ok(None);
        }
        self.line += 1;
        if bytes.pop() != Some(b'\n') {
            return Err(self.fault());
        }
        String::from_utf8(bytes).map(Some).map_err(|_| self.fault())
    }

    fn entry(&mut self) -> Result<Option<Entry>, Fault> {
        let Some(line) = self.read()? else {
            let Some((entries, digest)) = self.end.take() else { return Ok(None) };
            let found = std::mem::take(&mut self.hasher).finish();
            let is_whole = (self.entries, found) == (entries, digest);
            return if is_whole { Ok(None) } else { Err(Fault::Digest) };
        };
        self.hasher.update(line.as_bytes());
        self.hasher.update(b"\n");
        self.entries += 1;
        let entry = Entry::parse(&line).map_err(|_| self.fault())?;
        self.spare = line.into_bytes();
        // Only the root itself, whose path is empty, comes before all others.
        if self.entries > 1 && !order(&self.last, &entry.path).is_lt() {
            return Err(Fault::Order { line: self.line });
        }
        self.last.clone_from(&entry.path);
        Ok(Some(entry))
    }

    fn fault(&self) -> Fault {
        Fault::Line { line: self.line.max(1) }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Entry, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.entry().transpose()
    }
}

/// A manifest that nobody has signed: the head, an empty line, and the lines.
pub fn write(to: &mut impl Write, head: &Head, body: &mut impl io::Read) -> io::Result<()> {
    writeln!(to, "{head}")?;
    io::copy(body, to).map(drop)
}

/// The same with the head as a signed note.
pub fn write_signed(to: &mut impl Write, note: &str, body: &mut impl io::Read) -> io::Result<()> {
    writeln!(to, "{note}")?;
    io::copy(body, to).map(drop)
}
