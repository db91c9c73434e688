//! `portcullis breach`: the offline index of breached passwords. Needs no server, no database and no
//! configuration. Not here: what stands in an index (`portcullis_breach`).

mod build;
mod lookup;
mod stats;
mod verify;

use std::path::Path;
use std::process::ExitCode;

use portcullis_breach::{Head, NotAnIndex, Progress};
use portcullis_domain::text::grouped;
use serde_json::{Value, json};

use super::output::Output;
use super::progress;

/// `portcullis breach …`
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Makes an index from the published hashes. One that was interrupted is gone on with.
    Build(build::Args),
    /// Reads a whole index and says whether it is what it says it is.
    Verify(verify::Args),
    /// Looks up the password that stands in the first line of the standard input.
    Lookup(lookup::Args),
    /// Says what is in an index, and how small it would be without rare passwords.
    Stats(stats::Args),
}

/// Runs the command.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    // All of it reads files or the terminal.
    let run = move || match args.command {
        Command::Build(args) => build::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Lookup(args) => lookup::run(&args),
        Command::Stats(args) => stats::run(&args),
    };
    tokio::task::spawn_blocking(run).await?
}

/// Works, and says meanwhile how far it is.
fn watched<T>(output: Output, work: impl FnOnce(&Progress) -> T) -> T {
    let progress = Progress::default();
    progress::watched(output, || how_far(&progress), || work(&progress))
}

fn how_far(progress: &Progress) -> String {
    let thousandths = progress.thousandths();
    let (percent, tenth) = (thousandths / 10, thousandths % 10);
    format!("{percent}.{tenth} %, {} passwords", number(progress.entries()))
}

fn number(count: u64) -> String {
    grouped(i64::try_from(count).unwrap_or(i64::MAX))
}

/// What an index is of, for machines.
fn value(file: &Path, head: &Head) -> Value {
    json!({
        "file": file, "date": head.date.to_string(), "min_count": head.min_count,
        "entries": head.entries, "sha256": head.digest.to_string(),
    })
}

/// The same for people.
fn sentence(file: &Path, head: &Head) -> String {
    let seldom = match head.min_count {
        1 => String::new(),
        least => format!(", each found at least {} times", number(least)),
    };
    let (entries, date) = (number(head.entries), head.date);
    format!("{}: {entries} passwords of {date}{seldom}", file.display())
}

/// Says why a file is not used.
fn refused(file: &Path, fault: &NotAnIndex, output: Output) -> ExitCode {
    let sentence = format!("{} {fault}.", file.display());
    match fault {
        NotAnIndex::Read(_) | NotAnIndex::Stopped => {
            output.unreachable("index_unreadable", &sentence)
        }
        NotAnIndex::NotAFile
        | NotAnIndex::Foreign
        | NotAnIndex::Version
        | NotAnIndex::Head
        | NotAnIndex::Truncated { .. }
        | NotAnIndex::TooLong { .. }
        | NotAnIndex::Table
        | NotAnIndex::Damaged(_) => output.refuse("index_refused", &sentence),
    }
}
