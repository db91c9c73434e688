//! From a difference to what an alert says of it: where, what, how bad, by which rule. The same
//! difference has the same fingerprint. Pure.

use std::collections::HashSet;
use std::io;

use aws_lc_rs::digest::{Context, SHA256};
use portcullis_domain::integrity::alert::{Kind, Severity};
use portcullis_domain::integrity::{Verdict as Judged, judge};
use portcullis_integrity::{Change, Compared, Entry, Finding, Is, NamedElsewhere, Rules, Verdict};
use portcullis_store::integrity::alerts::About;
use portcullis_store::integrity::deployments::Counts;

use super::details::details;
use super::linked::{self, Link};
use super::look::{Against, Declared, Looked, NotLooked, shown};
use crate::config::WatchedRoot;

/// The name of the rule of what keeps files from being looked at.
const STANDING: &str = "coverage";

/// Something that an alert would tell of. What the alert says is written when there is to be one: of many
/// that differ only some have one.
pub(super) struct Found<'r> {
    pub(super) fingerprint: [u8; 32],
    pub(super) severity: Severity,
    /// The name of the rule that said how bad it is.
    rule: &'r str,
    pub(super) of: Of,
}

/// What it is about.
pub(super) enum Of {
    Path(Box<Finding>),
    Linked(Link),
    /// The root as a whole, with a sentence.
    Root(Kind, String),
}

/// What differs, while a deployment goes on or not.
#[derive(Default)]
pub(super) struct Differences {
    pub(super) findings: Vec<Finding>,
    /// What was added beside them, because it is so much.
    pub(super) unkept: u64,
    pub(super) named_elsewhere: NamedElsewhere,
    pub(super) counts: Counts,
    /// Paths that were asked about, and are as the baseline in force has them.
    pub(super) good: HashSet<Vec<u8>>,
    /// The same of what a deployment declares.
    pub(super) declared: HashSet<Vec<u8>>,
    /// The root as a whole is not what it was, or its baseline; then the rest is what is certain all the
    /// same.
    pub(super) broken: Option<Kind>,
    /// What a deployment declares cannot be believed; the differences are those from the baseline in force.
    pub(super) is_declared_broken: bool,
}

/// What somebody is to be told of: what differs from the baseline in force and, while a deployment goes
/// on, from the declared one too. Of what the declared one passes over the one in force goes on to tell.
fn differences(looked: Looked) -> Differences {
    let Looked { old, new } = looked;
    let is_declared_broken = matches!(new, Declared::Broken);
    let Declared::This(Against { compared: new, exclude }) = new else {
        let Compared { findings, unkept, named_elsewhere, good, .. } = old;
        let differences =
            Differences { findings, unkept, named_elsewhere, good, ..Default::default() };
        return Differences { is_declared_broken, ..differences };
    };
    let paths = |compared: &Compared| -> HashSet<Vec<u8>> {
        compared.findings.iter().map(|finding| finding.path().to_vec()).collect()
    };
    let (of_old, of_new) = (paths(&old), paths(&new));
    let mut counts = Counts::default();
    for path in of_old.union(&of_new) {
        match judge(of_old.contains(path), of_new.contains(path) || exclude.covers(path)) {
            Judged::Reached => counts.reached += 1,
            Judged::Pending => counts.pending += 1,
            Judged::Unexpected => counts.unexpected += 1,
        }
    }
    let passed_over = old.findings.into_iter().filter(|finding| exclude.hides(finding));
    let differing = new.findings.into_iter().filter(|finding| of_old.contains(finding.path()));
    Differences {
        findings: differing.chain(passed_over).collect(),
        unkept: old.unkept.max(new.unkept),
        named_elsewhere: old.named_elsewhere,
        counts,
        good: old.good,
        declared: new.good,
        ..Default::default()
    }
}

impl Differences {
    /// What a look came to, or why it came to nothing; `None` if it was stopped. A fault is one of this
    /// server's own files.
    pub(super) fn of(looked: Result<Looked, NotLooked>) -> io::Result<Option<Self>> {
        let broken = |kind| Some(Self { broken: Some(kind), ..Self::default() });
        Ok(match looked {
            // That what is gone is missing says nothing of it, and what is there is another thing: else
            // whoever may remove many files could hide one among them.
            Ok(looked) if looked.is_root_gone() => {
                let mut certain = differences(looked);
                certain.findings.retain(|finding| finding.change() != Change::Deleted);
                Some(Self { broken: Some(Kind::RootUnavailable), ..certain })
            }
            Ok(looked) => Some(differences(looked)),
            Err(NotLooked::Root(_)) => broken(Kind::RootUnavailable),
            Err(NotLooked::Baseline) => broken(Kind::BaselineInvalid),
            Err(NotLooked::Stopped) => None,
            Err(NotLooked::Io(error)) => return Err(error),
        })
    }

    /// Whether all that differs is among the findings.
    pub(super) fn is_whole(&self) -> bool {
        self.unkept == 0 && self.broken.is_none() && !self.is_declared_broken
    }

    /// How much differs, with files that have names that nobody watches.
    pub(super) fn count(&self) -> u64 {
        let findings = u64::try_from(self.findings.len()).unwrap_or(u64::MAX);
        let linked = u64::try_from(self.named_elsewhere.files.len()).unwrap_or(u64::MAX);
        let others = u64::from(self.broken.is_some()).saturating_add(linked);
        findings.saturating_add(self.unkept).saturating_add(others)
    }
}

impl Found<'_> {
    pub(super) fn kind(&self) -> Kind {
        match &self.of {
            Of::Path(finding) => kind(finding.change()),
            Of::Linked(_) => Kind::Linked,
            Of::Root(kind, _) => *kind,
        }
    }

    /// Whether the baseline says what ought to be there.
    pub(super) fn has_baseline(&self) -> bool {
        self.finding().is_none_or(|finding| finding.was.is_some())
    }

    /// What the scanner said, where it is about a path.
    pub(super) fn finding(&self) -> Option<&Finding> {
        match &self.of {
            Of::Path(finding) => Some(finding),
            Of::Linked(_) | Of::Root(..) => None,
        }
    }

    /// What an alert says of it.
    pub(super) fn about(&self, root: &WatchedRoot) -> About {
        let of_root = About {
            root: root.name.clone(),
            path: Vec::new(),
            file_path: shown(&root.path, b""),
            kind: self.kind(),
            severity: self.severity,
            rule: self.rule.to_owned(),
            details: String::new(),
            was: String::new(),
            found: String::new(),
            moved: None,
        };
        match &self.of {
            Of::Root(_, says) => About { details: says.clone(), ..of_root },
            Of::Linked(Link { path, found, says }) => About {
                path: path.clone(),
                file_path: shown(&root.path, path),
                details: says.clone(),
                found: found.clone(),
                ..of_root
            },
            Of::Path(finding) => About {
                path: finding.path().to_vec(),
                file_path: shown(&root.path, finding.path()),
                details: details(finding),
                was: was(finding),
                found: found(finding),
                moved: finding.moved.clone(),
                ..of_root
            },
        }
    }
}

/// What there is to tell of differences, and how much of it by no rule deserves an alert.
pub(super) fn of_findings<'r>(
    root: &WatchedRoot,
    rules: &'r Rules,
    findings: Vec<Finding>,
) -> Vec<Found<'r>> {
    let told = |finding: Finding| {
        let verdict = rules.judge(&finding, &root.path);
        let severity = Severity::parse(verdict.severity?.as_str())?;
        let lines = (was(&finding), found(&finding));
        let fingerprint = fingerprint(root, finding.path(), kind(finding.change()), &lines);
        Some(Found { fingerprint, severity, rule: verdict.rule, of: Of::Path(Box::new(finding)) })
    };
    findings.into_iter().filter_map(told).collect()
}

/// What there is to tell of files that have names that nobody watches.
pub(super) fn of_linked<'r>(
    root: &WatchedRoot,
    rules: &'r Rules,
    named_elsewhere: NamedElsewhere,
) -> Vec<Found<'r>> {
    let told = |(link, verdict): (Link, Verdict<'r>)| {
        let severity = Severity::parse(verdict.severity?.as_str())?;
        let lines = (String::new(), link.found.clone());
        let fingerprint = fingerprint(root, &link.path, Kind::Linked, &lines);
        Some(Found { fingerprint, severity, rule: verdict.rule, of: Of::Linked(link) })
    };
    linked::links(rules, named_elsewhere).into_iter().filter_map(told).collect()
}

/// Something about the root as a whole. The same kind is the same alert, whatever it says.
pub(super) fn of_root(
    root: &WatchedRoot,
    kind: Kind,
    severity: Severity,
    says: String,
) -> Found<'static> {
    let fingerprint = fingerprint(root, b"", kind, &Default::default());
    Found { fingerprint, severity, rule: STANDING, of: Of::Root(kind, says) }
}

/// Why no file of a root could be compared with anything.
pub(super) fn nothing_compared(root: &WatchedRoot, kind: Kind) -> Found<'static> {
    let says = if kind == Kind::BaselineInvalid {
        "The baseline in the store is not the one that this server signed. Nothing was compared with it."
    } else {
        "The folder cannot be opened, or most of what ought to be in it is gone."
    };
    of_root(root, kind, Severity::Critical, says.to_owned())
}

/// Why a deployment was ended, which nobody asked for.
pub(super) fn declared_broken(root: &WatchedRoot) -> Found<'static> {
    let says = "What a deployment declares is in the store not as it was signed. The deployment was \
                ended, and everything is held against the baseline in force.";
    of_root(root, Kind::BaselineInvalid, Severity::Critical, says.to_owned())
}

/// The line of the baseline; empty where it has none.
fn was(finding: &Finding) -> String {
    finding.was.as_ref().map(Entry::to_string).unwrap_or_default()
}

/// The line of what is there; empty where nothing is. Where nobody could tell, a word for why, and what is
/// known all the same: whoever ignores that ignores nothing else that cannot be read.
fn found(finding: &Finding) -> String {
    match &finding.is {
        Is::There(entry) => entry.to_string(),
        Is::Gone => String::new(),
        Is::Unverifiable { why, outline: Some(outline), .. } => {
            format!("{} {outline}", why.as_str())
        }
        Is::Unverifiable { why, outline: None, .. } => why.as_str().to_owned(),
    }
}

fn kind(change: Change) -> Kind {
    match change {
        Change::Added => Kind::Added,
        Change::Deleted => Kind::Deleted,
        Change::Modified => Kind::Modified,
        Change::Attributes => Kind::Attributes,
        Change::Unverifiable => Kind::Unverifiable,
        Change::Linked => Kind::Linked,
    }
}

/// Of everything that makes a difference another one. Each part has its length before it.
fn fingerprint(
    root: &WatchedRoot,
    path: &[u8],
    kind: Kind,
    (was, found): &(String, String),
) -> [u8; 32] {
    let (root, kind) = (root.name.as_bytes(), kind.as_str().as_bytes());
    let mut hash = Context::new(&SHA256);
    for part in [root, path, kind, was.as_bytes(), found.as_bytes()] {
        hash.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    let mut bytes = [0; 32];
    bytes.copy_from_slice(hash.finish().as_ref());
    bytes
}
