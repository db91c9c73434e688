//! Fills an empty database from a backup, and ends what could have been ended after it.

use std::path::Path;

use portcullis_domain::event::{Context, Event};
use portcullis_domain::secret::Keys;
use portcullis_domain::time::Time;
use portcullis_store::Db;
use portcullis_store::audit::tree;
use portcullis_store::backup::{self, Counts, Ended, Good, Head, Refusal};
use portcullis_store::migrate::MigrateOptions;

use super::create::name_of;
use super::reading::{Progress, Reading};
use crate::flows::record;
use crate::random::Random;

/// Into what a backup is restored, and with what.
#[derive(Clone, Copy)]
pub struct Restoring<'a> {
    pub db: &'a Db,
    pub keys: &'a Keys,
    pub random: Random,
    pub now: Time,
}

/// What was done.
#[derive(Clone, Debug)]
pub struct Restored {
    pub head: Head,
    pub rows: Counts,
    pub ended: Ended,
    /// How many entries the audit log has.
    pub log: u64,
}

/// All of it in one transaction: the database is filled, or as empty as before.
pub async fn restore(
    to: Restoring<'_>,
    file: &Path,
    progress: Progress<'_>,
) -> Result<Restored, Refusal> {
    let size = std::fs::metadata(file)?.len();
    let Reading { sound, mut lines } = Reading::open(file, to.keys, progress)?;
    let options = MigrateOptions { seal_check: to.keys.seal_check(), now: to.now };
    let mut tx = to.db.write().await?;
    let rows = backup::restore(&mut tx, &mut lines, &sound, &options).await?;
    let head = sound.head;
    let ended = backup::end_everything(&mut tx, to.now).await?;
    let bytes = i64::try_from(size).unwrap_or(i64::MAX);
    let good = Good { at: head.taken_at, file: name_of(file), bytes };
    backup::note_restored(&mut tx, &good).await?;
    let event = Event::BackupRestored { taken_at: head.taken_at, sessions: ended.sessions };
    record(&mut tx, to.random, &event, &Context::default(), to.now).await?;
    let log = tree::read(&mut tx).await?.map_or(0, |tree| tree.size);
    tx.commit().await?;
    Ok(Restored { head, rows, ended, log })
}
