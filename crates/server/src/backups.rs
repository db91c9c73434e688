//! The backups that the server makes by itself, one server of a database at a time, and how it stands
//! with backups as this one knows. Not here: making one (`flows::backup`).

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use portcullis_domain::backup::{stale_after, superseded};
use portcullis_domain::time::Time;
use portcullis_store::Error;
use portcullis_store::backup::{self, State};

use crate::app::App;
use crate::config::BackupPlan;
use crate::flows::backup::create::{self, Making, Target};

/// How often the server looks whether it is time.
const EVERY: Duration = Duration::from_mins(1);

/// How it stands with backups, as it was last read.
#[derive(Default)]
pub struct Standing(Mutex<Option<State>>);

/// What is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The last attempt failed.
    Failed,
    /// Turns of the schedule were missed.
    Late,
}

impl Standing {
    /// What there is to warn of.
    pub fn trouble(&self, plan: Option<&BackupPlan>, now: Time) -> Option<Trouble> {
        let known = self.known()?;
        if known.failed.is_some() {
            return Some(Trouble::Failed);
        }
        let oldest = now.minus(stale_after(Some(plan?.every)));
        known.good.is_some_and(|good| good.at < oldest).then_some(Trouble::Late)
    }

    /// The moment that the last good backup holds.
    pub fn last_good(&self) -> Option<Time> {
        self.known()?.good.map(|good| good.at)
    }

    fn known(&self) -> Option<State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn learn(&self, state: State) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(state);
    }
}

/// Looks again and again until the server stops.
pub async fn run(app: App) {
    loop {
        if let Err(error) = look(&app).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "how it stands with backups cannot be read"
            );
        }
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Makes a backup if it is time and nobody else does, and learns how it stands.
pub async fn look(app: &App) -> Result<(), Error> {
    if let Some(plan) = &app.config.backup {
        let began = app.clock.now();
        let mut tx = app.db.write_once().await?;
        let is_ours = backup::claim(&mut tx, plan.every, began).await?;
        tx.commit().await?;
        if is_ours {
            take_turn(app, plan, began).await?;
        }
    }
    let mut tx = app.db.read_once().await?;
    app.backups.learn(backup::state(&mut tx).await?);
    Ok(())
}

async fn take_turn(app: &App, plan: &BackupPlan, began: Time) -> Result<(), Error> {
    let on = Making { db: &app.db, keys: &app.keys, random: app.random, now: began };
    make_directory(&plan.directory);
    let target = Target::Directory(plan.directory.clone());
    // Large, and carried by every future above it.
    let made = tokio::select! {
        made = Box::pin(create::create(on, &target)) => made,
        () = app.stopping.cancelled() => {
            let mut tx = app.db.write_once().await?;
            backup::give_back(&mut tx, began).await?;
            return tx.commit().await;
        }
    };
    match made {
        Ok(backup) => {
            app.telemetry.metrics.backup("made");
            let bytes = backup.written.bytes;
            tracing::info!(file = %backup.file.display(), bytes, "a backup was made");
            let mut tx = app.db.write_once().await?;
            backup::release(&mut tx, began).await?;
            tx.commit().await?;
            let plan = plan.clone();
            let removing = tokio::task::spawn_blocking(move || remove_superseded(&plan));
            if let Err(error) = removing.await.map_err(io::Error::from).flatten() {
                tracing::warn!(%error, "backups that are too many could not be removed");
            }
        }
        Err(error) => {
            app.telemetry.metrics.backup("failed");
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "no backup was made; it is tried again");
        }
    }
    Ok(())
}

/// Makes the directory itself, and none above it: a disk that is not there is not taken for one. If it
/// cannot be made, the backup fails for that.
fn make_directory(directory: &Path) {
    if let Err(error) = DirBuilder::new().mode(0o700).create(directory)
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        tracing::warn!(%error, "the directory of backups cannot be made");
    }
}

/// Removes what the server itself has made there and what is more than it keeps.
fn remove_superseded(plan: &BackupPlan) -> io::Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(&plan.directory)? {
        names.extend(entry?.file_name().into_string().ok());
    }
    for name in superseded(names, plan.keep) {
        fs::remove_file(plan.directory.join(name))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use portcullis_domain::backup::file_name;
    use portcullis_store::backup::Good;

    use super::*;

    #[test]
    fn there_is_a_warning_of_what_failed_and_of_what_was_missed() {
        const NOW: Time = Time(1_795_309_323_000);
        let hours = |hours| NOW.minus(Duration::from_hours(hours));
        let plan =
            BackupPlan { directory: PathBuf::new(), every: Duration::from_hours(24), keep: 1 };
        let check = |good: Option<Time>, failed: Option<Time>, plan, expected| {
            let standing = Standing::default();
            standing.learn(State {
                good: good.map(|at| Good { at, file: file_name(at), bytes: 1 }),
                failed: failed.map(|at| (at, "full".to_owned())),
            });
            assert_eq!(standing.trouble(plan, NOW), expected, "{good:?} {failed:?}");
        };
        check(None, None, Some(&plan), None);
        check(Some(hours(30)), None, Some(&plan), None);
        check(Some(hours(49)), None, Some(&plan), Some(Trouble::Late));
        check(Some(hours(49)), None, None, None);
        check(Some(hours(30)), Some(hours(1)), Some(&plan), Some(Trouble::Failed));
        check(None, Some(hours(1)), None, Some(Trouble::Failed));
        assert_eq!(Standing::default().trouble(Some(&plan), NOW), None);
    }
}
