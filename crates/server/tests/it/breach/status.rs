//! P28, and the same at the users' endpoint: how it stands with everybody's password, page by page, for staff.

use std::collections::BTreeSet;
use std::time::Duration;

use portcullis_domain::id::UserId;
use portcullis_domain::password::BreachState;
use portcullis_store::users::{self, Checked};
use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::people::{AGENT, Person, STAFF, STAFF0, TENANT, Z1};
use crate::harness::{TestApp, on_each_database};

pub(super) const PATH: &str = "/api/admin/password-breach-status";
const USERS: &str = "/api/users/users?action=get_password_breach_status";

/// Staff with the documented keys, and those who have one of the two that the users' endpoint asks for.
const CLERK: Person = staff("clerk@example.com", "clerk", "staff");

const fn staff(email: &'static str, username: &'static str, role: &'static str) -> Person {
    Person { email, username: Some(username), role, ..STAFF }
}

/// From now on no password of a sign-in is looked up, so nobody's state changes in the middle of a test.
pub(super) fn look_nobody_up(server: &TestApp) {
    server.app.breach.turns.close();
}

/// Writes down what was found out of somebody's password.
pub(super) async fn note(server: &TestApp, id: UserId, state: BreachState, corpus: &str) {
    let mut tx = server.app.db.write().await.unwrap();
    let set_at = users::breach_standing(&mut tx, id).await.unwrap().unwrap().set_at.unwrap();
    let count = if state == BreachState::Breached { 3_200 } else { 0 };
    let checked = Checked { state, corpus: corpus.to_owned() };
    let now = server.app.clock.now();
    assert!(users::note_check(&mut tx, id, set_at, (&checked, count), now).await.unwrap());
    tx.commit().await.unwrap();
}

async fn list(client: &Client, query: &str) -> Value {
    let answer = client.get(&format!("{PATH}{query}")).send().await;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    answer.json()
}

fn ids(body: &Value) -> Vec<i64> {
    body["data"].as_array().unwrap().iter().map(|row| row["user_id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn p28_the_worst_comes_first_in_the_documented_keys() {
    on_each_database(async |server| {
        look_nobody_up(server);
        let clerk = server.by_cookie(&CLERK).await;
        let corpus = portcullis_server::flows::breach::Sources::of(&server.app).corpus();
        let mut known = Vec::new();
        for (person, state, corpus) in [
            (&TENANT, BreachState::Clear, "list 2020-01-01"),
            (&STAFF0, BreachState::Breached, "list 2020-01-01"),
            (&AGENT, BreachState::Deferred, corpus.as_str()),
            (&Z1, BreachState::Clear, corpus.as_str()),
        ] {
            let id = server.add(person).await.id;
            note(server, id, state, corpus).await;
            known.push(id.0);
        }
        let body = list(&clerk, "").await;
        let (tenant, staff0, agent, z1) = (known[0], known[1], known[2], known[3]);
        let unchecked = body["data"][2]["user_id"].as_i64().unwrap();
        assert_eq!(ids(&body), [staff0, agent, unchecked, tenant, z1]);
        assert_eq!(body["success"], true);
        assert!(body["message"].is_string(), "{body}");
        assert_eq!(body["count"], 5);
        let summary = json!({"breached": 1, "deferred": 1, "unchecked": 1, "clear": 2});
        assert_eq!(body["summary"], summary);
        assert!(body.get("next").is_none(), "{body}");
        let now = server.app.clock.now();
        let week = now.plus(Duration::from_hours(7 * 24)).iso();
        let now = now.iso();
        assert_eq!(
            body["data"][0],
            json!({
                "user_id": staff0, "user_name": "Jane Smith", "status": "breached",
                "breach_count": 3_200, "last_checked": now, "due": false,
                "taken_until": week, "email": STAFF0.email, "password_set_at": now,
            })
        );
        let rows = body["data"].as_array().unwrap();
        let seen = rows.iter().map(|row| (row["status"].as_str().unwrap(), row["due"] == true));
        let expected = [
            ("breached", false),
            ("deferred", true),
            ("unchecked", true),
            ("clear", true),
            ("clear", false),
        ];
        assert_eq!(seen.collect::<Vec<_>>(), expected);
        assert_eq!(
            (&rows[2]["last_checked"], &rows[2]["taken_until"], &rows[2]["email"]),
            (&Value::Null, &Value::Null, &json!(CLERK.email))
        );
        let clear = list(&clerk, "?status=clear").await;
        assert_eq!((ids(&clear), &clear["count"]), (vec![tenant, z1], &json!(2)));
        assert_eq!(clear["summary"], summary);
    })
    .await;
}

#[tokio::test]
async fn pages_neither_skip_nor_repeat_anybody() {
    on_each_database(async |server| {
        look_nobody_up(server);
        let staff = server.by_cookie(&STAFF).await;
        let mut all =
            BTreeSet::from([list(&staff, "").await["data"][0]["user_id"].as_i64().unwrap()]);
        for (number, state) in BreachState::ALL.into_iter().cycle().take(10).enumerate() {
            let (email, name) = (format!("n{number}@example.com"), format!("n{number}"));
            let person = Person { email: email.leak(), username: Some(name.leak()), ..TENANT };
            let id = server.add(&person).await.id;
            if state != BreachState::Unchecked {
                note(server, id, state, "list").await;
            }
            all.insert(id.0);
        }
        let whole = ids(&list(&staff, "").await);
        assert_eq!(whole.iter().copied().collect::<BTreeSet<_>>(), all);
        for limit in 1..=12 {
            for filter in ["", "status=clear&", "status=deferred&"] {
                let expected = ids(&list(&staff, &format!("?{filter}")).await);
                let mut path = format!("{PATH}?{filter}limit={limit}");
                let mut seen = Vec::new();
                loop {
                    let body = staff.get(&path).send().await.json();
                    assert_eq!(body["count"], expected.len(), "{path}");
                    assert!(ids(&body).len() <= limit, "{path}: {body}");
                    seen.extend(ids(&body));
                    let Some(next) = body["next"].as_str() else { break };
                    path = next.to_owned();
                }
                assert_eq!(seen, expected, "{filter} {limit}");
            }
            // The users' endpoint counts from the beginning.
            let mut seen = Vec::new();
            while seen.len() < whole.len() {
                let path = format!("{USERS}&limit={limit}&offset={}", seen.len());
                let body = staff.get(&path).send().await.json();
                assert_eq!(body["count"], whole.len(), "{path}: {body}");
                assert!(!ids(&body).is_empty() && ids(&body).len() <= limit, "{path}: {body}");
                seen.extend(ids(&body));
            }
            assert_eq!(seen, whole, "{limit}");
        }
        let beyond = staff.get(&format!("{USERS}&offset=99999999999")).send().await.json();
        assert_eq!((ids(&beyond), &beyond["count"]), (vec![], &json!(whole.len())));
        // Whoever was last may be in another state by now, or nobody any more: it goes on from his place.
        let behind = ids(&list(&staff, "?after=deferred-9999").await);
        let worst = ids(&list(&staff, "?status=breached").await).len()
            + ids(&list(&staff, "?status=deferred").await).len();
        assert_eq!(behind, whole[worst..]);
    })
    .await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        for (query, status) in [
            ("status=breached", 200),
            ("status=Breached", 400),
            ("status=ok", 400),
            ("status=", 400),
            ("limit=1000", 200),
            ("limit=0", 400),
            ("limit=1001", 400),
            ("limit=x", 400),
            ("after=clear-1", 200),
            ("status=clear&after=clear-1", 200),
            ("status=clear&after=breached-1", 400),
            ("after=clear", 400),
            ("after=clear-0", 400),
            ("after=1", 400),
        ] {
            let answer = staff.get(&format!("{PATH}?{query}")).send().await;
            assert_eq!(answer.status, status, "{query}: {answer:?}");
        }
        for query in ["limit=0", "limit=201", "offset=-1"] {
            let answer = staff.get(&format!("{USERS}&{query}")).send().await;
            assert_eq!(answer.verdict(), "400 invalid", "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn it_is_for_staff_who_may() {
    on_each_database(async |server| {
        for (person, expected) in [
            (&CLERK, ("200", "200")),
            (&STAFF, ("200", "200")),
            (&STAFF0, ("403 permission_missing", "403 permission_missing")),
            (&TENANT, ("403 account_type", "403 permission_missing")),
            // Every key, and no staff.
            (&AGENT, ("403 account_type", "403 account_type")),
        ] {
            let client = server.by_cookie(person).await;
            for (path, expected) in [(PATH, expected.0), (USERS, expected.1)] {
                let answer = client.get(path).send().await;
                assert_eq!(answer.verdict(), expected, "{} {path}", person.email);
            }
        }
        for path in [PATH, USERS] {
            let answer = server.client().get(path).send().await;
            assert_eq!(answer.verdict(), "401 credential_missing");
        }
        // A password that is set is another one, of which something else may be known.
        let id = server.add(&Z1).await.id;
        note(server, id, BreachState::Breached, "list").await;
        server.advance(Duration::from_secs(1));
        let staff = server.sign_in(&STAFF).await;
        assert_eq!(list(&staff, "?status=breached").await["count"], 1);
        let mut tx = server.app.db.write().await.unwrap();
        let new = users::NewPassword::unseen("$argon2id$");
        users::set_password(&mut tx, id, &new, server.app.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(list(&staff, "?status=breached").await["count"], 0);
    })
    .await;
}
