//! `make bench`: what Portcullis costs beside a bare server, the bare hash function and other
//! people's servers, measured in one run on the same cores and given as ratios. Not a test: it judges nothing but the figures.
//!
//! `run` is the benchmark. The other subcommands are the yardsticks, which `run` starts as
//! processes of their own so that their CPU time can be told from the load generator's.

mod audit;
mod bad;
mod bodies;
mod breach;
mod checks;
mod files;
mod forward_auth;
mod hash;
mod http;
mod keys;
mod load;
mod million;
mod pace;
mod peers;
mod portcullis;
mod process;
mod proxy;
mod questions;
mod report;
mod run;
mod script;
mod sessions;
mod sign_ins;
mod tokens;
mod upstream;
mod yardstick;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(about = "Portcullis beside the bare machine")]
enum Command {
    /// Runs every case and writes the figures.
    Run(run::Options),
    /// An HTTP server that does nothing; prints its port.
    Yardstick {
        /// Repeat this recorded answer, headers and body, instead of two bytes of text.
        #[arg(long)]
        like: Option<PathBuf>,
        /// Check the signature of access tokens with this public key.
        #[arg(long)]
        key: Option<String>,
    },
    /// The application behind the gate; prints its port.
    Upstream,
    /// The bare hash function; prints hashes per CPU second.
    Hash {
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
    /// The bare signature check; prints checks per CPU second.
    Check {
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
    /// What is measured of the scanner, and the bare loop beside it; prints what it came to.
    Files(files::job::Options),
    /// What is measured of the index of breached passwords, and SQLite beside it; prints what it came to.
    Breach(breach::job::Options),
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stderr, reason = "a program for the terminal")]
async fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Run(options) => Box::pin(run::run(options)).await,
        Command::Upstream => upstream::serve().await,
        Command::Yardstick { like, key } => yardstick::serve(like.as_deref(), key.as_deref()).await,
        Command::Hash { seconds } => hash::measure(seconds),
        Command::Check { seconds } => tokens::check::measure(seconds),
        Command::Files(options) => files::job::run(&options),
        Command::Breach(options) => breach::job::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("portcullis-bench: {fault:#}");
            ExitCode::FAILURE
        }
    }
}
