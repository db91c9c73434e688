//! The signature check alone, with the library that Portcullis uses: in a loop, and behind a bare
//! handler.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, ParsedPublicKey};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use portcullis_domain::access_token::{Compact, decode};

use crate::process::{cpu_seconds, pinned};

/// About as much as an access token signs.
const SIGNED_BYTES: usize = 460;

/// Whose signatures a bare handler checks.
pub(crate) struct Checked(ParsedPublicKey);

impl Checked {
    /// A public key in base64url.
    pub(crate) fn parse(key: &str) -> Result<Self> {
        let key = ParsedPublicKey::new(&ED25519, decode(key).context("no base64url")?);
        Ok(Self(key.map_err(|fault| anyhow::anyhow!("{fault}"))?))
    }

    /// Whether the token of a request was signed by the key; nothing else is looked at.
    pub(crate) fn answer(&self, headers: &HeaderMap) -> StatusCode {
        let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = value.and_then(|value| value.strip_prefix("Bearer "));
        let is_signed = token.and_then(Compact::parse).is_some_and(|token| {
            let signature = decode(token.signature);
            signature.is_some_and(|it| self.0.verify_sig(token.signed.as_bytes(), &it).is_ok())
        });
        if is_signed { StatusCode::OK } else { StatusCode::UNAUTHORIZED }
    }
}

/// Checks one signature for that long and prints the checks per CPU second.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
#[expect(clippy::print_stdout, reason = "the line that the benchmark reads")]
pub(crate) fn measure(seconds: u64) -> Result<()> {
    let refused = |fault: &dyn std::fmt::Display| anyhow::anyhow!("{fault}");
    let pair = Ed25519KeyPair::generate().map_err(|fault| refused(&fault))?;
    let key = ParsedPublicKey::new(&ED25519, pair.public_key().as_ref());
    let key = key.map_err(|fault| refused(&fault))?;
    let message = [b'e'; SIGNED_BYTES];
    let signature = pair.sign(&message);
    let pid = std::process::id();
    let (cpu, started, mut count) = (cpu_seconds(pid)?, Instant::now(), 0_u32);
    while started.elapsed() < Duration::from_secs(seconds) {
        key.verify_sig(&message, signature.as_ref()).map_err(|fault| refused(&fault))?;
        count += 1;
    }
    println!("{}", f64::from(count) / (cpu_seconds(pid)? - cpu));
    Ok(())
}

/// The same in a process of its own on that core: checks per CPU second.
pub(crate) async fn measured(core: &str, own: &Path, span: Duration) -> Result<f64> {
    let seconds = span.as_secs().to_string();
    let output = pinned(core, own).args(["check", "--seconds", &seconds]).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout)?.trim().parse().context("the rate of the checks")
}
