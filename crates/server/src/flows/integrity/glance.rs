//! A look at a part of a root, because the system tells of a change there. It is no check: nothing is
//! written down but what becomes of alerts. Not here: when there is one (`crate::file_watch`).

use std::sync::Arc;

use portcullis_domain::integrity::DeploymentState;
use portcullis_integrity::Scope;
use portcullis_store::integrity::baselines::{self, Baseline};
use portcullis_store::integrity::deployments::Deployment;
use tokio_util::sync::CancellationToken;

use super::found::Differences;
use super::look::{self, Looked, NotLooked};
use super::settle::{Settled, Settling, Told, settle};
use super::spool::{self, Invalid, Spooled};
use super::{Fault, Monitor, deployment};
use crate::config::WatchedRoot;

/// The baseline that the last look was held against, for the next one. Its signature was checked.
#[derive(Default)]
pub struct Kept(Option<(i64, Arc<Spooled>)>);

/// What became of a look.
#[derive(Debug, PartialEq, Eq)]
pub enum Glanced {
    /// Alerts that are new, or open again.
    Done(Vec<Told>),
    /// There is no baseline yet, or it is another one by now: somebody has to look again.
    Again,
    Stopped,
}

/// Looks at a part of a root, and makes alerts of what differs there.
pub async fn glance(
    monitor: &Monitor<'_>,
    root: &WatchedRoot,
    scope: &Scope,
    kept: &mut Kept,
    stopping: &CancellationToken,
) -> Result<Glanced, Fault> {
    let began = monitor.now();
    let mut tx = monitor.db.read().await?;
    let active = baselines::active(&mut tx, &root.name).await?;
    let open = deployment::going_on(&mut tx, root, began).await?;
    drop(tx);
    let Some(active) = active else { return Ok(Glanced::Again) };
    let mut settling = Settling {
        deployment: open.as_ref().map(|open| open.id),
        ..Settling::new(root, began, Some(active.number))
    };
    let looked = see(monitor, root, scope, (kept, &active, open.as_ref()), stopping).await?;
    let Some(differing) = Differences::of(looked)? else { return Ok(Glanced::Stopped) };
    if let Some(open) = open.filter(|_| differing.is_declared_broken) {
        deployment::close(monitor, &open, DeploymentState::Incomplete, open.counts).await?;
    }
    let found = settling.take(scope.clone(), differing, &monitor.settings.rules);
    Ok(match settle(monitor, &settling, found).await? {
        Settled::Done(told) => Glanced::Done(told),
        Settled::Superseded => Glanced::Again,
    })
}

async fn see(
    monitor: &Monitor<'_>,
    root: &WatchedRoot,
    scope: &Scope,
    (kept, active, open): (&mut Kept, &Baseline, Option<&Deployment>),
    stopping: &CancellationToken,
) -> Result<Result<Looked, NotLooked>, Fault> {
    let Ok(old) = kept.fetch(monitor, active).await? else { return Ok(Err(NotLooked::Baseline)) };
    let new = deployment::declared(monitor, open).await?;
    let target = look::target(monitor, root, scope.clone()).await?;
    let progress = Arc::clone(&target.progress);
    let mut looking = tokio::task::spawn_blocking(move || look::look(&target, &old, &new));
    tokio::select! {
        looked = &mut looking => Ok(looked?),
        () = stopping.cancelled() => {
            progress.stop();
            Ok(looking.await?)
        }
    }
}

impl Kept {
    async fn fetch(
        &mut self,
        monitor: &Monitor<'_>,
        active: &Baseline,
    ) -> Result<Result<Arc<Spooled>, Invalid>, Fault> {
        if let Some((number, spooled)) = &self.0
            && *number == active.number
        {
            return Ok(Ok(Arc::clone(spooled)));
        }
        let fetched = spool::fetch(monitor, active).await?.map(Arc::new);
        self.0 = fetched.as_ref().ok().map(|spooled| (active.number, Arc::clone(spooled)));
        Ok(fetched)
    }
}
