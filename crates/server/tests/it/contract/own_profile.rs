//! What people change of their own account (Z6, S18), and that nothing else changes with it.

use http::Method;
use portcullis_domain::text::Email;
use portcullis_store::users;
use serde_json::{Value, json};

use super::{assert_p, assert_s, assert_z, me};
use crate::harness::client::{Answer, Client};
use crate::harness::on_each_database;
use crate::harness::people::{PASSWORD, STAFF, TENANT, Z1};

const PATH: &str = "/api/auth/update-profile";

/// PATCH as a client of the Z family sends it: the cookie, and the header with the same value.
async fn patch(client: &Client, body: &Value) -> Answer {
    let token = client.cookie("csrftoken").unwrap();
    let sending = client.request(Method::PATCH, PATH).header("x-csrftoken", &token);
    sending.json(body).send().await
}

#[tokio::test]
async fn tz20_names_change_and_what_is_absent_stays() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let client = server.by_cookie(&Z1).await;
        let check = async |body: Value, username: &str, first: &str, last: &str| {
            let answer = patch(&client, &body).await;
            assert_eq!(answer.status, 200, "{body}: {answer:?}");
            let expected = json!({"username": username, "first_name": first, "last_name": last});
            assert_eq!(answer.json(), expected, "{body}");
            let mut who = client.get("/api/auth/me").send().await.json()["user"].take();
            who.as_object_mut().unwrap().remove("is_superuser");
            assert_eq!(who, expected, "{body}");
        };
        check(json!({"first_name": "Fred"}), "Fredkiss3", "Fred", "Smith").await;
        check(json!({"last_name": ""}), "Fredkiss3", "Fred", "").await;
        check(json!({"username": "@fred.k+1_-"}), "@fred.k+1_-", "Fred", "").await;
        check(json!({"username": "@FRED.K+1_-"}), "@FRED.K+1_-", "Fred", "").await;
        check(json!({"first_name": null, "username": null}), "@FRED.K+1_-", "Fred", "").await;
        check(json!({}), "@FRED.K+1_-", "Fred", "").await;
        check(
            json!({"username": "Fredkiss3", "first_name": "  Frédéric ", "last_name": "O'Kiss"}),
            "Fredkiss3",
            "Frédéric",
            "O'Kiss",
        )
        .await;
        // As a form, too; and the new name signs in, while the session lives on.
        let token = client.cookie("csrftoken").unwrap();
        let form = client.request(Method::PATCH, PATH).header("x-csrftoken", &token);
        let answer = form.form(&[("username", "freddy")]).send().await;
        assert_eq!(answer.json()["username"], "freddy", "{answer:?}");
        let login = json!({"username": "freddy", "password": PASSWORD});
        let again = server.client().post("/api/auth/login").json(&login).send().await;
        assert_eq!(again.status, 201, "{again:?}");
        let old = json!({"username": "Fredkiss3", "password": PASSWORD});
        let gone = server.client().post("/api/auth/login").json(&old).send().await;
        assert_eq!(gone.status, 401);
        let changes = server.events("user_updated", 5).await;
        assert_eq!(changes[0].detail["fields"], json!(["username"]), "{changes:?}");
    })
    .await;
}

#[tokio::test]
async fn tz20_a_taken_or_bad_name_changes_nothing() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let client = server.by_cookie(&Z1).await;
        // Somebody's username, in any case.
        for name in ["staff", "STAFF"] {
            let body = json!({"username": name, "first_name": "Changed"});
            let answer = patch(&client, &body).await;
            let detail = "Another user has this username";
            assert_z(&answer, 409, "resource_conflict", detail);
            assert_eq!(answer.verdict(), "409 username_taken");
        }
        let long = "x".repeat(151);
        for (body, attr) in [
            (json!({"username": ""}), "username"),
            (json!({"username": "a b"}), "username"),
            (json!({"username": "<script>"}), "username"),
            (json!({"username": "a\u{0}b"}), "username"),
            (json!({"username": long}), "username"),
            (json!({"username": 7}), "username"),
            (json!({"first_name": long}), "first_name"),
            (json!({"last_name": "a\u{7}b"}), "last_name"),
            (json!({"last_name": ["x"]}), "last_name"),
        ] {
            let answer = patch(&client, &body).await;
            assert_eq!(answer.status, 400, "{body}");
            let error = answer.json()["errors"][0].clone();
            assert_eq!(
                (&error["attr"], &error["code"]),
                (&json!(attr), &json!("invalid")),
                "{body}"
            );
        }
        let who = client.get("/api/auth/me").send().await.json();
        let names = json!({
            "username": "Fredkiss3", "first_name": "Jane", "last_name": "Smith",
            "is_superuser": false,
        });
        assert_eq!(who["user"], names, "nothing of it was changed");
        let control = patch(&client, &json!({"username": "free"})).await;
        assert_eq!(control.status, 200, "{control:?}");
    })
    .await;
}

/// Otherwise the address could not be given to its owner, and the answer would tell whose is known.
#[tokio::test]
async fn an_address_is_nobodys_name_but_its_owners() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let client = server.by_cookie(&Z1).await;
        let mut answers = Vec::new();
        for name in ["nobody@example.com", "Staff@Example.com", "someone@home"] {
            let answer = patch(&client, &json!({"username": name, "first_name": "Changed"})).await;
            assert_eq!(answer.verdict(), "400 invalid", "{name}");
            let error = answer.json()["errors"][0].clone();
            assert_eq!((&error["attr"], &error["code"]), (&json!("username"), &json!("invalid")));
            answers.push(error);
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        let who = client.get("/api/auth/me").send().await.json();
        assert_eq!(who["user"]["first_name"], "Jane", "nothing of it was changed");
        let own = patch(&client, &json!({"username": "FRED@example.com"})).await;
        assert_eq!(own.status, 200, "the control: one's own: {own:?}");

        assert_eq!(patch(&client, &json!({"username": "freddy"})).await.status, 200);
        let mut tx = server.app.db.write().await.unwrap();
        let email = Email::parse(Z1.email).unwrap();
        let id = users::by_email(&mut tx, &email).await.unwrap().unwrap().id;
        users::doubt_email(&mut tx, id).await.unwrap();
        tx.commit().await.unwrap();
        let doubted = patch(&client, &json!({"username": Z1.email})).await;
        assert_eq!(doubted.verdict(), "400 invalid", "nobody knows whose it is");
    })
    .await;
}

#[tokio::test]
async fn s18_name_and_picture() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let token = server.login_by_email(&Z1).await.json()["accessToken"].clone();
        let client = server.client().bearer(token.as_str().unwrap());
        let post = async |body: Value| client.post(PATH).json(&body).send().await;
        let picture = "https://cdn.example.com/a.png?size=1";
        let answer = post(json!({"name": "Mary Ann Evans", "avatarUrl": picture})).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let who = client.get("/api/auth/me").send().await.json();
        assert_eq!(answer.json(), who, "the user as /me shows it");
        assert_eq!((&who["name"], &who["avatarUrl"]), (&json!("Mary Ann Evans"), &json!(picture)));
        assert_eq!(who["user"]["first_name"], "Mary");
        assert_eq!(who["user"]["last_name"], "Ann Evans");
        let login = server.login_by_email(&Z1).await.json();
        assert_eq!(login["user"]["avatarUrl"], picture);
        let only = post(json!({"name": "Mary"})).await.json();
        assert_eq!((&only["name"], &only["avatarUrl"]), (&json!("Mary"), &json!(picture)));
        for none in [Value::Null, json!("")] {
            post(json!({"avatarUrl": picture})).await;
            assert_eq!(post(json!({"avatarUrl": none})).await.json()["avatarUrl"], Value::Null);
        }
        for bad in [
            json!("http://example.com/a.png"),
            json!("javascript:alert(1)"),
            json!("/a.png"),
            json!("data:text/html,<script>alert(1)</script>"),
            json!("https://user:pw@example.com/"),
            json!("not an address"),
            json!(7),
            json!({}),
            json!(format!("https://example.com/{}", "a".repeat(2048))),
        ] {
            let answer = post(json!({"name": "Changed", "avatarUrl": bad.clone()})).await;
            assert_eq!(answer.status, 400, "{bad}: {answer:?}");
        }
        for bad in [json!(""), json!("  "), json!("x".repeat(301)), json!(7)] {
            assert_eq!(post(json!({"name": bad.clone()})).await.status, 400, "{bad}");
        }
        assert_eq!(client.get("/api/auth/me").send().await.json()["name"], "Mary");
        // What a page would run is text in the answer, and stays inside its quotes.
        let inert = post(json!({"avatarUrl": "https://example.com/\"><script>"})).await;
        assert_eq!(inert.json()["avatarUrl"], "https://example.com/%22%3E%3Cscript%3E");
        assert_eq!(inert.header("content-type"), Some("application/json"));
    })
    .await;
}

#[tokio::test]
async fn a52_nobody_gives_themselves_more() {
    on_each_database(async |server| {
        let user = server.add(&TENANT).await;
        let client = server.sign_in(&TENANT).await;
        let more = json!({
            "first_name": "New", "name": "New Smith", "role_id": 1, "role": "owner", "roleId": 1,
            "account_type": "staff", "account_type_id": 1, "accountType": "Staff", "org_id": 1,
            "organizationId": 1, "is_admin": true, "is_superuser": true, "is_active": true,
            "email": "owner@example.com", "permissions": {"*": true}, "level": 100, "id": 1,
            "user_id": 1, "uuid": "0", "epoch": 0, "status": "ACTIVE", "branch_id": 9,
            "phone": "1", "password": "x", "password_phc": "x", "user": {"is_superuser": true},
        });
        let answer = patch(&client, &more).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let token = client.cookie("csrftoken").unwrap();
        let sending = client.post(PATH).header("x-csrftoken", &token).json(&more);
        assert_eq!(sending.send().await.status, 201);
        let mut tx = server.app.db.read().await.unwrap();
        let after = users::by_id(&mut tx, user.id).await.unwrap().unwrap();
        drop(tx);
        assert_eq!(after.first_name.as_str(), "New", "control: what is ours to change is changed");
        let mut expected = user.clone();
        expected.first_name = after.first_name.clone();
        expected.updated_at = after.updated_at;
        assert_eq!(after, expected);
        let who = client.get("/api/auth/me").send().await.json();
        assert_eq!((&who["role"], &who["account_type"]), (&json!("user"), &json!("Tenant")));
        assert_eq!(client.get("/admin").send().await.verdict(), "403 account_type");
    })
    .await;
}

#[tokio::test]
async fn z06_it_takes_a_session_and_a_token() {
    on_each_database(async |server| {
        let client = server.by_cookie(&Z1).await;
        let body = json!({"first_name": "New"});
        for method in [Method::PATCH, Method::POST] {
            let nobody = server.client();
            let answer = nobody.request(method.clone(), PATH).json(&body).send().await;
            assert_eq!(answer.verdict(), "401 credential_missing");
            assert_p(&answer, 401, "Authentication required. Please log in.");
            assert_s(&answer, 401, "Unauthorized");
            let without = client.request(method.clone(), PATH).json(&body).send().await;
            assert_eq!(without.verdict(), "403 csrf_missing");
            let token = client.cookie("csrftoken").unwrap();
            let sending = client.request(method, PATH).header("x-csrftoken", &token);
            let elsewhere = sending.header("origin", "https://evil.example").json(&body);
            assert_eq!(elsewhere.send().await.verdict(), "403 csrf_origin");
        }
        assert_eq!(patch(&client, &body).await.status, 200, "control");
        assert_eq!(me(&client).await, 200);
    })
    .await;
}
