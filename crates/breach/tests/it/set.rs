//! The index against a plain set.

use std::collections::BTreeMap;

use portcullis_breach::{Count, Sha1};
use proptest::prelude::*;

use crate::support::{Place, make, prefix, some};

/// Hashes that are often alike in their beginnings, and in all that an index keeps of them.
fn hashes() -> impl Strategy<Value = BTreeMap<[u8; 20], u64>> {
    let byte = prop_oneof![3 => 0..=3_u8, 1 => any::<u8>()];
    let bytes = prop::collection::vec(byte, 20).prop_map(|bytes| bytes.try_into().unwrap());
    prop::collection::btree_map(bytes, 0..5_000_u64, 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn an_index_is_a_set(all in hashes(), others in hashes(), min_count in 1..4_u64) {
        // What an index keeps: 60 bits, and of those that share them the largest count.
        let kept = |hash: &Sha1| hash.prefix().digits() + &hash.suffix()[..10];
        let passwords: Vec<_> =
            all.iter().map(|(bytes, count)| (Sha1::from_bytes(*bytes), *count)).collect();
        let mut set = BTreeMap::new();
        for (hash, count) in passwords.iter().filter(|(_, count)| *count >= min_count) {
            let found = set.entry(kept(hash)).or_insert(0);
            *found = (*count).max(*found);
        }
        let place = Place::new();
        for from in [place.text(&passwords), place.folder(&passwords)] {
            let options = portcullis_breach::build::Options { min_count, ..place.options(&from) };
            if set.is_empty() {
                prop_assert!(make(&options).is_err());
                continue;
            }
            let index = make(&options).unwrap();
            prop_assert_eq!(index.head().entries, set.len() as u64);
            for bytes in all.keys().chain(others.keys()) {
                let hash = Sha1::from_bytes(*bytes);
                let expected = set.get(&kept(&hash)).copied().and_then(Count::of);
                prop_assert_eq!(index.lookup(&hash).unwrap(), expected);
            }
        }
    }
}

#[test]
fn all_are_found_and_others_are_not() {
    let passwords = some(50_000);
    let index = Place::new().index(&passwords);
    for (hash, count) in &passwords {
        assert_eq!(index.lookup(hash).unwrap(), Count::of(*count));
    }
    for number in 50_000..150_000 {
        let other = Sha1::of(number.to_string().as_bytes());
        assert_eq!(index.lookup(&other).unwrap(), None, "{number}");
    }
}

#[test]
fn a_prefix_tells_all_that_have_it() {
    let passwords = [
        (crate::support::hash("21BD1000000000011"), 3),
        (crate::support::hash("21BD1FFFFFFFFFF"), 1),
        (crate::support::hash("21BD2"), 9),
    ];
    let index = Place::new().index(&passwords);
    let below = |digits: &str| {
        let found = index.below(prefix(digits)).unwrap();
        let told = found.iter().map(|found| (found.digits(), found.count.at_least()));
        told.collect::<Vec<_>>()
    };
    let first = [("0000000000".to_owned(), 3), ("FFFFFFFFFF".to_owned(), 1)];
    assert_eq!(below("21BD1"), first);
    assert_eq!(below("21BD2"), [("0000000000".to_owned(), 9)]);
    assert_eq!(below("21BD3"), []);
    assert_eq!(below("FFFFF"), []);
}
