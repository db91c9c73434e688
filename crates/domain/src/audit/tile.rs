//! Which tile is which: the coordinates and paths of C2SP tlog-tiles. A tile of hashes holds up to
//! 256 of one height, a bundle the entries under a tile of level 0. Not here: what is in them.

use std::fmt;

/// How many hashes a full tile has.
pub const WIDTH: u64 = 256;

/// How many levels of nodes one tile spans: `2^8` is its width.
pub(super) const HEIGHT: u32 = 8;

/// The highest level that a tree of 64-bit sizes can have.
const HIGHEST: u8 = 7;

/// A tile by its place. At level 0 are the hashes of leaves, above each level the roots of the full
/// tiles below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    pub level: u8,
    pub n: u64,
}

/// The tiles at the right edge of a tree that are not full: the ones that appending continues, and
/// all that the root is made of.
pub fn edge(size: u64) -> Vec<TileId> {
    let partial = |level| {
        let hashes = at_level(size, level);
        (!hashes.is_multiple_of(WIDTH)).then_some(TileId { level, n: hashes / WIDTH })
    };
    (0..=HIGHEST).filter_map(partial).collect()
}

/// All tiles of a tree of this size with their widths, level by level.
pub fn all(size: u64) -> impl Iterator<Item = (TileId, u64)> {
    (0..=HIGHEST).flat_map(move |level| {
        let hashes = at_level(size, level);
        let tiles = hashes.div_ceil(WIDTH);
        (0..tiles).map(move |n| (TileId { level, n }, WIDTH.min(hashes - n * WIDTH)))
    })
}

/// How wide a tile is in a tree of this size; 0 if the tree has no such tile.
pub fn width(tile: TileId, size: u64) -> u64 {
    let before = tile.n.saturating_mul(WIDTH);
    at_level(size, tile.level).saturating_sub(before).min(WIDTH)
}

/// How many hashes a tree of this size has at a level of tiles.
fn at_level(size: u64, level: u8) -> u64 {
    size.checked_shr(HEIGHT * u32::from(level)).unwrap_or(0)
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// Hashes: `tile/<level>/<n>`.
    Hashes(TileId),
    /// Entries: `tile/entries/<n>`.
    Entries(u64),
}

/// The path of a tile or bundle, with its width: 1 to 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TilePath {
    pub resource: Resource,
    width: u16,
}

impl TilePath {
    /// `None` if the width is not one that a tile can have, or the level too high.
    pub fn new(resource: Resource, width: u64) -> Option<Self> {
        let level = match resource {
            Resource::Hashes(tile) => tile.level,
            Resource::Entries(_) => 0,
        };
        let width = u16::try_from(width).ok().filter(|width| (1..=256).contains(width))?;
        (level <= HIGHEST).then_some(Self { resource, width })
    }

    /// How many hashes or entries it has.
    pub fn width(self) -> u64 {
        u64::from(self.width)
    }

    /// Reads the text that [`fmt::Display`] writes, and no other spelling of it.
    pub fn parse(path: &str) -> Option<Self> {
        let (kind, place) = path.strip_prefix("tile/")?.split_once('/')?;
        let (number, width) = match place.split_once(".p/") {
            Some((number, width)) => (number, width.parse().ok()?),
            None => (place, WIDTH),
        };
        let n = parse_number(number)?;
        let resource = match kind {
            "entries" => Resource::Entries(n),
            level => Resource::Hashes(TileId { level: level.parse().ok()?, n }),
        };
        // Leading zeros, signs and the like: what would be written differently is not a path.
        Self::new(resource, width).filter(|read| read.to_string() == path)
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = match self.resource {
            Resource::Hashes(tile) => {
                write!(f, "tile/{}/", tile.level)?;
                tile.n
            }
            Resource::Entries(n) => {
                f.write_str("tile/entries/")?;
                n
            }
        };
        write_number(f, n)?;
        if u64::from(self.width) < WIDTH { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

/// In groups of three digits, all but the last marked by an `x`: `x001/x234/067`.
fn write_number(f: &mut fmt::Formatter<'_>, n: u64) -> fmt::Result {
    let mut groups = vec![n % 1000];
    let mut rest = n / 1000;
    while rest > 0 {
        groups.push(rest % 1000);
        rest /= 1000;
    }
    for (place, group) in groups.iter().enumerate().rev() {
        if place > 0 {
            write!(f, "x{group:03}/")?;
        } else {
            write!(f, "{group:03}")?;
        }
    }
    Ok(())
}

fn parse_number(text: &str) -> Option<u64> {
    text.split('/').try_fold(0_u64, |n, group| {
        let digits: u64 = group.strip_prefix('x').unwrap_or(group).parse().ok()?;
        n.checked_mul(1000)?.checked_add(digits)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(level: u8, n: u64) -> Resource {
        Resource::Hashes(TileId { level, n })
    }

    #[test]
    fn paths_are_those_of_the_specification() {
        let check = |resource, width, path: &str| {
            let tile = TilePath::new(resource, width).unwrap();
            assert_eq!(tile.to_string(), path);
            assert_eq!(TilePath::parse(path), Some(tile), "{path}");
        };
        check(hashes(0, 0), 256, "tile/0/000");
        check(hashes(0, 1_234_067), 256, "tile/0/x001/x234/067");
        check(hashes(0, 1067), 256, "tile/0/x001/067");
        check(hashes(0, 273), 112, "tile/0/273.p/112");
        check(hashes(1, 1), 17, "tile/1/001.p/17");
        check(hashes(2, 0), 1, "tile/2/000.p/1");
        check(Resource::Entries(1_234_067), 256, "tile/entries/x001/x234/067");
        check(Resource::Entries(999), 255, "tile/entries/999.p/255");
        check(Resource::Entries(1000), 1, "tile/entries/x001/000.p/1");
    }

    #[test]
    fn other_spellings_are_no_paths() {
        let wrong = [
            "",
            "checkpoint",
            "tile/0",
            "tile/0/0",
            "tile/0/1000",
            "tile/00/000",
            "tile/+1/000",
            "tile/8/000",
            "tile/data/000",
            "tile/0/x000/001",
            "tile/0/001/067",
            "tile/0/x001",
            "tile/0/xx001/067",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/+1",
            "tile/0/../000",
            "/tile/0/000",
            "tile/0/000/",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
        ];
        for path in wrong {
            assert_eq!(TilePath::parse(path), None, "{path}");
        }
        assert_eq!(TilePath::new(hashes(0, 0), 0), None);
        assert_eq!(TilePath::new(hashes(0, 0), 257), None);
        assert_eq!(TilePath::new(hashes(8, 0), 1), None);
    }

    #[test]
    fn a_tree_has_the_tiles_of_the_specifications_example() {
        let mut count = [(0, 0), (0, 0), (0, 0)];
        for (tile, width) in all(70_000) {
            assert_eq!(super::width(tile, 70_000), width);
            let (full, partial) = &mut count[usize::from(tile.level)];
            if width == WIDTH { *full += 1 } else { *partial = width }
        }
        assert_eq!(count, [(273, 112), (1, 17), (0, 1)]);
        assert_eq!(
            all(256).collect::<Vec<_>>(),
            [(TileId { level: 0, n: 0 }, 256), (TileId { level: 1, n: 0 }, 1)]
        );
        assert_eq!(all(0).count(), 0);
    }

    #[test]
    fn the_edge_is_what_is_partial() {
        for size in [0, 1, 255, 256, 257, 65_535, 65_536, 65_537, 70_000] {
            let partial: Vec<_> =
                all(size).filter(|(_, width)| *width < WIDTH).map(|(tile, _)| tile).collect();
            assert_eq!(edge(size), partial, "{size}");
        }
        assert_eq!(edge(u64::MAX).len(), 8);
        assert_eq!(width(TileId { level: 0, n: u64::MAX }, u64::MAX), 0);
        assert_eq!(width(TileId { level: 9, n: 0 }, u64::MAX), 0);
    }
}
