//! Reads the spellings of foreign hashes. What is cut off, or would cost more than a sign-in may,
//! is refused here, so that checking never meets it.

use std::num::NonZeroU32;
use std::str::FromStr;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Version};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};

use super::{Digest, ForeignArgon2, ForeignFault, Params, Prehash, Scheme, is_affordable};

/// The longest text that is looked at, in bytes: several times what any scheme needs.
const MAX_TEXT: usize = 1024;
/// Fewer bytes of a hash were cut off, or would match too many passwords.
const MIN_OUTPUT: usize = 16;
/// More bytes of a hash are made by nobody.
const MAX_OUTPUT: usize = 128;
/// bcrypt takes three to four seconds at this cost, and twice as long at the next.
const MAX_BCRYPT_COST: u32 = 16;
/// PBKDF2 takes two to five seconds, by the digest.
const MAX_PBKDF2_ITERATIONS: u32 = 10_000_000;
/// Bytes that one scrypt hash may hold at a time.
const MAX_SCRYPT_MEMORY: u64 = 256 << 20;
/// Bytes that one scrypt hash may go through, over all lanes.
const MAX_SCRYPT_WORK: u64 = 1 << 30;

const ARGON2: &str = "Argon2";
const BCRYPT: &str = "bcrypt";
const PBKDF2: &str = "PBKDF2";
const SCRYPT: &str = "scrypt";

/// Reads any of the spellings.
pub(super) fn scheme(text: &str) -> Result<Scheme, ForeignFault> {
    if text.len() > MAX_TEXT {
        return Err(ForeignFault::Unknown);
    }
    if let Some(rest) = text.strip_prefix('$') {
        return match rest.split_once('$').ok_or(ForeignFault::Unknown)? {
            ("argon2id" | "argon2i" | "argon2d", _) => argon2(text),
            ("2a" | "2b" | "2y", _) => bcrypt(text, Prehash::None),
            ("scrypt", rest) => phc_scrypt(rest),
            ("pbkdf2", rest) => phc_pbkdf2(Digest::Sha1, rest),
            ("pbkdf2-sha256", rest) => phc_pbkdf2(Digest::Sha256, rest),
            ("pbkdf2-sha512", rest) => phc_pbkdf2(Digest::Sha512, rest),
            ("1", _) => Err(ForeignFault::Weak("MD5")),
            _ => Err(ForeignFault::Unknown),
        };
    }
    match text.split_once('$').ok_or(ForeignFault::Unknown)? {
        ("argon2", rest) => argon2(&format!("${rest}")),
        ("bcrypt", rest) => bcrypt(rest, Prehash::None),
        ("bcrypt_sha256", rest) => bcrypt(rest, Prehash::HexSha256),
        ("pbkdf2_sha256", rest) => django_pbkdf2(Digest::Sha256, rest),
        ("pbkdf2_sha1", rest) => django_pbkdf2(Digest::Sha1, rest),
        ("scrypt", rest) => django_scrypt(rest),
        ("md5" | "unsalted_md5", _) => Err(ForeignFault::Weak("MD5")),
        ("sha1" | "unsalted_sha1", _) => Err(ForeignFault::Weak("SHA-1")),
        ("crypt", _) => Err(ForeignFault::Weak("DES crypt")),
        _ => Err(ForeignFault::Unknown),
    }
}

/// `$argon2id$v=19$m=…,t=…,p=…$salt$hash`. Without a version it is the one before versions were
/// written.
fn argon2(text: &str) -> Result<Scheme, ForeignFault> {
    const GARBLED: ForeignFault = ForeignFault::Garbled(ARGON2);
    let phc = PasswordHash::new(text).map_err(|_| GARBLED)?;
    let read = argon2::Params::try_from(&phc).map_err(|_| GARBLED)?;
    let has_more = !read.keyid().is_empty() || !read.data().is_empty();
    let version = phc.version.map_or(Ok(Version::V0x10), Version::try_from);
    let (Some(salt), Some(output)) = (phc.salt, phc.hash) else { return Err(GARBLED) };
    if has_more || output.len() < MIN_OUTPUT {
        return Err(GARBLED);
    }
    let params =
        Params { memory_kib: read.m_cost(), iterations: read.t_cost(), parallelism: read.p_cost() };
    if !is_affordable(params) {
        let most = "1 GiB of memory, and four passes over so much";
        return Err(ForeignFault::TooDear { scheme: ARGON2, most });
    }
    Ok(Scheme::Argon2(ForeignArgon2 {
        algorithm: Algorithm::new(phc.algorithm).map_err(|_| GARBLED)?,
        version: version.map_err(|_| GARBLED)?,
        params,
        salt: AsRef::<[u8]>::as_ref(&salt).to_vec(),
        output: output.as_bytes().to_vec(),
    }))
}

/// `$2b$12$` with 22 characters of salt and 31 of hash. `2x` marks hashes of a broken maker.
fn bcrypt(text: &str, prehash: Prehash) -> Result<Scheme, ForeignFault> {
    const GARBLED: ForeignFault = ForeignFault::Garbled(BCRYPT);
    let is_good = ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| text.starts_with(prefix))
        && text.bytes().skip(4).take(2).all(|byte| byte.is_ascii_digit());
    let parts = bcrypt::HashParts::from_str(text).ok().filter(|_| is_good).ok_or(GARBLED)?;
    match parts.get_cost() {
        0..4 => Err(GARBLED),
        4..=MAX_BCRYPT_COST => Ok(Scheme::Bcrypt { text: text.to_owned(), prehash }),
        _ => Err(ForeignFault::TooDear { scheme: BCRYPT, most: "cost 16" }),
    }
}

/// `iterations$salt$hash`: the salt is text, the hash Base64 with padding.
fn django_pbkdf2(digest: Digest, rest: &str) -> Result<Scheme, ForeignFault> {
    const GARBLED: ForeignFault = ForeignFault::Garbled(PBKDF2);
    let [iterations, salt, output] = fields(rest).ok_or(GARBLED)?;
    let output = BASE64_STANDARD.decode(output).map_err(|_| GARBLED)?;
    pbkdf2(digest, number(iterations), salt.as_bytes().to_vec(), output)
}

/// `i=…,l=…$salt$hash` as the PHC writes it, or `iterations$salt$hash` as passlib does, which has
/// `.` for `+` in its Base64.
fn phc_pbkdf2(digest: Digest, rest: &str) -> Result<Scheme, ForeignFault> {
    const GARBLED: ForeignFault = ForeignFault::Garbled(PBKDF2);
    let [cost, salt, output] = fields(rest).ok_or(GARBLED)?;
    let decode = |text: &str| BASE64_STANDARD_NO_PAD.decode(text.replace('.', "+"));
    let (salt, output) = (decode(salt).map_err(|_| GARBLED)?, decode(output).map_err(|_| GARBLED)?);
    let iterations = match cost.strip_prefix("i=") {
        None => number(cost),
        Some(cost) => match cost.split_once(",l=") {
            None => number(cost),
            Some((cost, length)) if length == output.len().to_string() => number(cost),
            Some(_) => None,
        },
    };
    pbkdf2(digest, iterations, salt, output)
}

fn pbkdf2(
    digest: Digest,
    iterations: Option<u64>,
    salt: Vec<u8>,
    output: Vec<u8>,
) -> Result<Scheme, ForeignFault> {
    const GARBLED: ForeignFault = ForeignFault::Garbled(PBKDF2);
    let iterations = iterations.filter(|count| *count > 0).ok_or(GARBLED)?;
    if salt.is_empty() || output.len() != digest.output() {
        return Err(GARBLED);
    }
    let affordable = u32::try_from(iterations).ok().filter(|count| *count <= MAX_PBKDF2_ITERATIONS);
    let iterations = affordable
        .and_then(NonZeroU32::new)
        .ok_or(ForeignFault::TooDear { scheme: PBKDF2, most: "10,000,000 iterations" })?;
    Ok(Scheme::Pbkdf2 { digest, iterations, salt, output })
}

/// `N$salt$r$p$hash`: the salt is text, the hash 64 bytes in Base64 with padding.
fn django_scrypt(rest: &str) -> Result<Scheme, ForeignFault> {
    const GARBLED: ForeignFault = ForeignFault::Garbled(SCRYPT);
    let [n, salt, r, p, output] = fields(rest).ok_or(GARBLED)?;
    let n = number(n).filter(|n| n.is_power_of_two()).ok_or(GARBLED)?;
    let output = BASE64_STANDARD.decode(output).ok().filter(|output| output.len() == 64);
    let output = output.ok_or(GARBLED)?;
    scrypt(u64::from(n.trailing_zeros()), [number(r), number(p)], salt.as_bytes().to_vec(), output)
}

/// `ln=…,r=…,p=…$salt$hash`.
fn phc_scrypt(rest: &str) -> Result<Scheme, ForeignFault> {
    const GARBLED: ForeignFault = ForeignFault::Garbled(SCRYPT);
    let [cost, salt, output] = fields(rest).ok_or(GARBLED)?;
    let decode = |text: &str| BASE64_STANDARD_NO_PAD.decode(text);
    let (salt, output) = (decode(salt).map_err(|_| GARBLED)?, decode(output).map_err(|_| GARBLED)?);
    let mut costs = cost.split(',').zip(["ln=", "r=", "p="]);
    let mut next = || costs.next().and_then(|(text, key)| number(text.strip_prefix(key)?));
    let (log_n, r, p) = (next().ok_or(GARBLED)?, next(), next());
    if cost.split(',').count() != 3 {
        return Err(GARBLED);
    }
    scrypt(log_n, [r, p], salt, output)
}

fn scrypt(
    log_n: u64,
    [r, p]: [Option<u64>; 2],
    salt: Vec<u8>,
    output: Vec<u8>,
) -> Result<Scheme, ForeignFault> {
    const GARBLED: ForeignFault = ForeignFault::Garbled(SCRYPT);
    let positive = |number: Option<u64>| number.filter(|number| *number > 0).ok_or(GARBLED);
    let (r, p) = (positive(r)?, positive(p)?);
    let is_whole = (MIN_OUTPUT..=MAX_OUTPUT).contains(&output.len());
    if salt.is_empty() || !is_whole || log_n == 0 {
        return Err(GARBLED);
    }
    let memory = u32::try_from(log_n).ok().and_then(|log_n| 128_u64.checked_shl(log_n));
    let memory = memory.filter(|_| log_n < 32).and_then(|bytes| bytes.checked_mul(r));
    let work = memory.and_then(|bytes| bytes.checked_mul(p));
    let is_affordable = memory.is_some_and(|bytes| bytes <= MAX_SCRYPT_MEMORY)
        && work.is_some_and(|bytes| bytes <= MAX_SCRYPT_WORK);
    if !is_affordable {
        let most = "256 MiB of memory, and four lanes of so much";
        return Err(ForeignFault::TooDear { scheme: SCRYPT, most });
    }
    let as_u32 = |number: u64| u32::try_from(number).map_err(|_| GARBLED);
    let log_n = u8::try_from(log_n).map_err(|_| GARBLED)?;
    let params = scrypt::Params::new(log_n, as_u32(r)?, as_u32(p)?).map_err(|_| GARBLED)?;
    Ok(Scheme::Scrypt { params, salt, output })
}

/// Exactly so many parts between `$`.
fn fields<const N: usize>(text: &str) -> Option<[&str; N]> {
    text.split('$').collect::<Vec<_>>().try_into().ok()
}

/// Decimal digits, without a sign.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok().or(Some(u64::MAX)) } else { None }
}
