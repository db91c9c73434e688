//! A range that was read is looked at: what each entry comes to, whether the columns beside it and its
//! personal data agree with it, and what was signed. Pure work, no waiting.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::vec::IntoIter;

use portcullis_domain::audit::entry::{Entry, Person};
use portcullis_domain::audit::fault::{Fault, Faults, Witness};
use portcullis_domain::audit::judge::{Block, Signed};
use portcullis_domain::audit::personal::{Commitment, Part};
use portcullis_domain::audit::tile::{TileId, WIDTH};
use portcullis_domain::audit::tiles::from_bytes;
use portcullis_domain::audit::tree::{Hash, leaf_hash};
use portcullis_store::Error;
use portcullis_store::audit::examine::{Kept, Sealed, write_beside};

use super::Pin;
use super::begin::signed;
use super::range::{Looked, Range, Shared, Standing};

/// Looks at everything in a range.
pub(super) fn look(shared: &Shared, range: Range) -> Result<Looked, Error> {
    let mut looked = Looked { first: range.first, ..Looked::default() };
    let signed = signed_in(shared, &range, &mut looked);
    let mut reading = Reading {
        shared,
        people: &range.people,
        entries: range.entries.rows()?.into_iter().peekable(),
        personal: range.personal.rows()?.into_iter().peekable(),
        beside: String::new(),
    };
    let mut tiles: BTreeMap<TileId, Vec<u8>> = range.tiles.into_iter().collect();
    for n in range.first / WIDTH..range.end.div_ceil(WIDTH) {
        let (first, end) = (n * WIDTH, ((n + 1) * WIDTH).min(range.end));
        let kept = tiles.remove(&TileId { level: 0, n }).and_then(|bytes| from_bytes(&bytes));
        let mut block = Block {
            n,
            entries: Vec::new(),
            tile: first_of(kept.unwrap_or_default(), end - first),
            above: above(shared, n),
            elsewhere: Vec::new(),
        };
        for index in first..end {
            reading.one(index, &mut block, &mut looked);
        }
        let is_within = |signed: &&Signed| signed.head.size > first && signed.head.size <= end;
        let within: Vec<Signed> = signed.iter().filter(is_within).copied().collect();
        let is_signed_within = within.iter().any(|signed| signed.head.size < end);
        looked.blocks.push((block.look(is_signed_within), within));
    }
    Ok(looked)
}

/// The tile may have grown since; empty if it is too short.
fn first_of(mut tile: Vec<Hash>, width: u64) -> Vec<Hash> {
    let width = usize::try_from(width).unwrap_or(usize::MAX);
    if tile.len() < width { Vec::new() } else { tile.drain(..width).collect() }
}

/// What the tile above says of a block; `None` where that one is not full.
fn above(shared: &Shared, n: u64) -> Option<Hash> {
    let is_full = (n + 1).checked_mul(WIDTH).is_some_and(|end| end <= shared.size);
    let hashes = shared.upper.get(TileId { level: 1, n: n / WIDTH }).filter(|_| is_full)?;
    hashes.get(usize::try_from(n % WIDTH).ok()?).copied()
}

/// What was signed in the range and at its end, by size.
fn signed_in(shared: &Shared, range: &Range, looked: &mut Looked) -> Vec<Signed> {
    let mut all = Vec::new();
    for kept in &range.checkpoints {
        match signed(kept, &shared.key) {
            Some(signed) => {
                looked.signed = Some(Pin { size: kept.size, at: Some(kept.at) });
                all.push(signed);
            }
            None => {
                looked.faults.add(Fault::BadSignature { size: kept.size, by: Witness::Checkpoint });
            }
        }
    }
    let is_here = |anchor: &&Signed| (range.first + 1..=range.end).contains(&anchor.head.size);
    all.extend(shared.anchors.iter().filter(is_here));
    all.sort_by_key(|signed| signed.head.size);
    all
}

/// The rows of a range, one entry after the other.
struct Reading<'a> {
    shared: &'a Shared,
    people: &'a BTreeMap<i64, Standing>,
    entries: Peekable<IntoIter<Kept<'a>>>,
    personal: Peekable<IntoIter<Sealed<'a>>>,
    /// What must stand beside an entry.
    beside: String,
}

impl Reading<'_> {
    fn one(&mut self, index: u64, block: &mut Block, looked: &mut Looked) {
        let kept = self.entries.next_if(|kept| kept.index == index);
        let mut parts = Vec::new();
        while let Some(part) = self.personal.next_if(|part| part.index == index) {
            parts.push(part);
        }
        block.entries.push(kept.as_ref().map(|kept| leaf_hash(kept.leaf)));
        let Some(kept) = kept else { return };
        match Entry::read(kept.leaf) {
            Some(entry) if entry.index != index => block.elsewhere.push((index, entry.index)),
            Some(entry) => {
                self.columns(&entry, &kept, &mut looked.faults);
                looked.counted.add(&entry);
                self.personal(&entry, &parts, looked);
            }
            None => looked.faults.add(Fault::Unreadable { index }),
        }
    }

    /// The columns by which an entry is found.
    fn columns(&mut self, entry: &Entry, kept: &Kept<'_>, faults: &mut Faults) {
        let number = |person: Option<Person>| person.map(Person::number);
        let (actor, subject) = (number(entry.actor), number(entry.subject));
        self.beside.clear();
        write_beside(&mut self.beside, &entry.id, entry.at, &entry.event, actor, subject);
        if self.beside == kept.beside {
            return;
        }
        let (right, wrong) = (named(&self.beside), named(kept.beside));
        for ((column, right), (_, wrong)) in right.into_iter().zip(wrong) {
            if right != wrong {
                faults.add(Fault::Column { index: kept.index, column });
            }
        }
    }

    /// The personal data that the entry commits to, and nothing else.
    fn personal(&self, entry: &Entry, parts: &[Sealed<'_>], looked: &mut Looked) {
        let index = entry.index;
        for (part, commitment) in [(Part::From, entry.from), (Part::Texts, entry.texts)] {
            let owner = part.owner(entry.actor, entry.subject);
            let row = parts.iter().find(|sealed| sealed.part == part.as_str());
            match (commitment, row) {
                (None, None) => {}
                (Some(_), None) => {
                    looked.absent.push((index, part.as_str(), owner.map(Person::number)));
                }
                (None, Some(_)) => {
                    looked.faults.add(Fault::PersonalStray { index, part: part.as_str() });
                }
                (Some(commitment), Some(sealed)) => {
                    self.sealed(index, part, commitment, sealed, looked);
                }
            }
        }
        if parts.iter().any(|sealed| Part::parse(sealed.part).is_none()) {
            looked.faults.add(Fault::PersonalStray { index, part: "another" });
        }
    }

    fn sealed(
        &self,
        index: u64,
        part: Part,
        commitment: Commitment,
        sealed: &Sealed<'_>,
        looked: &mut Looked,
    ) {
        let keys = &self.shared.keys;
        let key = match sealed.person.map(|person| self.people.get(&person)) {
            None => Some(keys.nobody()),
            Some(Some(Standing::Known(key))) => Some(key),
            // The row was read before he was erased, or is still there although he was.
            Some(Some(Standing::Erased(_))) => {
                looked.absent.push((index, part.as_str(), sealed.person));
                return;
            }
            Some(Some(Standing::Altered(person))) => {
                looked.faults.add(Fault::PersonAltered { person: *person });
                return;
            }
            Some(Some(Standing::Unknown) | None) => None,
        };
        let opened = key.and_then(|key| key.open(index, part, sealed.sealed).ok());
        let Some(opened) = opened.filter(|opened| opened.commitment() == commitment) else {
            looked.faults.add(Fault::PersonalAltered { index, part: part.as_str() });
            return;
        };
        // By it the entries of an address are found.
        let ip = opened.ip().filter(|_| part == Part::From);
        if sealed.address != ip.map(|ip| keys.address_mac(&ip)).as_ref().map(<[u8; 16]>::as_slice) {
            looked.faults.add(Fault::Column { index, column: "address" });
        }
    }
}

/// What [`write_beside`] wrote, column by column. A name may have spaces where somebody wrote them in.
fn named(beside: &str) -> [(&'static str, &str); 5] {
    let (id, rest) = beside.split_once(' ').unwrap_or((beside, ""));
    let (at, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let (rest, subject) = rest.rsplit_once(' ').unwrap_or((rest, ""));
    let (name, actor) = rest.rsplit_once(' ').unwrap_or((rest, ""));
    [("id", id), ("at", at), ("name", name), ("actor", actor), ("subject", subject)]
}

/// Personal data is gone that nobody erased.
pub(super) fn absent(index: u64, part: &'static str) -> Fault {
    Fault::PersonalMissing { index, part }
}
