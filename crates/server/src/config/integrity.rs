//! `[integrity]`: the folders whose files are watched, how often, and how bad what is.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Duration;

use portcullis_domain::audit::note::VerifierKey;
use portcullis_domain::integrity::alert::Severity;
use portcullis_integrity::{CustomRule, Exclude, Limits, NotARule, Rules};

use super::fault::{Faults, Reported};
use super::read::Reader;
use super::source::Source;
use super::table::{INTEGRITY_ROOT, INTEGRITY_RULE};
use super::values;

/// The watch over files.
#[derive(Clone, Debug)]
pub struct Integrity {
    /// `None`: only at each start, and when it is asked for.
    pub schedule: Option<Duration>,
    pub watch: bool,
    pub max_hash_bytes: u64,
    /// What a check may take.
    pub limits: Limits,
    pub diff_max_bytes: u64,
    /// Room for copies of good files; `None`: there are none.
    pub copies: Option<u64>,
    /// Whose manifests are believed.
    pub deploy_keys: Vec<VerifierKey>,
    /// From which severity on there is mail.
    pub mail: Option<Severity>,
    pub roots: Vec<WatchedRoot>,
    /// How bad differences are.
    pub rules: Rules,
    /// The rules by which nobody is told of some differences, as texts.
    pub quiet: Vec<String>,
}

/// A folder whose files are watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedRoot {
    pub name: String,
    pub path: PathBuf,
    /// Patterns, each of which can be read.
    pub exclude: Vec<String>,
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
    let roots = roots(source, faults);
    let rules = rules(source, faults);
    let (roots, (rules, quiet)) = (roots?, rules?);
    Ok(Integrity { roots, rules, quiet, ..section? })
}

/// A file that takes longer to read is given up, as on a network disk that hangs.
const LONGEST_FILE: Duration = Duration::from_mins(10);
/// And so is what the check of a root has not come to by then: what it found is told of at its end, which
/// nobody is to wait for any longer.
const LONGEST_CHECK: Duration = Duration::from_hours(24);

fn section(r: &mut Reader<'_>) -> Result<Integrity, Reported> {
    const SHORTEST: Duration = Duration::from_mins(1);
    let schedule =
        r.one_or_off("schedule", |text| values::duration(text).filter(|every| *every >= SHORTEST));
    let watch = r.one("watch", values::switch);
    let max_hash_bytes = r.one("max_hash_bytes", values::large_size);
    let bytes =
        r.one_or_off("read_per_second", |text| values::large_size(text).and_then(NonZero::new));
    let names = r.one_or_off("files_per_second", values::whole_number::<NonZero<u64>>);
    let diff_max_bytes = r.one("diff_max_bytes", values::size);
    let copies = r.one_or_off("copies", values::large_size);
    let deploy_keys = r.list("deploy_keys", |text| VerifierKey::parse(text).ok());
    let mail = r.one_or_off("mail", Severity::parse);
    Ok(Integrity {
        schedule: schedule?,
        watch: watch?,
        max_hash_bytes: max_hash_bytes?,
        limits: Limits {
            bytes: bytes?,
            names: names?,
            file: Some(LONGEST_FILE),
            scan: Some(LONGEST_CHECK),
        },
        diff_max_bytes: diff_max_bytes?,
        copies: copies?,
        deploy_keys: deploy_keys?,
        mail: mail?,
        roots: Vec::new(),
        rules: Rules::default(),
        quiet: Vec::new(),
    })
}

/// The folders, each under a name of its own.
fn roots(source: &Source, faults: &mut Faults) -> Result<Vec<WatchedRoot>, Reported> {
    let (mut good, mut names, mut outcome) = (Vec::new(), BTreeSet::new(), Ok(()));
    for settings in source.tables(&INTEGRITY_ROOT) {
        let mut r = Reader::new(&INTEGRITY_ROOT, settings.clone(), faults);
        match root(&mut r) {
            Ok(root) if !names.insert(root.name.clone()) => {
                let found = format!("{:?} is the name of another root", root.name);
                outcome = Err(r.refuse("name", &found, "a name of its own for each"));
            }
            Ok(root) => good.push(root),
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

/// The rules of the file before those that are built in, and those of them that have nobody told.
fn rules(source: &Source, faults: &mut Faults) -> Result<(Rules, Vec<String>), Reported> {
    let (mut custom, mut outcome) = (Vec::new(), Ok(()));
    for settings in source.tables(&INTEGRITY_RULE) {
        let mut r = Reader::new(&INTEGRITY_RULE, settings.clone(), faults);
        let read = rule(&mut r).and_then(|rule| {
            let all = custom.iter().chain([&rule]).cloned();
            let refused = |fault: NotARule| r.refuse("name", &fault.to_string(), "another rule");
            Rules::with(all).map_err(refused).map(|_| rule)
        });
        match read {
            Ok(rule) => custom.push(rule),
            Err(reported) => outcome = Err(reported),
        }
    }
    outcome?;
    let quiet = custom.iter().filter(|rule| is_quiet(rule)).map(as_text).collect();
    Rules::with(custom).map(|rules| (rules, quiet)).map_err(|_| Reported)
}

fn is_quiet(rule: &CustomRule) -> bool {
    !rule.uploads.is_empty() || rule.severity.as_deref() == Some("ignore")
}

fn as_text(rule: &CustomRule) -> String {
    let paths = rule.paths.iter().chain(&rule.uploads);
    let all: Vec<&str> = paths.chain(&rule.changes).map(String::as_str).collect();
    format!("{} ({})", rule.name, all.join(", "))
}

fn rule(r: &mut Reader<'_>) -> Result<CustomRule, Reported> {
    let texts = |texts: &[String]| Some(texts.to_vec());
    let name = r.one("name", |text| Some(text.to_owned()));
    let severity = r.optional("severity", |text| Some(text.to_owned()));
    let paths = r.optional_whole("paths", texts);
    let changes = r.optional_whole("changes", texts);
    let uploads = r.optional_whole("uploads", texts);
    Ok(CustomRule {
        name: name?,
        severity: severity?,
        paths: paths?.unwrap_or_default(),
        changes: changes?.unwrap_or_default(),
        uploads: uploads?.unwrap_or_default(),
    })
}

fn patterns(r: &mut Reader<'_>, key: &str) -> Result<Vec<String>, Reported> {
    let can_be_read = |patterns: &[String]| {
        Exclude::parse(patterns.iter().map(String::as_str)).is_ok().then(|| patterns.to_vec())
    };
    Ok(r.optional_whole(key, can_be_read)?.unwrap_or_default())
}
