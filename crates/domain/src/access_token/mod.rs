//! Access tokens as they are written (RFC 7519, RFC 9068): what a header must be, what claims must say
//! and when they count. One token has one spelling; whatever can be read in two ways is refused
//! (RFC 8725). Not here: signatures, keys, and whether the session lives.

mod claims;
mod header;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub use claims::{Claims, LEEWAY, NotCounted, TokenId};
pub use header::{Header, Kind};

/// The longest token that is looked at, in bytes.
pub const MAX_BYTES: usize = 4096;

/// The three parts of a compact token (RFC 7515, section 7.1), still encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compact<'t> {
    /// Header and claims with the dot between them: what is signed.
    pub signed: &'t str,
    /// The header alone.
    pub header: &'t str,
    pub claims: &'t str,
    pub signature: &'t str,
}

impl<'t> Compact<'t> {
    /// Takes a token apart; `None` if it is too long or has not exactly three parts.
    pub fn parse(token: &'t str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let is_whole = [header, claims, signature].iter().all(|part| !part.is_empty());
        let is_good = token.len() <= MAX_BYTES && is_whole && !claims.contains('.');
        is_good.then_some(Self { signed, header, claims, signature })
    }
}

/// What a part holds. Padding, characters of the other alphabet, white space and bits left over are
/// refused: bytes have one spelling.
pub fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

/// A part that holds these bytes.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests;
