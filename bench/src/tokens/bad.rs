//! Bad access tokens, of which no two are alike.

use anyhow::{Context as _, Result};
use portcullis_domain::access_token::{Claims, encode};

use super::forge::Forge;
use crate::million::database::scattered;

/// Of four kinds: signed by nobody, by a key that nobody knows, changed after it was signed, and good but
/// over.
pub(super) fn token(forge: &Forge, number: u64) -> Result<String> {
    let told = forge.claims();
    let claims = Claims { role: format!("role {number}"), ..told.clone() };
    let said = encode(&serde_json::to_vec(&claims)?);
    match number % 4 {
        0 => {
            let signature: Vec<u8> =
                (0..8).flat_map(|at| scattered(number * 8 + at).to_be_bytes()).collect();
            Ok(format!("{}.{said}.{}", forge.header(), encode(&signature)))
        }
        1 => {
            let kid = encode(&scattered(number).to_be_bytes());
            let header = format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{kid}"}}"#);
            Ok(format!("{}.{said}.{}", encode(header.as_bytes()), encode(&[7; 64])))
        }
        2 => {
            let signed = forge.sign(told)?;
            let (_, signature) = signed.rsplit_once('.').context("no signature")?;
            Ok(format!("{}.{said}.{signature}", forge.header()))
        }
        _ => {
            let (iat, nbf, exp) = (told.iat - 90_000, told.nbf - 90_000, told.exp - 90_000);
            forge.sign(&Claims { iat, nbf, exp, ..claims })
        }
    }
}
