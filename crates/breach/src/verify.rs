//! All of an index, read once: every checksum, every order, the digest of it all; and figures of what is
//! in it.

use std::io::Read as _;

use aws_lc_rs::digest::{Context, SHA256};

use crate::bucket::Bucket;
use crate::table::{CHECK, ENTRY};
use crate::{Count, Index, NotAnIndex, Prefix, Progress, table};

/// Where an index is not what it should be. `prefix` is the five digits that all hashes there begin with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    #[error("what stands below {prefix} is not what was written there")]
    Checksum { prefix: String },
    #[error("what stands below {prefix} is out of order")]
    Order { prefix: String },
    #[error("below {prefix} stands a password that was found too seldom to be in it")]
    Count { prefix: String },
    #[error("it is not what its head was made for")]
    Digest,
}

/// What is in an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// How many passwords.
    pub entries: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Passwords of the prefix with the fewest.
    pub smallest: u32,
    /// Passwords of the prefix with the most.
    pub largest: u32,
    /// How many were found how often.
    counts: Vec<u64>,
}

/// How often it is said how far it is, in buckets.
const TOLD_EVERY: u32 = 1024;

pub(crate) fn whole(index: &Index, progress: &Progress) -> Result<Statistics, NotAnIndex> {
    let head = index.head();
    let mut hasher = Context::new(&SHA256);
    let mut counts = vec![0; 256];
    let (mut bytes, mut entries) = (Vec::new(), 0);
    let mut from = index.behind_head();
    progress.begin(u64::from(Prefix::COUNT));
    for prefix in (0..Prefix::COUNT).filter_map(Prefix::at) {
        let place = index.table().place(prefix).ok_or(NotAnIndex::Table)?;
        bytes.resize(place.bytes, 0);
        from.read_exact(&mut bytes)?;
        hasher.update(&bytes);
        let length = bytes.len();
        bytes = look(prefix, bytes, head.min_count, &mut counts).map_err(NotAnIndex::Damaged)?;
        entries += (length - CHECK) as u64 / ENTRY as u64;
        if prefix.number().is_multiple_of(TOLD_EVERY) {
            progress.at(u64::from(prefix.number()), entries);
        }
        if progress.is_stopped() {
            return Err(NotAnIndex::Stopped);
        }
    }
    bytes.resize(table::TABLE, 0);
    from.read_exact(&mut bytes)?;
    hasher.update(&bytes);
    progress.at(u64::from(Prefix::COUNT), entries);
    if hasher.finish().as_ref() != head.digest.0 {
        return Err(NotAnIndex::Damaged(Damage::Digest));
    }
    let (smallest, largest) = index.table().extent();
    let bytes = table::begins(entries).unwrap_or_default() + table::TABLE as u64;
    Ok(Statistics { entries, bytes, smallest, largest, counts })
}

/// Judges a bucket and counts what is in it; gives its memory back.
fn look(
    prefix: Prefix,
    bytes: Vec<u8>,
    min_count: u64,
    counts: &mut [u64],
) -> Result<Vec<u8>, Damage> {
    let name = || prefix.digits();
    let bucket = Bucket::read(prefix, bytes).ok_or_else(|| Damage::Checksum { prefix: name() })?;
    if !bucket.entries().is_sorted_by(|(one, _), (other, _)| one < other) {
        return Err(Damage::Order { prefix: name() });
    }
    let least = Count::of(min_count).map_or(1, Count::byte);
    for (_, count) in bucket.entries() {
        if count < least {
            return Err(Damage::Count { prefix: name() });
        }
        if let Some(sum) = counts.get_mut(usize::from(count)) {
            *sum += 1;
        }
    }
    Ok(bucket.into_bytes())
}

impl Statistics {
    /// How many were found at least so often, as exactly as counts are kept, and how many bytes an index of
    /// those alone would have.
    pub fn found_at_least(&self, count: u64) -> (u64, u64) {
        let from = Count::of(count).map_or(0, |count| usize::from(count.byte()));
        let entries = self.counts.get(from..).unwrap_or_default().iter().sum();
        (entries, table::begins(entries).unwrap_or_default() + table::TABLE as u64)
    }
}
