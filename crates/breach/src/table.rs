//! Where what stands in an index: a head, the buckets in order, and a table of where each begins.
//!
//! ```text
//! head     4096 bytes
//! bucket   for each of 2^20 prefixes: its entries, and 4 bytes of a checksum over them
//!   entry  6 bytes: bits 20 to 59 of the hash, then how often it was found
//! table    2^20 + 1 numbers of 4 bytes: how many entries stand before each bucket, and how many there are
//! ```
//!
//! Numbers in entries have the highest byte first, so that their order is that of the bytes; in the table
//! the lowest.

use crate::Prefix;
use crate::head::PAGE;

/// Bytes of an entry.
pub(crate) const ENTRY: usize = 6;
/// Bytes of a checksum.
pub(crate) const CHECK: usize = 4;
/// Bytes of a row of the table.
const ROW: usize = 4;
const BUCKETS: usize = 1 << 20;
/// Bytes of the table.
pub(crate) const TABLE: usize = (BUCKETS + 1) * ROW;

/// How many entries stand before each bucket, then how many there are.
pub(crate) struct Table(Vec<u32>);

/// A bucket in the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) position: u64,
    /// With its checksum.
    pub(crate) bytes: usize,
}

impl Table {
    /// Reads the bytes that [`bytes`] made. None if they are those of no index with so many entries.
    pub(crate) fn parse(bytes: &[u8], entries: u64) -> Option<Self> {
        let rows = bytes.as_chunks().0.iter().map(|row| u32::from_le_bytes(*row));
        let starts: Vec<u32> = rows.collect();
        let ends_well = starts.last().is_some_and(|last| u64::from(*last) == entries);
        let is_one = bytes.len() == TABLE && starts.first() == Some(&0) && ends_well;
        (is_one && starts.is_sorted()).then_some(Self(starts))
    }

    /// Where the bucket of a prefix is.
    pub(crate) fn place(&self, prefix: Prefix) -> Option<Place> {
        let index = prefix.index();
        let (start, end) = (self.0.get(index)?, self.0.get(index + 1)?);
        let entries = usize::try_from(end - start).ok()?;
        let before = u64::try_from(index).ok()? * CHECK as u64;
        Some(Place {
            position: PAGE as u64 + u64::from(*start) * ENTRY as u64 + before,
            bytes: entries * ENTRY + CHECK,
        })
    }

    /// How many entries a bucket has: of the smallest one and of the largest.
    pub(crate) fn extent(&self) -> (u32, u32) {
        let sizes = || self.0.array_windows().map(|[start, end]| end - start);
        (sizes().min().unwrap_or_default(), sizes().max().unwrap_or_default())
    }
}

/// The table of these starts.
pub(crate) fn bytes(starts: &[u32]) -> Vec<u8> {
    starts.iter().flat_map(|start| start.to_le_bytes()).collect()
}

/// Where the table begins, in an index with so many entries. None if no file is as large.
pub(crate) fn begins(entries: u64) -> Option<u64> {
    let buckets = (BUCKETS * CHECK) as u64;
    entries.checked_mul(ENTRY as u64)?.checked_add(PAGE as u64 + buckets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(of: impl Fn(usize) -> u32) -> Vec<u32> {
        (0..=BUCKETS).map(of).collect()
    }

    #[test]
    fn a_table_rises_from_nothing_to_all_entries() {
        let check = |starts: &[u32], entries: u64, good: bool| {
            assert_eq!(Table::parse(&bytes(starts), entries).is_some(), good);
        };
        let even = starts(|index| u32::try_from(index * 2).unwrap());
        let all = 2 * BUCKETS as u64;
        check(&even, all, true);
        check(&even, all - 1, false);
        check(&even[1..], all, false);
        check(&starts(|_| 0), 0, true);
        check(&starts(|_| 1), 1, false);
        let mut falls = even.clone();
        falls.swap(7, 8);
        check(&falls, all, false);
        assert!(Table::parse(&bytes(&even)[..TABLE - 1], all).is_none());
        assert!(Table::parse(b"", 0).is_none());
    }

    #[test]
    fn buckets_follow_one_another() {
        let table = starts(|index| u32::try_from(index / 3).unwrap());
        let entries = u64::from(*table.last().unwrap());
        let table = Table::parse(&bytes(&table), entries).unwrap();
        let mut next = PAGE as u64;
        for number in 0..Prefix::COUNT {
            let place = table.place(Prefix::at(number).unwrap()).unwrap();
            assert_eq!(place.position, next);
            next += place.bytes as u64;
        }
        assert_eq!(begins(entries), Some(next));
        assert_eq!(begins(u64::MAX), None);
        assert_eq!(table.extent(), (0, 1));
    }
}
