//! `audit export`: a bundle in a file.

use std::path::PathBuf;
use std::process::ExitCode;

use portcullis_domain::event::{Context, Event};
use serde_json::json;

use super::signed_log_of;
use crate::cli::open::{self, Opened};
use crate::cli::output::Output;
use crate::cli::{Common, USAGE, output};
use crate::flows::audit::bundle::export::{self, Bundle, Export, Exported, Personal};
use crate::flows::record;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    common: Common,
    /// The file of the bundle; one that is there is replaced.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The first entry; with what is needed to prove it, whole tiles of 256 entries are written.
    #[arg(long, value_name = "INDEX", requires = "to")]
    from: Option<u64>,
    /// The last entry.
    #[arg(long, value_name = "INDEX", requires = "from")]
    to: Option<u64>,
    /// Leaves out addresses, programs, reasons and paths: who gets the bundle can still verify it.
    #[arg(long)]
    without_personal: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    if args.from > args.to {
        output::error("--from is behind --to");
        return Ok(ExitCode::from(USAGE));
    }
    let config = open::load(&args.common.config)?;
    open::with(config, async |on| write(on, &args, output).await).await
}

async fn write(on: &Opened, args: &Args, output: Output) -> anyhow::Result<ExitCode> {
    signed_log_of(on).await?;
    let personal = if args.without_personal { Personal::LeftOut } else { Personal::Included };
    let export = Export {
        db: &on.db,
        keys: &on.keys.audit,
        to: &args.out,
        range: args.from.zip(args.to),
        personal,
        now: on.clock.now(),
    };
    let exported = export::export(&export, |done, of| {
        output.progress(&format!("{done} of {of} entries"));
    });
    let exported = exported.await?;
    output.progress("");
    match exported {
        Exported::Done(bundle) => {
            note(on, &bundle, personal).await?;
            done(&bundle, args, output)
        }
        Exported::NothingSigned => Ok(output.refuse("nothing_signed", "Nothing is signed yet.")),
        Exported::NoSuchEntries { first, end } => {
            let sentence = match end.checked_sub(1) {
                Some(last) => format!("There are entries from {first} to {last}."),
                None => "There are no entries.".to_owned(),
            };
            Ok(output.refuse("no_such_entries", &sentence))
        }
        Exported::Damaged { index } => {
            let sentence = format!("Entry {index} is missing: see `portcullis audit verify`.");
            Ok(output.refuse("damaged", &sentence))
        }
    }
}

/// That the log was handed on is an event itself.
async fn note(on: &Opened, bundle: &Bundle, personal: Personal) -> anyhow::Result<()> {
    let event = Event::BundleExported {
        first: bundle.first,
        end: bundle.end,
        personal: personal == Personal::Included,
    };
    let mut tx = on.db.write().await?;
    record(&mut tx, on.random, &event, &Context::default(), on.clock.now()).await?;
    Ok(tx.commit().await?)
}

fn done(bundle: &Bundle, args: &Args, output: Output) -> anyhow::Result<ExitCode> {
    let value = json!({
        "origin": bundle.origin,
        "file": args.out,
        "first": bundle.first,
        "end": bundle.end,
        "size": bundle.size,
        "bytes": bundle.length,
        "sha256": hex::encode(bundle.sha256),
    });
    let sentence = format!(
        "{}: entries {} to {} of the log {}, signed at {} entries.\nSHA-256 {}",
        args.out.display(),
        bundle.first,
        bundle.end.saturating_sub(1),
        bundle.origin,
        bundle.size,
        hex::encode(bundle.sha256),
    );
    output.done(&value, &sentence)
}
