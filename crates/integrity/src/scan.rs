//! A scan: one thread lists what is below a root, others look at it and read it, and what they saw comes
//! in the order of paths. Memory does not grow with the tree. Not here: what the result is compared
//! with.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use rustix::io::Errno;

use crate::Scope;
use crate::look::{Linked, Looker, Seen, Why};
use crate::path::as_path;
use crate::walk::{Step, Walk};

/// Names that are looked at on one thread after another.
const BATCH: usize = 64;
/// Folders that a batch holds open at most.
const BATCH_FOLDERS: usize = 4;
/// Batches that may be ahead of the slowest: a large file holds nobody up for long.
const AHEAD: u64 = 1024;

/// What is to be scanned, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    pub root: PathBuf,
    /// What is passed over, with all that is in it.
    pub exclude: Exclude,
    pub scope: Scope,
    /// Files that are larger are not read: they are seen as what could not be checked.
    pub max_bytes: u64,
    /// Threads that read.
    pub threads: NonZero<usize>,
}

impl Plan {
    /// Whether a path below the root is looked at. What a baseline has of others is to be left out of a
    /// comparison.
    pub fn covers(&self, path: &[u8]) -> bool {
        self.scope.covers(path) && !self.exclude.covers(path)
    }
}

/// Patterns of paths below a root: `*` and `?` stay within a name, `**` does not.
#[derive(Clone, Debug)]
pub struct Exclude(GlobSet);

/// A pattern cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotAPattern(String);

impl Exclude {
    /// Reads patterns.
    pub fn parse<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Result<Self, NotAPattern> {
        let not = |fault: globset::Error| NotAPattern(fault.to_string());
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            set.add(GlobBuilder::new(pattern).literal_separator(true).build().map_err(not)?);
        }
        set.build().map(Self).map_err(not)
    }
}

impl Exclude {
    /// Whether a path below the root is passed over, by itself or with a folder that it is in.
    pub fn covers(&self, path: &[u8]) -> bool {
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        let mut folders = ends.chain([path.len()]).filter_map(|end| path.get(..end));
        !self.0.is_empty() && folders.any(|folder| self.0.is_match(as_path(folder)))
    }
}

impl Default for Exclude {
    fn default() -> Self {
        Self(GlobSet::empty())
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

    fn is_stopped(&self) -> bool {
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

/// Scans, and hands what is seen to `each`, in the order of paths.
pub fn scan(
    plan: &Plan,
    progress: &Progress,
    mut each: impl FnMut(Seen),
) -> Result<(), NotScanned> {
    let not_opened = |errno: Errno| NotScanned::Root(Why::of(errno));
    let walk =
        Walk::begin(&plan.root, plan.exclude.0.clone(), plan.scope.clone()).map_err(not_opened)?;
    let (window, linked) = (&Window::default(), Linked::default());
    let (to_threads, jobs) = sync_channel(plan.threads.get() * 2);
    let (jobs, (to_us, results)) = (&Mutex::new(jobs), channel());
    thread::scope(|scope| {
        scope.spawn(move || list(walk, progress, window, &to_threads));
        for _ in 0..plan.threads.get() {
            let (looker, to_us) = (Looker::new(plan.max_bytes, &linked), to_us.clone());
            scope.spawn(move || work(looker, progress, jobs, &to_us));
        }
        drop(to_us);
        in_order(&results, window, &mut each);
    });
    if progress.is_stopped() { Err(NotScanned::Stopped) } else { Ok(()) }
}

type Job = (u64, Vec<Step>);
type Looked = (u64, Vec<Seen>);

/// Lists in batches.
fn list(walk: Walk, progress: &Progress, window: &Window, to: &SyncSender<Job>) {
    let (mut number, mut batch, mut folders) = (0, Vec::with_capacity(BATCH), 0);
    let mut last = std::ptr::null();
    for step in walk {
        if let Step::Name(name) = &step {
            let folder = std::sync::Arc::as_ptr(&name.folder);
            folders += usize::from(folder != last);
            last = folder;
        }
        batch.push(step);
        if batch.len() == BATCH || folders == BATCH_FOLDERS {
            window.wait_for(number);
            let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
            if progress.is_stopped() || to.send((number, full)).is_err() {
                return;
            }
            (number, folders, last) = (number + 1, 0, std::ptr::null());
        }
    }
    // Nobody is left to take it only if all were stopped.
    to.send((number, batch)).unwrap_or_default();
}

/// Looks at one batch after the other.
fn work(
    mut looker: Looker<'_>,
    progress: &Progress,
    jobs: &Mutex<Receiver<Job>>,
    to: &Sender<Looked>,
) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, steps)) = job else { return };
        let mut seen = Vec::with_capacity(steps.len());
        for step in steps {
            if progress.is_stopped() {
                break;
            }
            seen.extend(one(&mut looker, step, progress));
        }
        if to.send((number, seen)).is_err() {
            return;
        }
    }
}

fn one(looker: &mut Looker<'_>, step: Step, progress: &Progress) -> Option<Seen> {
    let seen = match step {
        Step::Name(name) => looker.look(&name.folder.opened, &name.name, name.path()),
        Step::Closed { path, why } => Some(Seen::Closed { path, why }),
    };
    progress.names.fetch_add(1, Ordering::Relaxed);
    progress.bytes.fetch_add(looker.take_read(), Ordering::Relaxed);
    if !matches!(seen, Some(Seen::Is(..)) | None) {
        progress.unverifiable.fetch_add(1, Ordering::Relaxed);
    }
    seen
}

/// Hands results on in the order in which their names were listed.
fn in_order(results: &Receiver<Looked>, window: &Window, each: &mut impl FnMut(Seen)) {
    // Should `each` panic, nobody waits for it for ever.
    let _opens_at_the_end = Opens(window);
    let (mut next, mut early) = (0, BTreeMap::new());
    for (number, seen) in results {
        early.insert(number, seen);
        while let Some(seen) = early.remove(&next) {
            seen.into_iter().for_each(&mut *each);
            next += 1;
            window.passed(next);
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
    fn wait_for(&self, number: u64) {
        let passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let is_too_far = |passed: &mut u64| number >= *passed + AHEAD;
        drop(self.moved.wait_while(passed, is_too_far).unwrap_or_else(PoisonError::into_inner));
    }

    fn passed(&self, next: u64) {
        *self.passed.lock().unwrap_or_else(PoisonError::into_inner) = next;
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
