//! The entries of one prefix: all that is read for an answer, checked before anything of it is believed.

use crate::table::{CHECK, ENTRY};
use crate::{Count, Prefix};

/// Bytes of an entry that are of the hash.
const REST: usize = 5;

/// Entries, each behind the one before it, without their checksum.
#[derive(Default)]
pub(crate) struct Bucket(Vec<u8>);

impl Bucket {
    /// From the bytes in the file. None if they are not those that were written for this prefix.
    pub(crate) fn read(prefix: Prefix, mut bytes: Vec<u8>) -> Option<Self> {
        let entries = bytes.len().checked_sub(CHECK)?;
        let (body, check) = bytes.split_at(entries);
        let is_whole = entries.is_multiple_of(ENTRY) && checksum(prefix, body) == check;
        is_whole.then(|| {
            bytes.truncate(entries);
            Self(bytes)
        })
    }

    /// Adds an entry; `rest` is not below that of the last one. Two hashes that share what is kept of them
    /// are one entry, of the one that was found more often.
    pub(crate) fn push(&mut self, rest: u64, count: Count) {
        let [_, _, _, rest @ ..] = rest.to_be_bytes();
        match self.0.as_chunks_mut::<ENTRY>().0.last_mut() {
            Some([last @ .., found]) if *last == rest => *found = count.byte().max(*found),
            _ => {
                self.0.extend(rest);
                self.0.push(count.byte());
            }
        }
    }

    /// How often the hash with this rest was found.
    pub(crate) fn find(&self, rest: u64) -> Option<Count> {
        let [_, _, _, rest @ ..] = rest.to_be_bytes();
        let entries = self.0.as_chunks::<ENTRY>().0;
        let at = entries.binary_search_by(|[own @ .., _]| own.cmp(&rest)).ok()?;
        entries.get(at).and_then(|[.., count]| Count::from_byte(*count))
    }

    /// Rests and counts, in order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (u64, u8)> {
        self.0.as_chunks::<ENTRY>().0.iter().map(|[a, b, c, d, e, count]| {
            (u64::from_be_bytes([0, 0, 0, *a, *b, *c, *d, *e]), *count)
        })
    }

    /// Its memory, for the next one.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len() / ENTRY
    }

    /// Its bytes in the file; it is empty afterwards.
    pub(crate) fn take(&mut self, prefix: Prefix, to: &mut Vec<u8>) {
        let check = checksum(prefix, &self.0);
        to.append(&mut self.0);
        to.extend(check);
    }
}

/// Knows a byte that fell over, and a bucket in the place of another. It is no protection from somebody who
/// means to deceive; that is the digest in the head.
fn checksum(prefix: Prefix, entries: &[u8]) -> [u8; CHECK] {
    const { assert!(CHECK == REST - 1, "a CRC-32") };
    let mut crc = crc32fast::Hasher::new();
    crc.update(&prefix.number().to_le_bytes());
    crc.update(entries);
    crc.finalize().to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(of: u64) -> Count {
        Count::of(of).unwrap()
    }

    #[test]
    fn what_was_pushed_is_found() {
        let prefix = Prefix::at(7).unwrap();
        let mut bucket = Bucket::default();
        for (rest, found) in [(0, 1), (5, 3), (5, 2), (6, 2), (6, 9), ((1 << 40) - 1, 100)] {
            bucket.push(rest, count(found));
        }
        assert_eq!(bucket.len(), 4);
        let mut bytes = Vec::new();
        bucket.take(prefix, &mut bytes);
        assert_eq!((bucket.len(), bytes.len()), (0, 4 * ENTRY + CHECK));
        let bucket = Bucket::read(prefix, bytes).unwrap();
        let check = |rest: u64, found: Option<u64>| {
            assert_eq!(bucket.find(rest), found.and_then(Count::of), "{rest}");
        };
        check(0, Some(1));
        check(1, None);
        check(5, Some(3));
        check(6, Some(9));
        check((1 << 40) - 1, Some(100));
        check((1 << 40) - 2, None);
    }

    #[test]
    fn what_was_changed_is_not_read() {
        let prefix = Prefix::at(7).unwrap();
        let mut bucket = Bucket::default();
        bucket.push(5, count(1));
        bucket.push(6, count(1));
        let mut bytes = Vec::new();
        bucket.take(prefix, &mut bytes);
        assert!(Bucket::read(prefix, bytes.clone()).is_some());
        assert!(Bucket::read(Prefix::at(8).unwrap(), bytes.clone()).is_none());
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(Bucket::read(prefix, changed).is_none(), "{bit}");
        }
        for length in 0..bytes.len() {
            assert!(Bucket::read(prefix, bytes[..length].to_vec()).is_none(), "{length}");
        }
    }
}
