//! The header of a token: exactly three members, in one order.

use serde::{Deserialize, Serialize};

use super::{decode, encode};
use crate::signing_key::Algorithm;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A credential (RFC 9068, section 2.1).
    Access,
    /// What is asserted to an application. Never accepted as a credential.
    Assertion,
}

impl Kind {
    /// The word in `typ`.
    pub fn typ(self) -> &'static str {
        match self {
            Self::Access => "at+jwt",
            Self::Assertion => "fwd+jwt",
        }
    }
}

/// What a header says. Whatever else it has, such as `crit`, `jku`, `jwk`, `x5u`, `b64` or `zip`, makes
/// it none of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    alg: String,
    typ: String,
    kid: String,
}

impl Header {
    /// The header of what this key signs.
    pub fn new(algorithm: Algorithm, kind: Kind, kid: &str) -> Self {
        Self { alg: algorithm.name().to_owned(), typ: kind.typ().to_owned(), kid: kid.to_owned() }
    }

    /// As the first part of a token. A token is verified with the key whose header this is, byte for
    /// byte, so that nothing that its sender wrote chooses an algorithm.
    pub fn to_part(&self) -> String {
        // Three texts always serialise; an empty part is that of no token.
        encode(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// Reads the first part of an access token, as strictly as it is written: it must be the very part
    /// that [`Self::to_part`] gives.
    pub fn parse(part: &str) -> Option<Self> {
        let header: Self = serde_json::from_slice(&decode(part)?).ok()?;
        let is_ours = header.typ == Kind::Access.typ()
            && Algorithm::parse(&header.alg).is_some()
            && is_kid(&header.kid)
            && header.to_part() == part;
        is_ours.then_some(header)
    }

    /// The name of the key.
    pub fn kid(&self) -> &str {
        &self.kid
    }
}

/// Whether a text has the form of our keys' names: 11 characters of base64url.
fn is_kid(text: &str) -> bool {
    text.len() == 11
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
