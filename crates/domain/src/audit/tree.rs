//! The Merkle tree of RFC 9162, section 2.1 (the one of RFC 6962): its hashes, and the root of a
//! tree that only grows. Not here: the form in which hashes are stored (`tile`), and proofs.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A SHA-256 of the tree: of a leaf, of a node, or the root.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// How many bytes one has.
    pub const BYTES: usize = 32;

    /// From its bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// From bytes of unknown length; `None` unless there are 32.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Reads the text that [`fmt::Display`] writes, and no other spelling of it.
    pub fn parse(text: &str) -> Option<Self> {
        STANDARD.decode(text).ok().and_then(|bytes| Self::from_slice(&bytes))
    }

    /// Its 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Base64 with padding (RFC 4648, section 4), as checkpoints and proofs write it.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({})", hex::encode(self.0))
    }
}

/// The hash of an entry: `SHA-256(0x00 ‖ bytes)`.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    // One copy costs less than a context for two pieces.
    let mut bytes = Vec::with_capacity(1 + entry.len());
    bytes.push(0);
    bytes.extend_from_slice(entry);
    finished(&digest(&SHA256, &bytes))
}

/// The hash of a node: `SHA-256(0x01 ‖ left ‖ right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1; 1 + 2 * Hash::BYTES];
    let children = left.0.iter().chain(&right.0);
    bytes.iter_mut().skip(1).zip(children).for_each(|(to, from)| *to = *from);
    finished(&digest(&SHA256, &bytes))
}

/// The root of a tree without entries: the SHA-256 of nothing.
pub fn empty_root() -> Hash {
    finished(&digest(&SHA256, &[]))
}

/// The root over these hashes of leaves, or of any nodes of one height: `MTH` of the RFC.
pub fn root_of(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => empty_root(),
        [one] => *one,
        many => {
            let (left, right) = many.split_at(many.len().next_power_of_two() / 2);
            node_hash(&root_of(left), &root_of(right))
        }
    }
}

fn finished(digest: &aws_lc_rs::digest::Digest) -> Hash {
    let mut bytes = [0; Hash::BYTES];
    bytes.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    Hash(bytes)
}

/// A tree from its first entry on, of which only the roots of the complete subtrees are kept: one
/// for each bit of the size. Entries are pushed, and the root can be had at any time.
#[derive(Clone, Debug, Default)]
pub struct CompactRange {
    size: u64,
    /// From the largest subtree, on the left, to the smallest.
    roots: Vec<Hash>,
}

/// A subtree can only follow where the tree is a multiple of its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a subtree of height {height} cannot follow {size} entries")]
pub struct Misaligned {
    pub height: u32,
    pub size: u64,
}

impl CompactRange {
    /// A tree without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many entries there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds one entry.
    pub fn push(&mut self, leaf: Hash) {
        let grown = self.grow(0, leaf);
        debug_assert!(grown.is_some(), "no log has 2^64 entries");
    }

    /// Adds `2^height` entries by the root of their subtree.
    pub fn push_subtree(&mut self, height: u32, root: Hash) -> Result<(), Misaligned> {
        let misaligned = Misaligned { height, size: self.size };
        let aligned = height < u64::BITS && self.size.trailing_zeros() >= height;
        aligned.then(|| self.grow(height, root)).flatten().ok_or(misaligned)
    }

    /// The root now.
    pub fn root(&self) -> Hash {
        joined(&self.roots).unwrap_or_else(empty_root)
    }

    /// `None` where the number of entries would overflow.
    fn grow(&mut self, height: u32, mut hash: Hash) -> Option<()> {
        let size = self.size.checked_add(1 << height)?;
        // As in adding one to a binary number: every bit that is set carries.
        for _ in 0..(self.size >> height).trailing_ones() {
            hash = node_hash(&self.roots.pop()?, &hash);
        }
        self.roots.push(hash);
        self.size = size;
        Some(())
    }
}

/// The root over complete subtrees that lie side by side, the largest on the left.
pub(super) fn joined(roots: &[Hash]) -> Option<Hash> {
    roots.iter().rev().copied().reduce(|right, left| node_hash(&left, &right))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The eight entries of the reference trees of Certificate Transparency.
    pub(in crate::audit) const ENTRIES: [&str; 8] = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];

    /// The roots of the trees of the first none, one, … eight of them.
    pub(in crate::audit) const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    pub(in crate::audit) fn hash(hexadecimal: &str) -> Hash {
        Hash::from_slice(&hex::decode(hexadecimal).unwrap()).unwrap()
    }

    pub(in crate::audit) fn reference_leaves() -> Vec<Hash> {
        ENTRIES.iter().map(|entry| leaf_hash(&hex::decode(entry).unwrap())).collect()
    }

    /// Leaves that differ from each other.
    pub(in crate::audit) fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|index| leaf_hash(&index.to_be_bytes())).collect()
    }

    /// The definition of RFC 9162, section 2.1.1, word for word.
    pub(in crate::audit) fn naive_root(leaves: &[Hash]) -> Hash {
        match leaves.len() {
            0 => empty_root(),
            1 => leaves[0],
            n => {
                let mut k = 1;
                while k * 2 < n {
                    k *= 2;
                }
                node_hash(&naive_root(&leaves[..k]), &naive_root(&leaves[k..]))
            }
        }
    }

    #[test]
    fn hashes_are_those_of_the_reference_implementation() {
        let check = |found: Hash, hexadecimal: &str| assert_eq!(found, hash(hexadecimal));
        check(empty_root(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        check(leaf_hash(b""), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        check(
            leaf_hash(b"L123456"),
            "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56",
        );
        check(
            node_hash(&reference_leaves()[0], &reference_leaves()[1]),
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        );
    }

    #[test]
    fn roots_are_those_of_the_reference_trees() {
        let leaves = reference_leaves();
        let mut range = CompactRange::new();
        for (size, root) in ROOTS.iter().enumerate() {
            assert_eq!(root_of(&leaves[..size]), hash(root), "root_of, {size} entries");
            assert_eq!(range.root(), hash(root), "range, {size} entries");
            assert_eq!(range.size(), size as u64);
            leaves.get(size).into_iter().for_each(|leaf| range.push(*leaf));
        }
    }

    #[test]
    fn a_subtree_follows_only_where_it_fits() {
        let leaves = leaves(8);
        let mut range = CompactRange::new();
        range.push_subtree(2, root_of(&leaves[..4])).unwrap();
        range.push(leaves[4]);
        assert_eq!(
            range.push_subtree(1, root_of(&leaves[5..7])),
            Err(Misaligned { height: 1, size: 5 })
        );
        range.push(leaves[5]);
        range.push_subtree(1, root_of(&leaves[6..])).unwrap();
        assert_eq!(range.root(), naive_root(&leaves));
        assert!(range.push_subtree(64, leaves[0]).is_err());
        let mut full = CompactRange::new();
        full.push_subtree(63, leaves[0]).unwrap();
        assert!(full.push_subtree(63, leaves[0]).is_err(), "2^64 entries are too many");
    }

    #[test]
    fn a_hash_has_one_spelling() {
        let text = "TszzRgjTG6xce+z2AG31kAXYKBgQVtCSCE40HmuwBb0=";
        assert_eq!(Hash::parse(text).unwrap().to_string(), text);
        let wrong = ["", "TszzRgjTG6xce+z2AG31kAXYKBgQVtCSCE40HmuwBb0", "AAAA", &text[4..]];
        for spelling in wrong {
            assert_eq!(Hash::parse(spelling), None, "{spelling}");
        }
        // The two bits that base64 leaves over must be zero.
        assert_eq!(Hash::parse(&text.replace("b0=", "b1=")), None);
        assert_eq!(Hash::from_slice(&[0; 31]), None);
    }

    proptest! {
        #[test]
        fn pushing_comes_to_the_root_of_the_definition(size in 0_u64..700) {
            let leaves = leaves(size);
            let mut range = CompactRange::new();
            for leaf in &leaves {
                range.push(*leaf);
            }
            prop_assert_eq!(range.root(), naive_root(&leaves));
            prop_assert_eq!(root_of(&leaves), naive_root(&leaves));
        }
    }
}
