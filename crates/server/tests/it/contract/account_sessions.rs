//! `/api/account/sessions`: one's own sessions, listed in the style of S, and ended.

use http::Method;
use serde_json::{Value, json};

use super::session_list::begin_sessions;
use super::{MINUTE, assert_s};
use crate::harness::client::{Answer, Client};
use crate::harness::on_each_database;
use crate::harness::people::{STAFF, TENANT};

const OWN: &str = "/api/account/sessions";

#[tokio::test]
async fn ts33_pages_are_bare_arrays_beside_a_total() {
    on_each_database(async |server| {
        let tenant = server.add(&TENANT).await;
        begin_sessions(server, &tenant, 99).await;
        server.by_cookie(&STAFF).await;
        let client = server.mobile(&TENANT).await;
        for (query, rows) in [
            ("", 20),
            ("?page=1&limit=25", 25),
            ("?page=2&limit=25", 25),
            ("?page=4&limit=25", 25),
            ("?page=5&limit=25", 0),
            ("?page=2&limit=60", 40),
            ("?limit=500", 100),
            ("?page=999999999999&limit=100", 0),
            ("?sortBy=createdAt&sortOrder=desc", 20),
        ] {
            let answer = list(&client, query).await;
            assert_eq!(answer.json().as_array().unwrap().len(), rows, "{query}");
            assert_eq!(answer.header("x-total-count"), Some("100"), "{query}");
        }
        let first = list(&client, "").await.json();
        assert_eq!(
            (&first[0]["is_current"], &first[1]["is_current"]),
            (&json!(true), &json!(false))
        );
        for (query, named) in [
            ("?page=0", "page"),
            ("?page=-1", "page"),
            ("?limit=0", "limit"),
            ("?limit=x", "limit"),
            ("?sortBy=ip", "sortBy"),
            ("?sortOrder=asc", "sortOrder"),
        ] {
            let answer = client.get(&format!("{OWN}{query}")).send().await;
            assert_eq!(answer.status, 400, "{query}");
            assert!(answer.json()["message"][0].as_str().unwrap().contains(named), "{answer:?}");
        }
        assert_s(&server.client().get(OWN).send().await, 401, "Unauthorized");
    })
    .await;
}

#[tokio::test]
async fn one_of_ones_own_is_ended_and_is_dead_at_once() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let (one, other) = (server.mobile(&TENANT).await, server.mobile(&TENANT).await);
        let (of_one, of_other) = (current(&one).await, current(&other).await);
        let path = format!("{OWN}/{of_other}");
        assert_eq!(one.request(Method::DELETE, &path).send().await.verdict(), "403 csrf_missing");
        assert_eq!(other.get(OWN).send().await.status, 200);
        let ended = delete(&one, &path).await;
        assert_eq!(ended.status, 200, "{ended:?}");
        assert_eq!(ended.json(), json!({"success": true, "message": "Session ended"}));
        assert_eq!(other.get(OWN).send().await.verdict(), "401 session_ended");
        let again = delete(&one, &path).await;
        assert_eq!(again.verdict(), "404 not_found", "it is over");
        let itself = delete(&one, &format!("{OWN}/{of_one}")).await;
        assert_eq!(itself.verdict(), "400 own_session");
        let denied = &server.events("authz_fail", 1).await[0];
        assert_eq!(denied.detail["reason"], "own_session");
        assert_eq!(list(&one, "").await.json().as_array().unwrap().len(), 1);
        let event = &server.events("session_ended", 1).await[0];
        assert_eq!(event.detail, json!({"reason": "terminated"}));
    })
    .await;
}

#[tokio::test]
async fn all_others_end_together_and_are_counted() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let staff = server.by_cookie(&STAFF).await;
        let here = server.mobile(&TENANT).await;
        // One that is over already is none that is ended.
        let over = server.sign_in(&TENANT).await;
        let token = over.fetch_csrf().await;
        over.post("/api/auth/logout").header("x-csrf-token", &token).send().await;
        let there = [server.mobile(&TENANT).await, server.remembered(&TENANT).await];
        server.advance(MINUTE);
        let ended = delete(&here, OWN).await;
        let body = json!({"success": true, "message": "2 other sessions ended", "count": 2});
        assert_eq!(ended.json(), body);
        for client in there {
            assert_eq!(client.get(OWN).send().await.status, 401, "nor does its browser come back");
        }
        assert_eq!(here.get(OWN).send().await.status, 200);
        assert_eq!(staff.get(OWN).send().await.status, 200, "other people's stay");
        let none = delete(&here, OWN).await.json();
        assert_eq!(none["message"], "0 other sessions ended");
        let details: Vec<_> =
            server.events("session_ended", 2).await.into_iter().map(|event| event.detail).collect();
        assert_eq!(
            details,
            [json!({"others": 2, "reason": "logout"}), json!({"reason": "logout"})]
        );
    })
    .await;
}

async fn list(client: &Client, query: &str) -> Answer {
    let answer = client.get(&format!("{OWN}{query}")).send().await;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    answer
}

async fn delete(client: &Client, path: &str) -> Answer {
    let token = client.fetch_csrf().await;
    client.request(Method::DELETE, path).header("x-csrf-token", &token).send().await
}

/// The handle of a client's own session.
async fn current(client: &Client) -> String {
    let own: Value = list(client, "").await.json();
    let mut own = own.as_array().unwrap().iter();
    let row = own.find(|row| row["is_current"] == true).unwrap();
    row["session_id"].as_str().unwrap().to_owned()
}
