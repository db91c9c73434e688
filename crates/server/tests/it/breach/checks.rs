//! TP34 to TP38: what is asked of breached passwords over HTTP, and who may.

use http::Method;
use serde_json::{Value, json};

use super::service::Service;
use crate::harness::client::{Answer, Client};
use crate::harness::people::{STAFF, STAFF0, TENANT};
use crate::harness::{Setup, on_each_database, on_each_database_with};

pub(super) const PATH: &str = "/api/security/password-breach-check";

/// Behind 21BD1, the SHA-1 of P@ssw0rd.
const SUFFIX: &str = "2DC183F740EE76F27B78EB39C8AD972A757";

pub(super) async fn below(client: &Client, prefix: &str) -> Answer {
    client.get(&format!("{PATH}?hash_prefix={prefix}")).send().await
}

pub(super) async fn check(client: &Client, password: &str) -> Answer {
    client.act(Method::POST, PATH, &json!({ "password": password })).await
}

#[tokio::test]
async fn tp34_whoever_is_signed_in_asks_by_a_prefix() {
    on_each_database(async |server| {
        for person in [&TENANT, &STAFF0] {
            let client = server.by_cookie(person).await;
            for prefix in ["21BD1", "21bd1"] {
                let answer = below(&client, prefix).await;
                assert_eq!(answer.status, 200, "{answer:?}");
                let body = answer.json();
                assert_eq!(
                    (&body["success"], &body["data"]["breached"]),
                    (&json!(true), &json!(true))
                );
                assert!(body["data"]["count"].as_u64().unwrap() > 0, "{body}");
                assert_eq!(body["data"]["source"], "list");
                let suffixes = body["data"]["suffixes"].as_array().unwrap();
                assert!(suffixes.contains(&json!({"suffix": SUFFIX, "count": 1})), "{body}");
            }
        }
        let answer = below(&server.client(), "21BD1").await;
        assert_eq!(answer.status, 401, "{answer:?}");
    })
    .await;
}

#[tokio::test]
async fn tp35_a_prefix_is_five_digits() {
    on_each_database(async |server| {
        let tenant = server.by_cookie(&TENANT).await;
        assert_eq!(below(&tenant, "00000").await.status, 200);
        for prefix in ["21BD", "ZZZZZ", "", "21BD12", "21BD1%0A", "+1BD1"] {
            let answer = below(&tenant, prefix).await;
            assert_eq!(answer.status, 400, "{prefix}: {answer:?}");
            assert!(!answer.text().contains("21BD"), "{answer:?}");
        }
        assert_eq!(tenant.get(PATH).send().await.status, 400);
    })
    .await;
}

#[tokio::test]
async fn tp37_a_password_is_checked_exactly() {
    let service = Service::start(&[("P@ssw0rd", 3_200), ("a quiet harbour", 1)]).await;
    let setup = Setup::with(&service.config(r#""list", "offline", "online""#));
    on_each_database_with(setup, async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let body = json!({ "password": "P@ssw0rd", "return_count": true });
        let answer = staff.act(Method::POST, PATH, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(
            answer.json(),
            json!({
                "success": true, "message": "This password has appeared in 3,200 data breaches.",
                "breached": true, "count": 3200, "source": "online", "date": "2025-11-20",
                "unavailable": [],
            })
        );
        // The count is there whether it is asked for or not (contract C22).
        let body = json!({ "password": "P@ssw0rd", "return_count": false });
        let other = staff.act(Method::POST, PATH, &body).await;
        assert_eq!(other.json(), answer.json());
        let told = |password: &'static str| {
            let staff = &staff;
            async move {
                let body = check(staff, password).await.json();
                (body["message"].clone(), body["breached"].clone(), body["count"].clone())
            }
        };
        let once = "This password has appeared in 1 data breach.";
        assert_eq!(told("a quiet harbour").await, (json!(once), json!(true), json!(1)));
        // The list knows it, and nobody knows how often.
        assert_eq!(told("QWERTYUIOP").await, (json!(once), json!(true), json!(1)));
        let never = "This password has not appeared in any known data breach.";
        assert_eq!(told("a loud harbour").await, (json!(never), json!(false), json!(0)));
    })
    .await;
}

#[tokio::test]
async fn tp38_a_password_has_four_characters() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        assert_eq!(check(&staff, "abcd").await.status, 200);
        assert_eq!(check(&staff, "🔑🔑🔑🔑").await.status, 200);
        assert_eq!(check(&staff, &"x".repeat(1024)).await.status, 200);
        for password in [json!("abc"), json!(""), json!(1234), Value::Null, json!("x".repeat(1025))]
        {
            let answer = staff.act(Method::POST, PATH, &json!({ "password": password })).await;
            assert_eq!(answer.status, 400, "{password}: {answer:?}");
        }
        let body = json!({ "password": "abcd", "return_count": "perhaps" });
        assert_eq!(staff.act(Method::POST, PATH, &body).await.status, 400);
    })
    .await;
}

/// Contract C21: the two methods of one path have rights of their own.
#[tokio::test]
async fn a_password_is_checked_for_whoever_may_and_means_it() {
    on_each_database(async |server| {
        for person in [&TENANT, &STAFF0] {
            let client = server.by_cookie(person).await;
            assert_eq!(below(&client, "21BD1").await.status, 200);
            let answer = check(&client, "P@ssw0rd").await;
            assert_eq!(answer.status, 403, "{answer:?}");
            assert_eq!(answer.json()["code"], "permission_missing");
        }
        let staff = server.by_cookie(&STAFF).await;
        let sent = staff.post(PATH).json(&json!({ "password": "P@ssw0rd" })).send().await;
        assert_eq!(sent.status, 403, "{sent:?}");
        assert_eq!(check(&staff, "P@ssw0rd").await.status, 200);
    })
    .await;
}
