//! A check: every root is looked at, one after the other, and what differs becomes alerts. One at a time
//! in a database; whoever asks for another gets the one that goes on. It says how far it is every second,
//! and hears by that that it is to stop.

mod root;

use std::sync::Arc;
use std::time::Duration;

use portcullis_domain::event::Event;
use portcullis_domain::id::CheckId;
use portcullis_domain::integrity::{Cause, CheckState};
use portcullis_domain::time::Time;
use portcullis_integrity::Progress;
use portcullis_store::integrity::checks::{self, Check, Counts};
use portcullis_store::{Db, Error};
use tokio_util::sync::CancellationToken;

use super::deployment::LastLook;
use super::look::{self, Declared, Looked, NotLooked, Target};
use super::settle::Told;
use super::spool::Spooled;
use super::{Fault, Monitor};

/// How often a check says how far it is.
const BEAT: Duration = Duration::from_secs(1);
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
        let (counts, told) = Default::default();
        Self { monitor, id, counts, told, of_deployment: None, stopping, fault: "" }
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

    /// Looks at a root on threads of its own, and says meanwhile how far it is.
    pub(super) async fn look(
        &mut self,
        root: &str,
        target: Target,
        old: Spooled,
        new: Declared<Spooled>,
    ) -> Result<Result<Looked, NotLooked>, Fault> {
        let progress = Arc::clone(&target.progress);
        let looking = tokio::task::spawn_blocking(move || look::look(&target, &old, &new));
        self.watch(root, "scan", &progress, looking).await
    }

    /// Waits for what threads do, and writes down how far they are.
    pub(super) async fn watch<T>(
        &mut self,
        root: &str,
        phase: &str,
        progress: &Progress,
        mut work: tokio::task::JoinHandle<T>,
    ) -> Result<T, Fault> {
        let before = self.counts;
        let done = loop {
            tokio::select! {
                done = &mut work => break done?,
                () = self.stopping.cancelled() => {
                    progress.stop();
                    break (&mut work).await?;
                }
                () = tokio::time::sleep(BEAT) => {}
            }
            self.counts = add(before, progress);
            if !self.beat(phase, root).await.unwrap_or(true) {
                progress.stop();
            }
        };
        self.counts = add(before, progress);
        Ok(done)
    }

    async fn beat(&self, phase: &str, root: &str) -> Result<bool, Error> {
        let mut tx = self.monitor.db.write().await?;
        let now = self.monitor.now();
        let goes_on = checks::beat(&mut tx, self.id, (phase, root), &self.counts, now).await?;
        tx.commit().await?;
        Ok(goes_on)
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

fn add(before: Counts, progress: &Progress) -> Counts {
    let more = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    Counts {
        scanned: before.scanned + more(progress.names()),
        bytes: before.bytes + more(progress.bytes()),
        unverifiable: before.unverifiable + more(progress.unverifiable()),
        ..before
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
