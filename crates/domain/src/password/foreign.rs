//! Password hashes that other systems made, kept until their users sign in once: Argon2 of every
//! kind, bcrypt, PBKDF2 and scrypt, as PHC strings and as Django writes them.
//!
//! A password is checked as it was typed: the origin hashed those bytes, without the normalisation
//! that ours get. Not here: our own hashes, and putting one of ours in the place of these.

mod likeness;
mod parse;

use std::num::NonZeroU32;

use argon2::{Algorithm, Argon2, Version};
use aws_lc_rs::{digest, pbkdf2};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

pub use likeness::looks_like_hash;

use super::{Memory, Params, Stored, library_params};

/// A hash that may be stored for a user who comes from elsewhere. It has no `Debug` and no `Display`.
pub struct Imported(String);

impl Imported {
    /// Reads the hash of another system. It is kept in a spelling that no hash of ours has, so that
    /// its passwords are never normalised.
    pub fn from_elsewhere(text: &str) -> Result<Self, ForeignFault> {
        Foreign::parse(text)?;
        let is_argon2 = text.starts_with("$argon2");
        Ok(Self(if is_argon2 { format!("argon2{text}") } else { text.to_owned() }))
    }

    /// Reads the hash of another Portcullis: one of ours, or one that was imported there.
    pub fn from_portcullis(text: &str) -> Result<Self, ForeignFault> {
        match Stored::parse(text) {
            Some(ours) if is_affordable(ours.params) => Ok(Self(text.to_owned())),
            Some(_) | None => Self::from_elsewhere(text),
        }
    }

    /// The text to be stored.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Why a hash is not taken. The text is a sentence and holds nothing of the hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ForeignFault {
    #[error("The password hash is of no scheme that is known here.")]
    Unknown,
    #[error(
        "The password hash is {0}, which is too easy to guess from; import the user without it."
    )]
    Weak(&'static str),
    #[error("The {0} hash is cut off or garbled.")]
    Garbled(&'static str),
    #[error("The {scheme} hash costs more to check than is accepted: {most}.")]
    TooDear {
        scheme: &'static str,
        /// What is accepted.
        most: &'static str,
    },
}

/// A hash of another system, with a cost that no sign-in stalls on.
pub(super) struct Foreign(Scheme);

impl Foreign {
    pub(super) fn parse(text: &str) -> Result<Self, ForeignFault> {
        parse::scheme(text).map(Self)
    }

    /// Whether it is the password's; `None` if that could not be found out.
    pub(super) fn matches(&self, password: &str) -> Option<bool> {
        match &self.0 {
            Scheme::Argon2(hash) => hash.matches(password),
            Scheme::Bcrypt { text, prehash } => bcrypt_matches(text, *prehash, password),
            Scheme::Pbkdf2 { digest, iterations, salt, output } => {
                let (salt, secret) = (salt.as_slice(), password.as_bytes());
                let checked = pbkdf2::verify(digest.algorithm(), *iterations, salt, secret, output);
                Some(checked.is_ok())
            }
            Scheme::Scrypt { params, salt, output } => {
                let mut found = Zeroizing::new(vec![0; output.len()]);
                scrypt::scrypt(password.as_bytes(), salt, params, &mut found).ok()?;
                Some(bool::from(found.as_slice().ct_eq(output)))
            }
        }
    }
}

enum Scheme {
    Argon2(ForeignArgon2),
    /// `text`: from `$2b$` on.
    Bcrypt {
        text: String,
        prehash: Prehash,
    },
    Pbkdf2 {
        digest: Digest,
        iterations: NonZeroU32,
        salt: Vec<u8>,
        output: Vec<u8>,
    },
    Scrypt {
        params: scrypt::Params,
        salt: Vec<u8>,
        output: Vec<u8>,
    },
}

struct ForeignArgon2 {
    algorithm: Algorithm,
    version: Version,
    params: Params,
    salt: Vec<u8>,
    output: Vec<u8>,
}

/// What is done to a password before bcrypt sees it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prehash {
    None,
    /// Its SHA-256 in lower-case hexadecimal, as Django's `bcrypt_sha256` does.
    HexSha256,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Digest {
    Sha1,
    Sha256,
    Sha512,
}

impl Digest {
    fn algorithm(self) -> pbkdf2::Algorithm {
        match self {
            Self::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }

    /// The bytes that the systems we read from derive with it.
    fn output(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

impl ForeignArgon2 {
    fn matches(&self, password: &str) -> Option<bool> {
        // Its own memory, given back at once: that of the thread never shrinks.
        let mut memory = Memory::default();
        let lib = library_params(self.params, self.output.len()).ok()?;
        let blocks = memory.at_least(lib.block_count()).ok()?;
        let mut found = Zeroizing::new(vec![0; self.output.len()]);
        Argon2::new(self.algorithm, self.version, lib)
            .hash_password_into_with_memory(password.as_bytes(), &self.salt, &mut found, blocks)
            .ok()?;
        Some(bool::from(found.as_slice().ct_eq(&self.output)))
    }
}

/// bcrypt sees the first 72 bytes only, here as everywhere. What its makers do with a NUL differs
/// (they cut there, hash it, or refuse it), so such a password matches nothing.
fn bcrypt_matches(text: &str, prehash: Prehash, password: &str) -> Option<bool> {
    if prehash == Prehash::HexSha256 {
        let hashed = digest::digest(&digest::SHA256, password.as_bytes());
        let hashed = Zeroizing::new(hex::encode(hashed));
        return bcrypt::verify(hashed.as_bytes(), text).ok();
    }
    let matches = bcrypt::verify(password, text).ok()?;
    Some(matches && !password.contains('\0'))
}

/// Memory times passes is what a check costs: at most those of 1 GiB four times.
fn is_affordable(params: Params) -> bool {
    const MOST: u64 = 4 << 20;
    let work = u64::from(params.memory_kib) * u64::from(params.iterations);
    params.check().is_ok() && work <= MOST
}

#[cfg(test)]
mod tests;
