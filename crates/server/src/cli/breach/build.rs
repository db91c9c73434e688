//! `breach build`: an index from what is published, signed if there is a key.

use std::path::PathBuf;
use std::process::ExitCode;

use jiff::civil::Date;
use portcullis_breach::build::{Built, NotBuilt, Options, build};

use super::{number, sentence, value, watched};
use crate::cli::output::Output;
use crate::cli::private_key;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The text file with the SHA-1 hashes, ordered by hash; or the folder with a file for each range, named
    /// by its five digits.
    #[arg(long, value_name = "PATH")]
    from: PathBuf,
    /// Where the index goes. An older one is replaced when the new one is whole.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Leaves passwords out that were found fewer times, for a smaller file.
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u64).range(1..))]
    min_count: u64,
    /// Of when the passwords are; else the day on which the newest of the files was written.
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<Date>,
    /// The file of the private half of a key that signs the index, as `integrity manifest key` makes one.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Prints JSON for machines instead of text for people.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.json);
    let key = match args.key.as_deref().map(private_key::read).transpose()? {
        None => None,
        Some(Ok(key)) => Some(key),
        Some(Err(_)) => {
            let sentence = "--key: the file does not hold the private half of a key.";
            return Ok(output.misused("no_key", sentence));
        }
    };
    let options = Options {
        from: args.from.clone(),
        to: args.to.clone(),
        min_count: args.min_count,
        date: args.date,
        keep_every: Options::KEEP_EVERY,
    };
    let built = match watched(output, |progress| build(&options, progress)) {
        Ok(built) => built,
        Err(fault) => return Ok(refused(args, &fault, output)),
    };
    told(&built, output);
    let note = key.map(|key| key.sign(&built.text())).transpose()?;
    let lines = built.lines;
    let head = match built.publish(note.as_deref()) {
        Ok(head) => head,
        Err(fault) => return Ok(refused(args, &fault, output)),
    };
    let mut value = value(&args.to, &head);
    if let Some(object) = value.as_object_mut() {
        object.insert("lines".to_owned(), lines.into());
    }
    output.done(&value, &(sentence(&args.to, &head) + "."))
}

/// What the result does not say.
fn told(built: &Built, output: Output) {
    if built.lines_before > 0 {
        let lines = number(built.lines_before);
        output.note(&format!("Went on behind the {lines} lines that were read before."));
    }
    if built.empty_prefixes > 0 {
        let ranges = number(u64::try_from(built.empty_prefixes).unwrap_or(u64::MAX));
        output.note(&format!(
            "{ranges} of 1,048,576 ranges have no password in it. All that are published have some in \
             each: if it was to be all of them, the source is not whole."
        ));
    }
}

fn refused(args: &Args, fault: &NotBuilt, output: Output) -> ExitCode {
    let from = args.from.display();
    match fault {
        NotBuilt::From(_) | NotBuilt::Stopped => {
            output.unreachable("source_unreadable", &format!("{from}: {fault}."))
        }
        NotBuilt::To(_) | NotBuilt::Note => {
            output.unreachable("index_unwritable", &format!("{}: {fault}.", args.to.display()))
        }
        NotBuilt::Busy => output.refuse("busy", &format!("{}: {fault}.", args.to.display())),
        NotBuilt::NoSource
        | NotBuilt::Line { .. }
        | NotBuilt::Disorder { .. }
        | NotBuilt::File { .. }
        | NotBuilt::FileDisorder { .. }
        | NotBuilt::Twice { .. }
        | NotBuilt::NoFiles
        | NotBuilt::Empty
        | NotBuilt::Changed => output.refuse("source_refused", &format!("{from}: {fault}.")),
    }
}
