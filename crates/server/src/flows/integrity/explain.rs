//! What the watch makes of one path: which root it is in, what passes over it, what the baseline has of it,
//! how it is now, and which rule would judge it. Nothing is written down. Not here: telling whoever asked.

use std::path::{Component, Path, PathBuf};

use portcullis_domain::integrity::alert::Kind;
use portcullis_domain::time::Time;
use portcullis_integrity::path::is_below;
use portcullis_integrity::{
    Beginning, Content, Digest, Entry, Exclude, Finding, Is, Scope, Severity,
};
use portcullis_store::integrity::alerts::{self, Alert};
use portcullis_store::integrity::baselines::{self, Baseline};
use portcullis_store::integrity::{self as rows};

use super::details::details;
use super::found::Differences;
use super::look::{self, NotLooked};
use super::{Fault, Monitor, deployment, spool};
use crate::config::{Integrity, WatchedRoot};

/// So many alerts of the path are told of.
const MOST_ALERTS: i64 = 20;

/// What the watch makes of a path.
#[derive(Debug)]
pub struct Explained {
    pub root: String,
    /// Below the root, in bytes; empty for the root itself.
    pub path: Vec<u8>,
    pub excluded: Option<Excluded>,
    /// The one in force.
    pub baseline: Option<Baseline>,
    /// What the baseline has of the path.
    pub was: Option<Entry>,
    /// When the last look at the root began that came to its end.
    pub looked_at: Option<Time>,
    pub stands: Stands,
    /// What the rules say of the difference or, where there is none, of one that might be. `None`: it is
    /// the root itself.
    pub rule: Option<Rule>,
    /// The alerts of the path, the newest first.
    pub alerts: Vec<Alert>,
}

/// What passes over a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excluded {
    pub pattern: String,
    pub by: By,
}

/// Who says that it is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Configuration,
    Baseline,
}

/// How it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stands {
    /// It is not looked at.
    PassedOver,
    /// There is nothing that it could be held against.
    NoBaseline,
    AsItOught,
    Differs {
        /// What differs at the path itself, as alerts have it.
        change: Option<&'static str>,
        details: String,
        /// How many paths below it differ.
        below: usize,
    },
    /// It could not be looked at, or was not to be compared; a word for why.
    Unknown(&'static str),
    /// The baseline in the store is not the one that was signed.
    Forged,
}

/// The rule that decides about a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub name: String,
    /// `None`: it is ignored.
    pub severity: Option<Severity>,
    /// Of which change.
    pub of: &'static str,
}

/// Explains a path of this machine, which is absolute. `None`: no root has it in it.
pub async fn explain(monitor: &Monitor<'_>, path: &Path) -> Result<Option<Explained>, Fault> {
    let Some((root, path)) = below(monitor.settings, path) else { return Ok(None) };
    let mut tx = monitor.db.read().await?;
    let baseline = baselines::active(&mut tx, &root.name).await?;
    let looked_at = rows::by_name(&mut tx, &root.name).await?.and_then(|row| row.looked_at);
    let alerts = alerts::of_path(&mut tx, &root.name, &path, MOST_ALERTS).await?;
    drop(tx);
    let held = held(monitor, root, &path, baseline.as_ref()).await?;
    let rule = judged(monitor.settings, root, &path, held.was.as_ref(), held.finding.as_ref())?;
    let Held { excluded, was, stands, .. } = held;
    let root = root.name.clone();
    Ok(Some(Explained { root, path, excluded, baseline, was, looked_at, stands, rule, alerts }))
}

/// The root that a path is in, the innermost, and the path below it.
fn below<'a>(settings: &'a Integrity, path: &Path) -> Option<(&'a WatchedRoot, Vec<u8>)> {
    use std::os::unix::ffi::OsStrExt as _;
    let within = |path: &Path, of: &dyn Fn(&WatchedRoot) -> PathBuf| {
        let of_root = settings.roots.iter().filter_map(|root| {
            let rest = path.strip_prefix(of(root)).ok()?.as_os_str().as_bytes().to_vec();
            (rest.is_empty() || is_below(&rest)).then_some((root, rest))
        });
        of_root.min_by_key(|(_, rest)| rest.len())
    };
    let path = plain(path);
    let as_written = within(&path, &|root| plain(&root.path));
    // The way to it may lead through links. What it is itself may be one that is watched.
    as_written.or_else(|| {
        let folder = path.parent()?.canonicalize().ok()?;
        let path = path.file_name().map(|name| folder.join(name))?;
        within(&path, &|root| root.path.canonicalize().unwrap_or_else(|_| root.path.clone()))
    })
}

/// The path without steps that lead nowhere and back; what links lead to is not asked.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, step| {
        match step {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(step),
        }
        plain
    })
}

/// A path held against the baseline.
struct Held {
    excluded: Option<Excluded>,
    was: Option<Entry>,
    finding: Option<Finding>,
    stands: Stands,
}

impl Held {
    fn stands(stands: Stands) -> Self {
        Self { excluded: None, was: None, finding: None, stands }
    }
}

async fn held(
    monitor: &Monitor<'_>,
    root: &WatchedRoot,
    path: &[u8],
    baseline: Option<&Baseline>,
) -> Result<Held, Fault> {
    let excluded = excluded(&root.exclude, path, By::Configuration)?;
    let Some(baseline) = baseline else {
        let stands = if excluded.is_some() { Stands::PassedOver } else { Stands::NoBaseline };
        return Ok(Held { excluded, ..Held::stands(stands) });
    };
    let Ok(old) = spool::fetch(monitor, baseline).await? else {
        return Ok(Held { excluded, ..Held::stands(Stands::Forged) });
    };
    let by_baseline = self::excluded(&old.exclude, path, By::Baseline)?;
    let excluded = excluded.or(by_baseline);
    let wanted = path.to_vec();
    let found = tokio::task::spawn_blocking(move || entry(&old, &wanted).map(|was| (old, was)));
    let Some((old, was)) = found.await? else {
        return Ok(Held { excluded, ..Held::stands(Stands::Forged) });
    };
    if excluded.is_some() {
        return Ok(Held { excluded, was, ..Held::stands(Stands::PassedOver) });
    }
    let (finding, stands) = now(monitor, root, path, old).await?;
    Ok(Held { excluded, was, finding, stands })
}

/// The pattern that passes over a path.
fn excluded(patterns: &[String], path: &[u8], by: By) -> Result<Option<Excluded>, Fault> {
    for pattern in patterns {
        if Exclude::parse([pattern.as_str()])?.covers(path) {
            return Ok(Some(Excluded { pattern: pattern.clone(), by }));
        }
    }
    Ok(None)
}

/// What a baseline has of a path; `None` if it is not what was signed. Blocks.
#[expect(clippy::option_option, reason = "no such entry and no such baseline are two things")]
fn entry(baseline: &spool::Spooled, path: &[u8]) -> Option<Option<Entry>> {
    let mut found = None;
    // To the last line, because only then it is known that all of them were signed.
    for line in baseline.lines().ok()? {
        let line = line.ok()?;
        if line.path == path {
            found = Some(line);
        }
    }
    Some(found)
}

/// Looks at the path, and at what is below it, as a check would.
async fn now(
    monitor: &Monitor<'_>,
    root: &WatchedRoot,
    path: &[u8],
    old: spool::Spooled,
) -> Result<(Option<Finding>, Stands), Fault> {
    let mut tx = monitor.db.read().await?;
    let open = deployment::going_on(&mut tx, root, monitor.now()).await?;
    drop(tx);
    let new = deployment::declared(monitor, open.as_ref()).await?;
    let target = look::target(monitor, root, Scope::of([path.to_vec()])).await?;
    let looking = tokio::task::spawn_blocking(move || look::look(&target, &old, &new));
    let looked = match looking.await? {
        Err(NotLooked::Root(why)) => return Ok((None, Stands::Unknown(why.as_str()))),
        looked => looked,
    };
    let Some(differences) = Differences::of(looked)? else {
        return Ok((None, Stands::Unknown("stopped")));
    };
    let Differences { findings, broken, is_declared_broken, .. } = differences;
    match broken {
        Some(Kind::BaselineInvalid) => return Ok((None, Stands::Forged)),
        None if is_declared_broken => return Ok((None, Stands::Forged)),
        Some(kind) if findings.is_empty() => return Ok((None, Stands::Unknown(kind.as_str()))),
        Some(_) | None => {}
    }
    Ok(stands(path, findings))
}

/// Every look tells of the root itself too, which says nothing of a path in it.
fn stands(path: &[u8], mut findings: Vec<Finding>) -> (Option<Finding>, Stands) {
    findings.retain(|finding| path.is_empty() || !finding.path().is_empty());
    let (own, below): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|finding| finding.path() == path);
    let own = own.into_iter().next();
    let stands = match &own {
        None if below.is_empty() => Stands::AsItOught,
        // What stands in a folder that cannot be read is not known either.
        Some(Finding { is: Is::Unverifiable { why, .. }, .. }) => Stands::Unknown(why.as_str()),
        own => Stands::Differs {
            change: own.as_ref().map(|finding| finding.change().as_str()),
            details: own.as_ref().map(details).unwrap_or_default(),
            below: below.len(),
        },
    };
    (own, stands)
}

/// What the rules say of what differs; of what is as it ought to be, how a change of it would be judged;
/// of what is not there, a new file in its place. No rule is about the root itself.
fn judged(
    settings: &Integrity,
    root: &WatchedRoot,
    path: &[u8],
    was: Option<&Entry>,
    finding: Option<&Finding>,
) -> Result<Option<Rule>, Fault> {
    if path.is_empty() {
        return Ok(None);
    }
    let finding = match finding {
        Some(finding) => finding.clone(),
        None => Finding {
            was: was.cloned(),
            is: Is::There(other(path, was)?),
            moved: None,
            begins: Beginning::default(),
        },
    };
    let verdict = settings.rules.judge(&finding, &root.path);
    let (name, severity) = (verdict.rule.to_owned(), verdict.severity);
    Ok(Some(Rule { name, severity, of: finding.change().as_str() }))
}

/// What might be there instead of an entry: another content, or other rights of what has none.
fn other(path: &[u8], was: Option<&Entry>) -> Result<Entry, Fault> {
    const WHOEVER_ENTERS: u16 = 0o001;
    let file = |text: &[u8]| {
        let size = u64::try_from(text.len()).unwrap_or(u64::MAX);
        Digest::of_reader(text).map(|digest| Content::File { size, digest })
    };
    let Some(was) = was else {
        let (content, owner, attributes) = (file(b"")?, None, None);
        return Ok(Entry { path: path.to_vec(), content, mode: 0o644, owner, attributes });
    };
    let mut other = was.clone();
    match &was.content {
        Content::File { size, .. } => {
            other.content = file(if *size == 0 { b"\n" } else { b"" })?;
        }
        Content::Link { target } => {
            other.content = Content::Link { target: [target.as_slice(), b"-"].concat() };
        }
        Content::Folder
        | Content::Pipe
        | Content::Socket
        | Content::CharacterDevice { .. }
        | Content::BlockDevice { .. } => other.mode ^= WHOEVER_ENTERS,
    }
    Ok(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_back_are_taken_back() {
        for (path, expected) in [
            ("/srv/app/a", "/srv/app/a"),
            ("/srv/./app//a/", "/srv/app/a"),
            ("/srv/app/../app/a", "/srv/app/a"),
            ("/../srv", "/srv"),
        ] {
            assert_eq!(plain(Path::new(path)), Path::new(expected), "{path}");
        }
    }
}
