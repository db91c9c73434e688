//! Baselines: recorded as files are, changed in one entry, put in force; each an act of somebody, which
//! is written down. The one exception is a root's first, which is recorded at the first check.

use std::sync::Arc;

use portcullis_domain::event::{Event, Text};
use portcullis_integrity::path::order;
use portcullis_integrity::{Entry, Progress, Why};
use portcullis_store::Tx;
use portcullis_store::integrity::baselines::{self, Baseline, NewBaseline};
use portcullis_store::integrity::{self as rows};

use super::look::{self, NotLooked, Target};
use super::spool::{self, Saying};
use super::{Fault, Monitor, coverage, differ};
use crate::config::WatchedRoot;

/// What became of a new baseline.
#[derive(Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is in force.
    Done { number: i64, entries: i64 },
    /// The root cannot be opened.
    Root(Why),
    /// Somebody else put one in force meanwhile, or the one in force cannot be believed.
    Overtaken,
}

/// Records what is there now as what ought to be there.
pub async fn record(
    monitor: &Monitor<'_>,
    root: &WatchedRoot,
    progress: Arc<Progress>,
    reason: &str,
) -> Result<Recorded, Fault> {
    let began = monitor.now();
    let target = Target { plan: look::plan(monitor.settings, root)?, progress };
    let over = in_force(monitor, root).await?;
    let body = spool::empty(monitor)?;
    let observed = tokio::task::spawn_blocking(move || look::observe(&target, body)).await?;
    let body = match observed {
        Ok(body) => body,
        Err(NotLooked::Root(why)) => return Ok(Recorded::Root(why)),
        Err(NotLooked::Io(error)) => return Err(error.into()),
        Err(NotLooked::Stopped | NotLooked::Baseline) => return Ok(Recorded::Overtaken),
    };
    let by = monitor.context.actor;
    let saying = Saying { root: &root.name, reason, by, exclude: Vec::new() };
    let number = spool::keep_observed(monitor, body, &saying).await?;
    let recorded = activate(monitor, &root.name, number, over).await?;
    if matches!(recorded, Recorded::Done { .. }) {
        let mut tx = monitor.db.write().await?;
        rows::looked(&mut tx, &root.name, began).await?;
        tx.commit().await?;
        differ::keep_copies(monitor, root).await?;
    }
    Ok(recorded)
}

/// A change of one entry of a baseline.
pub(super) struct Edit<'a> {
    pub(super) path: &'a [u8],
    /// `None`: there ought to be nothing.
    pub(super) entry: Option<&'a Entry>,
}

/// Makes a baseline that differs from the one in force in these entries, in the order of paths, and
/// proposes it: its number. `None`: there is none in force that can be believed.
pub(super) async fn propose_edited(
    monitor: &Monitor<'_>,
    root: &str,
    edits: &[Edit<'_>],
    reason: &str,
) -> Result<Option<(i64, i64)>, Fault> {
    let mut tx = monitor.db.read().await?;
    let active = baselines::active(&mut tx, root).await?;
    drop(tx);
    let Some(active) = active else { return Ok(None) };
    let Ok(spooled) = spool::fetch(monitor, &active).await? else { return Ok(None) };
    let mut body = spool::empty(monitor)?;
    let Ok(lines) = spooled.lines() else { return Ok(None) };
    let mut edits = edits.iter().peekable();
    for line in lines {
        let Ok(entry) = line else { return Ok(None) };
        while let Some(edit) = edits.next_if(|edit| order(edit.path, &entry.path).is_lt()) {
            push(&mut body, edit)?;
        }
        match edits.next_if(|edit| edit.path == entry.path) {
            Some(edit) => push(&mut body, edit)?,
            None => body.push(&entry)?,
        }
    }
    for edit in edits {
        push(&mut body, edit)?;
    }
    let exclude = spooled.exclude.clone();
    let saying = Saying { root, reason, by: monitor.context.actor, exclude };
    let number = spool::keep_observed(monitor, body, &saying).await?;
    Ok(Some((number, active.number)))
}

fn push(body: &mut spool::Written, edit: &Edit<'_>) -> std::io::Result<()> {
    edit.entry.map_or(Ok(()), |entry| body.push(entry))
}

/// Puts a proposed baseline in force over the one that was.
async fn activate(
    monitor: &Monitor<'_>,
    root: &str,
    number: i64,
    over: Option<i64>,
) -> Result<Recorded, Fault> {
    let mut tx = monitor.db.write().await?;
    let Some(entries) = activate_in(monitor, &mut tx, root, number, over).await? else {
        baselines::reject(&mut tx, root, number).await?;
        tx.commit().await?;
        return Ok(Recorded::Overtaken);
    };
    tx.commit().await?;
    Ok(Recorded::Done { number, entries })
}

/// The same within a transaction: how many entries it has.
pub(super) async fn activate_in(
    monitor: &Monitor<'_>,
    tx: &mut Tx,
    root: &str,
    number: i64,
    over: Option<i64>,
) -> Result<Option<i64>, Fault> {
    if !baselines::activate(tx, root, number, over, monitor.now()).await? {
        return Ok(None);
    }
    let Some(Baseline { origin, digest, entries, .. }) =
        baselines::by_number(tx, root, number).await?
    else {
        return Ok(None);
    };
    let digest = Text::clip(&hex::encode(digest));
    let event =
        Event::BaselineActivated { root: Text::clip(root), number, origin, digest, entries };
    monitor.record(tx, &event).await?;
    Ok(Some(entries))
}

/// Writes down that there is a new baseline.
pub(super) async fn proposed(
    monitor: &Monitor<'_>,
    tx: &mut Tx,
    new: &NewBaseline<'_>,
) -> Result<(), Fault> {
    let (root, number, origin) = (Text::clip(new.root), new.number, new.origin);
    let digest = Text::clip(&hex::encode(new.digest));
    let event = Event::BaselineProposed { root, number, origin, digest };
    Ok(monitor.record(tx, &event).await?)
}

/// The number of the baseline in force, of a root that may be new.
async fn in_force(monitor: &Monitor<'_>, root: &WatchedRoot) -> Result<Option<i64>, Fault> {
    let mut tx = monitor.db.write().await?;
    let coverage = coverage::of(monitor.settings, root);
    let over = rows::ensure(&mut tx, &root.name, &coverage).await?.baseline;
    tx.commit().await?;
    Ok(over)
}

/// Writes a baseline out as a signed manifest, for whoever checks without the server.
pub async fn export(
    monitor: &Monitor<'_>,
    baseline: &Baseline,
    to: &mut impl std::io::Write,
) -> Result<bool, Fault> {
    let Ok(spooled) = spool::fetch(monitor, baseline).await? else { return Ok(false) };
    writeln!(to, "{}", baseline.note)?;
    std::io::copy(&mut spooled.raw()?, to)?;
    to.flush()?;
    Ok(true)
}
