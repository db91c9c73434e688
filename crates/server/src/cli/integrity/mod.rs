//! `portcullis integrity`: what the files of an application are, and whether they still are that. `manifest`
//! and `verify` need no server, no database and no configuration; all others work on the store of a
//! configuration, also beside a running server. Not here: how files are looked at
//! (`portcullis_integrity`), and what is made of it (`flows::integrity`).

mod alerts;
mod baseline;
mod build;
mod deploy;
mod explain;
mod files;
mod judge;
mod key;
mod scan;
mod shown;
mod sign;
mod status;
mod verify;

use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use portcullis_integrity::{Exclude, Limits, NotScanned, Plan, Progress, Scope, Seen, scan};

use super::output::{self, Output};
use super::progress;

/// `portcullis integrity …`
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Makes and signs manifests: what the files of a release are.
    Manifest(Manifest),
    /// Verifies files by a signed manifest; needs no server, no database and no configuration.
    Verify(verify::Args),
    /// Looks at every root now; what differs from its baseline becomes alerts.
    Scan(scan::Args),
    /// Says how it stands: roots, baselines, alerts that are new, and what goes on.
    Status(status::Args),
    /// Says of one path which root, baseline and rule it is under, and whether it is as it ought to be.
    Explain(explain::Args),
    /// Takes what is there now as what ought to be there.
    Baseline(baseline::Record),
    /// Lists baselines, the newest first.
    Baselines(baseline::List),
    /// Writes a baseline as a signed manifest, which `verify` reads without a server.
    Export(baseline::Export),
    /// Lists alerts, the worst first.
    Alerts(alerts::List),
    /// Shows what a file and the good one differ in.
    Diff(alerts::Diff),
    /// Says of alerts that they are dealt with. What is still there at the next check is open again.
    Resolve(judge::Resolve),
    /// Has exactly these differences be of no interest for some days.
    Ignore(judge::Ignore),
    /// Has what was found be what ought to be there: the baseline gets it.
    Accept(judge::Accept),
    /// Begins and ends deployments by signed manifests.
    Deploy(deploy::Args),
}

#[derive(clap::Args)]
struct Manifest {
    #[command(subcommand)]
    command: ManifestCommand,
}

#[derive(clap::Subcommand)]
enum ManifestCommand {
    /// Writes what the files below a folder are.
    Build(build::Args),
    /// Makes a key to sign manifests with.
    Key(key::Args),
    /// Signs a manifest.
    Sign(sign::Args),
}

/// Runs the command.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if !matches!(args.command, Command::Manifest(_) | Command::Verify(_)) {
        output::log_trouble();
    }
    match args.command {
        Command::Manifest(Manifest { command }) => {
            // Files are read on threads of their own.
            let run = move || match command {
                ManifestCommand::Build(args) => build::run(&args),
                ManifestCommand::Key(args) => key::run(&args),
                ManifestCommand::Sign(args) => sign::run(&args),
            };
            tokio::task::spawn_blocking(run).await?
        }
        Command::Verify(args) => tokio::task::spawn_blocking(move || verify::run(&args)).await?,
        Command::Scan(args) => Box::pin(scan::run(args)).await,
        Command::Status(args) => Box::pin(status::run(args)).await,
        Command::Explain(args) => Box::pin(explain::run(args)).await,
        Command::Baseline(args) => Box::pin(baseline::record(args)).await,
        Command::Baselines(args) => Box::pin(baseline::list(args)).await,
        Command::Export(args) => Box::pin(baseline::export(args)).await,
        Command::Alerts(args) => Box::pin(alerts::list(args)).await,
        Command::Diff(args) => Box::pin(alerts::diff(args)).await,
        Command::Resolve(args) => Box::pin(judge::resolve(args)).await,
        Command::Ignore(args) => Box::pin(judge::ignore(args)).await,
        Command::Accept(args) => Box::pin(judge::accept(args)).await,
        Command::Deploy(args) => Box::pin(deploy::run(args)).await,
    }
}

/// What people say of what they do: up to 500 characters, as over HTTP.
fn text(text: &str) -> Result<String, &'static str> {
    const LONGEST: usize = 500;
    let text = text.trim();
    let is_good = (1..=LONGEST).contains(&text.chars().count()) && !text.contains(char::is_control);
    if is_good { Ok(text.to_owned()) } else { Err("a text of 1 to 500 characters") }
}

fn no_roots(output: Output) -> ExitCode {
    let sentence = "No folder is watched: the configuration has no [[integrity.root]].";
    output.refuse("no_roots", sentence)
}

fn unknown_root(name: &str, output: Output) -> ExitCode {
    let sentence = format!("The configuration has no [[integrity.root]] of the name {name:?}.");
    output.refuse("root_unknown", &sentence)
}

/// All files below a root, of any size, on all processors.
fn plan(root: PathBuf, exclude: Exclude) -> Plan {
    let threads = thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    Plan {
        root,
        exclude,
        scope: Scope::default(),
        max_bytes: u64::MAX,
        threads,
        limits: Limits::default(),
    }
}

/// Scans, and says meanwhile how far it is.
fn scan_watched(
    plan: &Plan,
    progress: &Progress,
    output: Output,
    each: impl FnMut(Seen),
) -> Result<(), NotScanned> {
    progress::watched(output, || how_far(progress), || scan(plan, progress, each))
}

fn how_far(progress: &Progress) -> String {
    let megabytes = progress.bytes() / 1_000_000;
    let looked_at = format!("{} names, {megabytes} MB", progress.names());
    match progress.unverifiable() {
        0 => looked_at,
        some => format!("{looked_at}, {some} cannot be checked"),
    }
}
