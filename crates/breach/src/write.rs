//! The bytes of an index behind its head, from hashes in order. Knows no files: what it writes to, and
//! where the hashes come from, are given.

use std::io::{self, Write};

use aws_lc_rs::digest::Context;

use crate::bucket::Bucket;
use crate::head::Digest;
use crate::{Count, Prefix, Sha1, table};

/// Why a hash cannot follow the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Disorder {
    #[error("is not behind the one before it: the file that is ordered by hash is needed")]
    Order,
    #[error(
        "is one too many: an index holds 4,294,967,295; leave rare ones out with a least count"
    )]
    TooMany,
}

/// Takes hashes, gives bytes.
pub(crate) struct Writer<W> {
    to: W,
    hasher: Context,
    min_count: u64,
    /// How many entries stand before each closed bucket, and before the one that is open.
    starts: Vec<u32>,
    open: Bucket,
    last: Option<Sha1>,
    /// Kept for its memory.
    spare: Vec<u8>,
}

/// What was written.
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(crate) struct Written<W> {
    pub(crate) to: W,
    pub(crate) entries: u64,
    /// How many buckets have no entry.
    pub(crate) empty_prefixes: usize,
    /// Of all that was written.
    pub(crate) digest: Digest,
}

impl<W: Write> Writer<W> {
    /// Goes on behind buckets that are written, or behind none: `starts` as [`Self::starts`] was, at first
    /// 0 alone, and a hasher that had their bytes. Hashes that were found fewer than `min_count` times, or
    /// never, are passed over.
    pub(crate) fn go_on(to: W, min_count: u64, starts: Vec<u32>, hasher: Context) -> Self {
        let (open, spare) = (Bucket::default(), Vec::new());
        Self { to, hasher, min_count: min_count.max(1), starts, open, last: None, spare }
    }

    /// Takes the next hash.
    pub(crate) fn push(&mut self, hash: Sha1, count: u64) -> io::Result<Result<(), Disorder>> {
        let number = hash.prefix().number();
        let is_behind = self.last.is_none_or(|last| last < hash) && number >= self.number();
        if !is_behind {
            return Ok(Err(Disorder::Order));
        }
        self.last = Some(hash);
        let kept = Count::of(count).filter(|_| count >= self.min_count);
        if let Some(count) = kept {
            self.close_below(number)?;
            self.open.push(hash.rest(), count);
            if self.after().is_none() {
                return Ok(Err(Disorder::TooMany));
            }
        }
        Ok(Ok(()))
    }

    /// Closes all buckets below a number.
    pub(crate) fn close_below(&mut self, number: u32) -> io::Result<()> {
        while self.number() < number {
            self.close()?;
        }
        Ok(())
    }

    /// How many entries stand before each closed bucket, and before the one that is open.
    pub(crate) fn starts(&self) -> &[u32] {
        &self.starts
    }

    /// What the bytes of the closed buckets went to.
    pub(crate) fn target(&mut self) -> &mut W {
        &mut self.to
    }

    /// Closes all buckets and writes the table.
    pub(crate) fn finish(mut self) -> io::Result<Written<W>> {
        self.close_below(Prefix::COUNT)?;
        let rows = table::bytes(&self.starts);
        self.hasher.update(&rows);
        self.to.write_all(&rows)?;
        self.to.flush()?;
        let mut digest = [0; 32];
        digest.copy_from_slice(self.hasher.finish().as_ref());
        let entries = self.starts.last().copied().unwrap_or_default();
        let is_empty = |[start, end]: &&[u32; 2]| start == end;
        Ok(Written {
            to: self.to,
            entries: u64::from(entries),
            empty_prefixes: self.starts.array_windows().filter(is_empty).count(),
            digest: Digest(digest),
        })
    }

    /// That of the bucket that is open.
    fn number(&self) -> u32 {
        u32::try_from(self.starts.len() - 1).unwrap_or(Prefix::COUNT)
    }

    /// How many entries there are with those of the open bucket, if a table can say so.
    fn after(&self) -> Option<u32> {
        self.starts.last()?.checked_add(u32::try_from(self.open.len()).ok()?)
    }

    fn close(&mut self) -> io::Result<()> {
        let fault = || io::Error::other("there is no such bucket");
        let prefix = Prefix::at(self.number()).ok_or_else(fault)?;
        let after = self.after().ok_or_else(fault)?;
        self.spare.clear();
        self.open.take(prefix, &mut self.spare);
        self.hasher.update(&self.spare);
        self.to.write_all(&self.spare)?;
        self.starts.push(after);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::SHA256;

    use super::*;

    fn begin<W: Write>(to: W, min_count: u64) -> Writer<W> {
        Writer::go_on(to, min_count, vec![0], Context::new(&SHA256))
    }

    fn hash(first: u32, last: u8) -> Sha1 {
        let mut bytes = [0; 20];
        bytes[..4].copy_from_slice(&(first << 12).to_be_bytes());
        bytes[19] = last;
        Sha1::from_bytes(bytes)
    }

    #[test]
    fn hashes_come_in_order_each_once() {
        let check = |hashes: &[Sha1], expected: Result<(), Disorder>| {
            let mut writer = begin(io::sink(), 1);
            let mut pushed = hashes.iter().map(|hash| writer.push(*hash, 1).unwrap());
            assert_eq!(pushed.try_for_each(|pushed| pushed), expected);
        };
        check(&[hash(1, 0), hash(1, 1), hash(2, 0), hash(0xF_FFFF, 9)], Ok(()));
        check(&[hash(1, 1), hash(1, 0)], Err(Disorder::Order));
        check(&[hash(1, 1), hash(1, 1)], Err(Disorder::Order));
        check(&[hash(2, 0), hash(1, 0)], Err(Disorder::Order));
        // Those that are passed over have their order too.
        let mut writer = begin(io::sink(), 5);
        assert_eq!(writer.push(hash(2, 0), 1).unwrap(), Ok(()));
        assert_eq!(writer.push(hash(1, 0), 9).unwrap(), Err(Disorder::Order));
    }

    #[test]
    fn what_goes_on_is_what_would_have_been() {
        let all = [(hash(0, 1), 3), (hash(7, 1), 1), (hash(7, 2), 4), (hash(0xF_FFFF, 1), 9)];
        let mut whole = begin(Vec::new(), 2);
        let mut first = begin(Vec::new(), 2);
        for (hash, count) in all {
            whole.push(hash, count).unwrap().unwrap();
        }
        for (hash, count) in &all[..1] {
            first.push(*hash, *count).unwrap().unwrap();
        }
        first.close_below(7).unwrap();
        let (starts, written) = (first.starts().to_vec(), first.target().clone());
        let mut hasher = Context::new(&SHA256);
        hasher.update(&written);
        let mut rest = Writer::go_on(written, 2, starts, hasher);
        assert_eq!(rest.push(hash(6, 1), 1).unwrap(), Err(Disorder::Order));
        for (hash, count) in &all[1..] {
            rest.push(*hash, *count).unwrap().unwrap();
        }
        let (rest, whole) = (rest.finish().unwrap(), whole.finish().unwrap());
        assert!(rest == whole);
        assert_eq!((whole.entries, whole.empty_prefixes), (3, (1 << 20) - 3));
    }

    #[test]
    fn a_table_counts_no_further_than_it_can() {
        let starts = vec![0, u32::MAX - 1];
        let mut writer = Writer::go_on(io::sink(), 1, starts, Context::new(&SHA256));
        assert_eq!(writer.push(hash(1, 0), 1).unwrap(), Ok(()));
        let mut more = Sha1::of(b"").suffix().into_bytes();
        more.splice(0..0, *b"00002");
        assert_eq!(writer.push(Sha1::parse(&more).unwrap(), 1).unwrap(), Err(Disorder::TooMany));
    }
}
