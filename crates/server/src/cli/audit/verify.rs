//! `audit verify`: the log of the database, a bundle, or a proof.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use portcullis_domain::audit::note::VerifierKey;
use portcullis_domain::audit::proof_file::{ProofFault, ProofFile};
use serde_json::json;

use super::{read_text, settle, shown};
use crate::cli::open::{self, Opened};
use crate::cli::output::{self, Output};
use crate::cli::{FORGED, REFUSED, USAGE, public_key};
use crate::flows::audit::bundle::check;
use crate::flows::audit::verify::{self, Ask, Extent};
use crate::flows::audit::watch;

/// How many ranges are read at once.
const READERS: usize = 4;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The configuration file of the database to verify.
    #[arg(long, value_name = "FILE", required_unless_present_any = ["bundle", "proof"])]
    config: Option<PathBuf>,
    /// Verifies this bundle; needs no database.
    #[arg(long, value_name = "FILE", requires = "key", conflicts_with_all = ["config", "proof"])]
    bundle: Option<PathBuf>,
    /// Verifies this proof; needs no database.
    #[arg(long, value_name = "FILE", requires = "key", conflicts_with = "config")]
    proof: Option<PathBuf>,
    /// The entry that must be in the log, where it is not the one in the proof.
    #[arg(long, value_name = "FILE", requires = "proof")]
    entry: Option<PathBuf>,
    /// The key of the log, or a file that has it. Keep it elsewhere than the log.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// A checkpoint that was kept elsewhere, which the log must continue. Can be repeated.
    #[arg(long = "anchor", value_name = "FILE", conflicts_with = "proof")]
    anchors: Vec<PathBuf>,
    /// Prints JSON for machines instead of text for people.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.json);
    let key = match &args.key {
        None => None,
        Some(text) => match public_key::read(text) {
            Ok(key) => Some(key),
            Err(error) => {
                output::error(&format!("{error:#}"));
                return Ok(ExitCode::from(USAGE));
            }
        },
    };
    let mut anchors = Vec::new();
    for path in &args.anchors {
        anchors.push(read_text(path).await?);
    }
    match (&args.bundle, &args.proof, key, args.config) {
        (Some(bundle), _, Some(key), _) => of_bundle(bundle, key, anchors, output).await,
        (_, Some(proof), Some(key), _) => {
            of_proof(proof, args.entry.as_deref(), &key, output).await
        }
        (_, _, key, Some(config)) => {
            let act = async |on: &Opened| of_database(on, key, anchors, output).await;
            open::with(open::load(&config)?, act).await
        }
        // Excluded by how the arguments are declared.
        _ => Ok(ExitCode::from(USAGE)),
    }
}

async fn of_database(
    on: &Opened,
    key: Option<VerifierKey>,
    mut anchors: Vec<String>,
    output: Output,
) -> anyhow::Result<ExitCode> {
    settle(on, output).await;
    match read_text(&on.config.audit.anchor).await {
        Ok(note) => anchors.push(note),
        Err(_) => output.note(&format!(
            "There is no anchor file {}: that the log was longer once cannot be seen without one.",
            on.config.audit.anchor.display()
        )),
    }
    let is_usual = key.is_none();
    let ask = Ask {
        db: on.db.clone(),
        keys: on.keys.audit.clone(),
        key,
        anchors,
        extent: Extent::Whole,
        now: on.clock.now(),
        readers: READERS,
    };
    let verdict = verify::verify(&ask, |done, of| {
        output.progress(&format!("{done} of {of} entries"));
    });
    let verdict = verdict.await?;
    output.progress("");
    let Some(verdict) = verdict else {
        return output.done(&json!({"size": 0, "result": "in_order"}), "The log has not begun.");
    };
    if is_usual {
        watch::keep(&on.db, &verdict, on.clock.now()).await?;
    }
    shown::show(&verdict, output)
}

async fn of_bundle(
    bundle: &Path,
    key: VerifierKey,
    anchors: Vec<String>,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let path = bundle.to_owned();
    let checking = tokio::task::spawn_blocking(move || {
        check::check(&path, &key, &anchors, |done, of| {
            output.progress(&format!("{done} of {of} entries"));
        })
    });
    let verdict = checking.await?;
    output.progress("");
    shown::show(&verdict.with_context(|| format!("{}", bundle.display()))?, output)
}

async fn of_proof(
    proof: &Path,
    entry: Option<&Path>,
    key: &VerifierKey,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let text = read_text(proof).await?;
    let entry = match entry {
        Some(path) => Some(tokio::fs::read(path).await?),
        None => None,
    };
    let judged = ProofFile::parse(&text).and_then(|proof| match proof {
        ProofFile::Inclusion(proof) => {
            let checkpoint = proof.verify(entry.as_deref(), key)?;
            let (index, size) = (proof.index, checkpoint.size);
            let sentence = format!("Entry {index} is in the log {} of {size} entries.", key.name());
            Ok((json!({"result": "in_order", "index": index, "size": size}), sentence))
        }
        ProofFile::Consistency(proof) => {
            let (older, newer) = proof.verify(key)?;
            let sentence = format!(
                "The log {} of {} entries begins with the {} that it had.",
                key.name(),
                newer.size,
                older.size
            );
            let value = json!({"result": "in_order", "older": older.size, "newer": newer.size});
            Ok((value, sentence))
        }
    });
    match judged {
        Ok((value, sentence)) => output.done(&value, &sentence),
        Err(fault) => {
            let refused = output.refuse(code(fault), &fault.to_string());
            let exit = exit(fault);
            Ok(if exit == REFUSED { refused } else { ExitCode::from(exit) })
        }
    }
}

fn code(fault: ProofFault) -> &'static str {
    match fault {
        ProofFault::Malformed => "proof_malformed",
        ProofFault::NoEntry => "entry_missing",
        ProofFault::Checkpoint(_) => "bad_signature",
        ProofFault::NotIncluded => "not_included",
        ProofFault::Inconsistent => "inconsistent",
    }
}

fn exit(fault: ProofFault) -> u8 {
    match fault {
        ProofFault::Checkpoint(_) => FORGED,
        ProofFault::NoEntry => USAGE,
        ProofFault::Malformed | ProofFault::NotIncluded | ProofFault::Inconsistent => REFUSED,
    }
}
