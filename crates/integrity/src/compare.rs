//! A scan held against a baseline, path by path: what was added, deleted, changed or moved, and what could
//! not be checked. Nothing is deleted that was not proved to be gone. Not here: how bad that is.

use std::collections::{HashMap, HashSet};
use std::iter::Peekable;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::str::FromStr;

use rustix::fs::{Mode, OFlags, open};

use crate::asked::Asked;
use crate::gone::stat;
use crate::links::{NamedElsewhere, Names};
use crate::look::{Inode, Seen, Why, look_at_root};
use crate::path::order;
use crate::{Beginning, Content, Digest, Entry, Outline};

/// So many that were added or deleted are looked through for moves.
const MOST_MOVED: usize = 20_000;
/// So many findings of what the baseline does not have are kept; more are only counted. All others are
/// bounded by the baseline: nobody hides what he changed behind what he added.
pub const MOST_ADDED: usize = 100_000;
/// So many of those that are worse than others are kept beside them: nobody hides a program behind
/// pictures.
pub const MOST_WORSE: usize = 10_000;
/// So many bytes of paths and targets of links they have.
const MOST_ADDED_BYTES: usize = 32 << 20;
/// So many that are gone may be a clean-up, whatever part of the baseline they are.
const FEW: u64 = 10;

/// A difference from the baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// As the baseline has it; `None`: it has no such path.
    pub was: Option<Entry>,
    pub is: Is,
    /// Where something with the same content is gone from, or has come to.
    pub moved: Option<Vec<u8>>,
    /// How the file that is there begins.
    pub begins: Beginning,
}

/// How it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Is {
    There(Entry),
    Gone,
    /// It may be as it was, or not.
    Unverifiable {
        path: Vec<u8>,
        why: Why,
        /// What is known all the same.
        outline: Option<Outline>,
    },
}

/// The word for a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    Added,
    Deleted,
    /// Its content, or its type.
    Modified,
    /// Its rights, owner or attributes alone.
    Attributes,
    Unverifiable,
    /// It has a name that nobody watches; no finding of a comparison is of this kind.
    Linked,
}

/// The word is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a change is added, deleted, modified, attributes, unverifiable or linked")]
pub struct NotAChange;

impl FromStr for Change {
    type Err = NotAChange;

    fn from_str(word: &str) -> Result<Self, NotAChange> {
        Self::ALL.into_iter().find(|change| change.as_str() == word).ok_or(NotAChange)
    }
}

impl Change {
    const ALL: [Self; 6] = [
        Self::Added,
        Self::Deleted,
        Self::Modified,
        Self::Attributes,
        Self::Unverifiable,
        Self::Linked,
    ];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Deleted => "deleted",
            Self::Modified => "modified",
            Self::Attributes => "attributes",
            Self::Unverifiable => "unverifiable",
            Self::Linked => "linked",
        }
    }
}

impl Finding {
    /// Where.
    pub fn path(&self) -> &[u8] {
        path_of(self.was.as_ref(), &self.is)
    }

    /// What kind of difference it is.
    pub fn change(&self) -> Change {
        match (&self.was, &self.is) {
            (_, Is::Unverifiable { .. }) => Change::Unverifiable,
            (_, Is::Gone) => Change::Deleted,
            (None, Is::There(_)) => Change::Added,
            (Some(was), Is::There(is)) if was.content != is.content => Change::Modified,
            (Some(_), Is::There(_)) => Change::Attributes,
        }
    }
}

fn path_of<'f>(was: Option<&'f Entry>, is: &'f Is) -> &'f [u8] {
    match (is, was) {
        (Is::There(entry), _) | (Is::Gone, Some(entry)) => &entry.path,
        (Is::Unverifiable { path, .. }, _) => path,
        (Is::Gone, None) => b"",
    }
}

/// Compares. What is seen comes in the order of paths; so does the baseline.
pub struct Comparison<B: Iterator> {
    baseline: Peekable<B>,
    root: Option<OwnedFd>,
    /// What the root itself is.
    itself: Result<Entry, Why>,
    findings: Vec<Finding>,
    added: Added,
    worse: Added,
    is_worse: Box<dyn Fn(&Finding) -> bool>,
    unkept: u64,
    /// The last folder of which nothing is known: what is in it stands right behind it.
    closed: Option<(Vec<u8>, Why)>,
    /// There is a folder that is closed because of what somebody made in it.
    is_unlisted: bool,
    names: Names,
    unchanged: u64,
    /// Entries of the baseline that were come by.
    entries: u64,
    /// Those of them that are gone.
    gone: u64,
    is_empty: bool,
    of: Of,
    asked: Asked,
}

/// What is kept of findings that no baseline bounds.
struct Added {
    most: usize,
    count: usize,
    bytes: usize,
}

impl Added {
    fn at_most(most: usize) -> Self {
        Self { most, count: 0, bytes: 0 }
    }

    /// Whether there is room for one more.
    fn take(&mut self, is: &Is) -> bool {
        let bytes = match is {
            Is::There(Entry { path, content: Content::Link { target }, .. }) => {
                path.len() + target.len()
            }
            Is::There(Entry { path, .. }) | Is::Unverifiable { path, .. } => path.len(),
            Is::Gone => 0,
        };
        let is_full = self.count >= self.most || self.bytes + bytes > MOST_ADDED_BYTES;
        if !is_full {
            self.count += 1;
            self.bytes += bytes;
        }
        !is_full
    }
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Whole,
    Part,
}

/// What a comparison came to.
#[derive(Debug)]
pub struct Compared {
    /// In the order of paths.
    pub findings: Vec<Finding>,
    /// How many findings there are beside them of what the baseline does not have: more than are kept.
    pub unkept: u64,
    /// Paths that are as the baseline has them.
    pub unchanged: u64,
    /// More than half of the baseline is gone, or nothing is there: then what is deleted is not so many
    /// things to be told of, but one that happened to the root, such as a disk that is not mounted.
    pub most_gone: Option<MostGone>,
    /// Files of the baseline that have names elsewhere too.
    pub named_elsewhere: NamedElsewhere,
    /// Those of the paths that were asked about that are proved to be as the baseline has them.
    pub good: HashSet<Vec<u8>>,
}

impl Compared {
    /// Whether most of what the baseline has is gone. Then the root is not what it was, and its files are
    /// not looked at one by one.
    pub fn is_root_gone(&self) -> bool {
        self.most_gone.is_some()
    }

    /// Whether all that differs is among the findings.
    pub fn is_whole(&self) -> bool {
        self.unkept == 0
    }
}

/// How much of a baseline is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MostGone {
    pub gone: u64,
    /// Entries of the baseline.
    pub of: u64,
}

impl<B, E> Comparison<B>
where
    B: Iterator<Item = Result<Entry, E>>,
{
    /// Begins one; `root` is what was scanned.
    pub fn begin(baseline: B, root: &Path) -> Self {
        Self::begin_of(Of::Whole, baseline, root)
    }

    /// The same for a part of a root, of which the baseline has all and nothing else. That most of it is
    /// gone says nothing of the root.
    pub fn begin_part(baseline: B, root: &Path) -> Self {
        Self::begin_of(Of::Part, baseline, root)
    }

    fn begin_of(of: Of, baseline: B, root: &Path) -> Self {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Self {
            baseline: baseline.peekable(),
            root: open(root, flags, Mode::empty()).ok(),
            itself: look_at_root(root),
            findings: Vec::new(),
            added: Added::at_most(MOST_ADDED),
            worse: Added::at_most(MOST_WORSE),
            is_worse: Box::new(|_| false),
            unkept: 0,
            closed: None,
            is_unlisted: false,
            names: Names::default(),
            unchanged: 0,
            entries: 0,
            gone: 0,
            is_empty: true,
            of,
            asked: Asked::default(),
        }
    }

    /// Asks whether some paths are as the baseline has them.
    #[must_use]
    pub fn asking(self, asked: Asked) -> Self {
        Self { asked, ..self }
    }

    /// Says which of what was added is worse than the rest of it: there is room of its own for it.
    #[must_use]
    pub fn fearing(self, is_worse: impl Fn(&Finding) -> bool + 'static) -> Self {
        Self { is_worse: Box::new(is_worse), ..self }
    }

    /// The next that was seen. A fault is one of the baseline.
    pub fn seen(&mut self, seen: Seen) -> Result<(), E> {
        self.is_empty = false;
        self.hold_root()?;
        self.missing_before(Some(seen.path()))?;
        let was = match self.baseline.peek() {
            Some(Ok(entry)) if entry.path == seen.path() => self.baseline.next().transpose()?,
            _ => None,
        };
        self.entries += u64::from(was.is_some());
        match seen {
            Seen::Is(entry, inode, begins) => {
                if self.of == Of::Whole {
                    self.names.seen(&entry, &inode, was.is_some());
                }
                match was {
                    Some(was) if is_alike(&was, &entry) => {
                        self.unchanged += 1;
                        self.asked.good(&was.path);
                    }
                    was => self.add_as(was, Is::There(entry), begins),
                }
            }
            Seen::Unverifiable { path, why, outline } => {
                self.add(was, Is::Unverifiable { path, why, outline });
            }
            Seen::Closed { path, why } => self.close(path, why, was),
        }
        Ok(())
    }

    /// Nothing is known of what is in a folder. That is what there is to tell of it, whatever was found when
    /// the folder itself was looked at.
    fn close(&mut self, path: Vec<u8>, why: Why, was: Option<Entry>) {
        self.closed = Some((path.clone(), why));
        self.is_unlisted |= matches!(why, Why::TooDeep | Why::TooMany);
        let told = self.findings.pop_if(|last| last.path() == path);
        match told {
            // More is known of the folder itself than that.
            Some(told) if told.change() == Change::Unverifiable => self.findings.push(told),
            told => {
                let was = told.map_or(was, |told| told.was);
                self.add(was, Is::Unverifiable { path, why, outline: None });
            }
        }
    }

    /// The rest of the baseline; then what moved is found.
    pub fn finish(mut self) -> Result<Compared, E> {
        self.hold_root()?;
        self.missing_before(None)?;
        pair_moved(&mut self.findings);
        let most_gone = self.most_gone();
        let asked = std::mem::take(&mut self.asked);
        // What is gone may have been moved to where nobody can look.
        let is_gone = |path: &[u8]| !self.is_unlisted && self.proved_gone(path) == Is::Gone;
        let good = asked.finish(is_gone);
        let names = std::mem::take(&mut self.names);
        let named_elsewhere = names.elsewhere(|path| {
            let stat = stat(self.root.as_ref()?, path).ok()??;
            Some(Inode::of(&stat).links)
        });
        let Self { findings, unkept, unchanged, .. } = self;
        Ok(Compared { findings, unkept, unchanged, most_gone, named_elsewhere, good })
    }

    /// Compares the root itself, which stands first in a baseline that tells of it. Where one does not,
    /// nothing is known of what it ought to be.
    fn hold_root(&mut self) -> Result<(), E> {
        let is_root = |line: &Result<Entry, E>| matches!(line, Ok(was) if was.path.is_empty());
        let Some(was) = self.baseline.next_if(is_root).transpose()? else { return Ok(()) };
        match &self.itself {
            Ok(is) if is_alike(&was, is) => {
                self.unchanged += 1;
                self.asked.good(&was.path);
            }
            Ok(is) => {
                let is = Is::There(is.clone());
                self.add(Some(was), is);
            }
            Err(why) => {
                let is = Is::Unverifiable { path: Vec::new(), why: *why, outline: None };
                self.add(Some(was), is);
            }
        }
        Ok(())
    }

    /// Whether so much is gone, and did not move, that it is the root that something happened to.
    fn most_gone(&self) -> Option<MostGone> {
        let is_moved = |finding: &&Finding| finding.is == Is::Gone && finding.moved.is_some();
        let moved = self.findings.iter().filter(is_moved).count();
        let gone = self.gone.saturating_sub(u64::try_from(moved).unwrap_or_default());
        let is_most = gone >= FEW && gone > self.entries / 2;
        let is_void = self.is_empty && gone > 0;
        let is_whole = self.of == Of::Whole;
        (is_whole && (is_most || is_void)).then_some(MostGone { gone, of: self.entries })
    }

    /// What the baseline has before a path, and nobody saw.
    fn missing_before(&mut self, path: Option<&[u8]>) -> Result<(), E> {
        loop {
            let is_before = match (self.baseline.peek(), path) {
                (None, _) => false,
                (Some(Ok(entry)), Some(path)) => order(&entry.path, path).is_lt(),
                (Some(_), _) => true,
            };
            let Some(entry) = self.baseline.next_if(|_| is_before) else { return Ok(()) };
            let entry = entry?;
            let is = self.proved_gone(&entry.path);
            self.entries += 1;
            self.gone += u64::from(is == Is::Gone);
            self.add(Some(entry), is);
        }
    }

    /// Whether what was not seen is gone: only if its folder could be listed, and the name is not there.
    fn proved_gone(&self, path: &[u8]) -> Is {
        let unverifiable = |why, outline| Is::Unverifiable { path: path.to_vec(), why, outline };
        if path.is_empty() {
            return unverifiable(Why::Unseen, None);
        }
        let within = |(folder, _): &&(Vec<u8>, Why)| {
            path.strip_prefix(&folder[..]).is_some_and(|rest| rest.first() == Some(&b'/'))
        };
        if let Some((_, why)) = self.closed.as_ref().filter(within) {
            return unverifiable(*why, None);
        }
        let Some(root) = &self.root else { return unverifiable(Why::Unreadable, None) };
        match stat(root, path) {
            Ok(None) => Is::Gone,
            Ok(Some(stat)) => unverifiable(Why::Unseen, Outline::of(&stat)),
            Err(errno) => unverifiable(Why::of(errno), None),
        }
    }

    fn add(&mut self, was: Option<Entry>, is: Is) {
        self.add_as(was, is, Beginning::default());
    }

    fn add_as(&mut self, was: Option<Entry>, is: Is, begins: Beginning) {
        self.asked.bad(path_of(was.as_ref(), &is));
        let finding = Finding { was, is, moved: None, begins };
        let room = if finding.was.is_some() {
            None
        } else if (self.is_worse)(&finding) {
            Some(&mut self.worse)
        } else {
            Some(&mut self.added)
        };
        if room.is_none_or(|room| room.take(&finding.is)) {
            self.findings.push(finding);
        } else {
            self.unkept += 1;
        }
    }
}

/// Whether a path is as the baseline has it. An owner that it does not tell is not asked for.
fn is_alike(was: &Entry, is: &Entry) -> bool {
    // The rights of a link mean nothing.
    let is_link = matches!(is.content, Content::Link { .. });
    was.content == is.content
        && (was.mode == is.mode || is_link)
        && was.owner.is_none_or(|owner| is.owner == Some(owner))
        && was.attributes == is.attributes
}

/// Finds what was added with the content of something that is gone. Where there is more than one of
/// either nobody can tell which moved.
fn pair_moved(findings: &mut [Finding]) {
    let mut places: HashMap<(u64, Digest), (Vec<usize>, Vec<usize>)> = HashMap::new();
    let changed = findings
        .iter()
        .enumerate()
        .filter(|(_, finding)| matches!(finding.change(), Change::Added | Change::Deleted));
    for (index, finding) in changed.take(MOST_MOVED) {
        let ((None, Is::There(entry)) | (Some(entry), Is::Gone)) = (&finding.was, &finding.is)
        else {
            continue;
        };
        let Content::File { size, digest } = &entry.content else { continue };
        if *size == 0 {
            continue;
        }
        let (gone, come) = places.entry((*size, *digest)).or_default();
        if finding.was.is_some() { gone.push(index) } else { come.push(index) }
    }
    for (gone, come) in places.into_values() {
        let ([gone], [come]) = (&gone[..], &come[..]) else { continue };
        let path = |index: usize| findings.get(index).map(|finding| finding.path().to_vec());
        let (from, to) = (path(*gone), path(*come));
        if let Some(finding) = findings.get_mut(*gone) {
            finding.moved = to;
        }
        if let Some(finding) = findings.get_mut(*come) {
            finding.moved = from;
        }
    }
}
