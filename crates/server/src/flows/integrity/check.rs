//! A check: every root is looked at, one after the other, and what differs becomes alerts. One at a time
//! in a database; whoever asks for another gets the one that goes on.

mod beat;
mod root;

use std::sync::Arc;
use std::time::Duration;

use portcullis_domain::event::Event;
use portcullis_domain::id::CheckId;
use portcullis_domain::integrity::{Cause, CheckState};
use portcullis_domain::time::Time;
use portcullis_store::integrity::checks::{self, Check, Counts};
use portcullis_store::{Db, Error};
use tokio_util::sync::CancellationToken;

use self::beat::{Beat, add};
use super::deployment::LastLook;
use super::look::{self, Declared, Looked, NotLooked, Target};
use super::settle::Told;
use super::spool::Spooled;
use super::{Fault, Monitor};
use crate::config::WatchedRoot;

/// After so long without a word nobody makes a check any more.
const SILENT: Duration = Duration::from_secs(20);

/// What became of asking for a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It is to be run by whoever asked.
    Started(CheckId),
    /// One goes on already.
    Running(CheckId),
    /// No folders are watched.
    NoRoots,
}

/// Begins a check, unless one goes on.
pub async fn begin(monitor: &Monitor<'_>, cause: Cause) -> Result<Begun, Error> {
    if monitor.settings.roots.is_empty() {
        return Ok(Begun::NoRoots);
    }
    let now = monitor.now();
    let mut tx = monitor.db.write().await?;
    interrupt_silent(monitor, &mut tx, now).await?;
    let id = CheckId::from_random(monitor.random.bytes());
    let begun = if checks::begin(&mut tx, id, cause, monitor.context.actor, now).await? {
        Begun::Started(id)
    } else {
        // It may have ended meanwhile: whoever asks again starts one.
        let running = checks::running(&mut tx).await?.ok_or(Error::Conflict)?;
        Begun::Running(running.id)
    };
    tx.commit().await?;
    Ok(begun)
}

/// Says of a check whose process is gone that it was interrupted.
pub async fn find_interrupted(monitor: &Monitor<'_>) -> Result<(), Error> {
    let mut tx = monitor.db.write().await?;
    interrupt_silent(monitor, &mut tx, monitor.now()).await?;
    tx.commit().await
}

async fn interrupt_silent(
    monitor: &Monitor<'_>,
    tx: &mut portcullis_store::Tx,
    now: Time,
) -> Result<(), Error> {
    let Some(id) = checks::interrupt_silent(tx, now.minus(SILENT), now).await? else {
        return Ok(());
    };
    monitor.record(tx, &ended(id, CheckState::Interrupted, &Counts::default())).await
}

/// Has a check end that goes on; `false` if it does not.
pub async fn cancel(monitor: &Monitor<'_>, id: CheckId) -> Result<bool, Error> {
    let mut tx = monitor.db.write().await?;
    let Some(check) = checks::by_id(&mut tx, id).await? else { return Ok(false) };
    let is_ours = checks::finish(&mut tx, id, CheckState::Cancelled, "", monitor.now()).await?;
    if is_ours {
        monitor.record(&mut tx, &ended(id, CheckState::Cancelled, &check.counts)).await?;
    }
    tx.commit().await?;
    Ok(is_ours)
}

/// The check of an id.
pub async fn by_id(db: &Db, id: CheckId) -> Result<Option<Check>, Error> {
    checks::by_id(&mut db.read().await?, id).await
}

/// Whether one goes on.
pub async fn is_running(db: &Db) -> Result<bool, Error> {
    Ok(checks::running(&mut db.read().await?).await?.is_some())
}

/// What a check came to.
#[derive(Debug)]
pub struct Ended {
    pub state: CheckState,
    pub counts: Counts,
    /// Alerts that are new, or open again.
    pub told: Vec<Told>,
}

/// Runs a check that was begun, to its end. If it fails, the log says why.
pub async fn run(monitor: &Monitor<'_>, id: CheckId, stopping: &CancellationToken) -> Ended {
    let mut run = Run::new(monitor, id, stopping);
    let state = match run.roots().await {
        Ok(state) => state,
        Err(fault) => {
            let error = &fault as &dyn std::error::Error;
            tracing::error!(error, "the files could not be checked");
            run.fault = "internal";
            CheckState::Failed
        }
    };
    if let Err(error) = run.finish(state).await {
        let error = &error as &dyn std::error::Error;
        tracing::error!(error, "the end of a check of the files could not be written down");
    }
    Ended { state, counts: run.counts, told: run.told }
}

/// A check that goes on.
pub(super) struct Run<'a> {
    pub(super) monitor: &'a Monitor<'a>,
    pub(super) id: CheckId,
    pub(super) counts: Counts,
    pub(super) told: Vec<Told>,
    /// What the last root was, held against what a deployment declares.
    pub(super) of_deployment: Option<LastLook>,
    beat: Arc<Beat>,
    stopping: &'a CancellationToken,
    fault: &'static str,
}

/// How looking at one root ended.
pub(super) enum OfRoot {
    Done,
    /// Not all of it was looked at, for a reason that has an alert.
    Failed(&'static str),
    Stopped(CheckState),
    Superseded,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        monitor: &'a Monitor<'a>,
        id: CheckId,
        stopping: &'a CancellationToken,
    ) -> Self {
        let (counts, told, beat) = Default::default();
        Self { monitor, id, counts, told, of_deployment: None, beat, stopping, fault: "" }
    }

    async fn roots(&mut self) -> Result<CheckState, Fault> {
        let mut state = CheckState::Complete;
        for root in &self.monitor.settings.roots {
            match self.root(root).await? {
                OfRoot::Stopped(state) => return Ok(state),
                OfRoot::Failed(why) => (state, self.fault) = (CheckState::Failed, why),
                OfRoot::Superseded if state == CheckState::Complete => {
                    state = CheckState::Superseded;
                }
                OfRoot::Done | OfRoot::Superseded => {}
            }
        }
        Ok(state)
    }

    /// Looks at a root, and is heard of as long as that takes.
    pub(super) async fn root(&mut self, root: &WatchedRoot) -> Result<OfRoot, Fault> {
        let (beat, of, stopping) = (Arc::clone(&self.beat), (self.monitor, self.id), self.stopping);
        beat.counts(self.counts);
        beat.at("begin", &root.name);
        // Large, and carried by every future above it.
        beat.during(of, stopping, Box::pin(self.one(root))).await
    }

    /// Looks at a root on threads of its own.
    pub(super) async fn look(
        &mut self,
        root: &str,
        target: Target,
        old: Spooled,
        new: Declared<Spooled>,
    ) -> Result<Result<Looked, NotLooked>, Fault> {
        let (before, progress) = (self.counts, Arc::clone(&target.progress));
        self.beat.counts(before);
        self.beat.at("scan", root);
        self.beat.follow(&progress);
        let looking = tokio::task::spawn_blocking(move || look::look(&target, &old, &new));
        let looked = looking.await?;
        self.counts = add(before, &progress);
        self.beat.counts(self.counts);
        Ok(looked)
    }

    /// In which state it is that was stopped: by the end of the server, or by somebody.
    fn stopped(&self) -> CheckState {
        if self.stopping.is_cancelled() { CheckState::Interrupted } else { CheckState::Cancelled }
    }

    pub(super) async fn finish(&self, state: CheckState) -> Result<(), Error> {
        let (id, now) = (self.id, self.monitor.now());
        let mut tx = self.monitor.db.write().await?;
        // Whoever cancelled it has said so himself.
        if checks::beat(&mut tx, id, ("end", ""), &self.counts, now).await?
            && checks::finish(&mut tx, id, state, self.fault, now).await?
        {
            self.monitor.record(&mut tx, &ended(id, state, &self.counts)).await?;
        }
        tx.commit().await
    }
}

fn ended(check: CheckId, state: CheckState, counts: &Counts) -> Event {
    Event::FilesChecked {
        check,
        state,
        scanned: counts.scanned,
        violations: counts.violations,
        alerts: counts.alerts,
        unverifiable: counts.unverifiable,
    }
}
