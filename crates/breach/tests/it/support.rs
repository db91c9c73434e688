//! Published passwords as files, and indexes of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use portcullis_breach::build::{NotBuilt, Options, build};
use portcullis_breach::{Index, Prefix, Progress, Sha1};
use tempfile::TempDir;

/// A folder for the files of one test.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The file with all hashes.
    pub(crate) fn text(&self, passwords: &[(Sha1, u64)]) -> PathBuf {
        self.file("text", &lines(passwords))
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// The folder with a file for each prefix that has a password.
    pub(crate) fn folder(&self, passwords: &[(Sha1, u64)]) -> PathBuf {
        let folder = self.path("folder");
        fs::create_dir(&folder).unwrap();
        let mut ranges = BTreeMap::<_, Vec<String>>::new();
        for (hash, count) in passwords {
            let line = format!("{}:{count}", hash.suffix());
            ranges.entry(hash.prefix()).or_default().push(line);
        }
        for (prefix, lines) in ranges {
            fs::write(folder.join(prefix.digits() + ".txt"), lines.join("\r\n")).unwrap();
        }
        folder
    }

    pub(crate) fn options(&self, from: &Path) -> Options {
        Options {
            from: from.to_owned(),
            to: self.path("index"),
            min_count: 1,
            date: Some("2025-11-20".parse().unwrap()),
            keep_every: Options::KEEP_EVERY,
        }
    }

    /// An index of these passwords.
    pub(crate) fn index(&self, passwords: &[(Sha1, u64)]) -> Index {
        make(&self.options(&self.text(passwords))).unwrap()
    }
}

/// Builds and opens.
pub(crate) fn make(options: &Options) -> Result<Index, NotBuilt> {
    build(options, &Progress::default())?.publish(None)?;
    Ok(Index::open_whole(&options.to, &Progress::default()).unwrap().0)
}

pub(crate) fn lines(passwords: &[(Sha1, u64)]) -> String {
    let line = |(hash, count): &(Sha1, u64)| {
        format!("{}{}:{count}\r\n", hash.prefix().digits(), hash.suffix())
    };
    passwords.iter().map(line).collect()
}

/// The hashes of numbers, in order.
pub(crate) fn some(how_many: u64) -> Vec<(Sha1, u64)> {
    let hashed = |number: u64| (Sha1::of(number.to_string().as_bytes()), number % 30 + 1);
    let mut all: Vec<_> = (0..how_many).map(hashed).collect();
    all.sort_by_key(|(hash, _)| *hash);
    all
}

pub(crate) fn hash(digits: &str) -> Sha1 {
    Sha1::parse(format!("{digits:0<40}").as_bytes()).unwrap()
}

pub(crate) fn prefix(digits: &str) -> Prefix {
    Prefix::parse(digits).unwrap()
}
