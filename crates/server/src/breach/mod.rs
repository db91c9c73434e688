//! Whether a password is among the breached ones. Not here: what a new password must be, and what becomes
//! of one that is found.

use portcullis_breach::Sha1;
use portcullis_domain::password::normalise;

/// The hashes by which a password may be known: of the bytes that were typed, and of its normal form, if
/// that is another. What was breached somewhere was hashed there as it came.
pub fn hashes(password: &str) -> Vec<Sha1> {
    let mut hashes = vec![Sha1::of(password.as_bytes()), Sha1::of(normalise(password).as_bytes())];
    hashes.dedup();
    hashes
}
