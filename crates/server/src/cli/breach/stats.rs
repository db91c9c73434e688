//! `breach stats`: what is in an index.

use std::path::PathBuf;
use std::process::ExitCode;

use portcullis_breach::{Index, Statistics};
use serde_json::{Value, json};

use super::{number, refused, sentence, value, watched};
use crate::cli::DONE;
use crate::cli::output::{self, Output, table};

/// Counts of which it is said how many passwords have them; each is one that an index keeps exactly.
const COUNTS: [u64; 8] = [1, 2, 3, 5, 10, 20, 64, 1024];

#[derive(clap::Args)]
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
    let opened = watched(output, |progress| Index::open_whole(&args.file, progress));
    let (index, statistics) = match opened {
        Ok(opened) => opened,
        Err(fault) => return Ok(refused(&args.file, &fault, output)),
    };
    match output {
        Output::Machine => output::print(&machine(args, &index, &statistics).to_string())?,
        Output::Person => {
            let Statistics { bytes, smallest, largest, .. } = statistics;
            output::print(&format!(
                "{}.\n{} bytes; a range has {} to {} passwords.\n\n{}",
                sentence(&args.file, index.head()),
                number(bytes),
                number(u64::from(smallest)),
                number(u64::from(largest)),
                table(["FOUND AT LEAST", "PASSWORDS", "BYTES"], rows(&index, &statistics))
            ))?;
        }
    }
    Ok(ExitCode::from(DONE))
}

/// Counts that are asked of the index, with how many passwords there are and how large it would be.
fn counts<'s>(
    index: &Index,
    statistics: &'s Statistics,
) -> impl Iterator<Item = (u64, (u64, u64))> + 's {
    let least = index.head().min_count;
    let asked = COUNTS.into_iter().filter(move |count| *count > least);
    std::iter::once(least).chain(asked).map(|count| (count, statistics.found_at_least(count)))
}

fn rows(index: &Index, statistics: &Statistics) -> Vec<[String; 3]> {
    let row = |(count, (entries, bytes))| [number(count), number(entries), number(bytes)];
    counts(index, statistics).map(row).collect()
}

fn machine(args: &Args, index: &Index, statistics: &Statistics) -> Value {
    let row = |(count, (entries, bytes))| json!({ "found_at_least": count, "entries": entries, "bytes": bytes });
    let mut value = value(&args.file, index.head());
    if let Some(object) = value.as_object_mut() {
        let Statistics { bytes, smallest, largest, .. } = statistics;
        object.insert("bytes".to_owned(), json!(bytes));
        object.insert("smallest_range".to_owned(), json!(smallest));
        object.insert("largest_range".to_owned(), json!(largest));
        object.insert("counts".to_owned(), counts(index, statistics).map(row).collect());
    }
    value
}
