//! `breach lookup`: a password, which is never an argument, because others see those.

use std::path::PathBuf;
use std::process::ExitCode;

use portcullis_breach::{Index, Unread};
use serde_json::json;

use super::{number, refused};
use crate::breach::hashes;
use crate::cli::output::{self, Output};
use crate::cli::user::password::typed;
use crate::cli::{DONE, REFUSED};

const CODES: &str = "Exit codes: 0 the password is not in the index, 1 it is, 2 wrong usage, 3 the index \
    cannot be read.";

#[derive(clap::Args)]
#[command(after_help = CODES)]
pub(super) struct Args {
    /// The index.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Prints JSON for machines instead of text for people.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.json);
    let index = match Index::open(&args.file) {
        Ok(index) => index,
        Err(fault) => return Ok(refused(&args.file, &fault, output)),
    };
    let password = match typed(output) {
        Ok(password) => password,
        Err(fault) => return Ok(output.misused("no_password", &fault.to_string())),
    };
    let found: Result<Vec<_>, Unread> =
        hashes(&password).iter().map(|hash| index.lookup(hash)).collect();
    let found = match found {
        Ok(found) => found.into_iter().flatten().max(),
        Err(fault) => {
            let sentence = format!("{}: {fault}.", args.file.display());
            return Ok(output.unreachable("index_unreadable", &sentence));
        }
    };
    let date = index.head().date;
    let count = found.map_or(0, portcullis_breach::Count::at_least);
    let value = json!({
        "breached": found.is_some(), "count": count, "source": "offline", "date": date.to_string(),
    });
    let sentence = match count {
        0 => format!("The password is not among those of {date}."),
        1 => format!("The password is among those of {date}; it was found once."),
        many => {
            let many = number(many);
            format!("The password is among those of {date}; it was found {many} times or more.")
        }
    };
    match output {
        Output::Person => output::print(&sentence)?,
        Output::Machine => output::print(&value.to_string())?,
    }
    Ok(ExitCode::from(if found.is_some() { REFUSED } else { DONE }))
}
