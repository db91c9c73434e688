//! Makes a backup: beside its place under another name, and there only when it is whole and on the disk.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use portcullis_domain::backup::file_name;
use portcullis_domain::event::{BackupFailure, Context, Event, Text};
use portcullis_domain::secret::Keys;
use portcullis_domain::time::Time;
use portcullis_store::backup::{self, About, Good, Stopped, Written};
use portcullis_store::migrate::{self, MigrateError};
use portcullis_store::{Db, Error};
use tempfile::NamedTempFile;
use tokio::sync::mpsc::{self, Receiver};

use crate::flows::record;
use crate::random::Random;

/// Of what a backup is made, and with what.
#[derive(Clone, Copy)]
pub struct Making<'a> {
    pub db: &'a Db,
    pub keys: &'a Keys,
    pub random: Random,
    pub now: Time,
}

/// Where it goes.
#[derive(Clone, Debug)]
pub enum Target {
    /// A file that is not there yet.
    File(PathBuf),
    /// A directory, under a name that tells the moment.
    Directory(PathBuf),
}

/// A good backup.
#[derive(Clone, Debug)]
pub struct Backup {
    pub file: PathBuf,
    pub written: Written,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    #[error("{} is there already: name a file that is not", file.display())]
    Exists { file: PathBuf },
    #[error("the backup {} cannot be written", file.display())]
    File {
        file: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the database cannot be backed up")]
    Database(#[source] MigrateError),
    #[error("the backup {} is whole, but it could not be noted in the database", file.display())]
    NotNoted {
        file: PathBuf,
        #[source]
        source: Error,
    },
}

const NO_ROOM: [io::ErrorKind; 3] =
    [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge];

impl CreateError {
    /// The word for it.
    pub fn why(&self) -> BackupFailure {
        match self {
            Self::File { source, .. } if NO_ROOM.contains(&source.kind()) => BackupFailure::Full,
            Self::Exists { .. } | Self::File { .. } => BackupFailure::Unwritable,
            Self::Database(_) | Self::NotNoted { .. } => BackupFailure::Store,
        }
    }
}

/// Makes a backup and notes it in the database; what came of it stands there either way, as far as it can
/// be written to. That a name is taken is a refusal, and says nothing of how it stands with backups.
pub async fn create(on: Making<'_>, target: &Target) -> Result<Backup, CreateError> {
    let file = target.file(on.now);
    let made = write(on, &file).await;
    let noted = match &made {
        Ok(written) => note_good(on, &file, written).await,
        Err(CreateError::Exists { .. }) => Ok(()),
        Err(error) => note_failure(on, error.why()).await,
    };
    match (made, noted) {
        (Ok(written), Ok(())) => Ok(Backup { file, written }),
        (Ok(_), Err(source)) => Err(CreateError::NotNoted { file, source }),
        (Err(error), noted) => {
            if let Err(trouble) = noted {
                let trouble = &trouble as &dyn std::error::Error;
                tracing::warn!(error = trouble, "that there is no backup could not be noted");
            }
            Err(error)
        }
    }
}

impl Target {
    fn file(&self, now: Time) -> PathBuf {
        match self {
            Self::File(file) => file.clone(),
            Self::Directory(directory) => directory.join(file_name(now)),
        }
    }
}

async fn write(on: Making<'_>, file: &Path) -> Result<Written, CreateError> {
    let failed = |source| CreateError::File { file: file.to_owned(), source };
    if fs::symlink_metadata(file).is_ok() {
        return Err(CreateError::Exists { file: file.to_owned() });
    }
    let directory = directory_of(file);
    let draft = draft(&directory).map_err(failed)?;
    let (sender, pieces) = mpsc::channel(PIECES_IN_FLIGHT);
    // The disk keeps a thread of its own waiting, and not those who serve.
    let writing = tokio::task::spawn_blocking(move || write_down(draft, pieces));
    let about = About {
        seal_check: on.keys.seal_check(),
        key: &on.keys.backup,
        program: env!("CARGO_PKG_VERSION"),
        now: on.now,
    };
    let written = backup::write(on.db, &about, &sender).await;
    drop(sender);
    let draft = writing.await.map_err(io::Error::from).flatten().map_err(failed)?;
    let written = written.map_err(|stopped| match stopped {
        Stopped::Database(error) => CreateError::Database(error),
        Stopped::Abandoned => failed(io::ErrorKind::BrokenPipe.into()),
    })?;
    let place = file.to_owned();
    let placing = tokio::task::spawn_blocking(move || put_in_place(draft, &place, &directory));
    placing.await.map_err(io::Error::from).flatten().map_err(|source| {
        if source.kind() == io::ErrorKind::AlreadyExists {
            CreateError::Exists { file: file.to_owned() }
        } else {
            failed(source)
        }
    })?;
    Ok(written)
}

/// How many pieces wait for the disk at most.
const PIECES_IN_FLIGHT: usize = 8;

fn directory_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}

/// Readable by its owner alone from the beginning; gone again if it is not put in place.
fn draft(directory: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(".portcullis-backup-").tempfile_in(directory)
}

fn write_down(
    mut draft: NamedTempFile,
    mut pieces: Receiver<Vec<u8>>,
) -> io::Result<NamedTempFile> {
    while let Some(piece) = pieces.blocking_recv() {
        draft.write_all(&piece)?;
    }
    draft.as_file().sync_all()?;
    Ok(draft)
}

/// The name is on the disk as well when this returns.
fn put_in_place(draft: NamedTempFile, file: &Path, directory: &Path) -> io::Result<()> {
    draft.persist_noclobber(file).map_err(|refused| refused.error)?;
    File::open(directory)?.sync_all()
}

/// A database of an older schema has no place to note it in. It is backed up before a newer program
/// brings it forward, and everything else about it is left as it is.
async fn note_good(on: Making<'_>, file: &Path, written: &Written) -> Result<(), Error> {
    if written.head.schema < migrate::newest() {
        return Ok(());
    }
    let name = name_of(file);
    let bytes = i64::try_from(written.bytes).unwrap_or(i64::MAX);
    let mut tx = on.db.write().await?;
    backup::note_good(&mut tx, &Good { at: on.now, file: name.clone(), bytes }).await?;
    let event = Event::BackupCreated {
        file: Text::clip(&name),
        bytes: written.bytes,
        rows: written.rows.total(),
    };
    record(&mut tx, on.random, &event, &Context::default(), on.now).await?;
    tx.commit().await
}

/// The name of a file without the way to it, which is nobody else's business.
pub(super) fn name_of(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

async fn note_failure(on: Making<'_>, reason: BackupFailure) -> Result<(), Error> {
    let mut tx = on.db.write().await?;
    backup::note_failure(&mut tx, reason, on.now).await?;
    let event = Event::BackupFailed { reason };
    record(&mut tx, on.random, &event, &Context::default(), on.now).await?;
    tx.commit().await
}
