//! The one text file with all hashes, ordered by hash.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};

use super::lines::{Lines, Next};
use super::{Job, NotBuilt};
use crate::{BadLine, line};

/// How often it is said how far it is, in lines.
const TOLD_EVERY: u64 = 1 << 16;

/// Reads it from where the job is.
pub(super) fn read(mut file: &File, job: &mut Job<'_>) -> Result<(), NotBuilt> {
    let found = file.metadata().map_err(NotBuilt::From)?;
    job.read_until(found.modified())?;
    job.progress.begin(found.len());
    file.seek(SeekFrom::Start(job.position)).map_err(NotBuilt::From)?;
    let mut lines = Lines::new(file);
    let mut prefix = None;
    loop {
        let (next, length) = lines.next().map_err(NotBuilt::From)?;
        let fault = |why| NotBuilt::Line { line: job.lines + 1, why };
        let (hash, count) = match next {
            Next::Line(text) => line::whole(text).map_err(fault)?,
            Next::TooLong => return Err(fault(BadLine::TooLong)),
            Next::End => break,
        };
        if prefix.replace(hash.prefix()) != Some(hash.prefix()) {
            job.passed(hash.prefix().number(), job.position)?;
        }
        job.push(hash, count)?.map_err(|why| NotBuilt::Disorder { line: job.lines, why })?;
        job.position += length;
        if job.lines.is_multiple_of(TOLD_EVERY) {
            job.progress.at(job.position, job.lines);
        }
    }
    job.progress.at(job.position, job.lines);
    Ok(())
}
