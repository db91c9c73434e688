//! Looking after limits: how they stand, changing one while the server runs, on every node and after
//! a restart, and letting somebody try again who is locked out.

mod page;
mod unlock;
mod way_back;

use std::time::Duration;

use http::Method;
use portcullis_domain::account::AccountType;
use portcullis_domain::permission::Grant;
use portcullis_domain::role::Level;
use portcullis_domain::text::Name;
use portcullis_store::roles::{self, NewRole};
use serde_json::{Value, json};

use crate::harness::client::{Answer, Client};
use crate::harness::people::{AGENT, PASSWORD, Person, STAFF, STAFF0, TENANT, Z1};
use crate::harness::{Setup, TestApp, database, on_each_database, on_each_database_with};

const PATH: &str = "/api/admin/limits";
const UNLOCK: &str = "/api/admin/limits/unlock";

/// Staff who look after limits, far below the owners.
const WARDEN: Person = Person {
    email: "warden@example.com",
    username: Some("warden"),
    account_type: AccountType::Staff,
    role: "warden",
};

fn usual() -> Setup {
    Setup::with(
        "[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\n\
         [limits]\nlogin = \"5/60s\"\nlockout = \"10/15m\"\nrequests = \"600/60s\"\n",
    )
}

/// Sends a request that changes something, with a CSRF token.
async fn act(client: &Client, method: Method, path: &str, body: &Value) -> Answer {
    let token = client.fetch_csrf().await;
    client.request(method, path).header("x-csrf-token", &token).json(body).send().await
}

async fn change(client: &Client, name: &str, value: Value) -> Answer {
    act(client, Method::PUT, PATH, &json!({"name": name, "value": value})).await
}

/// The row of a limit, as an administrator sees it.
async fn row(client: &Client, name: &str) -> Value {
    let answer = client.get(PATH).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    let rows = body["data"]["limits"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name}: {body}")).clone()
}

async fn attempt(client: &Client, from: &str, name: &str, password: &str) -> Answer {
    let body = json!({"username": name, "password": password});
    client.post("/api/auth/login").header("x-forwarded-for", from).json(&body).send().await
}

/// Locks an address out of an account. Each attempt has a minute of its own.
async fn lock_out(server: &TestApp, client: &Client, from: &str, name: &str) {
    for _ in 0..10 {
        let answer = attempt(client, from, name, "wrong wrong wrong wrong").await;
        assert_eq!(answer.verdict(), "401 wrong_credentials");
        server.advance(Duration::from_mins(1));
    }
    let answer = attempt(client, from, name, PASSWORD).await;
    assert_eq!(answer.verdict(), "429 locked_out");
}

async fn add_warden(server: &TestApp) -> Client {
    let mut tx = server.app.db.write().await.unwrap();
    let (name, level) = (Name::parse(WARDEN.role).unwrap(), Level::new(40).unwrap());
    let now = server.app.clock.now();
    let id = roles::insert(&mut tx, &NewRole { name, level }, now).await.unwrap();
    // The key, and all that those hold whom he lets in again.
    for key in [
        "api.admin.limits.manage",
        "api.jobs.manage.manage",
        "api.leads.list",
        "api.projects.manage",
        "api.security.mobile_auth.use",
    ] {
        roles::grant(&mut tx, id, &Grant::parse(key).unwrap()).await.unwrap();
    }
    tx.commit().await.unwrap();
    server.by_bearer(&WARDEN).await
}

#[tokio::test]
async fn staff_who_hold_the_key_look_after_limits_and_nobody_else() {
    on_each_database(async |server| {
        let owner = server.by_bearer(&STAFF).await;
        let warden = add_warden(server).await;
        for client in [&owner, &warden] {
            assert_eq!(client.get(PATH).send().await.status, 200);
            let changed = change(client, "login", json!("9/60s")).await;
            assert_eq!(changed.status, 200, "{changed:?}");
            let back = change(client, "login", Value::Null).await;
            assert_eq!(back.status, 200, "{back:?}");
        }
        let refused = async |client: &Client, expected: &str| {
            assert_eq!(client.get(PATH).send().await.verdict(), expected);
            let body = json!({"name": "login", "value": "9/60s"});
            assert_eq!(act(client, Method::PUT, PATH, &body).await.verdict(), expected);
            let body = json!({"address": "192.0.2.1"});
            assert_eq!(act(client, Method::POST, UNLOCK, &body).await.verdict(), expected);
            let path = &format!("{PATH}?address=192.0.2.1");
            assert_eq!(act(client, Method::DELETE, path, &json!({})).await.verdict(), expected);
        };
        refused(&server.by_bearer(&STAFF0).await, "403 permission_missing").await;
        refused(&server.by_bearer(&TENANT).await, "403 account_type").await;
        // The type of the account beats a permission that is held.
        refused(&server.by_bearer(&AGENT).await, "403 account_type").await;
        let nobody = server.client();
        assert_eq!(nobody.get(PATH).send().await.verdict(), "401 credential_missing");
        let body = json!({"name": "login", "value": "9/60s"});
        let without = owner.request(Method::PUT, PATH).json(&body).send().await;
        assert_eq!(without.verdict(), "403 csrf_missing");
        assert_eq!(row(&owner, "login").await["source"], "config", "nothing was changed");
    })
    .await;
}

#[tokio::test]
async fn each_limit_says_where_it_comes_from() {
    let setup = Setup::with("[limits]\nlogin = \"5/60s\"\nlockout = \"9/15m\"\nrequests = \"off\"");
    on_each_database_with(setup, async |server| {
        let owner = server.by_bearer(&STAFF).await;
        let check =
            async |name: &str, value: &str, source: &str, configured: &str, default: &str| {
                let row = row(&owner, name).await;
                let told = ["value", "source", "configured", "default"].map(|key| row[key].clone());
                assert_eq!(told, [value, source, configured, default], "{row}");
            };
        check("login", "5/60s", "default", "5/60s", "5/60s").await;
        check("sensitive", "off", "config", "off", "3/300s").await;
        check("lockout", "9/900s", "config", "9/900s", "10/900s").await;
        check("requests", "off", "config", "off", "600/60s").await;
        check("upstream", "off", "default", "off", "off").await;
        assert_eq!(change(&owner, "upstream", json!("100/1m")).await.status, 200);
        check("upstream", "100/60s", "changed", "off", "off").await;
        let row = row(&owner, "upstream").await;
        assert_eq!(row["changed_by"], STAFF.email);
        assert_eq!(row["changed_at"], server.app.clock.now().iso());
    })
    .await;
}

#[tokio::test]
async fn a_change_is_in_force_at_once_and_can_be_taken_back() {
    on_each_database_with(usual(), async |server| {
        let owner = server.by_bearer(&STAFF).await;
        let admitted = async |from: &str| {
            let mut admitted = 0;
            while attempt(&server.client(), from, "nobody", "wrong").await.status == 401 {
                admitted += 1;
            }
            admitted
        };
        assert_eq!(admitted("203.0.113.1").await, 5, "control");
        let changed = change(&owner, "login", json!("3/60s")).await;
        assert_eq!(changed.json()["data"], json!({"name": "login", "value": "3/60s"}));
        assert_eq!(admitted("203.0.113.2").await, 3);
        let again = change(&owner, "login", json!("3/1m")).await.json();
        assert_eq!(again["message"], "The limit was so already");
        for back in [Value::Null, json!("default")] {
            assert_eq!(change(&owner, "login", json!("8/60s")).await.status, 200);
            assert_eq!(change(&owner, "login", back).await.json()["data"]["value"], "5/60s");
        }
        assert_eq!(admitted("203.0.113.3").await, 5);
        assert_eq!(row(&owner, "login").await["exhausted"], 2);
        assert_eq!(change(&owner, "login", Value::Null).await.status, 200, "nothing to take back");

        let events = server.events("limit_changed", 5).await;
        assert_eq!(events.len(), 5, "{events:?}");
        let first = events.last().unwrap();
        let expected = json!({
            "limit": "login", "before": "5/60s", "after": "3/60s", "is_configured": false,
        });
        assert_eq!(first.detail, expected);
        assert_eq!(first.severity, "critical");
        assert!(first.context.actor.is_some());
        let newest = json!({
            "limit": "login", "before": "8/60s", "after": "5/60s", "is_configured": true,
        });
        assert_eq!(events[0].detail, newest);
    })
    .await;
}

#[tokio::test]
async fn the_limits_of_requests_change_too() {
    on_each_database_with(usual(), async |server| {
        let owner = server.by_bearer(&STAFF).await;
        let told = async |path: &str| {
            let answer = owner.get(path).send().await;
            answer.header("x-ratelimit-limit").map(str::to_owned)
        };
        assert_eq!(told("/api/auth/me").await.as_deref(), Some("600"));
        assert_eq!(change(&owner, "requests", json!("30/60s")).await.status, 200);
        assert_eq!(told("/api/auth/me").await.as_deref(), Some("30"));
        assert_eq!(change(&owner, "upstream", json!("45/60s")).await.status, 200);
        assert_eq!(told("/api/leads").await.as_deref(), Some("45"));
        assert_eq!(change(&owner, "requests", json!("off")).await.status, 200);
        assert_eq!(told("/api/auth/me").await, None);
        assert_eq!(change(&owner, "lockout", json!("3/15m")).await.status, 200);
        for _ in 0..3 {
            let answer = attempt(&server.client(), "203.0.113.1", "staff", "wrong wrong").await;
            assert_eq!(answer.verdict(), "401 wrong_credentials");
        }
        let locked = attempt(&server.client(), "203.0.113.1", "staff", PASSWORD).await;
        assert_eq!(locked.verdict(), "429 locked_out");
    })
    .await;
}

#[tokio::test]
async fn nonsense_and_what_shuts_everybody_out_is_refused() {
    on_each_database_with(usual(), async |server| {
        let owner = server.by_bearer(&STAFF).await;
        let long = "9".repeat(5000);
        let values = [
            json!("0/60s"),
            json!("0"),
            json!(""),
            json!("-1/60s"),
            json!("5/60s; DROP TABLE settings"),
            json!("5/0s"),
            json!("1e9/60s"),
            json!("5/60s\u{0}"),
            json!("OFF"),
            json!("1/36500d"),
            json!("2/60s"),
            json!("5/2d"),
            json!(5),
            json!(true),
            json!([]),
            json!({}),
            json!(long),
            json!("<script>alert(1)</script>"),
        ];
        for value in values {
            let answer = change(&owner, "login", value.clone()).await;
            assert_eq!(answer.status, 400, "{value}: {answer:?}");
            assert!(answer.json()["error"].as_str().unwrap().contains("value"), "{answer:?}");
        }
        assert_eq!(change(&owner, "requests", json!("29/60s")).await.status, 400);
        for name in [json!("body"), json!("limits.login"), json!(""), json!(1), Value::Null] {
            let body = json!({"name": name, "value": "9/60s"});
            let answer = act(&owner, Method::PUT, PATH, &body).await;
            assert_eq!(answer.status, 400, "{name}: {answer:?}");
        }
        let answer = act(&owner, Method::PUT, PATH, &json!({"name": "login"})).await;
        assert_eq!(answer.verdict(), "400 invalid", "a value must be named");
        assert_eq!(row(&owner, "login").await["value"], "5/60s");
        let control = change(&owner, "login", json!("9/60s")).await;
        assert_eq!(control.status, 200, "{control:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_in_force_on_every_node_and_after_a_restart() {
    for kind in database::kinds() {
        let setup = Setup { is_served: true, ..usual() };
        let first = TestApp::start(kind, &setup).await;
        let second = first.second_node(&setup).await;
        let owner = first.by_bearer(&STAFF).await;
        let there = owner.at(second.address);
        assert_eq!(row(&there, "login").await["value"], "5/60s", "control");
        assert_eq!(change(&owner, "login", json!("3/60s")).await.status, 200);
        let mut looks = 0;
        while row(&there, "login").await["value"] != "3/60s" {
            looks += 1;
            assert!(looks < 200, "{kind:?}: not in force after ten seconds");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // Attempts are counted once, whichever node they come to.
        for node in [&first, &second, &first] {
            let answer = attempt(&node.client(), "203.0.113.1", "nobody", "wrong").await;
            assert_eq!(answer.verdict(), "401 wrong_credentials", "{kind:?}");
        }
        let restarted = first.second_node(&setup).await;
        assert_eq!(row(&owner.at(restarted.address), "login").await["value"], "3/60s");
        for node in [&first, &second, &restarted] {
            let answer = attempt(&node.client(), "203.0.113.1", "nobody", "wrong").await;
            assert_eq!(answer.verdict(), "429 too_many_requests", "{kind:?}");
        }
        for node in [restarted, second, first] {
            node.finish().await;
        }
    }
}

#[tokio::test]
async fn requests_are_counted_by_account_too() {
    let setup = Setup::with(
        "[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\n[limits]\nrequests = \"6/60s\"\n",
    );
    on_each_database_with(setup, async |server| {
        let staff = server.by_bearer(&STAFF).await;
        let other = server.by_bearer(&Z1).await;
        let from = async |client: &Client, address: &str| {
            client.get("/api/auth/me").header("x-forwarded-for", address).send().await
        };
        for number in 0..6 {
            let answer = from(&staff, &format!("203.0.113.{number}")).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let remaining = (5 - number).to_string();
            assert_eq!(answer.header("x-ratelimit-remaining"), Some(remaining.as_str()));
        }
        let refused = from(&staff, "203.0.113.99").await;
        assert_eq!(refused.verdict(), "429 too_many_requests");
        assert_eq!(refused.header("retry-after"), Some("60"));
        assert_eq!(refused.header("x-ratelimit-remaining"), Some("0"));
        assert_eq!(from(&other, "203.0.113.99").await.status, 200, "another account");
        let nobody = server.client();
        assert_eq!(from(&nobody, "203.0.113.99").await.status, 401, "and nobody");
        server.advance(Duration::from_mins(1));
        assert_eq!(from(&staff, "203.0.113.99").await.status, 200);
    })
    .await;
}
