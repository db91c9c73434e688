//! Files that the commands of `integrity` read and write. Not here: what stands in them.

use std::fs::{File, Permissions};
use std::io::{self, BufReader, BufWriter, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use portcullis_integrity::manifest::{Fault, Manifest};

/// Opens a file to be read. Neither a pipe nor a device is one: they may never end, and cannot be read
/// twice.
pub(super) fn open(path: &Path) -> anyhow::Result<File> {
    let open = || {
        // Looked at before it is opened: opening a pipe would wait for a writer.
        let is_file = std::fs::metadata(path)?.is_file();
        let file = if is_file { File::open(path)? } else { return Err(not_a_file()) };
        if file.metadata()?.is_file() { Ok(file) } else { Err(not_a_file()) }
    };
    open().with_context(|| format!("{} cannot be read", path.display()))
}

/// The head of a manifest, with its lines to come.
pub(super) fn read(file: &File) -> Result<Manifest<BufReader<&File>>, Fault> {
    Manifest::open(BufReader::with_capacity(256 * 1024, file))
}

/// Writes a file beside its place, and puts it there when it is whole.
pub(super) fn replace<E>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> anyhow::Result<Result<(), E>> {
    let told = || format!("{} cannot be written", path.display());
    let beside = tempfile::Builder::new()
        .prefix(".portcullis-")
        // What the umask leaves of it, as for any file.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder_of(path))
        .with_context(told)?;
    let mut out = BufWriter::with_capacity(256 * 1024, beside);
    if let Err(fault) = write(&mut out) {
        return Ok(Err(fault));
    }
    let beside = out.into_inner().map_err(io::IntoInnerError::into_error).with_context(told)?;
    beside.as_file().sync_all().with_context(told)?;
    beside.persist(path).with_context(told)?;
    Ok(Ok(()))
}

/// The folder that a file is in.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn not_a_file() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, "it is not a file")
}
