//! Files of a tar archive, written one after the other and read where they stand, so that neither needs
//! more memory than one of them. Not here: what is in them.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use tar::{Archive, Builder, Header};

/// More than any file of ours has: 256 entries of the longest kind with their lengths, or as many
/// lines of personal data.
const LARGEST: u64 = 64 * 1024 * 1024;

/// An archive that is being written, beside the place where it will be.
pub(super) struct Writer {
    builder: Option<Builder<BufWriter<Hashing>>>,
    beside: PathBuf,
    to: PathBuf,
    seconds: u64,
}

impl Writer {
    /// Begins one; every file in it is from this time. It can be read by its owner alone.
    pub(super) fn begin(to: &Path, seconds: u64) -> io::Result<Self> {
        let beside = PathBuf::from(format!("{}.part", to.display()));
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        let hashing = Hashing { file, context: Context::new(&SHA256), length: 0 };
        let builder = Some(Builder::new(BufWriter::new(hashing)));
        Ok(Self { builder, beside, to: to.to_owned(), seconds })
    }

    /// One more file.
    pub(super) fn add(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let mut header = Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(self.seconds);
        match &mut self.builder {
            Some(builder) => builder.append_data(&mut header, path, bytes),
            None => Ok(()),
        }
    }

    /// Puts it in its place, whole; how long it is, and its SHA-256.
    pub(super) fn finish(mut self) -> io::Result<(u64, [u8; 32])> {
        let builder = self.builder.take().ok_or(io::ErrorKind::Interrupted)?;
        let Hashing { file, context, length } = builder.into_inner()?.into_inner()?;
        file.sync_all()?;
        fs::rename(&self.beside, &self.to)?;
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        Ok((length, digest))
    }
}

/// What was not finished goes.
impl Drop for Writer {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.beside));
    }
}

/// A file whose digest is taken as it is written.
struct Hashing {
    file: File,
    context: Context,
    length: u64,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.context.update(bytes.get(..written).unwrap_or_default());
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// An archive, and where each of its files begins and how long it is.
pub(super) struct Reader {
    archive: File,
    files: HashMap<String, (u64, u64)>,
}

impl Reader {
    /// Finds the files. Two of one name are refused: somebody else would read the other one.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let malformed = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let archive = File::open(path)?;
        let mut files = HashMap::new();
        for entry in Archive::new(&archive).entries_with_seek()? {
            let entry = entry?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let name = String::from_utf8(entry.path_bytes().into_owned())
                .map_err(|_| malformed("a name in the bundle is not UTF-8"))?;
            if entry.size() > LARGEST {
                return Err(malformed("a file of the bundle is too large"));
            }
            let name = name.strip_prefix("./").unwrap_or(&name).to_owned();
            if files.insert(name, (entry.raw_file_position(), entry.size())).is_some() {
                return Err(malformed("a file is twice in the bundle"));
            }
        }
        Ok(Self { archive, files })
    }

    /// The bytes of a file; `None` if there is none of this name.
    pub(super) fn file(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let Some((start, length)) = self.files.get(name) else { return Ok(None) };
        let mut bytes = vec![0; usize::try_from(*length).map_err(io::Error::other)?];
        self.archive.read_exact_at(&mut bytes, *start)?;
        Ok(Some(bytes))
    }
}
