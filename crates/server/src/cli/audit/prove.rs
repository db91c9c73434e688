//! `audit prove`: a proof as text that stands by itself.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::{signed_log_of, write_or_print};
use crate::cli::open::{self, Opened};
use crate::cli::output::Output;
use crate::cli::{Common, USAGE, output};
use crate::flows::audit::prove::{self, Proof, Proven};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    common: Common,
    /// The entry to prove.
    #[arg(value_name = "INDEX", required_unless_present = "from")]
    index: Option<u64>,
    /// The size of an older checkpoint, which a newer one is proven to continue.
    #[arg(long, value_name = "SIZE", conflicts_with = "index")]
    from: Option<u64>,
    /// The size of the newer checkpoint; the newest, if it is not given.
    #[arg(long, value_name = "SIZE", requires = "from")]
    to: Option<u64>,
    /// The file of the proof; it is printed if none is given.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if args.to.is_some_and(|to| args.from > Some(to)) {
        output::error("--from is behind --to");
        return Ok(ExitCode::from(USAGE));
    }
    let config = open::load(&args.common.config)?;
    open::with(config, async |on| write(on, &args).await).await
}

async fn write(on: &Opened, args: &Args) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    signed_log_of(on).await?;
    let proven = match (args.index, args.from) {
        (Some(index), _) => prove::inclusion(&on.db, index).await?,
        (None, from) => prove::consistency(&on.db, from.unwrap_or_default(), args.to).await?,
    };
    match proven {
        Proven::Done(proof) => done(&proof, args, output).await,
        Proven::NoSuchEntry { first, end } => {
            let sentence = match end.checked_sub(1) {
                Some(last) => format!("There are signed entries from {first} to {last}."),
                None => "Nothing is signed yet.".to_owned(),
            };
            Ok(output.refuse("no_such_entries", &sentence))
        }
        Proven::NothingSignedAt { size, before, after } => {
            let near: Vec<String> =
                before.into_iter().chain(after).map(|size| size.to_string()).collect();
            let sentence = format!(
                "Nothing was signed at {size} entries. The nearest sizes: {}.",
                if near.is_empty() { "none".to_owned() } else { near.join(" and ") }
            );
            Ok(output.refuse("no_such_checkpoint", &sentence))
        }
    }
}

async fn done(proof: &Proof, args: &Args, output: Output) -> anyhow::Result<ExitCode> {
    let text = proof.file.to_string();
    if matches!(output, Output::Machine) {
        if let Some(path) = &args.out {
            write_or_print(&text, Some(path)).await?;
        }
        let value = json!({ "size": proof.size, "entry": proof.entry, "proof": text });
        return output.done(&value, "");
    }
    write_or_print(&text, args.out.as_ref()).await?;
    if let Some(path) = &args.out {
        output.note(&format!("{}: signed at {} entries.", path.display(), proof.size));
    }
    Ok(ExitCode::SUCCESS)
}
