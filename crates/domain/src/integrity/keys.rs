//! The keys of the watch over files, from the server's secret: one that signs baselines, one that seals
//! what is kept of files, and one that hides values in what is shown.

use zeroize::Zeroizing;

use crate::audit::note::{NoteFault, SigningKey};
use crate::sealed;

pub use aws_lc_rs::aead::NONCE_LEN;

/// The name under which a server signs its baselines.
const SIGNER: &str = "portcullis-integrity";

/// The keys. They have no `Debug`, `Display` or `Serialize`.
#[derive(Clone)]
pub struct WatchKeys {
    seed: Zeroizing<[u8; 32]>,
    seal: Zeroizing<[u8; 32]>,
    mask: Zeroizing<[u8; 32]>,
}

impl WatchKeys {
    pub(crate) fn new(
        seed: Zeroizing<[u8; 32]>,
        seal: Zeroizing<[u8; 32]>,
        mask: Zeroizing<[u8; 32]>,
    ) -> Self {
        Self { seed, seal, mask }
    }

    /// The key that signs baselines.
    pub fn signer(&self) -> Result<SigningKey, NoteFault> {
        SigningKey::from_seed(SIGNER, &self.seed)
    }

    /// Seals what is kept of a file, for one place; `None` if the library refuses.
    pub fn seal(&self, place: &[u8], nonce: [u8; NONCE_LEN], inside: &[u8]) -> Option<Vec<u8>> {
        sealed::seal(&self.seal, place, nonce, inside)
    }

    /// What [`Self::seal`] sealed for this place; `None` for anything else.
    pub fn open(&self, place: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        sealed::open(&self.seal, place, sealed)
    }

    /// The key under which values that are hidden can be told apart.
    pub fn mask(&self) -> &[u8; 32] {
        &self.mask
    }
}

#[cfg(test)]
mod tests {
    use crate::secret::{Keys, MasterSecret};

    #[test]
    fn what_is_sealed_opens_at_its_place_alone() {
        let keys = |seed| Keys::derive(&MasterSecret::from_random([seed; 32])).unwrap().watch;
        let sealed = keys(1).seal(b"copy 1", [7; 12], b"what").unwrap();
        assert!(!sealed.windows(4).any(|bytes| bytes == b"what"));
        assert_eq!(&keys(1).open(b"copy 1", &sealed).unwrap()[..], b"what");
        assert!(keys(1).open(b"copy 2", &sealed).is_none());
        assert!(keys(2).open(b"copy 1", &sealed).is_none());
    }

    #[test]
    fn baselines_are_signed_by_a_key_of_the_secret() {
        let keys = |seed| Keys::derive(&MasterSecret::from_random([seed; 32])).unwrap().watch;
        let verifier = |seed| keys(seed).signer().unwrap().verifier().to_string();
        assert_eq!(verifier(1), verifier(1));
        assert_ne!(verifier(1), verifier(2));
    }
}
