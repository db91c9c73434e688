//! The option `--key` of commands that verify: a public key as C2SP notes have it, or the file that it stands
//! in.

use anyhow::Context as _;
use portcullis_domain::audit::note::VerifierKey;

/// Reads it.
pub(super) fn read(text: &str) -> anyhow::Result<VerifierKey> {
    if let Ok(key) = VerifierKey::parse(text) {
        return Ok(key);
    }
    let file = std::fs::read_to_string(text)
        .with_context(|| format!("--key is neither a key nor a file that can be read: {text}"))?;
    VerifierKey::parse(file.trim()).with_context(|| format!("the file {text} holds no public key"))
}
