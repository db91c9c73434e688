//! A batch of events on its way into the log: each becomes an entry, its personal data is sealed apart,
//! the tree grows, and it is counted. Not here: where any of it is kept.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::count::{Count, Kind};
use super::entry::{Entry, Person, Unwritable, VERSION};
use super::personal::{AuditKeys, Commitment, Drawn, Part, PersonKey, Sealed};
use super::tiles::{MissingTile, Tiles};
use super::tree::leaf_hash;
use crate::event::Context;
use crate::time::Time;

/// An event as it was written in the transaction of its act.
#[derive(Clone, Debug, PartialEq)]
pub struct Happened {
    /// A `UUIDv7`.
    pub id: String,
    pub at: Time,
    pub name: String,
    pub outcome: String,
    pub severity: String,
    pub context: Context,
    /// Words of our own.
    pub detail: Map<String, Value>,
    /// What came from outside.
    pub texts: Map<String, Value>,
}

/// Somebody in the log, with the key of his data.
#[derive(Clone)]
pub struct Owner {
    pub person: Person,
    pub key: PersonKey,
}

/// Who the people of an event are in the log.
#[derive(Clone, Copy, Default)]
pub struct People<'a> {
    pub actor: Option<&'a Owner>,
    pub subject: Option<&'a Owner>,
}

/// An entry with its bytes.
#[derive(Clone, Debug)]
pub struct Written {
    pub entry: Entry,
    /// [`Entry::leaf`].
    pub leaf: Vec<u8>,
}

/// One part of an entry's personal data, as it is kept.
#[derive(Clone, Debug)]
pub struct Personal {
    pub index: u64,
    pub part: Part,
    /// Whose key it is under; `None`: that of nobody known.
    pub person: Option<Person>,
    pub sealed: Vec<u8>,
    /// By what the entries of an address are found.
    pub address: Option<[u8; 16]>,
}

/// Why an event cannot get its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GrowthFault {
    #[error(transparent)]
    Entry(#[from] Unwritable),
    #[error(transparent)]
    Personal(#[from] Sealed),
    #[error("the tree of the audit log has a hole")]
    Tree(#[from] MissingTile),
}

/// What is to be written.
pub struct Growth {
    /// With the right edge of the tree at the old size loaded.
    pub tiles: Tiles,
    /// How many entries there are.
    pub size: u64,
    /// When the new ones get their place: not before those that have one.
    pub logged_at: Time,
    pub entries: Vec<Written>,
    pub personal: Vec<Personal>,
    pub counts: BTreeMap<Kind, Count>,
}

impl Growth {
    /// Nothing new yet.
    pub fn new(tiles: Tiles, size: u64, logged_at: Time) -> Self {
        let (entries, personal, counts) = Default::default();
        Self { tiles, size, logged_at, entries, personal, counts }
    }

    /// Gives an event the next place. `draw` makes random bytes, used once each.
    pub fn add(
        &mut self,
        event: Happened,
        people: People<'_>,
        keys: &AuditKeys,
        mut draw: impl FnMut() -> Drawn,
    ) -> Result<(), GrowthFault> {
        let Happened { id, at, name, outcome, severity, context, detail, texts } = event;
        let People { actor, subject } = people;
        let kind = Kind::of(at, &name, &outcome, &detail);
        self.counts.entry(kind).or_default().add(&detail);
        let address = context.ip.as_deref().map(|ip| keys.address_mac(ip));
        let sealing =
            |part: Part, address| Sealing { part, owner: part.owner(actor, subject), address };
        let (from, written) = (sealing(Part::From, address), sealing(Part::Texts, None));
        let entry = Entry {
            version: VERSION,
            index: self.size,
            at,
            logged: self.logged_at,
            id,
            event: name,
            outcome,
            severity,
            from: self.seal(&from, &members_of(&context), keys, &mut draw)?,
            texts: self.seal(&written, &texts, keys, &mut draw)?,
            actor: actor.map(|owner| owner.person),
            subject: subject.map(|owner| owner.person),
            session: context.session,
            request: context.request_id,
            detail,
        };
        let leaf = entry.leaf()?;
        self.tiles.append(self.size, leaf_hash(&leaf))?;
        self.entries.push(Written { entry, leaf });
        self.size += 1;
        Ok(())
    }

    /// Seals one part of the next entry's personal data; nothing where there is none.
    fn seal(
        &mut self,
        as_what: &Sealing<'_>,
        data: &Map<String, Value>,
        keys: &AuditKeys,
        draw: &mut impl FnMut() -> Drawn,
    ) -> Result<Option<Commitment>, Sealed> {
        if data.is_empty() {
            return Ok(None);
        }
        let Sealing { part, owner, address } = *as_what;
        let key = owner.map_or_else(|| keys.nobody(), |owner| &owner.key);
        let (commitment, sealed) = key.seal(self.size, part, data, draw())?;
        let person = owner.map(|owner| owner.person);
        self.personal.push(Personal { index: self.size, part, person, sealed, address });
        Ok(Some(commitment))
    }
}

/// How one part of the personal data is sealed.
#[derive(Clone, Copy)]
struct Sealing<'a> {
    part: Part,
    owner: Option<&'a Owner>,
    address: Option<[u8; 16]>,
}

/// Where an event came from.
fn members_of(context: &Context) -> Map<String, Value> {
    let Context { ip, peer, user_agent, .. } = context;
    [("ip", ip), ("peer", peer), ("user_agent", user_agent)]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), Value::from(value.clone()?))))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::secret::{Keys, MasterSecret};

    const DRAWN: Drawn = Drawn { salt: [3; 32], nonce: [4; 12] };

    fn owner(number: i64) -> Owner {
        let person = Person::from_number(number).unwrap();
        Owner { person, key: PersonKey::from_random([number.to_be_bytes()[7]; 32]) }
    }

    fn happened() -> Happened {
        let object = |value: Value| value.as_object().unwrap().clone();
        Happened {
            id: "id".to_owned(),
            at: Time(5),
            name: "user_blacklisted".to_owned(),
            outcome: "success".to_owned(),
            severity: "warning".to_owned(),
            context: Context { ip: Some("192.0.2.1".to_owned()), ..Context::default() },
            detail: object(json!({"sessions": 2})),
            texts: object(json!({"reason": "left"})),
        }
    }

    #[test]
    fn each_part_is_under_the_key_of_whom_it_is_about() {
        let keys = Keys::derive(&MasterSecret::from_random([9; 32])).unwrap().audit;
        let [one, other] = [owner(1), owner(2)];
        let check = |actor: Option<&Owner>, subject: Option<&Owner>, expected: [Option<i64>; 2]| {
            let mut growth = Growth::new(Tiles::new(), 0, Time(9));
            growth.add(happened(), People { actor, subject }, &keys, || DRAWN).unwrap();
            let whose = |part| {
                let row = growth.personal.iter().find(|row| row.part == part).unwrap();
                let key = [actor, subject]
                    .into_iter()
                    .flatten()
                    .find(|owner| Some(owner.person) == row.person);
                let key = key.map_or_else(|| keys.nobody(), |owner| &owner.key);
                assert!(key.open(0, part, &row.sealed).is_ok());
                row.person.map(Person::number)
            };
            assert_eq!([whose(Part::From), whose(Part::Texts)], expected);
        };
        check(Some(&one), Some(&other), [Some(1), Some(2)]);
        check(Some(&one), None, [Some(1), Some(1)]);
        check(None, Some(&other), [Some(2), Some(2)]);
        check(None, None, [None, None]);
    }

    #[test]
    fn a_batch_continues_the_log() {
        let keys = Keys::derive(&MasterSecret::from_random([9; 32])).unwrap().audit;
        let mut growth = Growth::new(Tiles::new(), 0, Time(9));
        for _ in 0..300 {
            growth.add(happened(), People::default(), &keys, || DRAWN).unwrap();
        }
        assert_eq!((growth.size, growth.entries.len(), growth.personal.len()), (300, 300, 600));
        assert!((0..).zip(&growth.entries).all(|(index, written)| written.entry.index == index));
        let counts: Vec<&Count> = growth.counts.values().collect();
        assert_eq!(counts, [&Count { events: 300, amount: 600 }]);
        assert!(
            growth.entries.iter().all(|written| !written.leaf.windows(4).any(|b| b == b"left"))
        );

        let mut holed = Growth::new(Tiles::new(), 300, Time(9));
        let fault = holed.add(happened(), People::default(), &keys, || DRAWN);
        assert!(matches!(fault, Err(GrowthFault::Tree(_))));
    }
}
