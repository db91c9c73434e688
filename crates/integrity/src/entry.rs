//! What a baseline says of one path: type, rights, owner and content, as one line of text with one
//! spelling. Not here: what only this machine knows of it, such as times and inodes.

use std::fmt;
use std::str::FromStr;

use crate::path::{ROOT, escape, is_below, named, unescape};
use crate::{Digest, Type};

/// What there is under a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Below the root, in bytes; empty for the root itself, which is a folder.
    pub path: Vec<u8>,
    pub content: Content,
    /// Twelve bits: rights, set-id bits and the sticky bit.
    pub mode: u16,
    /// `None`: whoever made the baseline does not say, as a build host cannot know.
    pub owner: Option<Owner>,
    /// The digest of the attributes that give power (`security.capability`, ACLs); `None` where there are
    /// none.
    pub attributes: Option<Digest>,
}

/// User and group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    pub uid: u32,
    pub gid: u32,
}

/// The type, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    File {
        size: u64,
        digest: Digest,
    },
    Folder,
    /// A symbolic link, which is never followed, and what stands in it.
    Link {
        target: Vec<u8>,
    },
    Pipe,
    Socket,
    CharacterDevice {
        major: u32,
        minor: u32,
    },
    BlockDevice {
        major: u32,
        minor: u32,
    },
}

/// The line is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnEntry;

impl Content {
    /// The word for the type.
    pub fn word(&self) -> &'static str {
        self.kind().as_str()
    }

    /// The type.
    pub fn kind(&self) -> Type {
        match self {
            Self::File { .. } => Type::File,
            Self::Folder => Type::Folder,
            Self::Link { .. } => Type::Link,
            Self::Pipe => Type::Pipe,
            Self::Socket => Type::Socket,
            Self::CharacterDevice { .. } => Type::CharacterDevice,
            Self::BlockDevice { .. } => Type::BlockDevice,
        }
    }

    /// Whether it is of the same type.
    pub fn is_like(&self, other: &Self) -> bool {
        self.kind() == other.kind()
    }

    fn parse(word: &str, text: &str) -> Option<Self> {
        let pair = || text.split_once(':');
        let numbers = || {
            let (major, minor) = pair()?;
            Some((number(major)?, number(minor)?))
        };
        Some(match word {
            "file" => {
                let (size, digest) = pair()?;
                Self::File { size: number(size)?, digest: digest.parse().ok()? }
            }
            "link" => Self::Link { target: unescape(text)? },
            "char" => numbers().map(|(major, minor)| Self::CharacterDevice { major, minor })?,
            "block" => numbers().map(|(major, minor)| Self::BlockDevice { major, minor })?,
            "folder" if text == "-" => Self::Folder,
            "pipe" if text == "-" => Self::Pipe,
            "socket" if text == "-" => Self::Socket,
            _ => return None,
        })
    }
}

/// What is in it, as one word.
impl fmt::Display for Content {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { size, digest } => write!(out, "{size}:{digest}"),
            Self::Link { target } => out.write_str(&escape(target)),
            Self::CharacterDevice { major, minor } | Self::BlockDevice { major, minor } => {
                write!(out, "{major}:{minor}")
            }
            Self::Folder | Self::Pipe | Self::Socket => out.write_str("-"),
        }
    }
}

impl Entry {
    /// Reads a line that [`fmt::Display`] wrote, without its end. It has one spelling: any other is refused.
    pub fn parse(line: &str) -> Result<Self, NotAnEntry> {
        let is_one = |entry: &Self| !entry.path.is_empty() || entry.content == Content::Folder;
        Self::read(line).filter(is_one).ok_or(NotAnEntry)
    }

    fn read(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let mut next = || words.next();
        let (word, mode, uid, gid) = (next()?, next()?, next()?, next()?);
        let (attributes, content, path) = (next()?, next()?, next()?);
        if next().is_some() || mode.len() != 4 {
            return None;
        }
        let owner = match (uid, gid) {
            ("-", "-") => None,
            _ => Some(Owner { uid: number(uid)?, gid: number(gid)? }),
        };
        let attributes = match attributes {
            "-" => None,
            digest => Some(digest.parse().ok()?),
        };
        Some(Self {
            path: match path {
                ROOT => Vec::new(),
                path => unescape(path).filter(|path| is_below(path))?,
            },
            content: Content::parse(word, content)?,
            mode: u16::from_str_radix(mode, 8).ok().filter(|_| !mode.starts_with('+'))?,
            owner,
            attributes,
        })
    }
}

/// A number without a sign and without zeros before it.
fn number<N: FromStr>(text: &str) -> Option<N> {
    let is_padded = text.len() > 1 && text.starts_with('0');
    if is_padded || text.starts_with('+') { None } else { text.parse().ok() }
}

/// Type, mode in four octal digits, user, group, digest of the attributes, content and path, with single
/// spaces between them; `-` where there is none.
impl fmt::Display for Entry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {:04o} ", self.content.word(), self.mode)?;
        match self.owner {
            Some(Owner { uid, gid }) => write!(out, "{uid} {gid} ")?,
            None => out.write_str("- - ")?,
        }
        match &self.attributes {
            Some(digest) => write!(out, "{digest} ")?,
            None => out.write_str("- ")?,
        }
        write!(out, "{} {}", self.content, escape(named(&self.path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn an_entry_is_one_line_and_comes_back() {
        let file = |rest: &str| format!("file 0644 1000 1000 - 0:{DIGEST} {rest}");
        let lines = [
            file("a"),
            file("a/b\\x20c\\x0ad\\xe9"),
            format!("file 4755 0 0 {DIGEST} 0:{DIGEST} sudo"),
            format!("file 0644 - - - 0:{DIGEST} built"),
            "folder 1777 0 0 - - tmp".to_owned(),
            "folder 0755 0 0 - - .".to_owned(),
            "link 0777 0 0 - ../../etc/passwd a".to_owned(),
            "link 0777 0 0 - a\\x20b a".to_owned(),
            "char 0666 0 0 - 1:3 null".to_owned(),
            "block 0660 0 6 - 8:0 disk".to_owned(),
            "pipe 0600 0 0 - - p".to_owned(),
            "socket 0600 0 0 - - s".to_owned(),
        ];
        for line in lines {
            let entry = Entry::parse(&line).unwrap_or_else(|_| panic!("{line}"));
            assert_eq!(entry.to_string(), line);
        }
    }

    #[test]
    fn any_other_spelling_is_refused() {
        let good = format!("file 0644 1 2 - 7:{DIGEST} a");
        assert!(Entry::parse(&good).is_ok(), "control");
        let change = |from: &str, to: &str| good.replacen(from, to, 1);
        let bad = [
            change("file", "File"),
            change("file", "folder"),
            change("file", "door"),
            change("0644", "644"),
            change("0644", "0684"),
            change("0644", "10644"),
            change("0644", "+644"),
            change(" 1 ", " 01 "),
            change(" 1 ", " - "),
            change(" 1 ", " -1 "),
            change(" 1 ", " +1 "),
            change("7:", "07:"),
            change(" 1 ", "  1 "),
            change("7:", "+7:"),
            change("7:", "7 "),
            change("e3b0", "E3B0"),
            change("e3b0", "e3b"),
            change(" a", " /a"),
            change(" a", " ../a"),
            change(" a", " "),
            change(" a", " ."),
            "folder 0755 0 0 - - ".to_owned(),
            "folder 0755 0 0 - - ..".to_owned(),
            "folder 0755 0 0 - - ./a".to_owned(),
            "link 0777 0 0 - a .".to_owned(),
            change(" a", " a b"),
            change(" a", " \\x61"),
            change("7:", ":"),
            format!("{good} "),
            format!("{good}\n"),
            "link 0777 0 0 - a b c".to_owned(),
            "folder 0755 0 0 - x a".to_owned(),
            "char 0666 0 0 - 01:3 null".to_owned(),
            "pipe 0600 0 0 - -- p".to_owned(),
            String::new(),
        ];
        for line in bad {
            assert_eq!(Entry::parse(&line), Err(NotAnEntry), "{line}");
        }
    }
}
