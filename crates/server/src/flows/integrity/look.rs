//! Looking at a root: what is there, held against the baseline in force and, while a deployment goes on,
//! against the declared one too. Runs on threads of its own.

use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::thread::available_parallelism;

use portcullis_integrity::manifest::Fault as ManifestFault;
use portcullis_integrity::{
    Compared, Comparison, Entry, Exclude, Finding, NotAPattern, NotScanned, Plan, Progress, Scope,
    Seen, Why, scan,
};

use super::spool::{Spooled, Written};
use crate::config::{Integrity, WatchedRoot};

/// What is looked at.
pub(super) struct Target {
    pub(super) plan: Plan,
    pub(super) progress: Arc<Progress>,
}

/// What a look came to.
pub(super) struct Looked {
    /// Against the baseline in force.
    pub(super) old: Compared,
    /// Against the one that a deployment declares.
    pub(super) new: Option<Compared>,
}

impl Looked {
    /// Whether most of what ought to be there is gone, whoever says what that is.
    pub(super) fn is_root_gone(&self) -> bool {
        let of_new = self.new.as_ref().is_none_or(Compared::is_root_gone);
        self.old.is_root_gone() && of_new
    }
}

/// Why a look came to nothing.
#[derive(Debug)]
pub(super) enum NotLooked {
    Root(Why),
    Stopped,
    /// The lines of a baseline are not what was signed.
    Baseline,
    /// What was to be written down could not be.
    Io(std::io::Error),
}

/// How a root is to be looked at.
pub(super) fn plan(settings: &Integrity, root: &WatchedRoot) -> Result<Plan, NotAPattern> {
    Ok(Plan {
        root: root.path.clone(),
        exclude: Exclude::parse(root.exclude.iter().map(String::as_str))?,
        scope: Scope::everything(),
        max_bytes: settings.max_hash_bytes,
        threads: available_parallelism().unwrap_or(NonZero::<usize>::MIN),
        limits: settings.limits,
    })
}

/// Looks, and compares. Blocks.
pub(super) fn look(
    target: &Target,
    old: &Spooled,
    new: Option<&Spooled>,
) -> Result<Looked, NotLooked> {
    let excluded = [Some(old), new].map(|of| excluded(of.map_or(&[], |of| &of.exclude)));
    let [of_old, of_new] = excluded;
    let (of_old, of_new) = (of_old?, of_new?);
    let mut old = begin(&target.plan, old)?;
    let mut new = new.map(|new| begin(&target.plan, new)).transpose()?;
    let mut fault = None;
    let scanned = scan(&target.plan, &target.progress, |seen| {
        let also = new.as_mut().map(|new| new.seen(seen.clone()));
        let seen = old.seen(seen);
        if let Err(found) = seen.and(also.unwrap_or(Ok(()))) {
            fault.get_or_insert(found);
            target.progress.stop();
        }
    });
    if let Some(fault) = fault {
        return Err(fault.into());
    }
    scanned?;
    let (mut old, mut new) = (old.finish()?, new.map(Comparison::finish).transpose()?);
    // A folder on the way to what is looked at may have been closed.
    let is_of = |finding: &Finding, exclude: &Exclude| {
        target.plan.covers(finding.path()) && !exclude.covers(finding.path())
    };
    old.findings.retain(|finding| is_of(finding, &of_old));
    if let Some(new) = &mut new {
        new.findings.retain(|finding| is_of(finding, &of_new));
    }
    Ok(Looked { old, new })
}

/// What a baseline says nothing of. Its patterns were signed with it.
fn excluded(patterns: &[String]) -> Result<Exclude, NotLooked> {
    Exclude::parse(patterns.iter().map(String::as_str)).map_err(|_| NotLooked::Baseline)
}

type Lines<'p> = Box<dyn Iterator<Item = Result<Entry, ManifestFault>> + 'p>;

/// What the configuration passes over is no difference, whatever a baseline has of it.
fn begin<'p>(plan: &'p Plan, spooled: &Spooled) -> Result<Comparison<Lines<'p>>, NotLooked> {
    let lines = spooled.lines()?;
    let is_seen = |line: &Result<Entry, ManifestFault>| match line {
        Ok(entry) => plan.covers(&entry.path),
        Err(_) => true,
    };
    let lines: Lines<'p> = Box::new(lines.filter(is_seen));
    let is_whole = plan.scope.is_everything();
    let begin = if is_whole { Comparison::begin } else { Comparison::begin_part };
    Ok(begin(lines, &plan.root))
}

/// Writes down what is there; what could not be checked is not in it. Blocks.
pub(super) fn observe(target: &Target, mut body: Written) -> Result<Written, NotLooked> {
    let mut fault = None;
    let scanned = scan(&target.plan, &target.progress, |seen| {
        if let Seen::Is(entry, _) = &seen
            && let Err(error) = body.push(entry)
        {
            fault.get_or_insert(error);
            target.progress.stop();
        }
    });
    match fault {
        Some(error) => Err(NotLooked::Io(error)),
        None => scanned.map(|()| body).map_err(NotLooked::from),
    }
}

/// Where the path stands on this machine, as people read it.
pub(super) fn shown(root: &Path, path: &[u8]) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let root = root.as_os_str().as_bytes();
    if path.is_empty() {
        return portcullis_integrity::path::show(root);
    }
    portcullis_integrity::path::show(&[root, b"/", path].concat())
}

impl From<NotScanned> for NotLooked {
    fn from(not: NotScanned) -> Self {
        match not {
            NotScanned::Root(why) => Self::Root(why),
            NotScanned::Stopped => Self::Stopped,
        }
    }
}

impl From<ManifestFault> for NotLooked {
    fn from(_: ManifestFault) -> Self {
        Self::Baseline
    }
}
