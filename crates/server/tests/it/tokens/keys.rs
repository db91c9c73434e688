//! Signing keys: the first, one in the place of another, several nodes, and a key that is not known.

use std::time::Duration;

use portcullis_domain::event::Context;
use portcullis_domain::signing_key::{Algorithm, KeyLife, PUBLISHED_BEFORE, Pace, Stage};
use portcullis_server::flows::signing_keys::{self, Making, Rotated};
use portcullis_server::signing_keys::keep;
use portcullis_store::signing_keys::{self as stored, StoredKey};
use portcullis_store::{Error, Tx, scratch};
use serde_json::Value;

use super::{asking, hear_of_keys, kid, part, token, verdict};
use crate::harness::people::STAFF;
use crate::harness::{Setup, TestApp, on_each_database, on_each_database_with};

const DAY: Duration = Duration::from_hours(24);

/// Asks for a new key, as the command does beside the server; then this node hears of it.
pub(super) async fn rotate(server: &TestApp, pace: Pace) -> Rotated {
    let rotated = rotate_unheard(server, pace).await;
    hear_of_keys(server).await;
    rotated
}

async fn rotate_unheard(server: &TestApp, pace: Pace) -> Rotated {
    let (app, context) = (&server.app, Context::default());
    let making = Making::now(app, &context);
    signing_keys::rotate(&making, pace).await.unwrap()
}

/// Another node under the same public address.
fn beside(server: &TestApp, config: &str) -> Setup {
    Setup::with(&format!("[server]\npublic_url = \"{}\"\n{config}", server.app.public_url))
}

async fn published(server: &TestApp) -> Vec<String> {
    let keys = asking(server).get("/.well-known/jwks.json").send().await.json();
    let kid = |key: &Value| key["kid"].as_str().unwrap().to_owned();
    keys["keys"].as_array().unwrap().iter().map(kid).collect()
}

async fn stages(server: &TestApp) -> Vec<Stage> {
    let now = server.app.clock.now();
    let known = signing_keys::list(&server.app.db).await.unwrap();
    known.iter().map(|key| key.life.stage(now)).collect()
}

#[tokio::test]
async fn a_new_key_is_published_signs_retires_and_goes() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let first = token(server, &STAFF).await;
        assert_eq!(published(server).await, [kid(&first)]);
        let Rotated::Made { kid: second, .. } = rotate(server, Pace::Planned).await else {
            panic!()
        };
        assert_eq!(published(server).await, [second.clone(), kid(&first)]);
        assert!(matches!(rotate(server, Pace::Planned).await, Rotated::Waiting { .. }));
        let meanwhile = token(server, &STAFF).await;
        assert_eq!(kid(&meanwhile), kid(&first), "published, and signs nothing yet");

        server.advance(PUBLISHED_BEFORE);
        let after = token(server, &STAFF).await;
        assert_eq!(kid(&after), second);
        for good in [&first, &meanwhile, &after] {
            assert_eq!(verdict(server, good).await, "200");
        }
        assert_eq!(stages(server).await, [Stage::Signing, Stage::Retired]);
        // The last that it signed runs out before it is gone.
        server.advance(DAY.saturating_sub(PUBLISHED_BEFORE));
        assert_eq!(verdict(server, &meanwhile).await, "401 access_token_expired");
        server.advance(PUBLISHED_BEFORE + Duration::from_mins(5));
        assert_eq!(published(server).await, [second]);
        assert_eq!(stages(server).await, [Stage::Signing, Stage::Gone]);
        server.events("sys_signing_key_made", 1).await;
    })
    .await;
}

#[tokio::test]
async fn a_key_that_somebody_may_have_is_withdrawn_with_all_that_it_signed() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let other = server.second_node(&beside(server, "")).await;
        let browser = server.sign_in(&STAFF).await;
        let old = token(server, &STAFF).await;
        assert_eq!(verdict(&other, &old).await, "200", "control");
        let Rotated::Made { kid: new, .. } = rotate(server, Pace::AtOnce).await else { panic!() };
        assert_eq!(published(server).await, std::slice::from_ref(&new));
        assert_eq!(verdict(server, &old).await, "401 access_token_invalid");
        // A node that has not heard of the keys refuses within the bound all the same.
        other.advance(Duration::from_secs(3));
        assert_eq!(verdict(&other, &old).await, "401 session_ended");
        assert_eq!(browser.get(super::ME).send().await.status, 200, "other credentials stay");
        assert_eq!(kid(&token(server, &STAFF).await), new);
        server.events("sys_signing_keys_withdrawn", 1).await;
        other.finish().await;
    })
    .await;
}

#[tokio::test]
async fn a_node_looks_once_for_a_key_that_it_does_not_know() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let other = server.second_node(&beside(server, "")).await;
        let unknown = token(server, &STAFF).await.replacen(
            &super::encode(&part(&token(server, &STAFF).await, 0)),
            &super::encode(r#"{"alg":"EdDSA","typ":"at+jwt","kid":"AAAAAAAAAAA"}"#),
            1,
        );
        other.advance(Duration::from_secs(2));
        // The one look, spent on a key that nobody has.
        assert_eq!(verdict(&other, &unknown).await, "401 access_token_invalid");
        rotate(server, Pace::AtOnce).await;
        let new = token(server, &STAFF).await;
        assert_eq!(verdict(&other, &new).await, "401 access_token_invalid", "not again so soon");
        other.advance(Duration::from_secs(1));
        assert_eq!(verdict(&other, &new).await, "200");
        assert_eq!(verdict(&other, &unknown).await, "401 access_token_invalid");
        other.finish().await;
    })
    .await;
}

#[tokio::test]
async fn of_nodes_that_make_a_key_at_once_one_wins() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let other = server.second_node(&beside(server, "")).await;
        assert_eq!(published(server).await, published(&other).await, "one first key");
        server.advance(90 * DAY);
        other.advance(90 * DAY);
        let both = [server, &other];
        let kept = both.iter().cycle().take(8).map(|node| keep(&node.app));
        for kept in futures_util::future::join_all(kept).await {
            kept.unwrap();
        }
        assert_eq!(stages(server).await, [Stage::Published, Stage::Signing], "one new key");
        assert_eq!(published(server).await, published(&other).await);
        // By command, too. The clock of the node that made the key may be a little ahead.
        server.advance(PUBLISHED_BEFORE + Duration::from_secs(1));
        let by_command = (0..4).map(|_| rotate_unheard(server, Pace::Planned));
        let made = futures_util::future::join_all(by_command).await;
        let made = made.iter().filter(|made| matches!(made, Rotated::Made { .. })).count();
        assert_eq!(made, 1);
        other.finish().await;
    })
    .await;
}

#[tokio::test]
async fn another_algorithm_in_the_configuration_makes_a_new_key() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let old = token(server, &STAFF).await;
        let other = server.second_node(&beside(server, "[tokens]\nsigning = \"ES256\"")).await;
        assert_eq!(published(&other).await.len(), 2);
        other.advance(PUBLISHED_BEFORE);
        server.advance(PUBLISHED_BEFORE);
        let new = token(&other, &STAFF).await;
        assert!(part(&new, 0).contains("ES256"));
        assert_eq!(verdict(&other, &old).await, "200");
        assert_eq!(verdict(server, &new).await, "200", "it looked for the key");
        other.finish().await;
    })
    .await;
}

/// What `/readyz` goes by: where the clock was moved, PostgreSQL's differs, and that is told instead.
fn is_in_trouble(server: &TestApp) -> bool {
    server.app.signing_keys.is_in_trouble(&server.app.config, server.app.clock.now())
}

#[tokio::test]
async fn keys_are_replaced_on_schedule_and_one_that_is_late_is_told() {
    let setup = Setup::with("[tokens]\nrotate_every = \"1h\"");
    on_each_database_with(setup, async |server| {
        assert!(!is_in_trouble(server), "control");
        server.advance(Duration::from_hours(2));
        assert!(is_in_trouble(server), "nobody made one for an hour");
        keep(&server.app).await.unwrap();
        assert!(!is_in_trouble(server));
        assert_eq!(stages(server).await, [Stage::Published, Stage::Signing]);
        let known = signing_keys::list(&server.app.db).await.unwrap();
        assert!(known.iter().all(|key| key.algorithm == Algorithm::EdDsa));
    })
    .await;
}

#[tokio::test]
async fn a_scheduled_key_that_cannot_be_made_is_told_and_the_old_one_goes_on() {
    let setup = Setup::with("[tokens]\nrotate_every = \"1h\"");
    on_each_database_with(setup, async |server| {
        server.add(&STAFF).await;
        let first = token(server, &STAFF).await;
        change(server, async |tx| scratch::refuse_signing_keys(tx).await).await;
        server.advance(Duration::from_mins(61));
        assert!(!is_in_trouble(server), "control: it was not tried yet, and is not late");
        for _ in 0..2 {
            keep(&server.app).await.unwrap_err();
            assert!(is_in_trouble(server));
        }
        assert_eq!(stages(server).await, [Stage::Signing]);
        let meanwhile = token(server, &STAFF).await;
        assert_eq!(kid(&meanwhile), kid(&first));
        assert_eq!(verdict(server, &meanwhile).await, "200");

        change(server, async |tx| scratch::take_signing_keys(tx).await).await;
        keep(&server.app).await.unwrap();
        assert!(!is_in_trouble(server));
        assert_eq!(stages(server).await, [Stage::Published, Stage::Signing]);
    })
    .await;
}

#[tokio::test]
async fn a_key_that_does_not_open_is_told_and_what_is_known_goes_on() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let good = token(server, &STAFF).await;
        let odd = StoredKey {
            generation: 2,
            kid: "AAAAAAAAAAA".to_owned(),
            algorithm: Algorithm::EdDsa,
            public_jwk: "{}".to_owned(),
            private_key: vec![7; 60],
            life: KeyLife::of_first(server.app.clock.now()),
        };
        change(server, async |tx| stored::insert(tx, &odd).await.map(drop)).await;
        let warnings = async || {
            let ready = server.client().get("/readyz").send().await;
            ready.json()["warnings"].to_string()
        };
        assert!(!warnings().await.contains("signing_keys"), "control");
        keep(&server.app).await.unwrap_err();
        assert!(warnings().await.contains("signing_keys"));
        assert_eq!(verdict(server, &good).await, "200");
        assert_eq!(kid(&token(server, &STAFF).await), kid(&good));
    })
    .await;
}

/// Does this to the database, past the program.
async fn change(server: &TestApp, what: impl AsyncFnOnce(&mut Tx) -> Result<(), Error>) {
    let mut tx = server.app.db.write().await.unwrap();
    what(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
}
