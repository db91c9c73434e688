//! The console of the Z family (Z14): lists in pages, opening, closing and deleting accounts.

use http::Method;
use portcullis_domain::permission::Grant;
use portcullis_domain::role::Level;
use portcullis_domain::text::Name;
use portcullis_store::roles::{self, NewRole};
use serde_json::{Value, json};

use super::{assert_z, me};
use crate::harness::client::{Answer, Client};
use crate::harness::people::{PASSWORD, Person, STAFF, STAFF0, TENANT, Z1, sign_in};
use crate::harness::{TestApp, on_each_database};

const USERS: &str = "/api/console/users";

pub(super) async fn act(client: &Client, method: Method, path: &str, body: &Value) -> Answer {
    let token = client.cookie("csrftoken").unwrap();
    client.request(method, path).header("x-csrftoken", &token).json(body).send().await
}

/// Somebody who may do everything, at a level below the owners'.
pub(super) async fn add_deputy(server: &TestApp) -> Client {
    const DEPUTY: Person =
        Person { email: "deputy@example.com", username: Some("deputy"), role: "deputy", ..STAFF };
    let mut tx = server.app.db.write().await.unwrap();
    let (name, level) = (Name::parse("deputy").unwrap(), Level::new(60).unwrap());
    let now = server.app.clock.now();
    let id = roles::insert(&mut tx, &NewRole { name, level }, now).await.unwrap();
    roles::grant(&mut tx, id, &Grant::All).await.unwrap();
    tx.commit().await.unwrap();
    server.by_cookie(&DEPUTY).await
}

#[tokio::test]
async fn z14_users_come_in_pages() {
    on_each_database(async |server| {
        let client = server.by_cookie(&STAFF).await;
        for person in [&Z1, &TENANT, &STAFF0] {
            server.add(person).await;
        }
        let first = client.get(&format!("{USERS}?per_page=3")).send().await;
        assert_eq!(first.status, 200, "{first:?}");
        let body = first.json();
        let origin = &server.app.public_url;
        let next = format!("{origin}{USERS}?page=2&per_page=3");
        assert_eq!((&body["count"], &body["next"]), (&json!(4), &json!(next)));
        assert_eq!(
            (&body["previous"], body["results"].as_array().unwrap().len()),
            (&Value::Null, 3)
        );
        let owner = json!({"id": 1, "username": "staff", "first_name": "Jane", "last_name": "Smith",
            "is_superuser": true, "is_active": true});
        assert_eq!(body["results"][0], owner);
        assert_eq!(body["results"][1]["is_superuser"], false);
        let second = client.get(&format!("{USERS}/?page=2&per_page=3")).send().await.json();
        assert_eq!((&second["count"], &second["next"]), (&json!(4), &Value::Null));
        assert_eq!(second["results"].as_array().unwrap().len(), 1);
        assert!(second["previous"].as_str().unwrap().contains("page=1&per_page=3"), "{second}");
        assert_eq!(client.get(USERS).send().await.json()["results"].as_array().unwrap().len(), 4);
        let empty = json!({"count": 0, "next": null, "previous": null, "results": []});
        for past in ["page=3&per_page=3", "page=9223372036854775807&per_page=100"] {
            let answer = client.get(&format!("{USERS}?{past}")).send().await;
            assert_eq!((answer.status.as_u16(), answer.json()), (200, empty.clone()), "{past}");
        }
        for nonsense in [
            "page=0",
            "page=x",
            "page=-1",
            "page=%2B1",
            "page=",
            "per_page=0",
            "per_page=1e3",
            "page=9223372036854775808",
        ] {
            let answer = client.get(&format!("{USERS}?{nonsense}")).send().await;
            assert_eq!(answer.verdict(), "400 invalid", "{nonsense}");
        }
        let one = client.get(&format!("{USERS}/1")).send().await;
        assert_eq!(one.json(), owner);
        for unknown in ["99", "0", "-1", "x", "1%20", "9223372036854775808", "+1"] {
            let answer = client.get(&format!("{USERS}/{unknown}")).send().await;
            assert_eq!(answer.verdict(), "404 not_found", "{unknown}");
        }
    })
    .await;
}

#[tokio::test]
async fn z14_superusers_alone() {
    on_each_database(async |server| {
        let owner = server.by_cookie(&STAFF).await;
        let doors = [
            (Method::GET, USERS.to_owned()),
            (Method::GET, format!("{USERS}/1")),
            (Method::PATCH, format!("{USERS}/1")),
            (Method::DELETE, format!("{USERS}/1")),
        ];
        let worker = server.by_cookie(&Z1).await;
        let helper = server.by_cookie(&STAFF0).await;
        for (method, path) in doors {
            for client in [&worker, &helper] {
                let answer = act(client, method.clone(), &path, &json!({})).await;
                let detail = "You do not have permission to perform this action.";
                assert_z(&answer, 403, "permission_denied", detail);
            }
            let nobody = server.client().request(method.clone(), &path).send().await;
            assert_eq!(nobody.status, 401, "{method} {path}");
            let control = act(&owner, method.clone(), &path, &json!({})).await;
            assert_ne!(control.status, 403, "{method} {path}");
        }
    })
    .await;
}

#[tokio::test]
async fn z14_an_account_is_closed_opened_and_deleted() {
    on_each_database(async |server| {
        let owner = server.by_cookie(&STAFF).await;
        let id = server.add(&Z1).await.id.0;
        let path = format!("{USERS}/{id}");
        let worker = server.sign_in(&Z1).await;
        let closed = act(&owner, Method::PATCH, &path, &json!({"is_active": false})).await;
        assert_eq!((closed.status.as_u16(), &closed.json()["is_active"]), (200, &json!(false)));
        assert_eq!(me(&worker).await, 401, "at once");
        let signs_in = async || sign_in(&server.client(), "Fredkiss3", PASSWORD).await.verdict();
        assert_eq!(signs_in().await, "403 account_disabled");
        for body in [json!({}), json!({"is_active": null}), json!({"is_active": "maybe"})] {
            assert_eq!(act(&owner, Method::PATCH, &path, &body).await.status, 400, "{body}");
        }
        let opened = act(&owner, Method::PATCH, &path, &json!({"is_active": true})).await;
        assert_eq!(opened.json()["is_active"], true);
        assert_eq!(signs_in().await, "201");
        assert_eq!(me(&worker).await, 401, "what was ended stays ended");

        let deleted = act(&owner, Method::DELETE, &path, &json!({})).await;
        assert_eq!((deleted.status.as_u16(), deleted.body.len()), (204, 0));
        assert_eq!(signs_in().await, "401 wrong_credentials");
        assert_eq!(owner.get(&path).send().await.verdict(), "404 not_found");
        let again = act(&owner, Method::DELETE, &path, &json!({})).await;
        assert_eq!(again.verdict(), "404 not_found");
        assert_eq!(owner.get(USERS).send().await.json()["count"], 1);
    })
    .await;
}

#[tokio::test]
async fn z14_not_oneself_and_nobody_above() {
    on_each_database(async |server| {
        let deputy = add_deputy(server).await;
        let own = deputy.get("/api/auth/me").send().await.json()["id"].as_i64().unwrap();
        let owner = server.add(&STAFF).await.id.0;
        let worker = server.add(&Z1).await.id.0;
        let closed = json!({"is_active": false});
        for (method, body) in [(Method::PATCH, &closed), (Method::DELETE, &json!({}))] {
            let answer = act(&deputy, method.clone(), &format!("{USERS}/{own}"), body).await;
            assert_eq!(answer.verdict(), "409 own_account", "{method}");
            let answer = act(&deputy, method.clone(), &format!("{USERS}/{owner}"), body).await;
            assert_eq!(answer.verdict(), "403 above_level", "{method}");
        }
        let control = act(&deputy, Method::PATCH, &format!("{USERS}/{worker}"), &closed).await;
        assert_eq!(control.status, 200, "{control:?}");
        assert_eq!(me(&deputy).await, 200);
    })
    .await;
}
