//! `integrity manifest build`: what the files below a folder are, as a manifest that nobody has signed yet.

use std::fs::File;
use std::io::{self, BufWriter, Seek as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use portcullis_integrity::manifest::{Body, Head, write};
use portcullis_integrity::{Digest, Entry, Exclude, Progress, Seen, look_at_root, path};
use serde_json::json;

use super::{files, plan, scan_watched};
use crate::cli::output::{self, Output};

/// So many paths that cannot be checked are named.
const MOST_NAMED: usize = 100;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The folder whose files the manifest is of.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The name of the root, as the server's configuration has it; usually that of the folder.
    #[arg(long, value_name = "NAME")]
    root: Option<String>,
    /// Passes over what fits: `*` and `?` stay within a name, `**` does not. What is in a folder is passed
    /// over by a pattern that ends with `/` or `/**`. The manifest says so. Can be repeated.
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// The number of the manifest.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "previous")]
    number: u64,
    /// The manifest of the release before: this one counts on from it and names its digest.
    #[arg(long, value_name = "FILE")]
    previous: Option<PathBuf>,
    /// Tells owners too. They are compared only where a manifest tells them, and those of the machine that
    /// builds are seldom those of the machine that serves.
    #[arg(long)]
    owners: bool,
    /// The file that the manifest goes to, instead of the standard output.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Prints JSON for machines instead of text for people.
    #[arg(long, requires = "to")]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.json);
    let exclude = match Exclude::parse(args.exclude.iter().map(String::as_str)) {
        Ok(exclude) => exclude,
        Err(fault) => return Ok(output.misused("bad_pattern", &format!("--exclude: {fault}"))),
    };
    let previous = args.previous.as_deref().map(previous).transpose()?;
    let root = args.root.clone().or_else(|| Some(previous.as_ref()?.root.clone()));
    let Some(root) = root.or_else(|| name_of(&args.folder)).filter(|name| Head::is_root(name))
    else {
        let sentence =
            "--root: the name of a root is up to 64 of a-z, 0-9, dot, dash and underscore.";
        return Ok(output.misused("bad_root", sentence));
    };
    if args.to.as_deref().is_some_and(|to| is_inside(to, &args.folder, &exclude)) {
        return Ok(inside(output));
    }
    let (lines, mut head) = match read_folder(args, exclude, output)? {
        Read::Whole(body) => {
            let number =
                previous.as_ref().map_or(Some(args.number), |head| head.number.checked_add(1));
            let number = number.context("there is no number behind that of --previous")?;
            body.finish(&root, number, previous.as_ref().map(Head::own_digest))
        }
        Read::Inside => return Ok(inside(output)),
        Read::Partly(paths) => return Ok(output.unreachable("unverifiable", &partly(&paths))),
        Read::NotAtAll(sentence) => return Ok(output.unreachable("root_unreadable", &sentence)),
    };
    head.exclude.clone_from(&args.exclude);
    head.exclude.sort();
    head.exclude.dedup();
    if Head::parse(&head.to_string()).is_none() {
        return Ok(output.misused("bad_pattern", "--exclude: there are too many patterns."));
    }
    let mut lines = lines.into_inner().map_err(io::IntoInnerError::into_error)?;
    lines.rewind()?;
    finish(args, &head, &mut lines, output)
}

/// What became of reading the folder.
enum Read {
    Whole(Body<BufWriter<File>>),
    /// The standard output is a file in it.
    Inside,
    /// Paths that cannot be checked, and why.
    Partly(Vec<String>),
    NotAtAll(String),
}

fn read_folder(args: &Args, exclude: Exclude, output: Output) -> anyhow::Result<Read> {
    let lines = tempfile::tempfile().context("no temporary file can be made")?;
    let mut body = Body::new(BufWriter::with_capacity(256 * 1024, lines));
    let printed = args.to.is_none().then(standard_output).flatten();
    let (mut unverifiable, mut is_inside, mut written) = (Vec::<String>::new(), false, Ok(()));
    let progress = Progress::default();
    let plan = plan(args.folder.clone(), exclude);
    match look_at_root(&plan.root) {
        Ok(root) if plan.covers(&root.path) => {
            let owner = root.owner.filter(|_| args.owners);
            written = body.push(&Entry { owner, ..root });
        }
        Ok(_) => {}
        Err(why) => unverifiable.push(format!("{} ({})", path::ROOT, why.as_str())),
    }
    let scanned = scan_watched(&plan, &progress, output, |seen| match seen {
        Seen::Is(mut entry, inode, _) => {
            is_inside |= printed == Some((inode.device, inode.number));
            entry.owner = entry.owner.filter(|_| args.owners);
            if written.is_ok() {
                written = body.push(&entry);
            }
            if written.is_err() || is_inside {
                progress.stop();
            }
        }
        Seen::Unverifiable { path, why, .. } | Seen::Closed { path, why } => {
            let told = format!("{} ({})", path::show(&path), why.as_str());
            if unverifiable.last() != Some(&told) {
                unverifiable.push(told);
            }
        }
    });
    written.context("the temporary file cannot be written")?;
    Ok(match scanned {
        _ if is_inside => Read::Inside,
        Err(fault) => Read::NotAtAll(format!("{}: {fault}.", args.folder.display())),
        Ok(()) if unverifiable.is_empty() => Read::Whole(body),
        Ok(()) => Read::Partly(unverifiable),
    })
}

fn finish(args: &Args, head: &Head, lines: &mut File, output: Output) -> anyhow::Result<ExitCode> {
    let about = format!("{} {} of {} entries", head.root, head.number, head.entries);
    let Some(to) = &args.to else {
        output::print_with(|mut out| write(&mut out, head, lines))?;
        output.note(&format!("{about}, which nobody has signed yet."));
        return Ok(ExitCode::from(crate::cli::DONE));
    };
    files::replace(to, |mut out| write(&mut out, head, lines))?
        .with_context(|| format!("{} cannot be written", to.display()))?;
    let value = json!({
        "file": to, "root": head.root, "number": head.number, "entries": head.entries,
        "previous": head.previous.as_ref().map(Digest::to_string),
        "exclude": head.exclude, "sha256": head.digest.to_string(),
    });
    output.done(&value, &format!("{}: {about}, which nobody has signed yet.", to.display()))
}

/// The head of the manifest before.
fn previous(path: &Path) -> anyhow::Result<Head> {
    let file = files::open(path)?;
    let manifest = files::read(&file).with_context(|| format!("{}", path.display()))?;
    Ok(manifest.head)
}

/// The name of a folder, wherever it is named from.
fn name_of(folder: &Path) -> Option<String> {
    let whole = folder.canonicalize().ok()?;
    Some(whole.file_name()?.to_str()?.to_owned())
}

/// Whether a file would be among those of which the manifest tells.
fn is_inside(file: &Path, folder: &Path, exclude: &Exclude) -> bool {
    use std::os::unix::ffi::OsStrExt as _;
    let below = || {
        let whole = files::folder_of(file).canonicalize().ok()?.join(file.file_name()?);
        let below = whole.strip_prefix(folder.canonicalize().ok()?).ok()?.to_owned();
        Some(below)
    };
    below().is_some_and(|below| !exclude.covers(below.as_os_str().as_bytes()))
}

fn inside(output: Output) -> ExitCode {
    let sentence = "The manifest would stand among the files that it is of, and be found there as added: \
                    write it elsewhere, or pass over it with --exclude.";
    output.misused("inside", sentence)
}

fn partly(paths: &[String]) -> String {
    let mut lines = vec!["No manifest is written, because these cannot be checked:".to_owned()];
    lines.extend(paths.iter().take(MOST_NAMED).cloned());
    if let Some(more) = paths.len().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
        lines.push(format!("and {more} more"));
    }
    lines.join("\n")
}

/// Device and number of the file that the standard output goes to, if it is one.
fn standard_output() -> Option<(u64, u64)> {
    let printed = std::fs::metadata("/proc/self/fd/1").ok().filter(std::fs::Metadata::is_file)?;
    Some((printed.dev(), printed.ino()))
}
