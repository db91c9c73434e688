//! The log as whoever verifies it reads it: as it stands, whatever stands there; and the times at which it
//! is verified, by one node each.

use portcullis_domain::audit::entry::Person;
use portcullis_domain::audit::growth::Personal;
use portcullis_domain::audit::personal::Part;
use portcullis_domain::audit::tile::TileId;
use portcullis_domain::id::UserId;
use portcullis_domain::time::Time;
use portcullis_store::audit::checkpoints::{self, Checkpoint};
use portcullis_store::audit::people::{self, Known};
use portcullis_store::audit::{examine, personal, tree, verdicts};

use crate::audit::append;
use crate::harness::{NOW, each, later, race};

#[tokio::test]
async fn ranges_are_read_in_order_and_without_their_end() {
    each(async |test| {
        let mut tx = test.write().await;
        for index in [3, 0, 1] {
            append(&mut tx, index).await;
        }
        let indices = |kept: examine::Entries| {
            kept.rows().unwrap().iter().map(|kept| kept.index).collect::<Vec<_>>()
        };
        assert_eq!(indices(examine::entries(&mut tx, 0, 9).await.unwrap()), [0, 1, 3]);
        assert_eq!(indices(examine::entries(&mut tx, 1, 3).await.unwrap()), [1]);
        assert_eq!(examine::strays(&mut tx, 1).await.unwrap(), Some((1, 2)));
        assert_eq!(examine::strays(&mut tx, 4).await.unwrap(), None);

        let person = Person::from_number(7);
        let part = |index, part, person| Personal {
            index,
            part,
            person,
            sealed: vec![1],
            address: Some([2; 16]),
        };
        let rows =
            [part(1, Part::Texts, None), part(1, Part::From, person), part(2, Part::From, None)];
        personal::insert(&mut tx, &rows).await.unwrap();
        let read = examine::personal(&mut tx, 0, 2).await.unwrap();
        let read = read.rows().unwrap();
        let read: Vec<_> = read.iter().map(|row| (row.index, row.part, row.person)).collect();
        assert_eq!(read, [(1, "from", Some(7)), (1, "texts", None)]);

        for (level, n) in [(0, 0), (0, 1), (1, 0)] {
            tree::put_tile(&mut tx, level, n, &[9; 32]).await.unwrap();
        }
        let ids =
            |tiles: Vec<(TileId, Vec<u8>)>| tiles.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
        let lower = examine::tiles(&mut tx, 0, 1, 9).await.unwrap();
        assert_eq!(ids(lower), [TileId { level: 0, n: 1 }]);
        let upper = examine::upper_tiles(&mut tx).await.unwrap();
        assert_eq!(ids(upper), [TileId { level: 1, n: 0 }]);
    })
    .await;
}

/// Rows come packed: what somebody writes into one of them must not pass for another.
#[tokio::test]
async fn a_row_stays_one_whatever_stands_in_it() {
    each(async |test| {
        let mut tx = test.write().await;
        append(&mut tx, 0).await;
        let row = Personal {
            index: 0,
            part: Part::From,
            person: None,
            sealed: b"sealed\n".to_vec(),
            address: Some([b' '; 16]),
        };
        personal::insert(&mut tx, &[row]).await.unwrap();
        tx.commit().await.unwrap();
        test.tamper("INSERT INTO audit_log (idx, id, at, name, leaf) SELECT 1, 'id1', 5, 'x\n2 0 id', leaf FROM audit_log").await;
        test.tamper("INSERT INTO audit_log (idx, id, at, name, leaf) SELECT 2, '', 5, 'a b', leaf FROM audit_log WHERE idx = 0").await;
        test.tamper("INSERT INTO audit_personal (idx, part, person, sealed) SELECT 0, 'x\n0 0  texts', -1, sealed FROM audit_personal").await;

        let mut tx = test.db.read().await.unwrap();
        let entries = examine::entries(&mut tx, 0, 9).await.unwrap();
        let rows = entries.rows().unwrap();
        let read: Vec<_> = rows.iter().map(|kept| (kept.index, kept.beside)).collect();
        let first = format!("id0 {} sys_shutdown -1 -1", NOW.0);
        let expected = [(0, first.as_str()), (1, "id1 5 x?2 0 id -1 -1"), (2, " 5 a b -1 -1")];
        assert_eq!(read, expected);
        assert!(rows.iter().all(|kept| kept.leaf == rows[0].leaf && kept.leaf.ends_with(b"}")));

        let parts = examine::personal(&mut tx, 0, 9).await.unwrap();
        let parts = parts.rows().unwrap();
        let read: Vec<_> = parts.iter().map(|row| (row.part, row.person, row.address)).collect();
        let address = [b' '; 16];
        let expected = [("from", None, Some(address.as_slice())), ("x?0 0  texts", Some(-1), None)];
        assert_eq!(read, expected);
        assert!(parts.iter().all(|row| row.sealed == b"sealed\n"));
    })
    .await;
}

#[tokio::test]
async fn checkpoints_are_found_by_size() {
    each(async |test| {
        let mut tx = test.write().await;
        for size in [5, 9] {
            let checkpoint = Checkpoint { size, at: NOW, note: size.to_string() };
            checkpoints::insert(&mut tx, &checkpoint).await.unwrap();
        }
        let size = |found: Option<Checkpoint>| found.map(|found| found.size);
        for (at, up_to, from) in [(4, None, Some(5)), (5, Some(5), Some(5)), (10, Some(9), None)] {
            assert_eq!(size(examine::checkpoint_up_to(&mut tx, at).await.unwrap()), up_to);
            assert_eq!(size(examine::checkpoint_from(&mut tx, at).await.unwrap()), from);
        }
        let between = examine::checkpoints(&mut tx, 5, 9).await.unwrap();
        assert_eq!(between.iter().map(|found| found.size).collect::<Vec<_>>(), [9]);
    })
    .await;
}

#[tokio::test]
async fn a_person_is_known_erased_or_nobody() {
    each(async |test| {
        let mut tx = test.write().await;
        let known = Known { person: Person::from_number(7).unwrap(), sealed_key: vec![3] };
        people::insert(&mut tx, UserId(1), &known).await.unwrap();
        tx.commit().await.unwrap();
        let read = async |number| {
            let mut tx = test.db.read().await.unwrap();
            let found = examine::person(&mut tx, number).await.unwrap()?;
            Some((found.user, found.sealed_key, found.erased_at))
        };
        assert_eq!(read(7).await, Some((Some(UserId(1)), Some(vec![3]), None)));
        assert_eq!(read(8).await, None);
        test.tamper("UPDATE audit_people SET user_id = NULL, sealed_key = NULL, erased_at = 5")
            .await;
        assert_eq!(read(7).await, Some((None, None, Some(Time(5)))));
    })
    .await;
}

#[tokio::test]
async fn one_of_many_nodes_verifies() {
    each(async |test| {
        let mut seen = None;
        for round in 1..4 {
            let next = later(round);
            let claimed = race(4, |_| {
                let db = test.db.clone();
                async move {
                    let mut tx = db.write().await.unwrap();
                    let claimed = verdicts::claim(&mut tx, seen, next).await.unwrap();
                    tx.commit().await.unwrap();
                    claimed
                }
            });
            assert_eq!(claimed.await.iter().filter(|claimed| **claimed).count(), 1);
            seen = verdicts::due(&mut test.db.read().await.unwrap()).await.unwrap();
            assert_eq!(seen, Some(next));
        }
        let mut tx = test.write().await;
        assert_eq!(verdicts::get(&mut tx).await.unwrap(), None);
        for verdict in [b"one", b"two"] {
            verdicts::put(&mut tx, verdict).await.unwrap();
            assert_eq!(verdicts::get(&mut tx).await.unwrap().as_deref(), Some(verdict.as_slice()));
        }
    })
    .await;
}
