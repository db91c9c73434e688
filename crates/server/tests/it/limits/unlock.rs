//! Letting somebody try again who is locked out: an account, by somebody whose word reaches so far, or
//! an address.

use std::time::Duration;

use http::Method;
use portcullis_store::{roles, users};
use serde_json::json;

use super::{PATH, UNLOCK, act, add_warden, attempt, lock_out, usual};
use crate::harness::on_each_database_with;
use crate::harness::people::{PASSWORD, STAFF, Z1};

#[tokio::test]
async fn whoever_is_locked_out_is_seen_and_let_in_again() {
    on_each_database_with(usual(), async |server| {
        let user = server.add(&Z1).await;
        let owner = server.by_bearer(&STAFF).await;
        let known = server.client();
        assert_eq!(attempt(&known, "203.0.113.7", "Fredkiss3", PASSWORD).await.status, 201);
        lock_out(server, &server.client(), "203.0.113.7", "Fredkiss3").await;
        lock_out(server, &server.client(), "2001:db8:1:2:3::4", "Fredkiss3").await;

        let body = owner.get(PATH).send().await.json();
        let [six, four] = [0, 1].map(|at| body["data"]["lockouts"][at].clone());
        assert_eq!(six["network"], "2001:db8:1:2::/64", "the newest first: {body}");
        let until = server.app.clock.now().plus(Duration::from_mins(4)).iso();
        let expected = json!({
            "user_id": user.id, "user_name": Z1.email, "network": "203.0.113.7/32",
            "device": false, "failures": 10, "until": until,
        });
        assert_eq!(four, expected);
        let one = owner.get(&format!("{PATH}?user_id={}", user.id)).send().await.json();
        assert_eq!(one["data"]["lockouts"].as_array().unwrap().len(), 2);
        assert_eq!(
            (&one["data"]["failures"], &one["data"]["password_disabled"]),
            (&json!(20), &json!(false))
        );

        // Neither other networks nor a known device are locked out.
        assert_eq!(attempt(&known, "203.0.113.7", "Fredkiss3", PASSWORD).await.status, 201);
        let elsewhere = attempt(&server.client(), "203.0.113.8", "Fredkiss3", PASSWORD).await;
        assert_eq!(elsewhere.status, 201);
        let still = attempt(&server.client(), "203.0.113.7", "Fredkiss3", PASSWORD).await;
        assert_eq!(still.verdict(), "429 locked_out", "that opens no lock");

        let unlocked = act(&owner, Method::POST, UNLOCK, &json!({"user_id": user.id})).await;
        assert_eq!(unlocked.json()["changed"], true, "{unlocked:?}");
        for from in ["203.0.113.7", "2001:db8:1:2:3::5"] {
            let answer = attempt(&server.client(), from, "Fredkiss3", PASSWORD).await;
            assert_eq!(answer.status, 201, "{from}: {answer:?}");
        }
        assert_eq!(owner.get(PATH).send().await.json()["data"]["lockouts"], json!([]));
        assert_eq!(server.events("user_unlocked", 1).await.len(), 1);
        for (body, expected) in [
            (json!({"user_id": user.id}), "200"),
            (json!({"user_id": user.id.to_string()}), "200"),
            (json!({"email": Z1.email}), "200"),
            (json!({"user_id": 999}), "404 not_found"),
            (json!({"email": "nobody@example.com"}), "404 not_found"),
            (json!({"user_id": "x"}), "400 invalid"),
            (json!({"email": "%"}), "400 invalid"),
            (json!({"address": "203.0.113.0/24"}), "400 invalid"),
            (json!({"address": "%"}), "400 invalid"),
            (json!({"user_id": user.id, "address": "203.0.113.7"}), "400 invalid"),
            (json!({}), "400 invalid"),
        ] {
            let answer = act(&owner, Method::POST, UNLOCK, &body).await;
            assert_eq!(answer.verdict(), expected, "{body}");
        }
        let by_query = format!("{PATH}?user_id={}", user.id);
        let answer = act(&owner, Method::DELETE, &by_query, &json!({})).await;
        assert_eq!(answer.json()["changed"], false, "{answer:?}");
    })
    .await;
}

#[tokio::test]
async fn a_password_that_was_switched_off_is_seen_and_given_back() {
    on_each_database_with(usual(), async |server| {
        let user = server.add(&Z1).await;
        let owner = server.by_bearer(&STAFF).await;
        let mut tx = server.app.db.write().await.unwrap();
        users::disable_password(&mut tx, user.id).await.unwrap();
        tx.commit().await.unwrap();
        let try_it = async || {
            let answer = attempt(&server.client(), "203.0.113.1", "Fredkiss3", PASSWORD).await;
            answer.verdict()
        };
        assert_eq!(try_it().await, "401 wrong_credentials");
        let listed = owner.get(PATH).send().await.json()["data"]["passwords_disabled"].clone();
        assert_eq!(listed, json!([{"user_id": user.id, "user_name": Z1.email}]));
        let body = json!({"email": "FRED@example.com"});
        assert_eq!(act(&owner, Method::POST, UNLOCK, &body).await.json()["changed"], true);
        assert_eq!(try_it().await, "201");
    })
    .await;
}

#[tokio::test]
async fn nobody_forgives_above_their_own_level() {
    on_each_database_with(usual(), async |server| {
        let owner = server.add(&STAFF).await;
        let worker = server.add(&Z1).await;
        let warden = add_warden(server).await;
        lock_out(server, &server.client(), "203.0.113.7", "staff").await;
        lock_out(server, &server.client(), "203.0.113.7", "Fredkiss3").await;
        let above = act(&warden, Method::POST, UNLOCK, &json!({"user_id": owner.id})).await;
        assert_eq!(above.verdict(), "403 above_level");
        let control = act(&warden, Method::POST, UNLOCK, &json!({"user_id": worker.id})).await;
        assert_eq!(control.json()["changed"], true, "{control:?}");
        // Nor by the address: the lock-outs of accounts stay.
        let address = json!({"address": "203.0.113.7"});
        assert_eq!(act(&warden, Method::POST, UNLOCK, &address).await.status, 200);
        let answer = attempt(&server.client(), "203.0.113.7", "staff", PASSWORD).await;
        assert_eq!(answer.verdict(), "429 locked_out");
        let answer = attempt(&server.client(), "203.0.113.7", "Fredkiss3", PASSWORD).await;
        assert_eq!(answer.status, 201);
    })
    .await;
}

#[tokio::test]
async fn nobody_forgives_those_above_them() {
    on_each_database_with(usual(), async |server| {
        let worker = server.add(&Z1).await;
        let warden = add_warden(server).await;
        let unlock =
            async || act(&warden, Method::POST, UNLOCK, &json!({"user_id": worker.id})).await;
        assert_eq!(unlock().await.status, 200, "control");
        let mut tx = server.app.db.write().await.unwrap();
        let owner = roles::by_name(&mut tx, "owner").await.unwrap().unwrap().id;
        users::set_role(&mut tx, worker.id, owner, server.app.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(unlock().await.verdict(), "403 above_level");
        let denied = server.events("authz_fail", 1).await;
        assert_eq!(denied[0].detail["reason"], "above_level");
    })
    .await;
}

#[tokio::test]
async fn an_address_may_try_again() {
    on_each_database_with(usual(), async |server| {
        let owner = server.by_bearer(&STAFF).await;
        let try_from =
            async |from: &str| attempt(&server.client(), from, "nobody", "wrong").await.verdict();
        let addresses = ["203.0.113.7", "203.0.113.70", "2001:db8::7", "2001:db8:0:1::7"];
        for from in addresses {
            for _ in 0..5 {
                assert_eq!(try_from(from).await, "401 wrong_credentials");
            }
            assert_eq!(try_from(from).await, "429 too_many_requests");
        }
        for (address, freed, other) in [
            ("203.0.113.7", "203.0.113.7", "203.0.113.70"),
            ("2001:db8::ffff", "2001:db8::7", "2001:db8:0:1::7"),
        ] {
            let body = json!({"address": address});
            let answer = act(&owner, Method::POST, UNLOCK, &body).await;
            assert_eq!(answer.json()["changed"], true, "{answer:?}");
            assert_eq!(try_from(freed).await, "401 wrong_credentials", "{freed}");
            assert_eq!(try_from(other).await, "429 too_many_requests", "control: {other}");
        }
        let events = server.events("limit_address_forgiven", 2).await;
        assert_eq!(events[0].detail, json!({"network": "2001:db8::/64"}));
        let nothing = json!({"address": "198.51.100.1"});
        assert_eq!(act(&owner, Method::POST, UNLOCK, &nothing).await.json()["changed"], false);
    })
    .await;
}
