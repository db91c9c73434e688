//! Access tokens that the server takes for its own: signed with its key, which whoever has its database
//! and its secret can open. They are of one session and differ in a word.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result, ensure};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use portcullis_domain::access_token::{Claims, Compact, decode, encode};
use portcullis_domain::secret::{Keys, MasterSecret};
use portcullis_store::{Db, Options, signing_keys};

/// Signs as the server does.
pub(crate) struct Forge {
    pair: Ed25519KeyPair,
    /// The first part of every token.
    header: String,
    /// What a token of the session says.
    claims: Claims,
    /// How many there are.
    made: AtomicU64,
}

/// Opens the key of a server with its data in this folder that signed this token.
pub(crate) async fn open(data: &Path, token: &str) -> Result<Forge> {
    let secret = std::fs::read_to_string(data.join("secret"))?;
    let master = MasterSecret::parse(&secret).context("the secret of the server")?;
    let keys = Keys::derive(&master)?;
    let url = format!("sqlite:{}", data.join("portcullis.db").display());
    let db = Db::open(&Options::new(url, keys.audit.clone())).await?;
    let known = signing_keys::all(&mut db.read().await?).await?;
    db.close().await;
    let key = known.first().context("no key signs")?;
    let private = keys.signing.open(&key.kid, key.algorithm, &key.private_key);
    let private = private.context("the key does not open")?;
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&private);
    let pair = pair.map_err(|fault| anyhow::anyhow!("{fault}"))?;
    let parts = Compact::parse(token).context("no access token")?;
    let claims = decode(parts.claims).and_then(|json| Claims::parse(&json));
    let claims = claims.context("the claims of the token")?;
    let forge = Forge { pair, header: parts.header.to_owned(), claims, made: AtomicU64::new(0) };
    ensure!(forge.sign(&forge.claims)? == token, "the server signs in another way");
    Ok(forge)
}

/// The header line of a request with this token.
pub(crate) fn line(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

impl Forge {
    /// A good token that there never was before.
    pub(crate) fn another(&self) -> Result<String> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        self.sign(&Claims { role: format!("role {number}"), ..self.claims.clone() })
    }

    /// The public key, in base64url.
    pub(crate) fn public_key(&self) -> String {
        encode(self.pair.public_key().as_ref())
    }

    /// The first part of its tokens.
    pub(super) fn header(&self) -> &str {
        &self.header
    }

    /// What its tokens say.
    pub(super) fn claims(&self) -> &Claims {
        &self.claims
    }

    pub(super) fn sign(&self, claims: &Claims) -> Result<String> {
        let signed = format!("{}.{}", self.header, encode(&serde_json::to_vec(claims)?));
        let signature = self.pair.sign(signed.as_bytes());
        Ok(format!("{signed}.{}", encode(signature.as_ref())))
    }
}
