//! Baselines: recorded as files are, changed in one entry, put in force; each an act of somebody, which
//! is written down. The one exception is a root's first, which is recorded at the first check.

use std::collections::HashSet;
use std::sync::Arc;

use portcullis_domain::event::{Event, Text};
use portcullis_integrity::path::order;
use portcullis_integrity::{Entry, Progress, Scope, Why};
use portcullis_store::Tx;
use portcullis_store::integrity::baselines::{self, Baseline, NewBaseline};
use portcullis_store::integrity::{self as rows};

use super::ended::{self, Because};
use super::look::{self, NotLooked, Observed, Target};
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
    let target = Target { progress, ..look::target(monitor, root, Scope::everything()).await? };
    let over = in_force(monitor, root).await?;
    let body = spool::empty(monitor)?;
    let observed = tokio::task::spawn_blocking(move || look::observe(target, body)).await?;
    let Observed { body, good } = match observed {
        Ok(observed) => observed,
        Err(NotLooked::Root(why)) => return Ok(Recorded::Root(why)),
        Err(NotLooked::Io(error)) => return Err(error.into()),
        Err(NotLooked::Stopped | NotLooked::Baseline) => return Ok(Recorded::Overtaken),
    };
    let by = monitor.context.actor;
    let saying = Saying { root: &root.name, reason, by, exclude: Vec::new() };
    let number = spool::keep_observed(monitor, body, &saying).await?;
    let mut tx = monitor.db.write().await?;
    rows::hold(&mut tx, &root.name).await?;
    let Some(entries) = activate_in(monitor, &mut tx, &root.name, number, over).await? else {
        baselines::reject(&mut tx, &root.name, number).await?;
        tx.commit().await?;
        return Ok(Recorded::Overtaken);
    };
    ended::of_paths(monitor, &mut tx, root, (&good, began), Because::Accepted).await?;
    rows::looked(&mut tx, &root.name, began).await?;
    tx.commit().await?;
    differ::keep_copies(monitor, root).await?;
    Ok(Recorded::Done { number, entries })
}

/// A change of one entry of a baseline.
pub(super) struct Edit<'a> {
    pub(super) path: &'a [u8],
    /// What the baseline has now, as its line; empty: nothing.
    pub(super) was: &'a str,
    /// `None`: there ought to be nothing.
    pub(super) entry: Option<&'a Entry>,
}

/// A baseline that is to take the place of the one in force.
pub(super) struct Edited<'e> {
    pub(super) number: i64,
    /// The number of the one in force.
    pub(super) over: i64,
    /// Paths of which the one in force has something else than whoever wanted to change it saw. They stay.
    pub(super) stale: HashSet<&'e [u8]>,
}

/// Makes a baseline that differs from the one in force in these entries, in the order of paths, and
/// proposes it. `None`: there is none in force that can be believed.
pub(super) async fn propose_edited<'e>(
    monitor: &Monitor<'_>,
    root: &str,
    edits: &[Edit<'e>],
    reason: &str,
) -> Result<Option<Edited<'e>>, Fault> {
    let mut tx = monitor.db.read().await?;
    let active = baselines::active(&mut tx, root).await?;
    drop(tx);
    let Some(active) = active else { return Ok(None) };
    let Ok(spooled) = spool::fetch(monitor, &active).await? else { return Ok(None) };
    let Ok(lines) = spooled.lines() else { return Ok(None) };
    let mut editing = Editing { body: spool::empty(monitor)?, stale: HashSet::new() };
    let mut edits = edits.iter().peekable();
    for line in lines {
        let Ok(entry) = line else { return Ok(None) };
        while let Some(edit) = edits.next_if(|edit| order(edit.path, &entry.path).is_lt()) {
            editing.line(None, Some(edit))?;
        }
        editing.line(Some(&entry), edits.next_if(|edit| edit.path == entry.path))?;
    }
    for edit in edits {
        editing.line(None, Some(edit))?;
    }
    let Editing { body, stale } = editing;
    let exclude = spooled.exclude.clone();
    let saying = Saying { root, reason, by: monitor.context.actor, exclude };
    let number = spool::keep_observed(monitor, body, &saying).await?;
    Ok(Some(Edited { number, over: active.number, stale }))
}

struct Editing<'e> {
    body: spool::Written,
    stale: HashSet<&'e [u8]>,
}

impl<'e> Editing<'e> {
    /// One path, with what the baseline in force has of it and what is to be there.
    fn line(&mut self, entry: Option<&Entry>, edit: Option<&Edit<'e>>) -> std::io::Result<()> {
        let Some(edit) = edit else { return entry.map_or(Ok(()), |entry| self.body.push(entry)) };
        let line = if edit.was == entry.map(Entry::to_string).unwrap_or_default() {
            edit.entry
        } else {
            self.stale.insert(edit.path);
            entry
        };
        line.map_or(Ok(()), |entry| self.body.push(entry))
    }
}

/// Puts a proposed baseline in force over the one that was: how many entries it has.
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
