//! A backup as a file that is read: whose reader is told how far it is.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use portcullis_domain::secret::Keys;
use portcullis_store::backup::{self, Refusal, Sound};

/// Who wants to know how far it is: bytes done, and of how many.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// A backup that was found whole and ours, at its beginning.
pub(super) struct Reading<'p> {
    pub(super) sound: Sound,
    pub(super) lines: BufReader<Watched<'p>>,
}

/// The file, under watch.
pub(super) struct Watched<'p> {
    file: File,
    progress: Progress<'p>,
    done: u64,
    total: u64,
}

impl<'p> Reading<'p> {
    /// Looks at every byte and understands none but the first and the last line.
    pub(super) fn open(path: &Path, keys: &Keys, progress: Progress<'p>) -> Result<Self, Refusal> {
        const AT_ONCE: usize = 256 * 1024;
        let metadata = std::fs::metadata(path)?;
        if !metadata.is_file() {
            return Err(Refusal::Foreign);
        }
        // Everything is read twice.
        let total = metadata.len().saturating_mul(2);
        let mut file = Watched { file: File::open(path)?, progress, done: 0, total };
        let sound = backup::inspect(&mut file, &keys.seal_check(), &keys.backup)?;
        Ok(Self { sound, lines: BufReader::with_capacity(AT_ONCE, file) })
    }
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.done += read as u64;
        (self.progress)(self.done, self.total);
        Ok(read)
    }
}

impl Seek for Watched<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}
