//! One root of a check: its baseline, what is there, and what is made of the difference.

use std::sync::Arc;

use portcullis_domain::event::{Event, Text};
use portcullis_domain::integrity::DeploymentState;
use portcullis_domain::time::Time;
use portcullis_integrity::{Progress, Scope};
use portcullis_store::integrity::baselines::{self, Baseline};
use portcullis_store::integrity::deployments::{self, Deployment};
use portcullis_store::integrity::{self as rows, Root};

use super::{OfRoot, Run};
use crate::config::WatchedRoot;
use crate::flows::integrity::baseline::{self, Recorded};
use crate::flows::integrity::deployment::{self, LastLook};
use crate::flows::integrity::found::{Differences, Found};
use crate::flows::integrity::look::{self, Looked, NotLooked};
use crate::flows::integrity::settle::{Settled, Settling, settle};
use crate::flows::integrity::{Fault, coverage, differ, spool};

impl Run<'_> {
    pub(super) async fn one(&mut self, root: &WatchedRoot) -> Result<OfRoot, Fault> {
        let began = self.monitor.now();
        let row = self.begin_root(root, began).await?;
        let mut tx = self.monitor.db.read().await?;
        let active = baselines::active(&mut tx, &root.name).await?;
        let open = deployments::open_in(&mut tx, &root.name).await?;
        drop(tx);
        let Some(active) = active else { return self.first(root).await };
        self.counts.expected += active.entries;
        let open = self.unless_over(open, began).await?;
        let settling = Settling {
            check: Some(self.id),
            deployment: open.as_ref().map(|open| open.id),
            ..Settling::new(root, began, Some(active.number))
        };
        let mut standing = Vec::from_iter(coverage::narrowed(self.monitor, root, &row));
        standing.extend(differ::lack_of_room(self.monitor, root).await?);
        let of_root = self.compared(settling, standing, &active, open).await?;
        if matches!(of_root, OfRoot::Done) {
            coverage::learn(self.monitor, root, &row).await?;
        }
        Ok(of_root)
    }

    /// The root as the store knows it. If nobody has looked for too long, that is written down.
    async fn begin_root(&self, root: &WatchedRoot, now: Time) -> Result<Root, Fault> {
        let monitor = self.monitor;
        let mut tx = monitor.db.write().await?;
        let row = rows::ensure(&mut tx, &root.name, &coverage::of(monitor.settings, root)).await?;
        if let (Some(since), Some(every)) = (row.looked_at, monitor.settings.schedule)
            && since < now.minus(every * 2)
        {
            let root = Text::clip(&root.name);
            let event = Event::FilesUnchecked { root, since, until: now };
            monitor.record(&mut tx, &event).await?;
        }
        tx.commit().await?;
        Ok(row)
    }

    /// A root without a baseline: what is there is the first one, which is said.
    async fn first(&mut self, root: &WatchedRoot) -> Result<OfRoot, Fault> {
        let progress = Arc::new(Progress::default());
        self.beat.at("scan", &root.name);
        self.beat.follow(&progress);
        let reason = "the first check of the root";
        let recorded = baseline::record(self.monitor, root, Arc::clone(&progress), reason).await?;
        self.counts = super::add(self.counts, &progress);
        self.beat.counts(self.counts);
        match recorded {
            Recorded::Done { number, entries } => {
                self.counts.expected += entries;
                tracing::warn!(
                    root = root.name,
                    number,
                    entries,
                    "there was no baseline: what was there now is one, which nobody has declared"
                );
                Ok(OfRoot::Done)
            }
            Recorded::Root(why) => {
                tracing::error!(root = root.name, why = why.as_str(), "the root cannot be opened");
                Ok(OfRoot::Failed("root_unavailable"))
            }
            Recorded::Overtaken if self.beat.ends() => Ok(OfRoot::Stopped(self.stopped())),
            Recorded::Overtaken => Ok(OfRoot::Superseded),
        }
    }

    /// The deployment, unless its time is over.
    async fn unless_over(
        &self,
        open: Option<Deployment>,
        now: Time,
    ) -> Result<Option<Deployment>, Fault> {
        let Some(open) = open else { return Ok(None) };
        if open.ends_at > now {
            return Ok(Some(open));
        }
        deployment::close(self.monitor, &open, DeploymentState::Expired, open.counts).await?;
        Ok(None)
    }

    /// Looks, compares, and makes alerts of what differs.
    async fn compared(
        &mut self,
        mut settling: Settling<'_>,
        mut found: Vec<Found<'_>>,
        active: &Baseline,
        open: Option<Deployment>,
    ) -> Result<OfRoot, Fault> {
        let (root, rules) = (settling.root, &self.monitor.settings.rules);
        let looked = self.see(root, active, open.as_ref()).await?;
        let Some(mut differing) = Differences::of(looked)? else {
            return Ok(OfRoot::Stopped(self.stopped()));
        };
        if let Some(open) = &open {
            deployment::saw(self.monitor, open, &differing).await?;
        }
        let broken = differing.broken;
        self.counts.violations += i64::try_from(differing.count()).unwrap_or(i64::MAX);
        self.of_deployment = open.map(|_| LastLook::of(&mut differing, &settling));
        found.extend(settling.take(Scope::everything(), differing, rules));
        match (settle(self.monitor, &settling, found).await?, broken) {
            (Settled::Superseded, _) => Ok(OfRoot::Superseded),
            (Settled::Done(told), broken) => {
                self.counts.alerts += i64::try_from(told.len()).unwrap_or(i64::MAX);
                self.told.extend(told);
                Ok(broken.map_or(OfRoot::Done, |kind| OfRoot::Failed(kind.as_str())))
            }
        }
    }

    async fn see(
        &mut self,
        root: &WatchedRoot,
        active: &Baseline,
        open: Option<&Deployment>,
    ) -> Result<Result<Looked, NotLooked>, Fault> {
        let old = spool::fetch(self.monitor, active).await?;
        let Ok(old) = old else { return Ok(Err(NotLooked::Baseline)) };
        let new = deployment::declared(self.monitor, open).await?;
        let target = look::target(self.monitor, root, Scope::everything()).await?;
        self.look(&root.name, target, old, new).await
    }
}
