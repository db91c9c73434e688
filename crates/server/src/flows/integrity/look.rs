//! Looking at a root: what is there, held against the baseline in force and, while a deployment goes on,
//! against the declared one too. Runs on threads of its own.

use std::collections::HashSet;
use std::iter::Peekable;
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::thread::available_parallelism;

use portcullis_integrity::manifest::Fault as ManifestFault;
use portcullis_integrity::{
    Asked, Compared, Comparison, Entry, Exclude, Finding, NotAPattern, NotScanned, Plan, Progress,
    Rules, Scope, Seen, Severity, Why, is_gone, look_at_root, scan,
};
use portcullis_store::integrity::alerts;

use super::spool::{Spooled, Written};
use super::{Fault, Monitor};
use crate::config::{Integrity, WatchedRoot};

/// What is looked at.
pub(super) struct Target {
    pub(super) plan: Plan,
    pub(super) progress: Arc<Progress>,
    /// Paths that open alerts are about: whether they are as they ought to be.
    pub(super) asked: Vec<Vec<u8>>,
    /// By which of what is too much to be kept the worse is.
    pub(super) rules: Rules,
}

/// What a deployment declares.
pub(super) enum Declared<T> {
    /// None goes on.
    Nothing,
    This(T),
    /// One goes on, and its lines are not those that were signed.
    Broken,
}

/// What a look came to.
pub(super) struct Looked {
    /// Against the baseline in force.
    pub(super) old: Compared,
    /// Against the one that a deployment declares.
    pub(super) new: Declared<Against>,
}

/// What a look came to, against a baseline that says nothing of some paths.
pub(super) struct Against {
    pub(super) compared: Compared,
    pub(super) exclude: Exclude,
}

impl Looked {
    /// Whether most of what ought to be there is gone, whoever says what that is.
    pub(super) fn is_root_gone(&self) -> bool {
        let of_new = match &self.new {
            Declared::This(new) => new.compared.is_root_gone(),
            Declared::Nothing | Declared::Broken => true,
        };
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

/// How a part of a root is to be looked at.
pub(super) fn plan(
    settings: &Integrity,
    root: &WatchedRoot,
    scope: Scope,
) -> Result<Plan, NotAPattern> {
    Ok(Plan {
        root: root.path.clone(),
        exclude: Exclude::parse(root.exclude.iter().map(String::as_str))?,
        scope,
        max_bytes: settings.max_hash_bytes,
        threads: available_parallelism().unwrap_or(NonZero::<usize>::MIN),
        limits: settings.limits,
    })
}

/// What there is to look at in a part of a root.
pub(super) async fn target(
    monitor: &Monitor<'_>,
    root: &WatchedRoot,
    scope: Scope,
) -> Result<Target, Fault> {
    let open = alerts::open_paths(&mut monitor.db.read().await?, &root.name).await?;
    let asked = open.into_iter().map(|alert| alert.path).collect();
    Ok(Target {
        plan: plan(monitor.settings, root, scope)?,
        progress: Arc::new(Progress::default()),
        asked,
        rules: monitor.settings.rules.clone(),
    })
}

/// Looks, and compares. Blocks.
pub(super) fn look(
    target: &Target,
    old: &Spooled,
    new: &Declared<Spooled>,
) -> Result<Looked, NotLooked> {
    let mut old = Held::begin(target, old)?;
    let mut new = new.as_ref().and_then(|new| Held::begin(target, new));
    let mut fault = None;
    let scanned = scan(&target.plan, &target.progress, |seen| {
        if let Declared::This(held) = &mut new
            && held.comparison.seen(seen.clone()).is_err()
        {
            new = Declared::Broken;
        }
        if let Err(found) = old.comparison.seen(seen) {
            fault.get_or_insert(found);
            target.progress.stop();
        }
    });
    if let Some(fault) = fault {
        return Err(fault.into());
    }
    scanned?;
    let new = new.and_then(|held| held.finish(&target.plan));
    Ok(Looked { old: old.finish(&target.plan)?.compared, new })
}

impl<T> Declared<T> {
    fn as_ref(&self) -> Declared<&T> {
        match self {
            Self::Nothing => Declared::Nothing,
            Self::This(this) => Declared::This(this),
            Self::Broken => Declared::Broken,
        }
    }

    /// What is read of it, which cannot be believed if that fails.
    fn and_then<U>(self, read: impl FnOnce(T) -> Result<U, NotLooked>) -> Declared<U> {
        match self {
            Self::Nothing => Declared::Nothing,
            Self::This(this) => read(this).map_or(Declared::Broken, Declared::This),
            Self::Broken => Declared::Broken,
        }
    }
}

type Line = Result<Entry, ManifestFault>;
type Lines = Peekable<Box<dyn Iterator<Item = Line>>>;

/// A baseline that a scan is held against.
struct Held {
    comparison: Comparison<Lines>,
    /// What it says nothing of. Its patterns were signed with it; of the root itself an old one, or one that
    /// was made without, says nothing either.
    exclude: Exclude,
}

impl Held {
    /// What the configuration passes over is no difference, whatever a baseline has of it.
    fn begin(target: &Target, spooled: &Spooled) -> Result<Self, NotLooked> {
        let exclude = Exclude::parse(spooled.exclude.iter().map(String::as_str))
            .map_err(|_| NotLooked::Baseline)?;
        let plan = target.plan.clone();
        let covered = plan.clone();
        let lines = spooled.lines()?.filter(move |line| match line {
            Ok(entry) => covered.covers(&entry.path),
            Err(_) => true,
        });
        let mut lines = (Box::new(lines) as Box<dyn Iterator<Item = _>>).peekable();
        let is_of_root = |line: &Line| line.as_ref().is_ok_and(|entry| entry.path.is_empty());
        let exclude =
            if lines.peek().is_some_and(is_of_root) { exclude } else { exclude.and_root() };
        let asked = target.asked.iter().filter(|path| is_asked(&plan, &exclude, path));
        let asked = Asked::of(asked.cloned());
        let is_whole = plan.scope.is_everything();
        let begin = if is_whole { Comparison::begin } else { Comparison::begin_part };
        let (rules, root) = (target.rules.clone(), plan.root.clone());
        let is_bad = |severity: Option<Severity>| severity >= Some(Severity::High);
        let comparison = begin(lines, &plan.root)
            .asking(asked)
            .fearing(move |finding| is_bad(rules.judge(finding, &root).severity));
        Ok(Self { comparison, exclude })
    }

    fn finish(self, plan: &Plan) -> Result<Against, NotLooked> {
        let Self { comparison, exclude } = self;
        let mut compared = comparison.finish()?;
        // A folder on the way to what is looked at may have been closed.
        let is_of = |finding: &Finding| plan.tells_of(finding) && !exclude.hides(finding);
        compared.findings.retain(is_of);
        Ok(Against { compared, exclude })
    }
}

/// Whether a path is looked at, and a baseline says what ought to be there.
fn is_asked(plan: &Plan, exclude: &Exclude, path: &[u8]) -> bool {
    plan.covers(path) && !exclude.covers(path)
}

/// What was written down of what is there.
pub(super) struct Observed {
    pub(super) body: Written,
    /// Those of the paths that were asked about of which it is known what is there.
    pub(super) good: HashSet<Vec<u8>>,
}

/// Writes down what is there; what could not be checked is not in it. Blocks.
pub(super) fn observe(target: Target, mut body: Written) -> Result<Observed, NotLooked> {
    let (mut fault, mut closed) = (None, Vec::new());
    let Target { plan, progress, asked, .. } = target;
    let mut asked = Asked::of(asked.into_iter().filter(|path| plan.covers(path)));
    if plan.covers(b"")
        && let Ok(root) = look_at_root(&plan.root)
    {
        asked.good(&root.path);
        body.push(&root).map_err(NotLooked::Io)?;
    }
    let scanned = scan(&plan, &progress, |seen| match seen {
        Seen::Is(entry, ..) => {
            asked.good(&entry.path);
            if let Err(error) = body.push(&entry) {
                fault.get_or_insert(error);
                progress.stop();
            }
        }
        Seen::Unverifiable { path, .. } => asked.bad(&path),
        Seen::Closed { path, .. } => {
            asked.bad(&path);
            closed.push(path);
        }
    });
    if let Some(error) = fault {
        return Err(NotLooked::Io(error));
    }
    scanned?;
    let closed = Scope::of(closed);
    let good = asked.finish(|path| !closed.covers(path) && is_gone(&plan.root, path));
    Ok(Observed { body, good })
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
