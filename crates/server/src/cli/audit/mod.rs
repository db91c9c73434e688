//! `portcullis audit`: verifies the log or what was exported of it, exports it, proves single entries, and
//! says how it stands. What needs no database runs on any machine. Not here: how each is done
//! (`flows::audit`).

mod accept;
mod export;
mod prove;
mod prune;
mod rejected;
mod shown;
mod status;
mod verify;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

use super::open::Opened;
use super::output::Output;
use crate::flows::audit::{AuditLog, Making, When};

/// `portcullis audit …`
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Verifies the log; or a bundle or a proof, with nothing but the key of the log.
    Verify(verify::Args),
    /// Writes a bundle that others can verify without the database.
    Export(export::Args),
    /// Proves that one entry is in the log, or that the log continues what it was.
    Prove(prove::Args),
    /// Goes on with a log that does not continue the anchor file, as after an older backup.
    Accept(accept::Args),
    /// Takes old entries out of the database, once a bundle that has them is verified.
    Prune(prune::Args),
    /// Shows rows that waited to come into the log and that this program did not write.
    Rejected(rejected::Args),
    /// Shows the key of the log, how far it is, and when it was last verified.
    Status(status::Args),
}

/// Runs the command.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Verify(args) => Box::pin(verify::run(args)).await,
        Command::Export(args) => Box::pin(export::run(args)).await,
        Command::Prove(args) => Box::pin(prove::run(args)).await,
        Command::Prune(args) => Box::pin(prune::run(args)).await,
        Command::Accept(args) => Box::pin(accept::run(args)).await,
        Command::Rejected(args) => Box::pin(rejected::run(args)).await,
        Command::Status(args) => Box::pin(status::run(args)).await,
    }
}

/// The log of the database that was opened, in which everything that waits has been given its place.
pub(super) async fn log_of(on: &Opened) -> anyhow::Result<AuditLog> {
    let public_url = on.config.server.public_url_at(on.config.server.listen);
    let making =
        Making::of(&on.config, &public_url, on.db.clone(), on.keys.audit.clone(), on.random);
    let log = AuditLog::new(making);
    log.settle(on.clock.now()).await?;
    Ok(log)
}

/// Gives what waits its place. Where that cannot be done, it is said, and the answer is made of what is in
/// the log.
async fn settle(on: &Opened, output: Output) {
    if let Err(error) = log_of(on).await {
        output.note(&format!("Events wait, and cannot get their place: {error:#}"));
    }
}

/// The log, settled and signed as far as it is.
async fn signed_log_of(on: &Opened) -> anyhow::Result<AuditLog> {
    let log = log_of(on).await?;
    log.checkpoint(on.clock.now(), When::Now).await?;
    Ok(log)
}

async fn read_text(path: &Path) -> anyhow::Result<String> {
    tokio::fs::read_to_string(path)
        .await
        .with_context(|| format!("{} cannot be read", path.display()))
}

/// Writes a proof to a file, or prints it.
async fn write_or_print(text: &str, to: Option<&PathBuf>) -> anyhow::Result<()> {
    match to {
        Some(path) => tokio::fs::write(path, text)
            .await
            .with_context(|| format!("{} cannot be written", path.display())),
        None => super::output::print(text.trim_end()),
    }
}
