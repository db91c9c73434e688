//! `portcullis integrity`: what the files of an application are, and whether they still are that. What is
//! here needs no server, no database and no configuration. Not here: how files are looked at
//! (`portcullis_integrity`).

mod build;
mod files;
mod key;
mod sign;
mod verify;

use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use portcullis_integrity::{Exclude, Limits, NotScanned, Plan, Progress, Scope, Seen, scan};

use super::output::Output;

/// How often it is said how far a scan is.
const TOLD_EVERY: Duration = Duration::from_millis(200);

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
    // Files are read on threads of their own.
    let run = move || match args.command {
        Command::Manifest(Manifest { command: ManifestCommand::Build(args) }) => build::run(&args),
        Command::Manifest(Manifest { command: ManifestCommand::Key(args) }) => key::run(&args),
        Command::Manifest(Manifest { command: ManifestCommand::Sign(args) }) => sign::run(&args),
        Command::Verify(args) => verify::run(&args),
    };
    tokio::task::spawn_blocking(run).await?
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
    let (done, is_done) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            while is_done.recv_timeout(TOLD_EVERY) == Err(RecvTimeoutError::Timeout) {
                output.progress(&how_far(progress));
            }
            output.progress("");
        });
        let scanned = scan(plan, progress, each);
        drop(done);
        scanned
    })
}

fn how_far(progress: &Progress) -> String {
    let megabytes = progress.bytes() / 1_000_000;
    let looked_at = format!("{} names, {megabytes} MB", progress.names());
    match progress.unverifiable() {
        0 => looked_at,
        some => format!("{looked_at}, {some} cannot be checked"),
    }
}
