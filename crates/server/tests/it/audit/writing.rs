//! Every event gets one place, whoever writes and however many at once, and nothing personal is in
//! what is hashed.

use std::collections::HashSet;
use std::time::Duration;

use portcullis_domain::audit::tiles::Tiles;
use portcullis_domain::event::{Context, Event};
use portcullis_store::audit::{pending, tree};
use portcullis_store::events::{self, Standing};

use tokio::task::JoinSet;

use super::entries;
use crate::harness::people::{PASSWORD, Z1, sign_in};
use crate::harness::{Setup, TestApp, database, on_each_database};

/// How many acts each of the writers does.
const ACTS: usize = 150;

#[tokio::test]
async fn an_event_keeps_what_it_says_and_nothing_personal_is_hashed() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let client = server.client();
        let body = serde_json::json!({"username": Z1.username, "password": "not his password"});
        let wrong = client.post("/api/auth/login").header("user-agent", "Sentinel/1.0");
        assert_eq!(wrong.json(&body).send().await.status, 401);
        assert_eq!(sign_in(&client, Z1.username.unwrap(), PASSWORD).await.status, 201);

        let before = server.events("authn_login_fail", 1).await;
        let waiting = before.iter().filter(|event| event.index.is_none()).count();
        let (entries, _) = entries(server).await;
        let after = server.events("authn_login_fail", 1).await;
        assert!(waiting > 0 || after == before);
        let [event] = after.as_slice() else { panic!("{after:?}") };
        assert_eq!(event.context.user_agent.as_deref(), Some("Sentinel/1.0"));
        assert_eq!(event.context.ip.as_deref(), Some("127.0.0.1"));
        assert_eq!(event.personal, Standing::Whole);
        assert_eq!(event.detail["reason"], "wrong_password");
        let entry = &entries[usize::try_from(event.index.unwrap()).unwrap()];
        assert_eq!((&entry.id, &entry.event), (&event.id, &event.name));
        assert!(entry.from.is_some() && entry.subject.is_some());
        for entry in &entries {
            let leaf = String::from_utf8(entry.leaf().unwrap()).unwrap();
            for personal in ["Sentinel", "127.0.0.1", Z1.email, "Fredkiss3", "Jane"] {
                assert!(!leaf.contains(personal), "{leaf}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_write_one_tree() {
    for kind in database::kinds() {
        let first = TestApp::start(kind, &Setup::served()).await;
        let second = first.second_node(&Setup::served()).await;
        let apps = [first.app.clone(), second.app.clone()];
        let mut writers = JoinSet::new();
        for writer in 0..8 {
            let app = apps[writer % 2].clone();
            writers.spawn(async move {
                let mut ids = Vec::new();
                for act in 0..ACTS {
                    let now = app.clock.now();
                    let id = app.random.row_id(now);
                    let request_id = Some(format!("{writer}-{act}"));
                    let context = Context { request_id, ..Context::default() };
                    let mut tx = app.db.write().await.unwrap();
                    events::append(&mut tx, &Event::Stopped, &context, &id, now).await.unwrap();
                    tx.commit().await.unwrap();
                    ids.push(id);
                    // Both sequence as fast as they can, beside the jobs of both.
                    if act % 8 == 0 {
                        app.audit.settle(now).await.unwrap();
                    }
                }
                ids
            });
        }
        let written = writers.join_all().await.concat();
        let (entries, range) = entries(&first).await;
        let placed: Vec<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
        let unique: HashSet<&str> = placed.iter().copied().collect();
        assert_eq!(placed.len(), unique.len(), "each has one place");
        assert_eq!(written.len(), 8 * ACTS);
        assert!(written.iter().all(|id| unique.contains(id.as_str())), "each has a place");
        assert!(entries.is_sorted_by_key(|entry| entry.logged));

        let mut tx = first.app.db.read().await.unwrap();
        let mut tiles = Tiles::new();
        for tile in Tiles::edge(range.size()) {
            let hashes = tree::tile(&mut tx, tile.level, tile.n).await.unwrap().unwrap();
            tiles.insert(tile, &hashes).unwrap();
        }
        assert_eq!(tiles.root(range.size()).unwrap(), range.root());
        drop(tx);
        second.finish().await;
        first.finish().await;
    }
}

#[tokio::test]
async fn what_is_rolled_back_never_happened() {
    on_each_database(async |server| {
        let now = server.app.clock.now();
        let (size, _) = entries(server).await;
        for (id, is_kept) in [("kept", true), ("given-up", false)] {
            let mut tx = server.app.db.write().await.unwrap();
            events::append(&mut tx, &Event::Stopped, &Context::default(), id, now).await.unwrap();
            if is_kept {
                tx.commit().await.unwrap();
            }
        }
        let (after, _) = entries(server).await;
        let new: Vec<&str> = after[size.len()..].iter().map(|entry| entry.id.as_str()).collect();
        assert_eq!(new, ["kept"]);
    })
    .await;
}

#[tokio::test]
async fn the_jobs_give_places_within_a_second_without_being_asked() {
    for kind in database::kinds() {
        let server = TestApp::start(kind, &Setup::served()).await;
        server.add(&Z1).await;
        sign_in(&server.client(), Z1.username.unwrap(), PASSWORD).await;
        let mut waited = Duration::ZERO;
        while pending::any(&mut server.app.db.read().await.unwrap()).await.unwrap() {
            tokio::time::sleep(Duration::from_millis(50)).await;
            waited += Duration::from_millis(50);
            assert!(waited < Duration::from_secs(5), "events still wait");
        }
        let (entries, _) = entries(&server).await;
        assert!(entries.iter().any(|entry| entry.event == "authn_login_success"));
        server.finish().await;
    }
}
