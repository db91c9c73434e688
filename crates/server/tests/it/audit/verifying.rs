//! Whatever is done to the log in the database is found, named by its kind and place; the same log
//! untouched is in order.

use std::time::Duration;

use portcullis_domain::audit::entry::Entry;
use portcullis_domain::audit::fault::{Fault, Witness};
use portcullis_domain::audit::tile::TileId;
use portcullis_domain::audit::tiles::Tiles;
use portcullis_domain::audit::tree::leaf_hash;
use portcullis_domain::event::{Context, Event, Text};
use portcullis_server::flows::audit::When;
use portcullis_server::flows::audit::verify::{self, Ask, Extent, Verdict};
use portcullis_server::flows::audit::watch;
use portcullis_store::audit::{examine, log, tree};
use portcullis_store::scratch::tamper;
use portcullis_store::{Tx, events};

use crate::harness::people::Z1;
use crate::harness::{Setup, TestApp, on_each_database, on_each_database_with};

/// When the log is signed, and how long it is at the end.
const SIGNED: [u64; 4] = [100, 256, 300, 500];
const SIZE: u64 = 520;

/// A log with personal data of both parts, signed now and then.
pub(super) async fn history(server: &TestApp) {
    server.events("sys_startup", 1).await;
    let mut size = 1;
    for until in SIGNED.into_iter().chain([SIZE]) {
        happen(server, until - size).await;
        size = until;
        if size < SIZE {
            server.app.audit.checkpoint(server.app.clock.now(), When::Now).await.unwrap();
        }
    }
}

/// Writes so many events and gives them their places.
async fn happen(server: &TestApp, count: u64) {
    server.advance(Duration::from_millis(100));
    let now = server.app.clock.now();
    let mut tx = server.app.db.write().await.unwrap();
    let context = Context { ip: Some("192.0.2.7".to_owned()), ..Context::default() };
    for number in 0..count {
        let event = match number % 3 {
            0 => Event::AddressForgiven { network: Text::clip("192.0.2.0/24") },
            1 => Event::PlacesForgotten { count: number },
            _ => Event::Stopped,
        };
        let id = server.app.random.row_id(now);
        events::append(&mut tx, &event, &context, &id, now).await.unwrap();
    }
    tx.commit().await.unwrap();
    server.app.audit.settle(now).await.unwrap();
}

pub(super) async fn judged(server: &TestApp, anchors: Vec<String>, extent: Extent) -> Verdict {
    let ask = Ask {
        now: server.app.clock.now(),
        db: server.app.db.clone(),
        keys: server.app.keys.audit.clone(),
        key: None,
        anchors,
        extent,
        readers: 2,
    };
    verify::verify(&ask, |_, _| ()).await.unwrap().unwrap()
}

pub(super) fn anchor(server: &TestApp) -> String {
    std::fs::read_to_string(&server.app.config.audit.anchor).unwrap()
}

/// The untouched log is in order; after `touch` what is expected is found, and it is found first.
async fn check(what: &str, touch: impl AsyncFn(&TestApp, &mut Tx), expected: &[Fault]) {
    on_each_database(async |server| {
        history(server).await;
        let anchors = vec![anchor(server)];
        let before = judged(server, anchors.clone(), Extent::Whole).await;
        assert!(before.faults.is_clean(), "{what}, untouched: {:?}", before.faults);
        assert_eq!((before.size, before.entries(), before.unsigned()), (SIZE, SIZE, 20), "{what}");
        assert_eq!(before.confirmed, 5, "four checkpoints and the anchor");

        let mut tx = server.app.db.write().await.unwrap();
        tamper::drop_guards(&mut tx).await.unwrap();
        touch(server, &mut tx).await;
        tx.commit().await.unwrap();
        let after = judged(server, anchors, Extent::Whole).await;
        let found = after.faults.first();
        assert_eq!(found.get(..expected.len()), Some(expected), "{what}: {found:?}");
    })
    .await;
}

/// The bytes of an entry, with another word in them.
async fn edited(tx: &mut Tx, index: u64) -> Vec<u8> {
    let leaf = log::leaves(tx, index, index + 1).await.unwrap().pop().unwrap();
    let entry = Entry::parse(&leaf).unwrap();
    Entry { outcome: "failure".to_owned(), severity: "critical".to_owned(), ..entry }
        .leaf()
        .unwrap()
}

#[tokio::test]
async fn an_edited_entry_is_named() {
    for index in [7, 300, 510] {
        let touch = async |_: &TestApp, tx: &mut Tx| {
            let leaf = edited(tx, index).await;
            tamper::set_leaf(tx, index, &leaf).await.unwrap();
        };
        check("edited", touch, &[Fault::Altered { index }]).await;
    }
}

#[tokio::test]
async fn a_removed_entry_is_named() {
    let touch = async |_: &TestApp, tx: &mut Tx| tamper::remove(tx, 255).await.unwrap();
    check("removed", touch, &[Fault::Missing { first: 255, last: 255 }]).await;
}

#[tokio::test]
async fn entries_that_changed_places_are_named() {
    let touch = async |_: &TestApp, tx: &mut Tx| tamper::swap(tx, 10, 400).await.unwrap();
    let expected = [(10, 400), (400, 10)].map(|(index, says)| Fault::Reordered { index, says });
    check("swapped", touch, &expected).await;
}

#[tokio::test]
async fn a_tail_that_was_rewritten_with_good_tiles_is_found_by_what_was_signed() {
    let touch = async |_: &TestApp, tx: &mut Tx| rewrite(tx, 280).await;
    check("rewritten", touch, &[Fault::Rewritten { after: 256, until: 300 }]).await;
}

/// Everything from an entry on is another, and so are the tiles over it.
async fn rewrite(tx: &mut Tx, from: u64) {
    let mut tiles = Tiles::new();
    for index in 0..SIZE {
        let mut leaf = log::leaves(tx, index, index + 1).await.unwrap().pop().unwrap();
        if index >= from {
            leaf = edited(tx, index).await;
            tamper::set_leaf(tx, index, &leaf).await.unwrap();
        }
        tiles.append(index, leaf_hash(&leaf)).unwrap();
    }
    for (tile, hashes) in tiles.take_changed() {
        tree::put_tile(tx, tile.level, tile.n, &hashes).await.unwrap();
    }
}

#[tokio::test]
async fn touched_tiles_are_named() {
    for (level, n) in [(0, 0), (0, 2), (1, 0)] {
        let tile = TileId { level, n };
        let touch = async |_: &TestApp, tx: &mut Tx| {
            let mut hashes = tree::tile(tx, level, n).await.unwrap().unwrap();
            hashes[3] ^= 1;
            tree::put_tile(tx, level, n, &hashes).await.unwrap();
        };
        // The last tile is full of what is not signed yet: the entries are held against it.
        let expected = if n == 2 { Fault::Altered { index: 512 } } else { Fault::Tile { tile } };
        check("tile", touch, &[expected]).await;
        let touch = async |_: &TestApp, tx: &mut Tx| {
            tamper::remove_tile(tx, level, n).await.unwrap();
        };
        check("tile gone", touch, &[Fault::TileMissing { tile }]).await;
    }
}

#[tokio::test]
async fn forged_checkpoints_are_named() {
    let by = Witness::Checkpoint;
    let touch = async |_: &TestApp, tx: &mut Tx| {
        let note = examine::checkpoint_up_to(tx, 300).await.unwrap().unwrap().note;
        let forged = note.replacen("\n300\n", "\n301\n", 1);
        tamper::set_note(tx, 300, &forged).await.unwrap();
    };
    check("forged", touch, &[Fault::BadSignature { size: 300, by }]).await;
    let touch = async |_: &TestApp, tx: &mut Tx| {
        let note = examine::checkpoint_up_to(tx, 256).await.unwrap().unwrap().note;
        tamper::set_note(tx, 300, &note).await.unwrap();
    };
    check("another size", touch, &[Fault::BadSignature { size: 300, by }]).await;
}

#[tokio::test]
async fn a_log_that_is_shorter_than_the_anchor_is_truncated() {
    let touch = async |_: &TestApp, tx: &mut Tx| {
        let mut tiles = Tiles::new();
        for (index, leaf) in (0..).zip(log::leaves(tx, 0, 300).await.unwrap()) {
            tiles.append(index, leaf_hash(&leaf)).unwrap();
        }
        for (tile, hashes) in tiles.take_changed() {
            tree::put_tile(tx, tile.level, tile.n, &hashes).await.unwrap();
        }
        tamper::cut_off(tx, 300).await.unwrap();
    };
    let by = Witness::Anchor;
    check("last week's", touch, &[Fault::Truncated { size: 300, signed: 500, by }]).await;
    let touch = async |_: &TestApp, tx: &mut Tx| {
        let keep = examine::checkpoint_up_to(tx, 500).await.unwrap().unwrap();
        tamper::cut_off(tx, 400).await.unwrap();
        portcullis_store::audit::checkpoints::insert(tx, &keep).await.unwrap();
    };
    let by = Witness::Checkpoint;
    check("its end is gone", touch, &[Fault::Truncated { size: 400, signed: 500, by }]).await;
}

#[tokio::test]
async fn what_stands_beside_the_entries_is_held_against_them() {
    let (index, part) = (21, "from");
    let touch = async |_: &TestApp, tx: &mut Tx| {
        tamper::set_name(tx, index, "sys_startup").await.unwrap();
    };
    check("column", touch, &[Fault::Column { index, column: "name" }]).await;
    let touch = async |_: &TestApp, tx: &mut Tx| {
        tamper::copy_personal(tx, 30, index).await.unwrap();
    };
    check("exchanged", touch, &[Fault::PersonalAltered { index, part }]).await;
    let touch = async |_: &TestApp, tx: &mut Tx| {
        tamper::remove_personal(tx, index).await.unwrap();
    };
    check("gone", touch, &[Fault::PersonalMissing { index, part }]).await;
    on_each_database(async |server| {
        history(server).await;
        let mut tx = server.app.db.write().await.unwrap();
        tamper::set_counts(&mut tx, "authn_places_forgotten", 1).await.unwrap();
        tx.commit().await.unwrap();
        let found = judged(server, Vec::new(), Extent::Whole).await;
        assert_eq!(found.faults.kinds().keys().copied().collect::<Vec<_>>(), ["counts"]);
    })
    .await;
}

#[tokio::test]
async fn the_newest_part_is_verified_alone() {
    on_each_database(async |server| {
        history(server).await;
        let found = judged(server, vec![anchor(server)], Extent::Newest(100)).await;
        assert!(found.faults.is_clean(), "{:?}", found.faults);
        assert_eq!((found.first, found.entries(), found.confirmed), (256, SIZE - 256, 3));
        let mut tx = server.app.db.write().await.unwrap();
        tamper::drop_guards(&mut tx).await.unwrap();
        for index in [7, 400] {
            let leaf = edited(&mut tx, index).await;
            tamper::set_leaf(&mut tx, index, &leaf).await.unwrap();
        }
        tx.commit().await.unwrap();
        let found = judged(server, Vec::new(), Extent::Newest(100)).await;
        assert_eq!(found.faults.first()[0], Fault::Altered { index: 400 });
        assert!(!found.faults.first().contains(&Fault::Altered { index: 7 }));
    })
    .await;
}

#[tokio::test]
async fn what_the_schedule_finds_is_written_down_and_shown() {
    // A clock that goes further ahead of the database's makes the server not ready.
    let often = Setup::with("[audit]\nverify_every = \"2s\"");
    on_each_database_with(often, async |server| {
        history(server).await;
        let ready = async || server.client().get("/readyz").send().await.json();
        watch::look(&server.app, Extent::Newest(100)).await.unwrap();
        watch::look(&server.app, Extent::Whole).await.unwrap();
        let kept = server.app.audit.verified().unwrap();
        assert_eq!((kept.entries, kept.faults), (SIZE, 0));
        assert_eq!(ready().await, serde_json::json!({"status": "ready"}));

        let mut tx = server.app.db.write().await.unwrap();
        tamper::drop_guards(&mut tx).await.unwrap();
        let leaf = edited(&mut tx, 7).await;
        tamper::set_leaf(&mut tx, 7, &leaf).await.unwrap();
        tx.commit().await.unwrap();
        watch::look(&server.app, Extent::Whole).await.unwrap();
        assert_eq!(server.app.audit.verified().unwrap().faults, 0, "it is not due again yet");
        server.advance(Duration::from_secs(2));
        watch::look(&server.app, Extent::Whole).await.unwrap();
        let kept = server.app.audit.verified().unwrap();
        assert_eq!(kept.first.unwrap().0, "altered");
        let event = server.events("audit_verify_failed", 1).await.remove(0);
        assert_eq!(event.detail["reason"], "altered");
        assert_eq!(event.detail["index"], 7);
        let warnings = &ready().await["warnings"];
        assert!(warnings.as_array().unwrap().contains(&"audit_verify".into()), "{warnings}");
    })
    .await;
}

#[tokio::test]
async fn a_pruning_that_the_log_does_not_tell_of_is_no_pruning() {
    let touch = async |_: &TestApp, tx: &mut Tx| tamper::forge_pruning(tx, 256).await.unwrap();
    check("pruned by hand", touch, &[Fault::Missing { first: 0, last: 255 }]).await;
}

#[tokio::test]
async fn an_erasure_that_the_log_does_not_tell_of_is_no_erasure() {
    for is_data_gone in [true, false] {
        on_each_database(async |server| {
            history(server).await;
            let user = server.add(&Z1).await.id;
            let now = server.app.clock.now();
            let mut tx = server.app.db.write().await.unwrap();
            let context = Context {
                actor: Some(user),
                ip: Some("192.0.2.9".to_owned()),
                ..Context::default()
            };
            let id = server.app.random.row_id(now);
            events::append(&mut tx, &Event::ProvedAgain, &context, &id, now).await.unwrap();
            tx.commit().await.unwrap();
            server.app.audit.settle(now).await.unwrap();
            let before = judged(server, vec![], Extent::Whole).await;
            assert!(before.faults.is_clean(), "{:?}", before.faults);

            let mut tx = server.app.db.write().await.unwrap();
            tamper::forge_erasure(&mut tx, is_data_gone).await.unwrap();
            tx.commit().await.unwrap();
            let after = judged(server, vec![], Extent::Whole).await;
            let expected = Fault::PersonalMissing { index: SIZE, part: "from" };
            assert_eq!(after.faults.first(), [expected], "{is_data_gone}");
            assert_eq!(after.erased, 0);
        })
        .await;
    }
}

#[tokio::test]
async fn a_log_that_was_emptied_is_shorter_than_its_anchor() {
    on_each_database(async |server| {
        history(server).await;
        let anchors = vec![anchor(server)];
        let mut tx = server.app.db.write().await.unwrap();
        tamper::drop_guards(&mut tx).await.unwrap();
        tamper::empty(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        let after = judged(server, anchors, Extent::Whole).await;
        let by = Witness::Anchor;
        assert_eq!(after.faults.first()[0], Fault::Truncated { size: 0, signed: 500, by });
    })
    .await;
}
