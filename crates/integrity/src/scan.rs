//! A scan: one thread lists what is below a root, others look at it and read it, and what they saw comes
//! in the order of paths. Memory does not grow with the tree. Not here: what the result is compared
//! with.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use globset::GlobSet;

use crate::glob::{Case, globs};
use crate::links::ReadOnce;
use crate::look::{Looker, Seen, Why};
use crate::pace::{Limits, Pace};
use crate::path::{ROOT, as_path};
use crate::queue::{Closes, Queue};
use crate::quick::rows::{Keeper, Rows, Under};
use crate::quick::{Coverage, Judge, Known, Quick, Read, Unused, is_reliable, mounted};
use crate::walk::{Step, Walk};
use crate::{Finding, Is, Scope};

/// Names that are looked at on one thread after another.
const BATCH: usize = 128;
/// Batches that wait for each thread, so that a folder that takes long to list has nobody wait.
const WAITING: usize = 8;
/// So many names or bytes are told of at once; less often than each, as all threads count in one place.
const TOLD_NAMES: u64 = 32;
const TOLD_BYTES: u64 = 1 << 20;
/// Folders that all batches hold open at most, about.
const MOST_FOLDERS: usize = 256;
/// Names that may be ahead of the slowest: large files hold nobody up for long.
const AHEAD: u64 = 64 * 1024;

/// What is to be scanned, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    pub root: PathBuf,
    /// What is passed over.
    pub exclude: Exclude,
    pub scope: Scope,
    /// Files that are larger are not read: they are seen as what could not be checked.
    pub max_bytes: u64,
    /// Threads that read.
    pub threads: NonZero<usize>,
    /// How much of the machine it may take.
    pub limits: Limits,
}

impl Plan {
    /// Whether a path below the root is looked at. What a baseline has of others is to be left out of a
    /// comparison.
    pub fn covers(&self, path: &[u8]) -> bool {
        self.scope.covers(path) && !self.exclude.covers(path)
    }

    /// Whether a difference is of what is looked at. It may be of a folder that only leads there.
    pub fn tells_of(&self, finding: &Finding) -> bool {
        self.scope.covers(finding.path()) && !self.exclude.hides(finding)
    }
}

/// Patterns of paths below a root: `*` and `?` stay within a name, `**` does not. A path is passed over if it
/// fits by itself. What is in a folder does so only by a pattern that ends with `/` or `/**`: whoever gives
/// a folder the name of a file that is passed over hides nothing in it. The pattern `.` is that of the root
/// itself, of which no other is.
#[derive(Clone, Debug)]
pub struct Exclude {
    paths: GlobSet,
    /// Of what fits one of these, all that is in it fits too.
    trees: GlobSet,
    root: bool,
}

/// A pattern cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotAPattern(String);

impl Exclude {
    /// Reads patterns.
    pub fn parse<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Result<Self, NotAPattern> {
        let (mut paths, mut trees, mut root) = (Vec::new(), Vec::new(), false);
        for pattern in patterns {
            match pattern.strip_suffix('/') {
                None if pattern == ROOT => root = true,
                Some(folder) => trees.extend([folder.to_owned(), format!("{folder}/**")]),
                None if pattern.ends_with("/**") || pattern == "**" => trees.push(pattern.into()),
                None => paths.push(pattern.to_owned()),
            }
        }
        let read = |patterns: &[String]| {
            let patterns = patterns.iter().map(String::as_str);
            globs(patterns, Case::Differs).map_err(|fault| NotAPattern(fault.to_string()))
        };
        Ok(Self { paths: read(&paths)?, trees: read(&trees)?, root })
    }

    /// Whether a path below the root is passed over.
    pub fn covers(&self, path: &[u8]) -> bool {
        if path.is_empty() {
            return self.root;
        }
        self.paths.is_match(as_path(path)) || self.covers_tree(path)
    }

    /// This, and the root itself.
    #[must_use]
    pub fn and_root(self) -> Self {
        Self { root: true, ..self }
    }

    /// Whether it is passed over with all that may be in it.
    pub(crate) fn covers_tree(&self, path: &[u8]) -> bool {
        self.trees.is_match(as_path(path))
    }

    /// Whether nothing is to be said of a difference. Nobody could look into a folder that fits by itself
    /// alone, so of that one something is.
    pub fn hides(&self, finding: &Finding) -> bool {
        match finding.is {
            Is::Unverifiable { .. } if !finding.path().is_empty() => {
                self.covers_tree(finding.path())
            }
            Is::Unverifiable { .. } | Is::There(_) | Is::Gone => self.covers(finding.path()),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.trees.is_empty()
    }
}

impl Default for Exclude {
    fn default() -> Self {
        Self { paths: GlobSet::empty(), trees: GlobSet::empty(), root: false }
    }
}

/// How far a scan is, for whoever looks on, and how it is stopped.
#[derive(Debug, Default)]
pub struct Progress {
    names: AtomicU64,
    bytes: AtomicU64,
    unverifiable: AtomicU64,
    stop: AtomicBool,
}

impl Progress {
    /// Names that were looked at.
    pub fn names(&self) -> u64 {
        self.names.load(Ordering::Relaxed)
    }

    /// Bytes that were read.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// What could not be checked.
    pub fn unverifiable(&self) -> u64 {
        self.unverifiable.load(Ordering::Relaxed)
    }

    /// Has the scan end soon.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotScanned {
    /// Nothing is said of what is in it: it may be on a disk that is not mounted.
    #[error("the root cannot be opened ({})", .0.as_str())]
    Root(Why),
    #[error("the scan was stopped")]
    Stopped,
}

/// Scans, and hands what is seen to `each`, in the order of paths. Every file is read.
pub fn scan(
    plan: &Plan,
    progress: &Progress,
    mut each: impl FnMut(Seen),
) -> Result<(), NotScanned> {
    let walk = begin(plan)?;
    let nothing: Option<&mut Rows<io::Empty>> = None;
    run(plan, progress, (walk, nothing, None), |seen, _| each(seen))
}

/// The same, and files are not read if nothing of them changed since they were.
pub fn scan_quickly<R: io::Read + Send, W: io::Write>(
    plan: &Plan,
    quick: Quick<'_, R, W>,
    progress: &Progress,
    mut each: impl FnMut(Seen),
) -> Result<Coverage<W>, NotScanned> {
    let walk = begin(plan)?;
    let mounted = walk.root().map(|root| mounted(&root.opened)).transpose();
    let mounted = mounted.map_err(|errno| NotScanned::Root(Why::of(errno)))?.unwrap_or_default();
    let is_reliable = walk.root().is_some_and(|root| is_reliable(&root.opened, quick.file_systems));
    let (judge, now) = (Judge::new(&quick), quick.now);
    let under = Under { era: quick.era, mounted, now };
    let mut rows = Rows::open(quick.known, quick.key, &under);
    if !is_reliable {
        rows.refuse(Unused::FileSystem);
    }
    let mut keeper = Keeper::new(quick.keep, quick.key, &under);
    let (mut hashed, mut spared, mut oldest) = (0, 0, None::<i64>);
    run(plan, progress, (walk, Some(&mut rows), Some(&judge)), |seen, read| {
        let read_at = match read {
            Read::Now => now,
            Read::At(then) => then,
        };
        if let Seen::Is(entry, inode, begins) = &seen
            && let Some(known) = Known::of(entry, *inode, *begins, read_at)
        {
            *(if read == Read::Now { &mut hashed } else { &mut spared }) += 1;
            oldest = Some(oldest.map_or(read_at, |oldest| oldest.min(read_at)));
            keeper.keep(&known);
        }
        each(seen);
    })?;
    Ok(Coverage { hashed, spared, oldest, unused: rows.unused, kept: keeper.finish() })
}

fn begin(plan: &Plan) -> Result<Walk, NotScanned> {
    Walk::begin(&plan.root, plan.exclude.clone(), plan.scope.clone()).map_err(NotScanned::Root)
}

type Job = (u64, Vec<(Step, Option<Box<Known>>)>);
/// With how many names were looked at.
type Looked = (u64, u64, Vec<(Seen, Read)>);

/// Lists on one thread, looks on others, and hands on what was seen on this one.
fn run<R: io::Read + Send>(
    plan: &Plan,
    progress: &Progress,
    (walk, rows, judge): (Walk, Option<&mut Rows<R>>, Option<&Judge<'_>>),
    mut each: impl FnMut(Seen, Read),
) -> Result<(), NotScanned> {
    let (window, linked, pace) = (&Window::default(), ReadOnce::default(), Pace::new(&plan.limits));
    let (jobs, (to_us, results)) = (&Queue::of(plan.threads.get() * WAITING), channel());
    thread::scope(|scope| {
        // Beside those that wait, one is worked on by each thread, and one is being filled.
        let batches = plan.threads.get() * (WAITING + 1) + 1;
        let folders = (MOST_FOLDERS / batches).max(2);
        let to = Batches { most_folders: folders, progress, window, to: jobs };
        scope.spawn(move || {
            step_back(plan);
            to.list(walk, rows);
        });
        for _ in 0..plan.threads.get() {
            let looker = Looker::new(plan.max_bytes, &linked, &pace, progress, judge);
            let (pace, to_us) = (&pace, to_us.clone());
            scope.spawn(move || {
                step_back(plan);
                work(looker, pace, progress, jobs, &to_us);
            });
        }
        drop(to_us);
        in_order(&results, window, &mut each);
    });
    if progress.is_stopped() { Err(NotScanned::Stopped) } else { Ok(()) }
}

/// Has this thread, which ends with the scan, come after those that serve somebody, in what it computes and
/// reads. A look at a part is short, and somebody waits for what it finds.
fn step_back(plan: &Plan) {
    const NICE: i32 = 10;
    if plan.scope.is_everything() {
        // Where the system does not want to, all is as it was.
        let _nice = rustix::process::nice(NICE);
    }
}

/// Where what is listed goes.
struct Batches<'s> {
    most_folders: usize,
    progress: &'s Progress,
    window: &'s Window,
    to: &'s Queue<Job>,
}

impl Batches<'_> {
    /// Lists in batches, each name with what is known of it.
    fn list<R: io::Read>(self, walk: Walk, mut rows: Option<&mut Rows<R>>) {
        let _closes_at_the_end = Closes(self.to);
        let (mut number, mut batch, mut folders) = (0, Vec::with_capacity(BATCH), 0);
        let mut names = 0;
        let mut last = std::ptr::null();
        for step in walk {
            let mut known = None;
            if let Step::Name(name) = &step {
                let folder = Arc::as_ptr(&name.folder);
                folders += usize::from(folder != last);
                last = name.inside.as_ref().map_or(folder, Arc::as_ptr);
                folders += usize::from(name.inside.is_some());
                known = rows.as_mut().and_then(|rows| rows.find(&name.path()).map(Box::new));
            }
            batch.push((step, known));
            if batch.len() == BATCH || folders >= self.most_folders {
                names += length(&batch);
                self.window.wait_for(names);
                let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
                if self.progress.is_stopped() || !self.to.push((number, full)) {
                    return;
                }
                (number, folders, last) = (number + 1, 0, std::ptr::null());
            }
        }
        self.to.push((number, batch));
    }
}

fn length<T>(batch: &[T]) -> u64 {
    u64::try_from(batch.len()).unwrap_or_default()
}

/// Looks at one batch after the other.
fn work(
    mut looker: Looker<'_>,
    pace: &Pace,
    progress: &Progress,
    jobs: &Queue<Job>,
    to: &Sender<Looked>,
) {
    // Should this thread break off, nobody waits for ever for what it has not done.
    let _closes_at_the_end = Closes(jobs);
    while let Some((number, steps)) = jobs.pop() {
        let names = length(&steps);
        let (mut seen, mut told) = (Vec::with_capacity(steps.len()), Untold::default());
        for step in steps {
            if progress.is_stopped() {
                break;
            }
            pace.name(progress);
            let looked = one(&mut looker, step);
            told.count(looked.as_ref(), looker.take_read(), progress);
            seen.extend(looked);
        }
        told.tell(progress);
        if to.send((number, names, seen)).is_err() {
            return;
        }
    }
}

fn one(looker: &mut Looker<'_>, (step, known): (Step, Option<Box<Known>>)) -> Option<(Seen, Read)> {
    match step {
        Step::Name(name) => looker.look(&name, known),
        Step::Closed { path, why } => Some((Seen::Closed { path, why }, Read::Now)),
    }
}

/// What a thread has done, and whoever looks on was not told of.
#[derive(Default)]
struct Untold {
    names: u64,
    bytes: u64,
    unverifiable: u64,
}

impl Untold {
    fn count(&mut self, looked: Option<&(Seen, Read)>, bytes: u64, progress: &Progress) {
        let is_not = matches!(looked, Some((Seen::Unverifiable { .. } | Seen::Closed { .. }, _)));
        self.names += 1;
        self.bytes += bytes;
        self.unverifiable += u64::from(is_not);
        if self.names >= TOLD_NAMES || self.bytes >= TOLD_BYTES {
            self.tell(progress);
        }
    }

    fn tell(&mut self, progress: &Progress) {
        progress.names.fetch_add(self.names, Ordering::Relaxed);
        progress.bytes.fetch_add(self.bytes, Ordering::Relaxed);
        progress.unverifiable.fetch_add(self.unverifiable, Ordering::Relaxed);
        *self = Self::default();
    }
}

/// Hands results on in the order in which their names were listed.
fn in_order(results: &Receiver<Looked>, window: &Window, each: &mut impl FnMut(Seen, Read)) {
    // Should `each` panic, nobody waits for it for ever.
    let _opens_at_the_end = Opens(window);
    let (mut next, mut passed, mut early) = (0, 0, BTreeMap::new());
    for (number, names, seen) in results {
        early.insert(number, (names, seen));
        while let Some((names, seen)) = early.remove(&next) {
            for (seen, read) in seen {
                each(seen, read);
            }
            next += 1;
            passed += names;
            window.passed(passed);
        }
    }
}

/// How far what is listed may be ahead of what was handed on.
#[derive(Default)]
struct Window {
    passed: Mutex<u64>,
    moved: Condvar,
}

impl Window {
    fn wait_for(&self, names: u64) {
        let passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let is_too_far = |passed: &mut u64| names > *passed + AHEAD;
        drop(self.moved.wait_while(passed, is_too_far).unwrap_or_else(PoisonError::into_inner));
    }

    fn passed(&self, names: u64) {
        *self.passed.lock().unwrap_or_else(PoisonError::into_inner) = names;
        self.moved.notify_one();
    }
}

/// Lets everything pass when it is dropped.
struct Opens<'w>(&'w Window);

impl Drop for Opens<'_> {
    fn drop(&mut self) {
        self.0.passed(u64::MAX - AHEAD);
    }
}
