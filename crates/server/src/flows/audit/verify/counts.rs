//! What was counted as the entries were written, against what the entries say.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use portcullis_domain::audit::entry::Entry;
use portcullis_domain::audit::fault::{Fault, Faults};
use portcullis_domain::time::Time;
use portcullis_store::audit::counts::{Count, Kind};

/// What was counted, of the hours that begin at `from` or later.
pub(super) struct Kept {
    pub(super) from: Time,
    pub(super) kinds: HashMap<Kind, Count>,
}

/// What is counted again in one range, in which there are few kinds.
#[derive(Default)]
pub(super) struct InRange(Vec<(Kind, Count)>);

impl InRange {
    /// One more entry.
    pub(super) fn add(&mut self, entry: &Entry) {
        let Entry { at, event, outcome, detail, .. } = entry;
        let known = self.0.iter_mut().find(|(kind, _)| kind.is_of(*at, event, outcome, detail));
        if let Some((_, count)) = known {
            count.add(detail);
            return;
        }
        let mut count = Count::default();
        count.add(detail);
        self.0.push((Kind::of(*at, event, outcome, detail), count));
    }
}

/// What is counted again. As large as what was counted: it grows with the hours, not the entries.
#[derive(Default)]
pub(super) struct Counted(HashMap<Kind, Count>);

impl Counted {
    /// Those of a range.
    pub(super) fn append(&mut self, range: InRange) {
        for (kind, count) in range.0 {
            match self.0.entry(kind) {
                Slot::Vacant(slot) => drop(slot.insert(count)),
                Slot::Occupied(mut slot) => {
                    let known = slot.get_mut();
                    known.events = known.events.saturating_add(count.events);
                    known.amount = known.amount.saturating_add(count.amount);
                }
            }
        }
    }

    /// Names every kind and hour that was counted otherwise.
    pub(super) fn compare(mut self, kept: Kept, faults: &mut Faults) {
        let mut differing: Vec<Kind> = Vec::new();
        for (kind, count) in kept.kinds {
            if self.0.remove(&kind) != Some(count) {
                differing.push(kind);
            }
        }
        differing.extend(self.0.into_keys().filter(|kind| kind.hour >= kept.from));
        differing.sort();
        for kind in differing {
            faults.add(Fault::Counts { hour: kind.hour, name: kind.name });
        }
    }
}
