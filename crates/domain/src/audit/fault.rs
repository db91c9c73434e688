//! What verifying a log can find: each fault by its kind and its place. Not here: how they are found.

use std::collections::BTreeMap;
use std::fmt;

use super::entry::Person;
use super::tile::TileId;
use crate::time::Time;

/// One thing that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Entries from `first` to `last` are gone.
    Missing { first: u64, last: u64 },
    /// An entry is not what the tree has at its place.
    Altered { index: u64 },
    /// At this place stands an entry that says it belongs to another.
    Reordered { index: u64, says: u64 },
    /// Entries stand behind the end of the log.
    Stray { first: u64, count: u64 },
    /// The bytes are those of the tree, and are no entry.
    Unreadable { index: u64 },
    /// A column beside the entry, by which it is found, says something else than the entry.
    Column { index: u64, column: &'static str },
    /// A tile is not the one that belongs over its entries or tiles.
    Tile { tile: TileId },
    /// A tile is gone, or not as wide as it was.
    TileMissing { tile: TileId },
    /// Entries in this span were exchanged together with their tiles: what was signed at `until`, or
    /// is kept above them, is another log; up to `after` it is this one.
    Rewritten { after: u64, until: u64 },
    /// What was signed at this size is not this log, although what was signed later is.
    Inconsistent { size: u64, by: Witness },
    /// The log is shorter than what was signed of it: its end was cut off, or an older copy was
    /// brought back.
    Truncated { size: u64, signed: u64, by: Witness },
    /// A checkpoint is not signed by the key of the log.
    BadSignature { size: u64, by: Witness },
    /// Personal data is not what the entry commits to.
    PersonalAltered { index: u64, part: &'static str },
    /// Personal data is gone, and nobody erased it.
    PersonalMissing { index: u64, part: &'static str },
    /// There is personal data of which the entry knows nothing.
    PersonalStray { index: u64, part: &'static str },
    /// How often something happened is not what the entries say.
    Counts { hour: Time, name: String },
    /// Whoever a person is said to stand for is not whom he was made for, or his key is another.
    PersonAltered { person: Person },
    /// Rows wait for their place that this program did not write.
    PendingForged { count: u64 },
    /// Such rows were put aside, as this entry tells, and nobody has looked at them yet.
    PendingRejected { index: u64, count: u64 },
    /// A checkpoint says that it was made at a time that has not come yet.
    Future { size: u64, at: Time },
    /// Nothing was ever signed, although the first entry has been there for long enough.
    NeverSigned { since: Time },
    /// A trigger that keeps the log from being changed is not there, or is switched off.
    GuardMissing { name: &'static str },
}

/// Who says what the log was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Witness {
    /// A checkpoint that is kept with the log.
    Checkpoint,
    /// A note that is kept elsewhere.
    Anchor,
    /// The row that says how far the log is. It is not signed.
    Tree,
}

impl Fault {
    /// The stable word for the kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "missing",
            Self::Altered { .. } => "altered",
            Self::Reordered { .. } => "reordered",
            Self::Stray { .. } => "stray",
            Self::Unreadable { .. } => "unreadable",
            Self::Column { .. } => "columns",
            Self::Tile { .. } => "tile_altered",
            Self::TileMissing { .. } => "tile_missing",
            Self::Rewritten { .. } => "rewritten",
            Self::Inconsistent { .. } => "inconsistent",
            Self::Truncated { .. } => "truncated",
            Self::BadSignature { .. } => "bad_signature",
            Self::PersonalAltered { .. } => "personal_altered",
            Self::PersonalMissing { .. } => "personal_missing",
            Self::PersonalStray { .. } => "personal_stray",
            Self::Counts { .. } => "counts",
            Self::PersonAltered { .. } => "person_altered",
            Self::PendingForged { .. } => "pending_forged",
            Self::PendingRejected { .. } => "pending_rejected",
            Self::Future { .. } => "future",
            Self::NeverSigned { .. } => "never_signed",
            Self::GuardMissing { .. } => "guard_missing",
        }
    }

    /// The first entry that it is about, if it is about entries.
    pub fn index(&self) -> Option<u64> {
        match self {
            Self::Missing { first, .. } | Self::Stray { first, .. } => Some(*first),
            Self::Altered { index }
            | Self::Reordered { index, .. }
            | Self::Unreadable { index }
            | Self::Column { index, .. }
            | Self::PersonalAltered { index, .. }
            | Self::PersonalMissing { index, .. }
            | Self::PersonalStray { index, .. }
            | Self::PendingRejected { index, .. } => Some(*index),
            Self::Rewritten { after, .. } => Some(*after),
            Self::Truncated { size, .. } => Some(*size),
            Self::Inconsistent { .. }
            | Self::BadSignature { .. }
            | Self::Tile { .. }
            | Self::TileMissing { .. }
            | Self::Counts { .. }
            | Self::PersonAltered { .. }
            | Self::PendingForged { .. }
            | Self::Future { .. }
            | Self::NeverSigned { .. }
            | Self::GuardMissing { .. } => None,
        }
    }
}

/// A sentence without its full stop.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { first, last } if first == last => write!(f, "entry {first} is missing"),
            Self::Missing { first, last } => write!(f, "entries {first} to {last} are missing"),
            Self::Altered { index } => write!(f, "entry {index} was altered"),
            Self::Reordered { index, says } => {
                write!(f, "at {index} stands an entry that belongs at {says}")
            }
            Self::Stray { first, count } => {
                write!(f, "{count} entries stand behind the end of the log, the first at {first}")
            }
            Self::Unreadable { index } => write!(f, "entry {index} cannot be read"),
            Self::Column { index, column } => {
                write!(f, "the column {column} of entry {index} differs from the entry")
            }
            Self::Tile { tile } => write!(f, "tile {} of level {} was altered", tile.n, tile.level),
            Self::TileMissing { tile } => {
                write!(f, "tile {} of level {} is missing or cut off", tile.n, tile.level)
            }
            Self::Rewritten { after, until } => write!(
                f,
                "entries from {after} on, up to {until}, were exchanged together with their tiles"
            ),
            Self::Inconsistent { size, by } => {
                write!(f, "the {by} of {size} entries is of another log than this one")
            }
            Self::Truncated { size, signed, by } => write!(
                f,
                "the log ends after {size} entries, and the {by} is of {signed}: its end was cut \
                 off, or an older copy brought back"
            ),
            Self::BadSignature { size, by } => {
                write!(f, "the {by} of {size} entries is not signed by the key of the log")
            }
            Self::PersonalAltered { index, part } => {
                write!(f, "the personal data ({part}) of entry {index} was altered")
            }
            Self::PersonalMissing { index, part } => {
                write!(
                    f,
                    "the personal data ({part}) of entry {index} is gone, and nobody erased it"
                )
            }
            Self::PersonalStray { index, part } => {
                write!(
                    f,
                    "there is personal data ({part}) at entry {index} that does not belong there"
                )
            }
            Self::Counts { hour, name } => {
                write!(f, "the count of {name} in the hour of {} differs", hour.to_the_minute())
            }
            Self::PersonAltered { .. }
            | Self::PendingForged { .. }
            | Self::PendingRejected { .. }
            | Self::Future { .. }
            | Self::NeverSigned { .. }
            | Self::GuardMissing { .. } => self.beside(f),
        }
    }
}

impl Fault {
    /// The sentence of what stands beside the entries.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others have theirs above")]
    fn beside(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PersonAltered { person } => write!(
                f,
                "the person {person} of the log stands for another user than he was made for, or his \
                 key was altered"
            ),
            Self::PendingForged { count } => {
                write!(
                    f,
                    "{count} events wait for their place that were not written by this program"
                )
            }
            Self::PendingRejected { index, count } => write!(
                f,
                "{count} events that were not written by this program waited for their place and were \
                 put aside, as entry {index} tells (portcullis audit rejected)"
            ),
            Self::Future { size, at } => {
                write!(
                    f,
                    "the checkpoint of {size} entries says it is of {}, which is to come",
                    at.iso()
                )
            }
            Self::NeverSigned { since } => {
                write!(
                    f,
                    "nothing was ever signed, although there are entries since {}",
                    since.iso()
                )
            }
            Self::GuardMissing { name } => {
                write!(
                    f,
                    "the trigger {name}, which keeps the log from being changed, is not there"
                )
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Checkpoint => "checkpoint",
            Self::Anchor => "anchor",
            Self::Tree => "row that says how far it is",
        })
    }
}

/// What was found: the first faults, and how many there are of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    first: Vec<Fault>,
    kinds: BTreeMap<&'static str, u64>,
}

impl Faults {
    /// So many are kept; the others are counted.
    pub const KEPT: usize = 100;

    /// One more, unless it is known.
    pub fn add(&mut self, fault: Fault) {
        if self.first.contains(&fault) {
            return;
        }
        let count = self.kinds.entry(fault.kind()).or_default();
        *count = count.saturating_add(1);
        if self.first.len() < Self::KEPT {
            self.first.push(fault);
        }
    }

    /// All of these.
    pub fn append(&mut self, others: Self) {
        let mut uncounted = others.kinds;
        for fault in others.first {
            uncounted.entry(fault.kind()).and_modify(|count| *count = count.saturating_sub(1));
            self.add(fault);
        }
        // Those that were too many to keep.
        for (kind, count) in uncounted.into_iter().filter(|(_, count)| *count > 0) {
            let known = self.kinds.entry(kind).or_default();
            *known = known.saturating_add(count);
        }
    }

    /// Those that were kept, as they were found.
    pub fn first(&self) -> &[Fault] {
        &self.first
    }

    /// How many there are of each kind.
    pub fn kinds(&self) -> &BTreeMap<&'static str, u64> {
        &self.kinds
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.kinds.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Nothing was found.
    pub fn is_clean(&self) -> bool {
        self.kinds.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_counted_when_they_are_too_many_to_keep() {
        let mut faults = Faults::default();
        for index in 0..150 {
            faults.add(Fault::Altered { index });
        }
        let mut others = Faults::default();
        others.add(Fault::Missing { first: 1, last: 2 });
        faults.append(others);
        assert_eq!((faults.first().len(), faults.total()), (Faults::KEPT, 151));
        assert_eq!(faults.kinds().get("missing"), Some(&1));
        assert!(!faults.is_clean() && Faults::default().is_clean());
    }
}
