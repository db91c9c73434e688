//! Randomness as a value that is handed in. The generator is the thread's CSPRNG, seeded and
//! reseeded by the operating system; failure to seed ends the process rather than weaken a secret.

use rand::Rng as _;

/// Makes the random bytes of secrets, ids and nonces.
#[derive(Clone, Copy, Debug, Default)]
pub struct Random;

impl Random {
    /// `N` fresh bytes.
    #[expect(clippy::disallowed_methods, reason = "the one place that draws random bytes")]
    pub fn bytes<const N: usize>(self) -> [u8; N] {
        let mut bytes = [0; N];
        rand::rng().fill_bytes(&mut bytes);
        bytes
    }

    /// A new row id: UUID version 7 of the time `now` (RFC 9562, section 5.7).
    pub fn row_id(self, now: portcullis_domain::time::Time) -> String {
        let millis = u64::try_from(now.0).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &self.bytes()).into_uuid().to_string()
    }
}
