//! The option `--key` of commands that sign: the file of the private half of a key, as C2SP notes have it.

use std::path::Path;

use anyhow::Context as _;
use portcullis_domain::audit::note::{NoteFault, SigningKey};
use zeroize::Zeroizing;

/// Reads it.
pub(super) fn read(path: &Path) -> anyhow::Result<Result<SigningKey, NoteFault>> {
    let text = std::fs::read_to_string(path).map(Zeroizing::new);
    let text = text.with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(SigningKey::parse(text.trim_end()))
}
