//! `portcullis signing-key`, alone and beside a running server that has signed with what it replaces.

use serde_json::{Value, json};

use super::beside::beside;
use super::on_each_place;
use crate::harness::on_each_database;
use crate::harness::people::{STAFF, Z1};
use crate::tokens::{hear_of_keys, kid, token, verdict};

#[tokio::test]
async fn keys_are_made_listed_and_withdrawn() {
    on_each_place(async |place| {
        let listed = || -> Vec<Value> {
            let out = place.run("signing-key list --json").assert(0).json();
            out.as_array().unwrap().clone()
        };
        let states = || listed().iter().map(|key| key["state"].clone()).collect::<Vec<_>>();
        assert_eq!(listed(), [json!(null); 0]);
        let first = place.run("signing-key rotate --json").assert(0).json();
        let keys = listed();
        assert_eq!(keys.len(), 1);
        assert_eq!(
            (&keys[0]["kid"], &keys[0]["signs_from"]),
            (&first["kid"], &first["signs_from"])
        );
        assert_eq!(keys[0]["algorithm"], "EdDSA");
        assert_eq!(states(), ["published"]);

        let refused = place.run("signing-key rotate");
        assert!(refused.assert(1).err.contains("is published already"), "{refused:?}");
        let code = place.run("signing-key rotate --json");
        assert!(code.assert(1).err.contains("signing_key_waiting"), "{code:?}");
        assert_eq!(listed(), keys, "nothing has changed");

        let at_once = place.run("signing-key rotate --now");
        assert!(at_once.assert(0).out.contains("signs from"), "{at_once:?}");
        assert_eq!(states(), ["signing", "gone"]);
        let table = place.run("signing-key list");
        let out = &table.assert(0).out;
        for wanted in ["Algorithm", "EdDSA", "signing", "gone", first["kid"].as_str().unwrap()] {
            assert!(out.contains(wanted), "{wanted}: {out}");
        }
        place.run("signing-key rotate --soon").assert(2);
        place.run("signing-key").assert(2);
        let events = place.events().await;
        let count = |name: &str| events.iter().filter(|event| event.starts_with(name)).count();
        let counts = (count("sys_signing_key_made "), count("sys_signing_keys_withdrawn "));
        assert_eq!(counts, (2, 1), "{events:?}");
    })
    .await;
}

#[tokio::test]
async fn a_running_server_signs_with_the_new_key_and_takes_the_old_one_no_more() {
    on_each_database(async |server| {
        // The command goes by the clock of the machine.
        server.catch_up();
        server.add(&STAFF).await;
        let browser = server.by_cookie(&Z1).await;
        let old = token(server, &STAFF).await;
        let planned = beside(server, "signing-key rotate --json", "").await.assert(0).json();
        hear_of_keys(server).await;
        assert_eq!(verdict(server, &old).await, "200");
        assert_eq!(kid(&token(server, &STAFF).await), kid(&old), "the new one waits");

        let at_once = beside(server, "signing-key rotate --now --json", "").await.assert(0).json();
        assert_ne!(at_once["kid"], planned["kid"]);
        server.catch_up();
        hear_of_keys(server).await;
        assert_eq!(verdict(server, &old).await, "401 access_token_invalid");
        let new = token(server, &STAFF).await;
        assert_eq!(json!(kid(&new)), at_once["kid"]);
        assert_eq!(verdict(server, &new).await, "200");
        assert_eq!(browser.get("/api/auth/me").send().await.status, 200, "other credentials stay");
    })
    .await;
}
