//! A folder with a file for each prefix, as the range service answers.

use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use super::{Job, NotBuilt};
use crate::{BadLine, NotARange, Prefix, Range};

/// A longer file is none of a prefix: forty times what they have today.
const LONGEST: u64 = 4 << 20;
/// How a file can be named by its prefix.
const UPPER: u8 = 1;
const UPPER_TEXT: u8 = 2;
const LOWER: u8 = 3;
const LOWER_TEXT: u8 = 4;

/// Reads it from the prefix at which the job is.
pub(super) fn read(folder: &Path, job: &mut Job<'_>) -> Result<(), NotBuilt> {
    let names = names(folder)?;
    job.progress.begin(u64::from(Prefix::COUNT));
    let first = u32::try_from(job.position).unwrap_or(Prefix::COUNT);
    for prefix in (first..Prefix::COUNT).filter_map(Prefix::at) {
        let number = prefix.number();
        job.passed(number, u64::from(number))?;
        let spelling = names.get(prefix.index()).copied().unwrap_or_default();
        if let Some(name) = name(prefix, spelling) {
            read_file(folder, prefix, name, job)?;
        }
        job.progress.at(u64::from(number) + 1, job.lines);
    }
    Ok(())
}

fn read_file(
    folder: &Path,
    prefix: Prefix,
    file: String,
    job: &mut Job<'_>,
) -> Result<(), NotBuilt> {
    let from = fs::File::open(folder.join(&file)).map_err(NotBuilt::From)?;
    let found = from.metadata().map_err(NotBuilt::From)?;
    job.read_until(found.modified())?;
    let mut text = Vec::new();
    from.take(LONGEST + 1).read_to_end(&mut text).map_err(NotBuilt::From)?;
    if text.len() as u64 > LONGEST {
        let why = NotARange::Line { line: 1, why: BadLine::TooLong };
        return Err(NotBuilt::File { file, why });
    }
    let range = match Range::parse(prefix, &text) {
        Ok(range) => range,
        Err(why) => return Err(NotBuilt::File { file, why }),
    };
    for suffix in range.suffixes() {
        if let Err(why) = job.push(suffix.hash, suffix.count)? {
            return Err(NotBuilt::FileDisorder { file, why });
        }
    }
    Ok(())
}

/// How the file of each prefix is named; 0 where there is none. Other files are passed over.
fn names(folder: &Path) -> Result<Vec<u8>, NotBuilt> {
    let mut names = vec![0; usize::try_from(Prefix::COUNT).unwrap_or_default()];
    let mut is_any = false;
    for entry in fs::read_dir(folder).map_err(NotBuilt::From)? {
        let entry = entry.map_err(NotBuilt::From)?;
        let Some((prefix, spelling)) = spelling(&entry.file_name()) else { continue };
        if let Some(name) = names.get_mut(prefix.index()) {
            if std::mem::replace(name, spelling) != 0 {
                return Err(NotBuilt::Twice { prefix: prefix.digits() });
            }
            is_any = true;
        }
    }
    if is_any { Ok(names) } else { Err(NotBuilt::NoFiles) }
}

fn spelling(name: &OsStr) -> Option<(Prefix, u8)> {
    let name = name.to_str()?;
    let (digits, upper, lower) = match name.strip_suffix(".txt") {
        Some(digits) => (digits, UPPER_TEXT, LOWER_TEXT),
        None => (name, UPPER, LOWER),
    };
    let prefix = Prefix::parse(digits)?;
    let upper_digits = prefix.digits();
    if digits == upper_digits {
        Some((prefix, upper))
    } else {
        (digits == upper_digits.to_lowercase()).then_some((prefix, lower))
    }
}

fn name(prefix: Prefix, spelling: u8) -> Option<String> {
    let digits = prefix.digits();
    match spelling {
        UPPER => Some(digits),
        UPPER_TEXT => Some(format!("{digits}.txt")),
        LOWER => Some(digits.to_lowercase()),
        LOWER_TEXT => Some(format!("{}.txt", digits.to_lowercase())),
        _ => None,
    }
}
