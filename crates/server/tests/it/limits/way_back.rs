//! Changing a limit shuts nobody out: what was counted under another limit does not count, and whoever
//! may change limits gets there when the requests are used up.

use std::time::Duration;

use http::Method;
use serde_json::json;

use super::{PATH, UNLOCK, act, attempt, change, row, usual};
use crate::harness::client::Client;
use crate::harness::on_each_database_with;
use crate::harness::people::{STAFF, STAFF0, Z1};

async fn verdict(client: &Client, path: &str) -> String {
    let answer = client.get(path).send().await;
    if answer.status == 200 { "200".to_owned() } else { answer.verdict() }
}

#[tokio::test]
async fn requests_that_were_counted_under_another_limit_do_not_count() {
    on_each_database_with(usual(), async |server| {
        let (owner, user) = (server.by_bearer(&STAFF).await, server.by_bearer(&Z1).await);
        for _ in 0..40 {
            assert_eq!(verdict(&user, "/api/auth/me").await, "200", "control");
        }
        let changed = change(&owner, "requests", json!("30/10m")).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        for client in [&user, &owner] {
            assert_eq!(verdict(client, "/api/auth/me").await, "200");
        }
        for _ in 0..28 {
            assert_eq!(verdict(&user, "/api/auth/me").await, "200");
        }
        let full = verdict(&user, "/api/auth/me").await;
        assert_eq!(full, "429 too_many_requests", "control: the new limit is in force");
    })
    .await;
}

#[tokio::test]
async fn attempts_that_were_counted_under_another_limit_do_not_count() {
    on_each_database_with(usual(), async |server| {
        let owner = server.by_bearer(&STAFF).await;
        let tried = async || attempt(&server.client(), "203.0.113.1", "nobody", "wrong").await;
        for _ in 0..4 {
            assert_eq!(tried().await.verdict(), "401 wrong_credentials", "control");
        }
        assert_eq!(change(&owner, "login", json!("3/1h")).await.status, 200);
        for _ in 0..3 {
            assert_eq!(tried().await.verdict(), "401 wrong_credentials");
        }
        assert_eq!(tried().await.verdict(), "429 too_many_requests", "control");
        assert_eq!(row(&owner, "login").await["exhausted"], 1);
        assert_eq!(change(&owner, "login", json!("4/60s")).await.status, 200);
        assert_eq!(tried().await.verdict(), "401 wrong_credentials");
        assert_eq!(row(&owner, "login").await["exhausted"], 0, "of the limit in force");
        let body = json!({"address": "203.0.113.1"});
        assert_eq!(act(&owner, Method::POST, UNLOCK, &body).await.json()["changed"], true);
        assert_eq!(change(&owner, "login", json!("3/1h")).await.status, 200);
        let answer = tried().await;
        assert_eq!(answer.verdict(), "401 wrong_credentials", "forgotten under every limit");
    })
    .await;
}

#[tokio::test]
async fn whoever_may_change_limits_gets_there_when_requests_are_used_up() {
    on_each_database_with(usual(), async |server| {
        let owner = server.by_bearer(&STAFF).await;
        let in_browser = server.sign_in(&STAFF).await;
        let helper = server.by_bearer(&STAFF0).await;
        let nobody = server.client();
        assert_eq!(change(&owner, "requests", json!("30/15m")).await.status, 200);
        while verdict(&nobody, "/api/auth/me").await != "429 too_many_requests" {}
        for client in [&owner, &helper, &nobody] {
            assert_eq!(verdict(client, "/api/auth/me").await, "429 too_many_requests", "control");
        }
        for client in [&helper, &nobody] {
            for path in [PATH, "/-/admin/limits"] {
                assert_eq!(verdict(client, path).await, "429 too_many_requests", "{path}");
            }
        }
        for _ in 0..40 {
            assert_eq!(verdict(&owner, PATH).await, "200");
        }
        for path in ["/-/admin/limits", "/-/confirm"] {
            let page = in_browser.get(path).header("accept", "text/html").send().await;
            assert_eq!(page.status, 200, "{page:?}");
        }
        let shown = owner.get(PATH).send().await;
        let token = shown.header("x-csrf-token").unwrap();
        let body = json!({"name": "requests", "value": null});
        let put = owner.request(Method::PUT, PATH).header("x-csrf-token", token).json(&body);
        let back = put.send().await;
        assert_eq!(back.status, 200, "{back:?}");
        assert_eq!(verdict(&helper, "/api/auth/me").await, "200");

        // What they ask there is not counted with what else they ask.
        assert_eq!(change(&owner, "requests", json!("31/15m")).await.status, 200);
        for _ in 0..40 {
            assert_eq!(verdict(&owner, PATH).await, "200");
        }
        assert_eq!(verdict(&owner, "/api/auth/me").await, "200");
        server.advance(Duration::from_mins(15));
        assert_eq!(verdict(&nobody, "/api/auth/me").await, "401 credential_missing");
    })
    .await;
}

#[tokio::test]
async fn nobody_is_shut_out_for_long() {
    on_each_database_with(usual(), async |server| {
        let owner = server.by_bearer(&STAFF).await;
        let check = async |name: &str, longest: &str, longer: &str| {
            let answer = change(&owner, name, json!(format!("100/{longest}"))).await;
            assert_eq!(answer.status, 200, "{name} {longest}: {answer:?}");
            let answer = change(&owner, name, json!(format!("100/{longer}"))).await;
            assert_eq!(answer.status, 400, "{name} {longer}: {answer:?}");
            let error = answer.json()["error"].as_str().unwrap().to_owned();
            assert!(error.contains(&format!("at most {longest}")), "{error}");
        };
        for name in ["requests", "upstream"] {
            check(name, "15m", "901s").await;
        }
        for name in ["login", "sensitive", "lockout"] {
            check(name, "1h", "3601s").await;
        }
        assert_eq!(change(&owner, "requests", json!("30/1d")).await.status, 400);
    })
    .await;
}
