//! `integrity manifest key`: a key to sign manifests with.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use portcullis_domain::audit::note::SigningKey;
use serde_json::json;
use zeroize::Zeroizing;

use crate::cli::output::Output;
use crate::random::Random;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The name of the key, as it stands in signatures: without spaces and plus signs.
    name: String,
    /// The file of the private half, which signs; the public half, which verifies, goes to FILE.pub.
    /// Neither may be there already.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Prints JSON for machines instead of text for people.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.json);
    let seed = Zeroizing::new(Random.bytes());
    let key = match SigningKey::from_seed(&args.name, &seed) {
        Ok(key) => key,
        Err(fault) => return Ok(output.misused("bad_name", &fault.to_string())),
    };
    let private = SigningKey::private_text(&args.name, &seed)?;
    let public = key.verifier().to_string();
    let beside = public_of(&args.to);
    // The public half first: a private half that is there is whole.
    let halves = [(&beside, &public, 0o644), (&args.to, &*private, 0o600)];
    for path in [&args.to, &beside] {
        if path.symlink_metadata().is_ok() {
            return Ok(output.refuse("there_already", &there_already(path)));
        }
    }
    for (path, text, mode) in halves {
        match write_new(path, text, mode) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Ok(output.refuse("there_already", &there_already(path)));
            }
            written => {
                written.with_context(|| format!("{} cannot be written", path.display()))?;
            }
        }
    }
    let value = json!({"public": public, "private_file": args.to, "public_file": beside});
    output.note(&format!(
        "{} signs: it goes to where releases are built, and not to the server. This verifies, and stands in {}:",
        args.to.display(),
        beside.display()
    ));
    output.done(&value, &public)
}

/// The file of the public half.
fn public_of(private: &Path) -> PathBuf {
    let mut name = private.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

fn there_already(path: &Path) -> String {
    format!("{} is there already: a key is not overwritten.", path.display())
}

fn write_new(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}
