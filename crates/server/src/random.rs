//! Randomness as a value that is handed in. The generator is the thread's CSPRNG, seeded and
//! reseeded by the operating system; failure to seed ends the process rather than weaken a secret.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use portcullis_domain::time::Time;
use rand::Rng as _;

/// Makes the random bytes of secrets, ids and nonces.
#[derive(Clone, Copy, Debug, Default)]
pub struct Random;

/// What tells the row ids of one millisecond apart and keeps them in order. It belongs to the
/// process, as the generator does, because the order is that of everything the process writes. It
/// starts anywhere in the lower half of its 42 bits, so nodes differ and none soon starts over.
static SEQUENCE: LazyLock<AtomicU64> =
    LazyLock::new(|| AtomicU64::new(u64::from_be_bytes(Random.bytes()) >> 23));

impl Random {
    /// `N` fresh bytes.
    #[expect(clippy::disallowed_methods, reason = "the one place that draws random bytes")]
    pub fn bytes<const N: usize>(self) -> [u8; N] {
        let mut bytes = [0; N];
        rand::rng().fill_bytes(&mut bytes);
        bytes
    }

    /// A new row id: UUID version 7 of the time `now` (RFC 9562, section 5.7). Of two ids with the
    /// same time the later one is greater (section 6.2, method 1), so that events of one
    /// millisecond are read back in the order in which they happened. The rest is random: 32 bits,
    /// and where the process began to count.
    pub fn row_id(self, now: Time) -> String {
        let millis = u64::try_from(now.0).unwrap_or_default();
        let number = SEQUENCE.fetch_add(1, Ordering::Relaxed);
        // 12 bits of the number, 2 bits that the builder sets, the other 30 bits, 32 random bits.
        let (high, low) = (u128::from(number >> 30 & 0xfff), u128::from(number & 0x3fff_ffff));
        let bits = high << 64 | low << 32 | u128::from(u32::from_be_bytes(self.bytes()));
        let [_, _, _, _, _, _, rest @ ..] = bits.to_be_bytes();
        uuid::Builder::from_unix_timestamp_millis(millis, &rest).into_uuid().to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const NOW: Time = Time(1_795_309_323_000);

    #[test]
    fn ids_of_one_moment_are_in_order() {
        let ids: Vec<String> = (0..10_000).map(|_| Random.row_id(NOW)).collect();
        assert!(ids.is_sorted_by(|earlier, later| earlier < later));
        assert!(ids[9_999] < Random.row_id(Time(NOW.0 + 1)));
        for id in ids {
            let id: uuid::Uuid = id.parse().unwrap();
            assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
            let (seconds, nanos) = id.get_timestamp().unwrap().to_unix();
            assert_eq!((seconds, nanos), (1_795_309_323, 0));
        }
    }

    #[test]
    fn ids_of_parallel_threads_are_unlike_and_in_order_in_each() {
        let ids = || (0..1000).map(|_| Random.row_id(NOW)).collect::<Vec<_>>();
        let all: Vec<Vec<String>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(ids)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(all.iter().all(|ids| ids.is_sorted()));
        assert_eq!(all.concat().into_iter().collect::<HashSet<_>>().len(), 8000);
    }
}
