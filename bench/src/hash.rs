//! The raw rate of the password hash: argon2id with the parameters that Portcullis uses by default,
//! on one core, with its memory taken once and used again.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use argon2::{Algorithm, Argon2, Block, Params, Version};

use crate::process::{cpu_seconds, pinned};

/// KiB, passes, lanes: the defaults of `[password]`.
const PARAMETERS: (u32, u32, u32) = (19_456, 2, 1);

/// Hashes for that long and prints the hashes per CPU second.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
#[expect(clippy::print_stdout, reason = "the line that the benchmark reads")]
pub(crate) fn measure(seconds: u64) -> Result<()> {
    let (memory, passes, lanes) = PARAMETERS;
    let params =
        Params::new(memory, passes, lanes, Some(32)).map_err(|fault| anyhow::anyhow!("{fault}"))?;
    let mut blocks = vec![Block::default(); params.block_count()];
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut hash = || {
        let mut out = [0_u8; 32];
        hasher
            .hash_password_into_with_memory(
                b"correct horse battery staple",
                b"sixteen byte slt",
                &mut out,
                &mut blocks,
            )
            .map_err(|fault| anyhow::anyhow!("{fault}"))
    };
    hash()?;
    let pid = std::process::id();
    let (cpu, started, mut count) = (cpu_seconds(pid)?, Instant::now(), 0_u32);
    while started.elapsed() < Duration::from_secs(seconds) {
        hash()?;
        count += 1;
    }
    println!("{}", f64::from(count) / (cpu_seconds(pid)? - cpu));
    Ok(())
}

/// The same in a process of its own on that core: hashes per CPU second.
pub(crate) async fn measured(core: &str, own: &Path, span: Duration) -> Result<f64> {
    let seconds = span.as_secs().to_string();
    let output = pinned(core, own).args(["hash", "--seconds", &seconds]).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout)?.trim().parse().context("the rate of the hash")
}
