//! Deployments: for a while files may come to be as a signed manifest declares them, which nobody is told
//! of; everything else is told of as always. At its end the manifest is the baseline if all is as it
//! says, and else the one before it stays.

use std::fs::File;
use std::io::{BufReader, Seek as _, SeekFrom};
use std::time::Duration;

use portcullis_domain::audit::note;
use portcullis_domain::event::{Event, Text};
use portcullis_domain::id::DeploymentId;
use portcullis_domain::integrity::alert::Resolution;
use portcullis_domain::integrity::{Cause, CheckState, DeploymentState, LONGEST, SHORTEST};
use portcullis_domain::time::Time;
use portcullis_integrity::Scope;
use portcullis_integrity::manifest::Manifest;
use portcullis_store::integrity::baselines;
use portcullis_store::integrity::deployments::{self, Counts, Deployment, NewDeployment};
use portcullis_store::{Db, Error};
use tokio_util::sync::CancellationToken;

use super::check::{self, Begun, OfRoot, Run};
use super::settle::{Settling, settle};
use super::spool::{self, Saying};
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
    let manifest = match proved(monitor, &root.name, manifest).await? {
        Ok(manifest) => manifest,
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
    if let Some(open) = open {
        if open.ends_at > monitor.now() {
            return Ok(Opened::Refused(Refused::AlreadyOpen));
        }
        close(monitor, &open, DeploymentState::Expired, open.counts).await?;
    }
    let (by, exclude) = (monitor.context.actor, Vec::new());
    let saying = Saying { root: &root.name, reason, by, exclude };
    let number = spool::keep_declared(monitor, manifest, &saying).await?;
    begin(monitor, root, number, takes, reason).await
}

/// A manifest that one of the keys signed and all of which was read, from its beginning.
async fn proved(
    monitor: &Monitor<'_>,
    root: &str,
    file: File,
) -> Result<Result<Manifest<BufReader<File>>, Refused>, Fault> {
    let keys = monitor.settings.deploy_keys.clone();
    if keys.is_empty() {
        return Ok(Err(Refused::NoKeys));
    }
    let root = root.to_owned();
    let read = move || -> Result<Manifest<BufReader<File>>, Refused> {
        let mut again = file.try_clone().map_err(|_| Refused::Malformed)?;
        let manifest = open_manifest(file)?;
        if !keys.iter().any(|key| note::open(&manifest.note, key).is_ok()) {
            return Err(Refused::BadSignature);
        }
        if manifest.head.root != root {
            return Err(Refused::OtherRoot);
        }
        if manifest.lines.into_iter().any(|line| line.is_err()) {
            return Err(Refused::Malformed);
        }
        again.seek(SeekFrom::Start(0)).map_err(|_| Refused::Malformed)?;
        open_manifest(again)
    };
    Ok(tokio::task::spawn_blocking(read).await?)
}

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
    let seen = run.of_deployment.filter(|_| is_done);
    let (counts, is_whole) = seen.unwrap_or((open.counts, false));
    if is_whole && counts.pending == 0 && counts.unexpected == 0 {
        return complete(monitor, root, &open, counts).await;
    }
    close(monitor, &open, DeploymentState::Incomplete, counts).await?;
    Ok(Closed::Incomplete { counts })
}

/// Puts what was declared in force, and ends the alerts of what is declared by now.
async fn complete(
    monitor: &Monitor<'_>,
    root: &WatchedRoot,
    open: &Deployment,
    counts: Counts,
) -> Result<Closed, Fault> {
    let now = monitor.now();
    let mut tx = monitor.db.write().await?;
    let over = baselines::active(&mut tx, &root.name).await?.map(|active| active.number);
    if deployments::close(&mut tx, open.id, DeploymentState::Complete, monitor.context.actor, now)
        .await?
        && baseline::activate_in(monitor, &mut tx, &root.name, open.number, over).await?.is_some()
    {
        closed(monitor, &mut tx, open, DeploymentState::Complete, counts).await?;
        tx.commit().await?;
    } else {
        return Ok(Closed::NotOpen);
    }
    let settling = Settling {
        deployment: Some(open.id),
        seen: Some(Scope::everything()),
        gone: Resolution::Accepted,
        ..Settling::new(root, now, Some(open.number))
    };
    settle(monitor, &settling, Vec::new()).await?;
    differ::keep_copies(monitor, root).await?;
    Ok(Closed::Complete { number: open.number, counts })
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
    tx: &mut portcullis_store::Tx,
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

/// Writes down what a look found of an open one.
pub(super) async fn count(
    monitor: &Monitor<'_>,
    id: DeploymentId,
    counts: Counts,
) -> Result<(), Error> {
    let mut tx = monitor.db.write().await?;
    deployments::count(&mut tx, id, counts).await?;
    tx.commit().await
}

/// The newest deployments first.
pub async fn list(db: &Db, limit: i64) -> Result<Vec<Deployment>, Error> {
    deployments::list(&mut db.read().await?, limit).await
}
