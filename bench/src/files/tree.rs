//! The trees that are checked: copies of real files of this machine, a folder with very many names, and
//! very many small files.

use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

const FROM: [&str; 2] = ["/usr/share", "/usr/lib"];
/// Of each of them so many are taken, and so much of both.
const MOST_FILES: usize = 21_500;
const MOST_BYTES: u64 = 1_600_000_000;
/// Larger files are passed over, or there would be few.
const LARGEST: u64 = 64 << 20;
/// Folders with more names are passed over: there is one of those of its own.
const WIDEST: usize = 4000;
/// The names of that one, and how large what they stand for is at most.
const WIDE: usize = 17_600;
const SMALL: u64 = 8 * 1024;
/// Small files in one folder.
const IN_ONE: u64 = 1000;

/// Copies real files into `tree/real`, and many small ones of them into `tree/wide`; `list` has the names
/// of all.
pub(super) fn real(folder: &Path) -> Result<()> {
    let making = folder.with_extension("making");
    if making.exists() {
        fs::remove_dir_all(&making)?;
    }
    let mut files = Vec::new();
    let mut bytes = 0;
    for from in FROM {
        let mut copy = Copy { files: 0, bytes, copied: Vec::new() };
        let to = making.join("tree/real").join(from.trim_start_matches('/'));
        copy.folder(Path::new(from), &to)?;
        bytes = copy.bytes;
        files.append(&mut copy.copied);
    }
    let small: Vec<PathBuf> = files
        .iter()
        .filter(|file| fs::metadata(file).is_ok_and(|about| about.len() <= SMALL))
        .cloned()
        .collect();
    let wide = making.join("tree/wide");
    fs::create_dir(&wide)?;
    for (number, file) in small.iter().cycle().take(WIDE).enumerate() {
        let to = wide.join(format!("{number}.gz"));
        fs::copy(file, &to)?;
        files.push(to);
    }
    let mut list = fs::File::create(making.join("list"))?;
    for file in files {
        let file = folder.join(file.strip_prefix(&making)?);
        list.write_all(file.as_os_str().as_bytes())?;
        list.write_all(b"\0")?;
    }
    fs::rename(&making, folder).context("the finished tree")
}

/// So many files of a few bytes each.
pub(super) fn small(root: &Path, files: u64) -> Result<()> {
    for number in 0..files {
        let folder = root.join(format!("{:04}", number / IN_ONE));
        if number % IN_ONE == 0 {
            fs::create_dir_all(&folder)?;
        }
        fs::write(folder.join(format!("{number}.txt")), format!("file {number}\n"))?;
    }
    Ok(())
}

/// What was copied of one place.
struct Copy {
    files: usize,
    bytes: u64,
    copied: Vec<PathBuf>,
}

impl Copy {
    fn is_full(&self) -> bool {
        self.files >= MOST_FILES || self.bytes >= MOST_BYTES
    }

    /// A folder with all that is in it, as far as there is room.
    fn folder(&mut self, from: &Path, to: &Path) -> Result<()> {
        fs::create_dir_all(to)?;
        let mut entries: Vec<_> = fs::read_dir(from)?.flatten().collect();
        if entries.len() > WIDEST {
            return Ok(());
        }
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            if self.is_full() {
                break;
            }
            let (from, to) = (entry.path(), to.join(entry.file_name()));
            let about = fs::symlink_metadata(&from)?;
            if about.is_dir() {
                self.folder(&from, &to)?;
            } else if about.is_symlink() {
                symlink(fs::read_link(&from)?, &to)?;
            } else if about.is_file() && about.len() <= LARGEST {
                fs::copy(&from, &to)?;
                self.files += 1;
                self.bytes += about.len();
                self.copied.push(to);
            }
        }
        Ok(())
    }
}
