//! `breach verify`: a whole index, and who signed it.

use std::path::PathBuf;
use std::process::ExitCode;

use portcullis_breach::NotAnIndex;

use super::{refused, sentence, value, watched};
use crate::breach::{self, NotUsed};
use crate::cli::output::Output;
use crate::cli::public_key;

const CODES: &str = "Exit codes: 0 the index is what it says, 1 it is not, 2 wrong usage, 3 it cannot be \
    read, 4 it is not what the key has signed.";

#[derive(clap::Args)]
#[command(after_help = CODES)]
pub(super) struct Args {
    /// The index.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The public half of the key that must have signed it, or a file that has it.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Prints JSON for machines instead of text for people.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.json);
    let key = match args.key.as_deref().map(public_key::read).transpose() {
        Ok(key) => key,
        Err(error) => return Ok(output.misused("bad_key", &format!("{error:#}"))),
    };
    let index = match breach::open(&args.file, key.as_ref()) {
        Ok(index) => index,
        Err(NotUsed::NotAnIndex(fault)) => return Ok(refused(&args.file, &fault, output)),
        Err(fault @ NotUsed::Unsigned(_)) => {
            let sentence = format!("{} {fault}.", args.file.display());
            return Ok(output.forged("bad_signature", &sentence));
        }
    };
    match watched(output, |progress| index.verify(progress)) {
        Ok(_) => {
            let by = key.map(|key| format!(", signed by {}", key.name())).unwrap_or_default();
            let sentence =
                format!("{}{by}. Every byte is right.", sentence(&args.file, index.head()));
            output.done(&value(&args.file, index.head()), &sentence)
        }
        // The head is signed and what follows it is not what it was signed for.
        Err(NotAnIndex::Damaged(damage)) if key.is_some() => {
            let sentence = format!("{} is not what was signed: {damage}.", args.file.display());
            Ok(output.forged("bad_signature", &sentence))
        }
        Err(fault) => Ok(refused(&args.file, &fault, output)),
    }
}
