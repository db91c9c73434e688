//! `integrity verify`: files held against a signed manifest, as from a rescue disk. It writes nothing.

use std::fs::File;
use std::io::Seek as _;
use std::path::PathBuf;
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_domain::audit::note::{self, NoteFault, VerifierKey};
use portcullis_integrity::manifest::{Fault, Head};
use portcullis_integrity::{
    Change, Compared, Comparison, Exclude, Finding, Is, NotScanned, Progress, path,
};
use serde_json::{Value, json};

use super::{files, plan, scan_watched};
use crate::cli::output::{self, Output};
use crate::cli::{DONE, REFUSED, UNREACHABLE, public_key};

const CODES: &str = "Exit codes: 0 all is as the manifest says, 1 there are differences, 2 wrong usage, \
    3 there are none, but something could not be verified, 4 the manifest is not what the key has signed: \
    then nothing of it is believed.";

#[derive(clap::Args)]
#[command(after_help = CODES)]
pub(super) struct Args {
    /// The signed manifest.
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    /// The public half of the key that must have signed it, or a file that has it. Do not take it from the
    /// machine that is verified.
    #[arg(long, value_name = "KEY")]
    key: String,
    /// The folder whose files are verified.
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// Passes over what fits, beside what the manifest passes over. What the manifest tells of is then
    /// named as not verified. Can be repeated.
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Prints a line of JSON for each difference, and one for the whole.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.json);
    let key = match public_key::read(&args.key) {
        Ok(key) => key,
        Err(error) => return Ok(output.misused("bad_key", &format!("{error:#}"))),
    };
    if let Err(fault) = Exclude::parse(args.exclude.iter().map(String::as_str)) {
        return Ok(output.misused("bad_pattern", &format!("--exclude: {fault}")));
    }
    let file = files::open(&args.manifest)?;
    match verified(&file, &key).and_then(|head| compare(args, &file, &key, head, output)) {
        Ok((head, compared)) => show(args, &head, &compared, output),
        Err(Not::Signed(why)) => {
            let sentence = format!("{} is not to be believed: {why}.", args.manifest.display());
            Ok(output.forged("bad_signature", &sentence))
        }
        Err(Not::Read(error)) => {
            let sentence = format!("{} cannot be read: {error}.", args.manifest.display());
            Ok(output.unreachable("manifest_unreadable", &sentence))
        }
        Err(Not::Scanned(fault)) => {
            let sentence = format!("{}: {fault}.", args.root.display());
            Ok(output.unreachable("root_unreadable", &sentence))
        }
    }
}

/// Why there is no result.
enum Not {
    /// It is not what the key has signed.
    Signed(String),
    Read(std::io::Error),
    Scanned(NotScanned),
}

impl From<Fault> for Not {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Read(error) => Self::Read(error),
            Fault::Line { .. } | Fault::Order { .. } | Fault::Digest => {
                Self::Signed(fault.to_string())
            }
        }
    }
}

impl From<NoteFault> for Not {
    fn from(fault: NoteFault) -> Self {
        Self::Signed(match fault {
            // Without a line of a signature it is no note at all.
            NoteFault::Malformed => "it is not signed".to_owned(),
            NoteFault::Unsigned => "it is not signed by this key".to_owned(),
            NoteFault::Name | NoteFault::Key | NoteFault::BadSignature => fault.to_string(),
        })
    }
}

/// The head, once it is signed and all lines are those that it was signed for.
fn verified(file: &File, key: &VerifierKey) -> Result<Head, Not> {
    let mut manifest = files::read(file)?;
    note::open(&manifest.note, key)?;
    manifest.lines.try_for_each(|entry| entry.map(drop))?;
    Ok(manifest.head)
}

/// Reads the same file once more and compares. Somebody could have written to it meanwhile: it is verified
/// again while it is read, and nothing is said before its end.
fn compare(
    args: &Args,
    mut file: &File,
    key: &VerifierKey,
    head: Head,
    output: Output,
) -> Result<(Head, Compared), Not> {
    file.rewind().map_err(Not::Read)?;
    let manifest = files::read(file)?;
    note::open(&manifest.note, key)?;
    if manifest.head != head {
        return Err(Not::Signed("it is being changed".to_owned()));
    }
    let patterns = head.exclude.iter().chain(&args.exclude).map(String::as_str);
    // Each of them was read before.
    let exclude = Exclude::parse(patterns).map_err(|fault| Not::Signed(fault.to_string()))?;
    let plan = plan(args.root.clone(), exclude);
    let progress = Progress::default();
    let mut comparison = Comparison::begin(manifest.lines, &plan.root);
    let mut compared = Ok(());
    let scanned = scan_watched(&plan, &progress, output, |seen| {
        if compared.is_ok() {
            compared = comparison.seen(seen);
        }
        if compared.is_err() {
            progress.stop();
        }
    });
    compared?;
    scanned.map_err(Not::Scanned)?;
    Ok((head, comparison.finish()?))
}

/// Every finding, then how many there are.
fn show(args: &Args, head: &Head, compared: &Compared, output: Output) -> anyhow::Result<ExitCode> {
    let totals = Totals::of(compared);
    output::print_with(|out| {
        for finding in &compared.findings {
            match output {
                Output::Person => writeln!(out, "{}", text(finding))?,
                Output::Machine => writeln!(out, "{}", value(finding))?,
            }
        }
        match output {
            Output::Person => writeln!(out, "{}", totals.text(args, head)),
            Output::Machine => writeln!(out, "{}", totals.value(head)),
        }
    })?;
    Ok(ExitCode::from(totals.code()))
}

fn text(finding: &Finding) -> String {
    let change = finding.change();
    let path = path::show(path::named(finding.path()));
    let more = match (&finding.was, &finding.is) {
        (_, Is::Unverifiable { why, .. }) => format!(" ({})", why.as_str()),
        (None, Is::There(_)) => moved(" (was ", finding),
        (_, Is::Gone) => moved(" (now ", finding),
        (Some(was), Is::There(is)) if !was.content.is_like(&is.content) => {
            format!(" ({} instead of {})", is.content.word(), was.content.word())
        }
        (Some(was), Is::There(is)) if change == Change::Attributes => {
            let owner = |entry: &portcullis_integrity::Entry| match entry.owner {
                Some(owner) if was.owner.is_some() => format!(" {}:{}", owner.uid, owner.gid),
                _ => String::new(),
            };
            format!(" ({:04o}{} instead of {:04o}{})", is.mode, owner(is), was.mode, owner(was))
        }
        (Some(_), Is::There(_)) => String::new(),
    };
    format!("{:<12} {path}{more}", change.as_str())
}

fn moved(word: &str, finding: &Finding) -> String {
    let moved = finding.moved.as_deref();
    moved.map(|moved| format!("{word}{})", path::show(moved))).unwrap_or_default()
}

fn value(finding: &Finding) -> Value {
    let mut value = json!({
        "change": finding.change().as_str(),
        "path": path::show(path::named(finding.path())),
        "path_b64": STANDARD.encode(path::named(finding.path())),
        "was": finding.was.as_ref().map(ToString::to_string),
    });
    let Some(fields) = value.as_object_mut() else { return value };
    let more = match &finding.is {
        Is::There(entry) => json!({"is": entry.to_string()}),
        Is::Gone => json!({"is": null}),
        Is::Unverifiable { why, .. } => json!({"why": why.as_str()}),
    };
    fields.extend(more.as_object().cloned().unwrap_or_default());
    if let Some(moved) = &finding.moved {
        fields.insert("moved".to_owned(), path::show(moved).into());
        fields.insert("moved_b64".to_owned(), STANDARD.encode(moved).into());
    }
    value
}

/// How many findings there are of each kind, in the order in which they are named.
struct Totals {
    of: [(Change, usize); 5],
    /// Beside them, and named nowhere.
    unlisted: u64,
    unchanged: u64,
}

impl Totals {
    fn of(compared: &Compared) -> Self {
        let changes = [
            Change::Added,
            Change::Deleted,
            Change::Modified,
            Change::Attributes,
            Change::Unverifiable,
        ];
        let count =
            |change| compared.findings.iter().filter(|finding| finding.change() == change).count();
        let of = changes.map(|change| (change, count(change)));
        Self { of, unlisted: compared.unkept, unchanged: compared.unchanged }
    }

    /// A difference is sure, whatever else could not be verified.
    fn code(&self) -> u8 {
        let is_there = |(_, count): &&(Change, usize)| *count > 0;
        match self.of.iter().find(is_there) {
            None => DONE,
            Some((Change::Unverifiable, _)) => UNREACHABLE,
            Some(_) => REFUSED,
        }
    }

    fn text(&self, args: &Args, head: &Head) -> String {
        let mut parts = vec![format!("{} as the manifest says", self.unchanged)];
        let there = self.of.iter().filter(|(_, count)| *count > 0);
        parts.extend(there.map(|(change, count)| format!("{count} {}", change.as_str())));
        if self.unlisted > 0 {
            parts.push(format!("{} more that are not listed", self.unlisted));
        }
        let mut text = format!("{} {}: {}.", head.root, head.number, parts.join(", "));
        for (whose, patterns) in
            [("by the manifest", &head.exclude), ("as asked for", &args.exclude)]
        {
            if !patterns.is_empty() {
                let shown: Vec<_> = patterns.iter().map(|one| path::show(one.as_bytes())).collect();
                text.extend(["\nPassed over ", whose, ": ", &shown.join(", ")]);
            }
        }
        text
    }

    fn value(&self, head: &Head) -> Value {
        let result = match self.code() {
            DONE => "clean",
            REFUSED => "differences",
            _ => "unverifiable",
        };
        let mut value = json!({
            "result": result, "root": head.root, "number": head.number,
            "sha256": head.digest.to_string(), "exclude": head.exclude, "unchanged": self.unchanged,
            "unlisted": self.unlisted,
        });
        if let Some(fields) = value.as_object_mut() {
            let counts =
                self.of.iter().map(|(change, count)| (change.as_str().to_owned(), (*count).into()));
            fields.extend(counts);
        }
        value
    }
}
