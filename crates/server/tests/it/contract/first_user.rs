//! The first user by a request (Z8, Z9): who may make one, that there is one at most, and that it is
//! no way in for anybody who comes from elsewhere.

use futures_util::future::join_all;
use portcullis_store::users;
use serde_json::{Value, json};

use super::{assert_z, me};
use crate::harness::client::{Answer, Client};
use crate::harness::people::{PASSWORD, STAFF};
use crate::harness::{Setup, TestApp, on_each_database, on_each_database_with};

const EXISTS: &str = "/api/auth/check-user-existence";
const CREATE: &str = "/api/auth/create-initial-user";

fn local() -> Setup {
    Setup::with("[sign_in]\nfirst_user = \"local\"")
}

fn body() -> Value {
    json!({"username": "founder", "password": PASSWORD, "workspace_name": "Default workspace"})
}

async fn create(client: &Client) -> Answer {
    client.post(CREATE).json(&body()).send().await
}

async fn exists(server: &TestApp) -> Value {
    let answer = server.client().get(EXISTS).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

async fn count(server: &TestApp) -> usize {
    let mut tx = server.app.db.read().await.unwrap();
    users::list(&mut tx, portcullis_domain::id::UserId(0), 100).await.unwrap().len()
}

#[tokio::test]
async fn tz21_the_first_user_and_no_second() {
    on_each_database_with(local(), async |server| {
        assert_eq!(exists(server).await, json!({"exists": false}));
        let client = server.client();
        let answer = create(&client).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.json(), json!({"detail": "User created and logged in successfully."}));
        let line = answer.set_cookie("sessionid").unwrap();
        assert!(line.contains("Max-Age=1209600"), "{line}");
        let who = client.get("/api/auth/me").send().await.json();
        let expected =
            json!({"username": "founder", "first_name": "", "last_name": "", "is_superuser": true});
        assert_eq!(who["user"], expected);
        assert_eq!(exists(server).await, json!({"exists": true}));

        let second = create(&server.client()).await;
        let detail = "You do not have permission to perform this action.";
        assert_z(&second, 403, "permission_denied", detail);
        assert_eq!(second.verdict(), "403 users_exist");
        assert_eq!(second.set_cookie("sessionid"), None);
        assert_eq!(count(server).await, 1);
        // He signs in like anybody, and what happened is written down.
        let again = json!({"username": "founder", "password": PASSWORD});
        let answer = server.client().post("/api/auth/login").json(&again).send().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let created = server.events("user_created", 1).await;
        assert_eq!(created[0].detail, json!({"account_type": "Staff", "role": "owner"}));
    })
    .await;
}

#[tokio::test]
async fn z09_it_is_off_unless_the_operator_says_so() {
    on_each_database(async |server| {
        assert_eq!(create(&server.client()).await.verdict(), "403 first_user_off");
        assert_eq!((count(server).await, exists(server).await), (0, json!({"exists": false})));
        server.add(&STAFF).await;
        assert_eq!(create(&server.client()).await.verdict(), "403 users_exist");
    })
    .await;
}

#[tokio::test]
async fn z09_it_is_no_way_in_for_strangers() {
    on_each_database_with(local(), async |server| {
        for (name, value) in [
            ("x-forwarded-for", "203.0.113.7"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-host", "app.example.org"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=203.0.113.7"),
            ("via", "1.1 proxy"),
            ("x-real-ip", "203.0.113.7"),
            ("cf-connecting-ip", "203.0.113.7"),
        ] {
            let client = server.client();
            let sending = client.post(CREATE).json(&body()).header(name, value);
            assert_eq!(sending.send().await.verdict(), "403 first_user_off", "{name}");
        }
        for (name, value, expected) in [
            ("origin", "https://evil.example", "403 csrf_origin"),
            ("sec-fetch-site", "cross-site", "403 csrf_origin"),
            ("host", "rebound.example", "421 unknown_host"),
        ] {
            let client = server.client();
            let sending = client.post(CREATE).json(&body()).header(name, value);
            assert_eq!(sending.send().await.verdict(), expected, "{name}");
        }
        assert_eq!(count(server).await, 0);
        assert_eq!(create(&server.client()).await.status, 201, "control");
    })
    .await;
    for elsewhere in [
        "[server]\npublic_url = \"https://app.example.org\"\n",
        "[server]\ntrusted_proxies = [\"10.0.0.0/8\"]\n",
    ] {
        let mail = "[mail]\ntransport = \"file:outbox\"\n";
        let setup = Setup::with(&format!("{elsewhere}[sign_in]\nfirst_user = \"local\"\n{mail}"));
        on_each_database_with(setup, async |server| {
            let client = server.client();
            let sending = client.post(CREATE).json(&body());
            let sending = match server.app.public_url.host().as_str() {
                "app.example.org" => sending.header("host", "app.example.org"),
                _ => sending,
            };
            assert_eq!(sending.send().await.verdict(), "403 first_user_off", "{elsewhere}");
            assert_eq!(count(server).await, 0);
        })
        .await;
    }
}

#[tokio::test]
async fn z09_what_is_sent_must_be_good() {
    on_each_database_with(local(), async |server| {
        for (body, attrs) in [
            (json!({}), &["username", "password"][..]),
            (json!({"username": "a b", "password": PASSWORD}), &["username"]),
            (json!({"username": "x".repeat(151), "password": PASSWORD}), &["username"]),
            (json!({"username": "founder", "password": "short"}), &["password"]),
            (json!({"username": "founder", "password": 1}), &["password"]),
            (json!({"username": ["founder"], "password": PASSWORD}), &["username"]),
        ] {
            let answer = server.client().post(CREATE).json(&body).send().await;
            assert_eq!(answer.status, 400, "{body}");
            let told = answer.json();
            assert_eq!(told["type"], "validation_error");
            let errors = told["errors"].as_array().unwrap();
            let found: Vec<_> =
                errors.iter().map(|error| error["attr"].as_str().unwrap()).collect();
            assert_eq!(found, attrs, "{body}");
        }
        let address = json!({"username": "founder@example.com", "password": PASSWORD});
        let client = server.client();
        assert_eq!(client.post(CREATE).json(&address).send().await.status, 201);
        let who = client.get("/api/auth/me").send().await.json();
        assert_eq!(who["email"], "founder@example.com", "an address is his address");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z09_of_fifty_who_try_at_once_one_is_the_first() {
    on_each_database_with(local(), async |server| {
        let clients: Vec<_> = (0..50).map(|_| server.client()).collect();
        let tries = clients.iter().enumerate().map(async |(number, client)| {
            let body = json!({"username": format!("founder{number}"), "password": PASSWORD});
            loop {
                let answer = client.post(CREATE).json(&body).send().await;
                // Busy is no verdict.
                if answer.status != 503 {
                    return answer.verdict();
                }
            }
        });
        let verdicts = join_all(tries).await;
        let made = verdicts.iter().filter(|verdict| *verdict == "201").count();
        assert_eq!(made, 1, "{verdicts:?}");
        let refused = verdicts.iter().filter(|verdict| *verdict == "403 users_exist").count();
        assert_eq!(refused, 49, "{verdicts:?}");
        assert_eq!(count(server).await, 1);
        let mut signed_in = 0;
        for client in &clients {
            signed_in += usize::from(me(client).await == 200);
        }
        assert_eq!(signed_in, 1);
    })
    .await;
}
