//! `integrity manifest sign`: a signature in the head of a manifest.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use portcullis_integrity::manifest::{Fault, MOST_SIGNATURES, write_signed};
use serde_json::json;

use super::files;
use crate::cli::output::Output;
use crate::cli::private_key;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The manifest. It is verified to be whole first.
    #[arg(value_name = "FILE")]
    manifest: PathBuf,
    /// The file of the private half of the key.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where the signed manifest goes, instead of to its own place.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Prints JSON for machines instead of text for people.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.json);
    files::open(&args.key)?;
    let Ok(key) = private_key::read(&args.key)? else {
        let sentence = format!("{} does not hold the private half of a key.", args.key.display());
        return Ok(output.misused("no_key", &sentence));
    };
    let file = files::open(&args.manifest)?;
    let refused = |fault: &Fault| {
        let sentence = format!("{} is not signed: {fault}.", args.manifest.display());
        Ok(output.refuse("not_a_manifest", &sentence))
    };
    let manifest = match files::read(&file) {
        Ok(manifest) => manifest,
        Err(fault) => return refused(&fault),
    };
    let text = manifest.head.to_string();
    let note = match key.sign_beside(&text, manifest.signatures()) {
        Ok(note) => note,
        Err(fault) => return Ok(output.refuse("not_a_manifest", &fault.to_string())),
    };
    let signatures = note.lines().count() - text.lines().count() - 1;
    if signatures > MOST_SIGNATURES {
        let sentence =
            format!("It has {MOST_SIGNATURES} signatures of others, and more do not fit.");
        return Ok(output.refuse("too_many_signatures", &sentence));
    }
    let head = manifest.head;
    let to = args.to.as_ref().unwrap_or(&args.manifest);
    let written = files::replace(to, |out| copy(out, &note, manifest.lines))?;
    if let Err(fault) = written {
        return refused(&fault);
    }
    let signer = key.verifier();
    let value = json!({
        "file": to, "root": head.root, "number": head.number, "entries": head.entries,
        "sha256": head.digest.to_string(), "key": signer.to_string(), "signatures": signatures,
    });
    let sentence = format!(
        "{}: {} {} of {} entries, signed by {}.",
        to.display(),
        head.root,
        head.number,
        head.entries,
        signer.name()
    );
    output.done(&value, &sentence)
}

/// Writes the lines anew: what is written is what was verified, whoever writes to the file meanwhile.
fn copy(
    mut out: &mut dyn Write,
    note: &str,
    lines: impl Iterator<Item = Result<portcullis_integrity::Entry, Fault>>,
) -> Result<(), Fault> {
    write_signed(&mut out, note, &mut io::empty())?;
    for entry in lines {
        writeln!(out, "{}", entry?)?;
    }
    Ok(())
}
