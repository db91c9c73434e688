//! Personal data of which a bundle says that it was erased, against the entries of the bundle that tell of
//! it: who was erased, and below which entry the data went with its age. Not here: everything else
//! (`check`).

use std::collections::{HashMap, HashSet};

use portcullis_domain::audit::entry::{Entry, Person};
use portcullis_domain::audit::personal::Part;
use serde_json::Value;

/// What a bundle says, as far as it was read.
#[derive(Default)]
pub(super) struct Erasures {
    /// The entries whose data is said to be gone, by whose it was.
    said: HashMap<Option<Person>, Vec<u64>>,
    /// The people, as an entry tells of them.
    people: HashSet<String>,
    /// Below this entry the data went with its age.
    below: u64,
}

/// How many parts of personal data are gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// As an entry of the bundle tells, which names the person.
    pub(super) erased: u64,
    /// As an entry of the bundle tells, by their age.
    pub(super) expired: u64,
    /// And no entry of the bundle tells why.
    pub(super) untold: u64,
}

impl Erasures {
    /// An entry, which may tell of an erasure.
    pub(super) fn read(&mut self, entry: &Entry) {
        match entry.event.as_str() {
            "privacy_erased" => {
                let person = entry.detail.get("person").and_then(Value::as_str);
                self.people.extend(person.map(str::to_owned));
            }
            "audit_personal_expired" => {
                let below = entry.detail.get("below").and_then(Value::as_u64);
                self.below = self.below.max(below.unwrap_or_default());
            }
            _ => {}
        }
    }

    /// A part of an entry is said to be gone.
    pub(super) fn say(&mut self, entry: &Entry, part: Part) {
        let owner = part.owner(entry.actor, entry.subject);
        self.said.entry(owner).or_default().push(entry.index);
    }

    /// Once all entries are read.
    pub(super) fn told(&self) -> Told {
        let mut told = Told::default();
        for (owner, indices) in &self.said {
            let is_erased = owner.is_some_and(|owner| self.people.contains(&owner.to_string()));
            let old = indices.iter().filter(|index| **index < self.below).count() as u64;
            let others = indices.len() as u64 - old;
            told.expired += old;
            if is_erased {
                told.erased += others;
            } else {
                told.untold += others;
            }
        }
        told
    }
}
