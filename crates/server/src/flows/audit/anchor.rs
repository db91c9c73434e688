//! The file that holds the last checkpoint of the log as this node knows it. The database cannot be
//! taken back behind it unseen.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// The note in the file; `None` if there is no file yet.
pub(super) async fn read(path: &Path) -> io::Result<Option<String>> {
    match tokio::fs::read_to_string(path).await {
        Ok(note) => Ok(Some(note)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Puts a note in the place of the one before, in one step: a reader sees one of them whole.
pub(super) async fn write(path: &Path, note: &str) -> io::Result<()> {
    let (path, note) = (path.to_owned(), note.to_owned());
    tokio::task::spawn_blocking(move || replace(&path, &note)).await.map_err(io::Error::other)?
}

fn replace(path: &Path, note: &str) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let beside = PathBuf::from(format!("{}.new", path.display()));
    let mut file = File::create(&beside)?;
    file.write_all(note.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)
}
