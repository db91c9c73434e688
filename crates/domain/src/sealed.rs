//! Bytes that only a key opens, and at one place alone: AES-256-GCM, its nonce in front. Moved to another
//! place they are worthless. Not here: which keys and places there are.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

/// Seals bytes for a place, with a nonce that is used once; `None` if the library refuses, which it has
/// no reason to.
pub(crate) fn seal(
    key: &[u8; 32],
    place: &[u8],
    nonce: [u8; NONCE_LEN],
    inside: &[u8],
) -> Option<Vec<u8>> {
    let mut sealed = inside.to_vec();
    let unique = Nonce::assume_unique_for_key(nonce);
    cipher(key)?.seal_in_place_append_tag(unique, Aad::from(place), &mut sealed).ok()?;
    Some([nonce.as_slice(), &sealed].concat())
}

/// Opens what [`seal`] made for the same place; `None` for anything else.
pub(crate) fn open(key: &[u8; 32], place: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let mut bytes = Zeroizing::new(rest.to_vec());
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let length = cipher(key)?.open_in_place(nonce, Aad::from(place), &mut bytes).ok()?.len();
    bytes.truncate(length);
    Some(bytes)
}

fn cipher(key: &[u8; 32]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new)
}
