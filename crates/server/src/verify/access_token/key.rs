//! One key at work: made, opened from its row, signing, verifying, and as others read it. Not here:
//! when it does what (`portcullis_domain::signing_key`).

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256,
};
use portcullis_domain::access_token::{Compact, Header, Kind, decode, encode};
use portcullis_domain::signing_key::{Algorithm, KeyLife, KeySeal};
use portcullis_store::Error;
use portcullis_store::signing_keys::StoredKey;
use serde::Serialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::NotSigned;
use crate::random::Random;

/// A new pair of keys, before it is anybody's.
pub struct NewKey {
    pub kid: String,
    pub algorithm: Algorithm,
    /// The public half, as JSON.
    pub public_jwk: String,
    /// The private half (PKCS #8).
    pub private: Zeroizing<Vec<u8>>,
}

impl NewKey {
    /// Makes a pair. RSA takes a moment, which is not for the threads of requests.
    pub fn make(algorithm: Algorithm, random: Random) -> Result<Self, Unspecified> {
        let private = match algorithm {
            Algorithm::EdDsa => {
                let seed = Zeroizing::new(random.bytes::<32>());
                let pair = Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| Unspecified)?;
                pair.to_pkcs8v1()?.as_ref().to_vec()
            }
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
                pair.to_pkcs8v1()?.as_ref().to_vec()
            }
            Algorithm::Rs256 => {
                let der: Pkcs8V1Der<'_> = RsaKeyPair::generate(KeySize::Rsa2048)?.as_der()?;
                der.as_ref().to_vec()
            }
        };
        let private = Zeroizing::new(private);
        let pair = Pair::open(algorithm, &private)?;
        let kid = kid_of(pair.public());
        let public_jwk = pair.jwk(&kid).ok_or(Unspecified)?.to_string();
        Ok(Self { kid, algorithm, public_jwk, private })
    }
}

/// A key that signs and verifies.
pub(super) struct SigningKey {
    pub(super) generation: i64,
    pub(super) life: KeyLife,
    pub(super) kid: String,
    /// The first part of the access tokens that it signs.
    access_header: String,
    /// The first part of its assertions.
    assertion_header: String,
    pair: Pair,
    public: ParsedPublicKey,
    /// As others verify with it.
    pub(super) jwk: Value,
}

impl SigningKey {
    /// Opens what the store keeps. A row that cannot be opened is not to be passed over: another key
    /// would sign in its place.
    pub(super) fn open(row: &StoredKey, seal: &KeySeal) -> Result<Self, Error> {
        let corrupt =
            |column| Error::Corrupt { table: "signing_keys", column, id: row.kid.clone() };
        let private = seal
            .open(&row.kid, row.algorithm, &row.private_key)
            .ok_or_else(|| corrupt("private_key"))?;
        let pair = Pair::open(row.algorithm, &private).map_err(|_| corrupt("private_key"))?;
        let public = pair.parsed().map_err(|_| corrupt("private_key"))?;
        if kid_of(pair.public()) != row.kid {
            return Err(corrupt("kid"));
        }
        let header = |kind| Header::new(row.algorithm, kind, &row.kid).to_part();
        Ok(Self {
            generation: row.generation,
            life: row.life,
            kid: row.kid.clone(),
            access_header: header(Kind::Access),
            assertion_header: header(Kind::Assertion),
            jwk: pair.jwk(&row.kid).ok_or_else(|| corrupt("public_jwk"))?,
            pair,
            public,
        })
    }

    /// A token with these claims.
    pub(super) fn sign(&self, kind: Kind, claims: &impl Serialize) -> Result<String, NotSigned> {
        let header = match kind {
            Kind::Access => &self.access_header,
            Kind::Assertion => &self.assertion_header,
        };
        let mut token = format!("{header}.{}", encode(&serde_json::to_vec(claims)?));
        let signature = self.pair.sign(token.as_bytes())?;
        token.push('.');
        token.push_str(&encode(&signature));
        Ok(token)
    }

    /// Whether an access token names this key by exactly the header that the key writes.
    pub(super) fn is_named_by(&self, token: &Compact<'_>) -> bool {
        self.access_header == token.header
    }

    /// Whether the signature is this key's. What it is made with is the key's own affair: nothing in the
    /// token chooses it.
    pub(super) fn has_signed(&self, token: &Compact<'_>) -> bool {
        let signature = decode(token.signature);
        signature.is_some_and(|it| self.public.verify_sig(token.signed.as_bytes(), &it).is_ok())
    }
}

/// The private half with its algorithm.
enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Pair {
    fn open(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, Unspecified> {
        let pair = match algorithm {
            Algorithm::EdDsa => {
                Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map(Self::Ed25519)
            }
            Algorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map(Self::P256)
            }
            Algorithm::Rs256 => RsaKeyPair::from_pkcs8(pkcs8).map(Self::Rsa),
        };
        pair.map_err(|_| Unspecified)
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let random = SystemRandom::new();
        match self {
            Self::Ed25519(pair) => Ok(pair.try_sign(message)?.as_ref().to_vec()),
            Self::P256(pair) => Ok(pair.sign(&random, message)?.as_ref().to_vec()),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                Ok(signature)
            }
        }
    }

    /// The public half as the library writes it.
    fn public(&self) -> &[u8] {
        match self {
            Self::Ed25519(pair) => pair.public_key().as_ref(),
            Self::P256(pair) => pair.public_key().as_ref(),
            Self::Rsa(pair) => pair.public_key().as_ref(),
        }
    }

    fn parsed(&self) -> Result<ParsedPublicKey, Unspecified> {
        let parsed = match self {
            Self::Ed25519(_) => ParsedPublicKey::new(&ED25519, self.public()),
            Self::P256(_) => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.public()),
            Self::Rsa(_) => ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.public()),
        };
        parsed.map_err(|_| Unspecified)
    }

    /// RFC 7517, with RFC 8037 and RFC 7518, section 6.
    fn jwk(&self, kid: &str) -> Option<Value> {
        Some(match self {
            Self::Ed25519(pair) => json!({
                "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid,
                "x": encode(pair.public_key().as_ref()),
            }),
            Self::P256(pair) => {
                // Both coordinates, after a byte that says so (SEC 1, section 2.3.3).
                let (x, y) = pair.public_key().as_ref().get(1..)?.split_at_checked(32)?;
                json!({
                    "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid,
                    "x": encode(x), "y": encode(y),
                })
            }
            Self::Rsa(pair) => json!({
                "kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid,
                "n": encode(pair.public_key().modulus().big_endian_without_leading_zero()),
                "e": encode(pair.public_key().exponent().big_endian_without_leading_zero()),
            }),
        })
    }
}

/// The name of a key: eight bytes of the digest of its public half.
fn kid_of(public: &[u8]) -> String {
    encode(digest(&SHA256, public).as_ref().get(..8).unwrap_or_default())
}
