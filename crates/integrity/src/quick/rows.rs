//! What is known of files, as bytes: blocks of rows in the order of paths, each with a MAC over it and
//! the MAC before it. A block is believed before any row of it is used, and memory does not grow with
//! their number. Not here: what is done with a row.

use std::cmp::Ordering;
use std::io::{self, Read, Write};

use aws_lc_rs::hmac;

use super::{Known, Unused, derived};
use crate::entry::Owner;
use crate::look::Inode;
use crate::path::order;
use crate::{Beginning, Digest};

/// What the first block begins with, with the version of the format.
const FIRST: &[u8; 19] = b"portcullis quick 1\n";
const PURPOSE: &[u8] = b"what is known of files";
/// A block is ended when it has so many bytes; a row is far smaller.
const FULL: usize = 48 * 1024;
const LARGEST: usize = 64 * 1024;
const MAC: usize = 32;

/// Under what the rows were kept: what must be so again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Under<'q> {
    pub(crate) era: &'q str,
    /// Device and mounting.
    pub(crate) mounted: (u64, u64),
    /// When the scan began.
    pub(crate) now: i64,
}

/// Blocks that follow from each other.
struct Chain {
    key: hmac::Key,
    last: [u8; MAC],
}

impl Chain {
    fn new(key: &[u8; 32]) -> Self {
        Self { key: derived(key, PURPOSE), last: [0; MAC] }
    }

    fn context(&self, block: &[u8]) -> hmac::Context {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&self.last);
        context.update(block);
        context
    }

    fn next(&mut self, block: &[u8]) -> [u8; MAC] {
        let tag = self.context(block).sign();
        self.last.copy_from_slice(tag.as_ref());
        self.last
    }
}

/// Rows that were kept, one after the other.
pub(crate) struct Rows<R> {
    from: R,
    chain: Chain,
    block: Vec<u8>,
    /// Where the next row of the block is.
    at: usize,
    /// A row that was read and not asked for yet.
    waiting: Option<Known>,
    pub(crate) unused: Option<Unused>,
}

impl<R: Read> Rows<R> {
    /// Opens what was kept. What was kept under other circumstances is not used.
    pub(crate) fn open(from: R, key: &[u8; 32], under: &Under<'_>) -> Self {
        let chain = Chain::new(key);
        let mut rows = Self { from, chain, block: Vec::new(), at: 0, waiting: None, unused: None };
        if let Err(unused) = rows.open_under(under) {
            rows.refuse(unused);
        }
        rows
    }

    /// Uses nothing more.
    pub(crate) fn refuse(&mut self, unused: Unused) {
        self.unused.get_or_insert(unused);
        self.block.clear();
        self.at = 0;
    }

    fn open_under(&mut self, under: &Under<'_>) -> Result<(), Unused> {
        match self.next_block() {
            Ok(true) => {}
            Ok(false) => return Err(Unused::Nothing),
            Err(Forged) => return Err(Unused::Forged),
        }
        let mut fields = Fields(self.block.strip_prefix(FIRST).ok_or(Unused::Forged)?);
        let was = fields.under().ok_or(Unused::Forged)?;
        self.at = self.block.len();
        match under {
            Under { era, .. } if *era != was.era => Err(Unused::Era),
            Under { mounted, .. } if *mounted != was.mounted => Err(Unused::Mount),
            Under { now, .. } if *now < was.now => Err(Unused::Clock),
            Under { .. } => Ok(()),
        }
    }

    /// What is known of a path. They are asked for in order.
    pub(crate) fn find(&mut self, path: &[u8]) -> Option<Known> {
        loop {
            let known = match self.waiting.take() {
                Some(known) => known,
                None => self.next()?,
            };
            match order(&known.path, path) {
                Ordering::Less => {}
                Ordering::Equal => return Some(known),
                Ordering::Greater => {
                    self.waiting = Some(known);
                    return None;
                }
            }
        }
    }

    fn next(&mut self) -> Option<Known> {
        if self.unused.is_some() {
            return None;
        }
        if self.at >= self.block.len() {
            match self.next_block() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(Forged) => {
                    self.refuse(Unused::Forged);
                    return None;
                }
            }
        }
        let mut fields = Fields(self.block.get(self.at..).unwrap_or_default());
        let known = fields.known();
        self.at = self.block.len() - fields.0.len();
        if known.is_none() {
            self.refuse(Unused::Forged);
        }
        known
    }

    /// Whether there is another block, which is then that of whoever has the key.
    fn next_block(&mut self) -> Result<bool, Forged> {
        let mut length = [0; 4];
        match self.from.read(&mut length[..1]) {
            Ok(0) => return Ok(false),
            Ok(_) => {}
            Err(_) => return Err(Forged),
        }
        self.from.read_exact(&mut length[1..]).map_err(|_| Forged)?;
        let length = usize::try_from(u32::from_le_bytes(length)).map_err(|_| Forged)?;
        if length == 0 || length > LARGEST {
            return Err(Forged);
        }
        self.block.resize(length, 0);
        let mut mac = [0; MAC];
        self.from.read_exact(&mut self.block).map_err(|_| Forged)?;
        self.from.read_exact(&mut mac).map_err(|_| Forged)?;
        let expected = self.chain.next(&self.block);
        aws_lc_rs::constant_time::verify_slices_are_equal(&expected, &mac).map_err(|_| Forged)?;
        self.at = 0;
        Ok(true)
    }
}

/// It was not written with the key, or is cut off.
struct Forged;

/// Keeps rows, which come in the order of paths.
pub(crate) struct Keeper<W> {
    to: W,
    chain: Chain,
    block: Vec<u8>,
    fault: Option<io::Error>,
}

impl<W: Write> Keeper<W> {
    pub(crate) fn new(to: W, key: &[u8; 32], under: &Under<'_>) -> Self {
        let mut keeper = Self { to, chain: Chain::new(key), block: Vec::new(), fault: None };
        keeper.block.extend(FIRST);
        keeper.bytes(under.era.as_bytes());
        keeper.block.extend(under.mounted.0.to_le_bytes());
        keeper.block.extend(under.mounted.1.to_le_bytes());
        keeper.block.extend(under.now.to_le_bytes());
        keeper.end_block();
        keeper
    }

    pub(crate) fn keep(&mut self, known: &Known) {
        self.bytes(&known.path);
        let Inode { device, number, links, size, modified, changed } = known.inode;
        self.block.extend(device.to_le_bytes());
        self.block.extend(number.to_le_bytes());
        self.block.extend(links.to_le_bytes());
        self.block.extend(size.to_le_bytes());
        self.block.extend(modified.to_le_bytes());
        self.block.extend(changed.to_le_bytes());
        self.block.extend(known.mode.to_le_bytes());
        self.block.extend(known.owner.uid.to_le_bytes());
        self.block.extend(known.owner.gid.to_le_bytes());
        self.block.extend(known.read_at.to_le_bytes());
        self.block.extend(known.digest.as_bytes());
        self.bytes(known.begins.bytes());
        self.block.push(u8::from(known.attributes.is_some()));
        self.block.extend(known.attributes.iter().flat_map(Digest::as_bytes));
        if self.block.len() >= FULL {
            self.end_block();
        }
    }

    /// What they were written to, if all could be.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.end_block();
        match self.fault {
            Some(fault) => Err(fault),
            None => self.to.flush().map(|()| self.to),
        }
    }

    /// So many bytes, and the bytes. What is too long for a path ends up unknown, which is safe.
    fn bytes(&mut self, bytes: &[u8]) {
        let length = u16::try_from(bytes.len()).unwrap_or(0);
        self.block.extend(length.to_le_bytes());
        self.block.extend(bytes.iter().take(usize::from(length)));
    }

    fn end_block(&mut self) {
        if self.block.is_empty() || self.fault.is_some() {
            self.block.clear();
            return;
        }
        let length = u32::try_from(self.block.len()).unwrap_or(0);
        let mac = self.chain.next(&self.block);
        let parts = [&length.to_le_bytes()[..], &self.block, &mac];
        self.fault = parts.iter().try_for_each(|part| self.to.write_all(part)).err();
        self.block.clear();
    }
}

/// What is left of a block.
struct Fields<'b>(&'b [u8]);

impl<'b> Fields<'b> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    fn bytes(&mut self) -> Option<&'b [u8]> {
        let length = usize::from(u16::from_le_bytes(self.take()?));
        let (first, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(first)
    }

    fn digest(&mut self) -> Option<Digest> {
        self.take().map(Digest::from_bytes)
    }

    fn under(&mut self) -> Option<Under<'b>> {
        let era = std::str::from_utf8(self.bytes()?).ok()?;
        let mounted = (u64::from_le_bytes(self.take()?), u64::from_le_bytes(self.take()?));
        Some(Under { era, mounted, now: i64::from_le_bytes(self.take()?) })
    }

    fn known(&mut self) -> Option<Known> {
        let path = self.bytes()?.to_vec();
        let inode = Inode {
            device: u64::from_le_bytes(self.take()?),
            number: u64::from_le_bytes(self.take()?),
            links: u32::from_le_bytes(self.take()?),
            size: u64::from_le_bytes(self.take()?),
            modified: i128::from_le_bytes(self.take()?),
            changed: i128::from_le_bytes(self.take()?),
        };
        let mode = u16::from_le_bytes(self.take()?);
        let uid = u32::from_le_bytes(self.take()?);
        let owner = Owner { uid, gid: u32::from_le_bytes(self.take()?) };
        let read_at = i64::from_le_bytes(self.take()?);
        let digest = self.digest()?;
        let begins = Beginning::of(self.bytes()?);
        let attributes = match self.take()? {
            [0] => None,
            _ => Some(self.digest()?),
        };
        Some(Known { path, inode, mode, owner, digest, begins, attributes, read_at })
    }
}
