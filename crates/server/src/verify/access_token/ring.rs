//! The keys that are known at a moment, as one value that is replaced when they change.

use portcullis_domain::access_token::{Compact, Header};
use portcullis_domain::signing_key::{KeyLife, KeySeal, Stage, signer};
use portcullis_domain::time::Time;
use portcullis_store::Error;
use portcullis_store::signing_keys::StoredKey;
use serde_json::{Value, json};

use super::key::SigningKey;

/// Every key that is known.
#[derive(Default)]
pub(super) struct Ring {
    /// One more than that of the ring before it.
    pub(super) number: u64,
    /// As the store keeps them, to see whether they changed.
    rows: Vec<StoredKey>,
    keys: Vec<SigningKey>,
}

/// What the first part of a token leads to.
pub(super) enum Named<'r> {
    /// Exactly one key, which may have signed it.
    Key(&'r SigningKey),
    /// A key that is not known here. There may be one that is.
    Unknown,
    /// No key of ours, whatever there may be.
    Nothing,
}

impl Ring {
    /// The ring after this one; `None` if these rows are what it holds.
    pub(super) fn next(&self, rows: Vec<StoredKey>, seal: &KeySeal) -> Result<Option<Self>, Error> {
        if rows == self.rows {
            return Ok(None);
        }
        let keys = rows.iter().map(|row| SigningKey::open(row, seal)).collect::<Result<_, _>>()?;
        Ok(Some(Self { number: self.number + 1, rows, keys }))
    }

    /// The key that signs now.
    pub(super) fn signer(&self, now: Time) -> Option<&SigningKey> {
        signer(&self.keys, |key| key.life, now)
    }

    /// The life of the newest key.
    pub(super) fn newest(&self) -> Option<KeyLife> {
        self.rows.first().map(|row| row.life)
    }

    /// The key that a token names.
    pub(super) fn named(&self, token: &Compact<'_>, now: Time) -> Named<'_> {
        if let Some(key) = self.keys.iter().find(|key| key.is_named_by(token)) {
            return if is_known(key, now) { Named::Key(key) } else { Named::Nothing };
        }
        match Header::parse(token.header) {
            Some(header) if !self.keys.iter().any(|key| key.kid == header.kid()) => Named::Unknown,
            Some(_) | None => Named::Nothing,
        }
    }

    /// What others verify with: every key but those that are gone (RFC 7517).
    pub(super) fn key_set(&self, now: Time) -> Value {
        let keys: Vec<&Value> =
            self.keys.iter().filter(|key| is_known(key, now)).map(|key| &key.jwk).collect();
        json!({ "keys": keys })
    }

    /// The names of what [`Self::key_set`] has.
    pub(super) fn algorithms(&self, now: Time) -> Vec<&Value> {
        let known = self.keys.iter().filter(|key| is_known(key, now));
        known.filter_map(|key| key.jwk.get("alg")).collect()
    }
}

fn is_known(key: &SigningKey, now: Time) -> bool {
    key.life.stage(now) != Stage::Gone
}
