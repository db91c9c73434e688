//! Deployments: for a while files may come to be as a signed manifest declares them, which nobody is told
//! of; everything else is told of as always. At its end the manifest is the baseline if all is as it
//! says, and else the one before it stays.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Seek as _, SeekFrom};
use std::time::Duration;

use portcullis_domain::audit::note::{self, VerifierKey};
use portcullis_domain::event::{Event, Text};
use portcullis_domain::id::DeploymentId;
use portcullis_domain::integrity::{Cause, CheckState, DeploymentState, LONGEST, SHORTEST};
use portcullis_domain::time::Time;
use portcullis_integrity::manifest::Manifest;
use portcullis_store::integrity::deployments::{self, Counts, Deployment, NewDeployment};
use portcullis_store::integrity::{self as rows, alerts, baselines};
use portcullis_store::{Db, Error, Tx};
use tokio_util::sync::CancellationToken;

use super::check::{self, Begun, OfRoot, Run};
use super::ended::{self, Because};
use super::found::Differences;
use super::look::Declared;
use super::settle::Settling;
use super::spool::{self, Saying, Spooled};
use super::{Fault, Monitor, baseline, differ};
use crate::config::WatchedRoot;

/// What became of opening a deployment.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened {
    Done { id: DeploymentId, number: i64, ends_at: Time },
    Refused(Refused),
}

/// Why there is no deployment. The manifest has changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    UnknownRoot,
    /// The configuration names no key that may sign manifests.
    NoKeys,
    /// It is no manifest, or not whole.
    Malformed,
    /// None of the keys that may has signed it.
    BadSignature,
    /// It is of another root.
    OtherRoot,
    /// It was made to follow another baseline than the one in force.
    NotNext,
    /// It passes over paths that neither the configuration nor the baseline in force passes over: what is
    /// out of sight is not for whoever builds a release to say.
    PassesOver,
    /// The root has no baseline yet: the first check makes one.
    NoBaseline,
    /// One is open.
    AlreadyOpen,
    /// It is to take too long, or no time.
    Duration,
}

/// Opens a deployment of a root by a manifest.
pub async fn open(
    monitor: &Monitor<'_>,
    root: &str,
    manifest: File,
    takes: Duration,
    reason: &str,
) -> Result<Opened, Fault> {
    let Some(root) = monitor.settings.root(root) else {
        return Ok(Opened::Refused(Refused::UnknownRoot));
    };
    if !(SHORTEST..=LONGEST).contains(&takes) {
        return Ok(Opened::Refused(Refused::Duration));
    }
    let (manifest, signed_by) = match proved(monitor, &root.name, manifest).await? {
        Ok(proved) => proved,
        Err(why) => return Ok(Opened::Refused(why)),
    };
    let mut tx = monitor.db.read().await?;
    let active = baselines::active(&mut tx, &root.name).await?;
    let open = deployments::open_in(&mut tx, &root.name).await?;
    drop(tx);
    let Some(active) = active else { return Ok(Opened::Refused(Refused::NoBaseline)) };
    if manifest.head.previous.is_some_and(|digest| digest.as_bytes()[..] != active.digest) {
        return Ok(Opened::Refused(Refused::NotNext));
    }
    let passed_over = spool::head(monitor, &active)?.map(|head| head.exclude).unwrap_or_default();
    let is_new = |pattern| !root.exclude.contains(pattern) && !passed_over.contains(pattern);
    if manifest.head.exclude.iter().any(is_new) {
        return Ok(Opened::Refused(Refused::PassesOver));
    }
    if let Some(open) = open {
        if open.ends_at > monitor.now() {
            return Ok(Opened::Refused(Refused::AlreadyOpen));
        }
        close(monitor, &open, DeploymentState::Expired, open.counts).await?;
    }
    let (by, exclude) = (monitor.context.actor, Vec::new());
    let saying = Saying { root: &root.name, reason, by, exclude };
    let number = spool::keep_declared(monitor, manifest, &signed_by, &saying).await?;
    begin(monitor, root, number, takes, reason).await
}

/// A manifest all of which was read, from its beginning, and the one of the keys that signed it.
async fn proved(
    monitor: &Monitor<'_>,
    root: &str,
    file: File,
) -> Result<Result<Proved, Refused>, Fault> {
    let keys = monitor.settings.deploy_keys.clone();
    if keys.is_empty() {
        return Ok(Err(Refused::NoKeys));
    }
    let root = root.to_owned();
    let read = move || -> Result<Proved, Refused> {
        let mut again = file.try_clone().map_err(|_| Refused::Malformed)?;
        let manifest = open_manifest(file)?;
        let signed_by = keys.iter().find(|key| note::open(&manifest.note, key).is_ok());
        let signed_by = signed_by.ok_or(Refused::BadSignature)?.clone();
        if manifest.head.root != root {
            return Err(Refused::OtherRoot);
        }
        if manifest.lines.into_iter().any(|line| line.is_err()) {
            return Err(Refused::Malformed);
        }
        again.seek(SeekFrom::Start(0)).map_err(|_| Refused::Malformed)?;
        Ok((open_manifest(again)?, signed_by))
    };
    Ok(tokio::task::spawn_blocking(read).await?)
}

type Proved = (Manifest<BufReader<File>>, VerifierKey);

fn open_manifest(file: File) -> Result<Manifest<BufReader<File>>, Refused> {
    Manifest::open(BufReader::new(file)).map_err(|_| Refused::Malformed)
}

async fn begin(
    monitor: &Monitor<'_>,
    root: &WatchedRoot,
    number: i64,
    takes: Duration,
    reason: &str,
) -> Result<Opened, Fault> {
    let now = monitor.now();
    let id = DeploymentId::from_random(monitor.random.bytes());
    let (ends_at, by) = (now.plus(takes), monitor.context.actor);
    let new = NewDeployment { id, root: &root.name, number, reason, by, ends_at };
    let mut tx = monitor.db.write().await?;
    if !deployments::open(&mut tx, &new, now).await? {
        baselines::reject(&mut tx, &root.name, number).await?;
        tx.commit().await?;
        return Ok(Opened::Refused(Refused::AlreadyOpen));
    }
    let root = Text::clip(&root.name);
    let event = Event::DeploymentOpened { deployment: id, root, number, until: ends_at };
    monitor.record(&mut tx, &event).await?;
    tx.commit().await?;
    Ok(Opened::Done { id, number, ends_at })
}

/// What became of ending a deployment.
#[derive(Debug, PartialEq, Eq)]
pub enum Closed {
    /// Everything is as declared, and that is the baseline now.
    Complete { number: i64, counts: Counts },
    /// Not everything is. The baseline before it stays.
    Incomplete { counts: Counts },
    /// There is no such deployment, or it is not open.
    NotOpen,
    /// Its time was over.
    Expired,
    /// A check goes on, or this one was stopped or overtaken by another baseline: it is to be tried again.
    Busy,
}

/// Ends a deployment: everything is looked at once more.
pub async fn end(
    monitor: &Monitor<'_>,
    id: DeploymentId,
    stopping: &CancellationToken,
) -> Result<Closed, Fault> {
    let mut tx = monitor.db.read().await?;
    let open = deployments::by_id(&mut tx, id).await?;
    drop(tx);
    let open = open.filter(|open| open.state == DeploymentState::Open);
    let Some(open) = open else { return Ok(Closed::NotOpen) };
    let Some(root) = monitor.settings.root(&open.root) else { return Ok(Closed::NotOpen) };
    if open.ends_at <= monitor.now() {
        close(monitor, &open, DeploymentState::Expired, open.counts).await?;
        return Ok(Closed::Expired);
    }
    let Begun::Started(check) = check::begin(monitor, Cause::Deployment).await? else {
        return Ok(Closed::Busy);
    };
    let mut run = Run::new(monitor, check, stopping);
    let looked = run.root(root).await;
    let state = match &looked {
        Ok(OfRoot::Done) => CheckState::Complete,
        Ok(OfRoot::Superseded) => CheckState::Superseded,
        Ok(OfRoot::Stopped(state)) => *state,
        Ok(OfRoot::Failed(_)) | Err(_) => CheckState::Failed,
    };
    run.finish(state).await?;
    if matches!(looked, Ok(OfRoot::Stopped(_) | OfRoot::Superseded)) {
        return Ok(Closed::Busy);
    }
    let is_done = matches!(looked?, OfRoot::Done);
    let Some(last) = run.of_deployment.take().filter(|_| is_done) else {
        close(monitor, &open, DeploymentState::Incomplete, open.counts).await?;
        return Ok(Closed::Incomplete { counts: open.counts });
    };
    let counts = last.counts;
    if last.is_complete() && complete(monitor, root, &open, &last).await? {
        differ::keep_copies(monitor, root).await?;
        return Ok(Closed::Complete { number: open.number, counts });
    }
    close(monitor, &open, DeploymentState::Incomplete, counts).await?;
    Ok(Closed::Incomplete { counts })
}

/// What a look at everything was that may be the last one of a deployment.
pub(super) struct LastLook {
    counts: Counts,
    /// All that differs is among what was counted.
    is_whole: bool,
    began: Time,
    /// The baseline that was compared with.
    against: Option<i64>,
    /// Paths of open alerts that are as declared.
    declared: HashSet<Vec<u8>>,
}

impl LastLook {
    pub(super) fn of(differing: &mut Differences, settling: &Settling<'_>) -> Self {
        Self {
            counts: differing.counts,
            is_whole: differing.is_whole(),
            began: settling.began,
            against: settling.against,
            declared: std::mem::take(&mut differing.declared),
        }
    }

    fn is_complete(&self) -> bool {
        self.is_whole && self.counts.pending == 0 && self.counts.unexpected == 0
    }
}

/// Puts what was declared in force, and ends the alerts of what is declared by now. `false`: something
/// differed after the look had come by it, or another baseline is in force than the one that was compared
/// with; then nothing happens.
async fn complete(
    monitor: &Monitor<'_>,
    root: &WatchedRoot,
    open: &Deployment,
    last: &LastLook,
) -> Result<bool, Fault> {
    let (by, now) = (monitor.context.actor, monitor.now());
    let state = DeploymentState::Complete;
    let mut tx = monitor.db.write().await?;
    rows::hold(&mut tx, &root.name).await?;
    let is_overtaken = alerts::is_seen_after(&mut tx, &root.name, last.began).await?;
    if is_overtaken
        || !deployments::close(&mut tx, open.id, state, by, now).await?
        || baseline::activate_in(monitor, &mut tx, &root.name, open.number, last.against)
            .await?
            .is_none()
    {
        return Ok(false);
    }
    let ended = (&last.declared, last.began);
    ended::of_paths(monitor, &mut tx, root, ended, Because::Accepted).await?;
    closed(monitor, &mut tx, open, state, last.counts).await?;
    tx.commit().await?;
    Ok(true)
}

/// The deployment of a root that is open, and whose time is not over.
pub(super) async fn going_on(
    tx: &mut Tx,
    root: &WatchedRoot,
    now: Time,
) -> Result<Option<Deployment>, Error> {
    let open = deployments::open_in(tx, &root.name).await?;
    Ok(open.filter(|open| open.ends_at > now))
}

/// What a deployment declares, for a look.
pub(super) async fn declared(
    monitor: &Monitor<'_>,
    open: Option<&Deployment>,
) -> Result<Declared<Spooled>, Fault> {
    let Some(open) = open else { return Ok(Declared::Nothing) };
    let mut tx = monitor.db.read().await?;
    let declared = baselines::by_number(&mut tx, &open.root, open.number).await?;
    drop(tx);
    let Some(declared) = declared else { return Ok(Declared::Broken) };
    Ok(spool::fetch(monitor, &declared).await?.map_or(Declared::Broken, Declared::This))
}

/// Writes down what a look at everything found of an open one, and ends it if what it declares cannot be
/// believed.
pub(super) async fn saw(
    monitor: &Monitor<'_>,
    open: &Deployment,
    differing: &Differences,
) -> Result<(), Fault> {
    if differing.is_declared_broken {
        close(monitor, open, DeploymentState::Incomplete, open.counts).await?;
    } else if differing.broken.is_none() {
        let mut tx = monitor.db.write().await?;
        deployments::count(&mut tx, open.id, differing.counts).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Calls a deployment off; `false` if it is not open.
pub async fn cancel(monitor: &Monitor<'_>, id: DeploymentId) -> Result<bool, Fault> {
    let mut tx = monitor.db.read().await?;
    let open = deployments::by_id(&mut tx, id).await?;
    drop(tx);
    match open.filter(|open| open.state == DeploymentState::Open) {
        Some(open) => close(monitor, &open, DeploymentState::Cancelled, open.counts).await,
        None => Ok(false),
    }
}

/// Ends deployments whose time is over.
pub async fn expire(monitor: &Monitor<'_>) -> Result<(), Fault> {
    let mut tx = monitor.db.read().await?;
    let open = deployments::all_open(&mut tx).await?;
    drop(tx);
    for open in open.iter().filter(|open| open.ends_at <= monitor.now()) {
        close(monitor, open, DeploymentState::Expired, open.counts).await?;
    }
    Ok(())
}

/// Ends one without its manifest coming into force; `false` if somebody else has ended it.
pub(super) async fn close(
    monitor: &Monitor<'_>,
    open: &Deployment,
    state: DeploymentState,
    counts: Counts,
) -> Result<bool, Fault> {
    let (by, now) = (monitor.context.actor, monitor.now());
    let mut tx = monitor.db.write().await?;
    if !deployments::close(&mut tx, open.id, state, by, now).await? {
        return Ok(false);
    }
    baselines::reject(&mut tx, &open.root, open.number).await?;
    closed(monitor, &mut tx, open, state, counts).await?;
    tx.commit().await?;
    Ok(true)
}

async fn closed(
    monitor: &Monitor<'_>,
    tx: &mut Tx,
    open: &Deployment,
    state: DeploymentState,
    counts: Counts,
) -> Result<(), Error> {
    let event = Event::DeploymentClosed {
        deployment: open.id,
        root: Text::clip(&open.root),
        state,
        reached: counts.reached,
        pending: counts.pending,
        unexpected: counts.unexpected,
    };
    monitor.record(tx, &event).await
}

/// The newest deployments first.
pub async fn list(db: &Db, limit: i64) -> Result<Vec<Deployment>, Error> {
    deployments::list(&mut db.read().await?, limit).await
}
