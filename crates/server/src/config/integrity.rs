//! `[integrity]`: the folders whose files are watched, how often, and how bad what is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use portcullis_domain::audit::note::VerifierKey;
use portcullis_domain::integrity::alert::Severity;
use portcullis_integrity::Exclude;

use super::fault::{Faults, Reported};
use super::keys::Section;
use super::read::Reader;
use super::source::Source;
use super::table::{INTEGRITY_ROOT, INTEGRITY_RULE};
use super::values::{self, word};

/// The watch over files.
#[derive(Clone, Debug)]
pub struct Integrity {
    /// `None`: only at each start, and when it is asked for.
    pub schedule: Option<Duration>,
    pub watch: bool,
    pub max_hash_bytes: u64,
    pub diff_max_bytes: u64,
    /// Room for copies of good files; `None`: there are none.
    pub copies: Option<u64>,
    /// Whose manifests are believed.
    pub deploy_keys: Vec<VerifierKey>,
    /// From which severity on there is mail.
    pub mail: Option<Severity>,
    pub roots: Vec<WatchedRoot>,
    pub rules: Vec<SeverityRule>,
}

/// A folder whose files are watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedRoot {
    pub name: String,
    pub path: PathBuf,
    /// Patterns, each of which can be read.
    pub exclude: Vec<String>,
}

/// How bad a difference is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeverityRule {
    pub name: String,
    /// A word of severity, `ignore` or `uploads`.
    pub severity: String,
    /// Patterns, each of which can be read; none: all paths.
    pub paths: Vec<String>,
    /// Words of changes; none: all.
    pub changes: Vec<String>,
}

impl Integrity {
    /// The root of a name.
    pub fn root(&self, name: &str) -> Option<&WatchedRoot> {
        self.roots.iter().find(|root| root.name == name)
    }
}

/// The section with its tables.
pub(super) fn integrity(source: &Source, faults: &mut Faults) -> Result<Integrity, Reported> {
    let section = super::sections::read(source, "integrity", faults, section);
    let roots = named(source, &INTEGRITY_ROOT, faults, root, |root| &root.name);
    let rules = named(source, &INTEGRITY_RULE, faults, rule, |rule| &rule.name);
    Ok(Integrity { roots: roots?, rules: rules?, ..section? })
}

fn section(r: &mut Reader<'_>) -> Result<Integrity, Reported> {
    const SHORTEST: Duration = Duration::from_mins(1);
    let schedule =
        r.one_or_off("schedule", |text| values::duration(text).filter(|every| *every >= SHORTEST));
    let watch = r.one("watch", values::switch);
    let max_hash_bytes = r.one("max_hash_bytes", values::large_size);
    let diff_max_bytes = r.one("diff_max_bytes", values::size);
    let copies = r.one_or_off("copies", values::large_size);
    let deploy_keys = r.list("deploy_keys", |text| VerifierKey::parse(text).ok());
    let mail = r.one_or_off("mail", Severity::parse);
    Ok(Integrity {
        schedule: schedule?,
        watch: watch?,
        max_hash_bytes: max_hash_bytes?,
        diff_max_bytes: diff_max_bytes?,
        copies: copies?,
        deploy_keys: deploy_keys?,
        mail: mail?,
        roots: Vec::new(),
        rules: Vec::new(),
    })
}

/// The tables of a section, whose names differ.
fn named<T>(
    source: &Source,
    section: &'static Section,
    faults: &mut Faults,
    one: impl Fn(&mut Reader<'_>) -> Result<T, Reported>,
    name: impl Fn(&T) -> &String,
) -> Result<Vec<T>, Reported> {
    let (mut good, mut names, mut outcome) = (Vec::new(), BTreeSet::new(), Ok(()));
    for settings in source.tables(section) {
        let mut r = Reader::new(section, settings.clone(), faults);
        match one(&mut r) {
            Ok(table) if !names.insert(name(&table).clone()) => {
                let found = format!("{:?} is the name of another one", name(&table));
                outcome = Err(r.refuse("name", &found, "a name of its own for each"));
            }
            Ok(table) => good.push(table),
            Err(reported) => outcome = Err(reported),
        }
    }
    outcome.map(|()| good)
}

fn root(r: &mut Reader<'_>) -> Result<WatchedRoot, Reported> {
    let name = r.one("name", values::short_name);
    let path = r.one("path", |text| values::path(text).filter(|path| path.is_absolute()));
    let exclude = patterns(r, "exclude");
    let path: PathBuf = path?;
    if path == Path::new("/") {
        return Err(r.refuse("path", "\"/\" is the whole machine", "a folder of an application"));
    }
    Ok(WatchedRoot { name: name?, path, exclude: exclude? })
}

fn rule(r: &mut Reader<'_>) -> Result<SeverityRule, Reported> {
    const CHANGES: [&str; 5] = ["added", "deleted", "modified", "attributes", "unverifiable"];
    const WORDS: [&str; 6] = ["critical", "high", "medium", "low", "ignore", "uploads"];
    let one_of = |words: &[&'static str]| words.iter().map(|it| (*it, *it)).collect::<Vec<_>>();
    let name = r.one("name", values::short_name);
    let severity = r.one("severity", word(&one_of(&WORDS)));
    let paths = patterns(r, "paths");
    let changes = r.optional_whole("changes", |words| {
        let known = words.iter().all(|word| CHANGES.contains(&word.as_str()));
        (known && !words.is_empty()).then(|| words.to_vec())
    });
    Ok(SeverityRule {
        name: name?,
        severity: severity?.to_owned(),
        paths: paths?,
        changes: changes?.unwrap_or_default(),
    })
}

fn patterns(r: &mut Reader<'_>, key: &str) -> Result<Vec<String>, Reported> {
    let can_be_read = |patterns: &[String]| {
        Exclude::parse(patterns.iter().map(String::as_str)).is_ok().then(|| patterns.to_vec())
    };
    Ok(r.optional_whole(key, can_be_read)?.unwrap_or_default())
}
