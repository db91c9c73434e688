//! The command line: reads the arguments, runs one command, and says by the exit code how it
//! ended. One file a subcommand; what people and machines read is printed by `output` alone.
//!
//! Exit codes: 0 done, 1 refused or different, 2 wrong usage or configuration, 3 something could
//! not be reached or verified, 4 a signature is not good.

pub mod activity;
pub mod audit;
pub mod backup;
pub mod breach;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod import;
pub mod init;
pub mod integrity;
pub mod key;
pub mod limits;
pub mod mail;
pub mod open;
pub mod output;
mod private_key;
mod progress;
mod public_key;
pub mod report;
pub mod role;
pub mod serve;
pub mod session;
pub mod signing_key;
pub mod user;
pub mod webhook;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser as _;

use open::OpenError;

/// Done, or nothing to do.
pub const DONE: u8 = 0;
/// The command was understood and not carried out, or it found differences.
pub const REFUSED: u8 = 1;
/// The command or the configuration is wrong.
pub const USAGE: u8 = 2;
/// Something could not be reached or verified.
pub const UNREACHABLE: u8 = 3;
/// A signature is not good.
pub const FORGED: u8 = 4;

/// Runs the command that the arguments name (the first is the program's own name).
pub async fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error),
    };
    let result = match cli.command {
        Command::Serve(args) => Box::pin(serve::run(args)).await,
        Command::Init(args) => {
            output::log_trouble();
            Box::pin(init::run(args)).await
        }
        Command::Demo(args) => Box::pin(demo::run(args)).await,
        Command::Config(args) => config::run(args),
        Command::User(args) => {
            output::log_trouble();
            Box::pin(user::run(args)).await
        }
        Command::Role(args) => {
            output::log_trouble();
            Box::pin(role::run(args)).await
        }
        Command::Key(args) => {
            output::log_trouble();
            Box::pin(key::run(args)).await
        }
        Command::Session(args) => {
            output::log_trouble();
            Box::pin(session::run(args)).await
        }
        Command::SigningKey(args) => {
            output::log_trouble();
            Box::pin(signing_key::run(args)).await
        }
        Command::Limits(args) => {
            output::log_trouble();
            Box::pin(limits::run(args)).await
        }
        Command::Activity(args) => {
            output::log_trouble();
            Box::pin(activity::run(args)).await
        }
        Command::Webhook(args) => {
            output::log_trouble();
            Box::pin(webhook::run(args)).await
        }
        Command::Mail(args) => {
            output::log_trouble();
            Box::pin(mail::run(args)).await
        }
        Command::Audit(args) => {
            output::log_trouble();
            Box::pin(audit::run(args)).await
        }
        Command::Integrity(args) => Box::pin(integrity::run(args)).await,
        Command::Breach(args) => breach::run(args).await,
        Command::Backup(args) => {
            output::log_trouble();
            Box::pin(backup::run(args)).await
        }
        Command::Restore(args) => {
            output::log_trouble();
            Box::pin(backup::run_restore(args)).await
        }
        Command::Report(args) => {
            output::log_trouble();
            Box::pin(report::run(args)).await
        }
        Command::Doctor(args) => Box::pin(doctor::run(args)).await,
        Command::Import(args) => {
            output::log_trouble();
            Box::pin(import::run(args)).await
        }
    };
    result.unwrap_or_else(|error| {
        output::error(&format!("{error:#}"));
        ExitCode::from(exit_code(&error))
    })
}

/// What every command on the store takes.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// The configuration file; its keys can be overridden in the environment.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Prints JSON for machines instead of text for people.
    #[arg(long)]
    pub json: bool,
}

/// The gate in front of your application: sign-in, sessions, tokens, CSRF protection and
/// permissions by role.
#[derive(clap::Parser)]
#[command(name = "portcullis", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Sets the gate up in front of an application: writes a configuration, and prints the link with
    /// which its owner sets a password.
    Init(init::Args),
    /// Serves the gate.
    Serve(serve::Args),
    /// Serves everything on one port of this machine to try it out: sample users, a sample
    /// application, and mail that is caught.
    Demo(demo::Args),
    /// Shows every configuration key, or checks a configuration.
    Config(config::Args),
    /// Makes and changes user accounts, also beside a running server.
    User(user::Args),
    /// Makes roles and changes what they permit, also beside a running server.
    Role(role::Args),
    /// Makes, lists and revokes API keys, also beside a running server.
    Key(key::Args),
    /// Lists who is signed in, and ends it, also beside a running server.
    Session(session::Args),
    /// Lists the keys that access tokens are signed with, and makes a new one, also beside a running
    /// server.
    SigningKey(signing_key::Args),
    /// Lists the limits and changes one, also beside a running server.
    Limits(limits::Args),
    /// Lists what happened, and takes it along, also beside a running server.
    Activity(activity::Args),
    /// Shows how far the receivers of webhooks are, and sends a test message.
    Webhook(webhook::Args),
    /// Sends a test message, and shows how far mail is.
    Mail(mail::Args),
    /// Verifies, exports and proves the log of what happened.
    Audit(audit::Args),
    /// Says what the files of an application are, watches them, and verifies them.
    Integrity(integrity::Args),
    /// Makes an index of breached passwords, verifies one, and looks a password up in it.
    Breach(breach::Args),
    /// Makes backups, also beside a running server, tries and restores them.
    Backup(backup::Args),
    /// Fills an empty database from the newest backup of a directory.
    Restore(backup::RestoreArgs),
    /// Reports what happened in a period and how things stand, also beside a running server.
    Report(report::Args),
    /// Looks at the installation and at what stands in front of it, and says what to do.
    Doctor(doctor::Args),
    /// Brings what another system knows, also beside a running server.
    Import(import::Args),
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 refused or different, 2 wrong usage or \
    configuration, 3 something could not be reached or verified, 4 a signature is not good.";

fn exit_code(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<OpenError>() {
        Some(OpenError::Config(_)) => USAGE,
        Some(
            OpenError::Directory { .. }
            | OpenError::Secret(_)
            | OpenError::Keys(_)
            | OpenError::Database { .. }
            | OpenError::Migrate(_)
            | OpenError::Roles(_),
        )
        | None => UNREACHABLE,
    }
}

#[cfg(test)]
mod tests;
