//! From a difference to what an alert says of it: where, what, how bad, by which rule. The same
//! difference has the same fingerprint. Pure.

use std::collections::HashSet;
use std::io;

use aws_lc_rs::digest::{Context, SHA256};
use portcullis_domain::integrity::alert::{Kind, Severity};
use portcullis_domain::integrity::{Verdict as Judged, judge};
use portcullis_integrity::path::show;
use portcullis_integrity::{Change, Compared, Content, Entry, Finding, Is, Rules, Why};
use portcullis_store::integrity::alerts::About;
use portcullis_store::integrity::deployments::Counts;

use super::look::{Looked, NotLooked, shown};
use super::words::what;
use crate::config::WatchedRoot;

/// The name of the rule of what keeps files from being looked at.
const STANDING: &str = "coverage";

/// A difference, as an alert would tell of it.
pub(super) struct Found {
    pub(super) fingerprint: [u8; 32],
    pub(super) about: About,
    /// What the scanner said, where it is about a path.
    pub(super) finding: Option<Finding>,
}

/// What differs, while a deployment goes on or not.
pub(super) struct Differences {
    pub(super) findings: Vec<Finding>,
    /// All of it is there.
    pub(super) is_whole: bool,
    pub(super) counts: Counts,
    /// Paths that are as a deployment declares them, and were not before.
    pub(super) reached: HashSet<Vec<u8>>,
}

/// What somebody is to be told of: what differs from the baseline in force and, while a deployment goes
/// on, from the declared one too.
fn differences(looked: Looked) -> Differences {
    let Some(new) = looked.new else {
        let is_whole = looked.old.is_whole();
        let findings = looked.old.findings;
        let (counts, reached) = Default::default();
        return Differences { findings, is_whole, counts, reached };
    };
    let is_whole = looked.old.is_whole() && new.is_whole();
    let paths = |compared: &Compared| -> HashSet<Vec<u8>> {
        compared.findings.iter().map(|finding| finding.path().to_vec()).collect()
    };
    let (of_old, of_new) = (paths(&looked.old), paths(&new));
    let (mut counts, mut reached) = (Counts::default(), HashSet::new());
    for path in of_old.union(&of_new) {
        match judge(of_old.contains(path), of_new.contains(path)) {
            Judged::Reached => {
                counts.reached += 1;
                reached.insert(path.clone());
            }
            Judged::Pending => counts.pending += 1,
            Judged::Unexpected => counts.unexpected += 1,
        }
    }
    let mut findings = new.findings;
    findings.retain(|finding| of_old.contains(finding.path()));
    Differences { findings, is_whole, counts, reached }
}

/// What a look shows.
pub(super) enum Sight {
    Compared(Differences),
    /// The root as a whole is not what it was, or its baseline; what is certain all the same.
    Broken(Kind, Vec<Finding>),
    Stopped,
}

impl Sight {
    /// What a look came to, or why it came to nothing; a fault is one of this server's own files.
    pub(super) fn of(looked: Result<Looked, NotLooked>) -> io::Result<Self> {
        let broken = |kind| Self::Broken(kind, Vec::new());
        Ok(match looked {
            // That what is gone is missing says nothing of it, and what is there is another thing: else
            // whoever may remove many files could hide one among them.
            Ok(looked) if looked.is_root_gone() => {
                let mut findings = differences(looked).findings;
                findings.retain(|finding| finding.change() != Change::Deleted);
                Self::Broken(Kind::RootUnavailable, findings)
            }
            Ok(looked) => Self::Compared(differences(looked)),
            Err(NotLooked::Root(_)) => broken(Kind::RootUnavailable),
            Err(NotLooked::Baseline) => broken(Kind::BaselineInvalid),
            Err(NotLooked::Stopped) => Self::Stopped,
            Err(NotLooked::Io(error)) => return Err(error),
        })
    }
}

/// What there is to tell of differences, and how much of it by no rule deserves an alert.
pub(super) fn of_findings(root: &WatchedRoot, rules: &Rules, findings: Vec<Finding>) -> Vec<Found> {
    let told = |finding: Finding| {
        let verdict = rules.judge(&finding, &root.path);
        let severity = Severity::parse(verdict.severity?.as_str())?;
        Some(of_finding(root, severity, verdict.rule.to_owned(), finding))
    };
    findings.into_iter().filter_map(told).collect()
}

/// Something about the root as a whole. The same kind is the same alert, whatever it says.
pub(super) fn of_root(root: &WatchedRoot, kind: Kind, severity: Severity, says: String) -> Found {
    let about = About {
        root: root.name.clone(),
        path: Vec::new(),
        file_path: shown(&root.path, b""),
        kind,
        severity,
        rule: STANDING.to_owned(),
        details: says,
        was: String::new(),
        found: String::new(),
        moved: None,
    };
    Found { fingerprint: fingerprint(&about), about, finding: None }
}

/// Why no file of a root could be compared with anything.
pub(super) fn nothing_compared(root: &WatchedRoot, kind: Kind) -> Found {
    let says = if kind == Kind::BaselineInvalid {
        "The baseline in the store is not the one that this server signed. Nothing was compared with it."
    } else {
        "The folder cannot be opened, or most of what ought to be in it is gone."
    };
    of_root(root, kind, Severity::Critical, says.to_owned())
}

fn of_finding(root: &WatchedRoot, severity: Severity, rule: String, finding: Finding) -> Found {
    let found = match &finding.is {
        Is::There(entry) => entry.to_string(),
        Is::Gone => String::new(),
        Is::Unverifiable { why, .. } => why.as_str().to_owned(),
    };
    let about = About {
        root: root.name.clone(),
        path: finding.path().to_vec(),
        file_path: shown(&root.path, finding.path()),
        kind: kind(finding.change()),
        severity,
        rule,
        details: details(&finding),
        was: finding.was.as_ref().map(Entry::to_string).unwrap_or_default(),
        found,
        moved: finding.moved.clone(),
    };
    Found { fingerprint: fingerprint(&about), about, finding: Some(finding) }
}

fn kind(change: Change) -> Kind {
    match change {
        Change::Added => Kind::Added,
        Change::Deleted => Kind::Deleted,
        Change::Modified => Kind::Modified,
        Change::Attributes => Kind::Attributes,
        Change::Unverifiable => Kind::Unverifiable,
    }
}

/// Of everything that makes a difference another one. Each part has its length before it.
fn fingerprint(about: &About) -> [u8; 32] {
    let kind = about.kind.as_str();
    let parts: [&[u8]; 5] = [
        about.root.as_bytes(),
        &about.path,
        kind.as_bytes(),
        about.was.as_bytes(),
        about.found.as_bytes(),
    ];
    let mut hash = Context::new(&SHA256);
    for part in parts {
        hash.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    let mut bytes = [0; 32];
    bytes.copy_from_slice(hash.finish().as_ref());
    bytes
}

/// One sentence for people.
fn details(finding: &Finding) -> String {
    let moved = finding.moved.as_deref().map(show);
    match (&finding.was, &finding.is) {
        (_, Is::Unverifiable { why, .. }) => format!("It could not be checked: {}.", reason(*why)),
        (Some(was), Is::Gone) => match moved {
            Some(to) => format!("It is gone: {}. It was moved to {to}.", described(was)),
            None => format!("It is gone: {}.", described(was)),
        },
        (None, Is::There(is)) => match moved {
            Some(from) => format!("It is new: {}. It was moved from {from}.", described(is)),
            None => format!("It is new: {}.", described(is)),
        },
        (Some(was), Is::There(is)) => changes(was, is),
        (None, Is::Gone) => String::new(),
    }
}

fn changes(was: &Entry, is: &Entry) -> String {
    let mut parts = Vec::new();
    match (&was.content, &is.content) {
        (Content::File { size: before, .. }, Content::File { size: after, .. })
            if was.content != is.content =>
        {
            parts.push(format!("the content is another one ({before} bytes before, {after} now)"));
        }
        (before, after) if before != after => {
            parts.push(format!("it was {}, and is {}", described(was), described(is)));
        }
        _ => {}
    }
    if was.mode != is.mode {
        parts.push(format!("its rights were {:04o} and are {:04o}", was.mode, is.mode));
    }
    if let (Some(before), Some(after)) = (was.owner, is.owner)
        && before != after
    {
        let (old, new) = ((before.uid, before.gid), (after.uid, after.gid));
        parts
            .push(format!("it belonged to {}:{} and belongs to {}:{}", old.0, old.1, new.0, new.1));
    }
    if was.attributes != is.attributes {
        parts.push("its capabilities or access lists are others".to_owned());
    }
    let text = parts.join("; ");
    let mut letters = text.chars();
    let first: String =
        letters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

fn described(entry: &Entry) -> String {
    let is_file = matches!(entry.content, Content::File { .. });
    let rights = if is_file { format!(", rights {:04o}", entry.mode) } else { String::new() };
    format!("{}{rights}", what(&entry.content))
}

/// Why something could not be checked, in words.
fn reason(why: Why) -> &'static str {
    match why {
        Why::Denied => "the server may not read it",
        Why::Unreadable => "the file system gave an error",
        Why::Unstable => "it changed again and again while it was read",
        Why::TooLarge => "it is larger than integrity.max_hash_bytes",
        Why::OtherFileSystem => "another file system is mounted there",
        Why::TooDeep => "folders stand in each other deeper than anybody makes on purpose",
        Why::Unseen => "it is there, and the check did not come by it",
        Why::Slow => "it could not be read in time",
        Why::Holes => "it has more holes in it than are worth hashing",
    }
}
