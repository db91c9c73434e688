//! `GET /api/users/permissions` (P20), and what wildcards and spellings of keys are worth at the gate.

use portcullis_domain::account::AccountType;
use portcullis_domain::permission::Grant;
use portcullis_domain::role::Level;
use portcullis_domain::text::Name;
use portcullis_store::roles::{self, NewRole};
use serde_json::{Value, json};

use crate::harness::people::{Person, STAFF, STAFF0, TENANT, Z1};
use crate::harness::{TestApp, on_each_database};

const PATH: &str = "/api/users/permissions";

#[tokio::test]
async fn tp48_everybody_sees_their_own() {
    on_each_database(async |server| {
        let of_staff = server.add(&STAFF).await.uuid;
        let staff = server.mobile(&STAFF).await;
        let staff0 = server.by_bearer(&STAFF0).await;
        let answer = staff.get(PATH).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let body = answer.json();
        assert_eq!(body["success"], true);
        assert!(body["message"].is_string(), "{body}");
        assert_eq!(body["data"]["role"]["name"], "owner");
        assert_eq!(body["data"]["account_type"], json!({"id": 1, "name": "Staff"}));
        for key in ["api.jobs.manage.manage", "api.security.sessions.list", "api.leads.list"] {
            assert_eq!(body["data"]["permissions"][key], true, "{key}: {body}");
        }
        assert_eq!(keys(&staff0.get(PATH).send().await.json()), [""; 0]);
        for query in [format!("?uuid={of_staff}"), "?user_id=1".to_owned()] {
            let asked = staff0.get(&format!("{PATH}{query}")).send().await.json();
            assert_eq!(keys(&asked), [""; 0], "{query}");
            assert_eq!(asked["data"]["role"]["name"], "nothing", "{query}");
        }
        let tenant = server.by_cookie(&TENANT).await;
        assert_eq!(keys(&tenant.get(PATH).send().await.json()), ["api.security.mobile_auth.use"]);
    })
    .await;
}

/// Grants of a role, the keys that the endpoint spells out, and which of jobs, leads and projects
/// the gate lets pass.
type Case = (&'static [&'static str], &'static [&'static str], [u16; 3]);

const CASES: [Case; 7] = [
    (&["api.jobs.manage.manage"], &["api.jobs.manage.manage"], [200, 403, 403]),
    (&["api.jobs.*"], &["api.jobs.*", "api.jobs.manage.manage"], [200, 403, 403]),
    (&["api.jobs.manage"], &["api.jobs.manage"], [403, 403, 403]),
    // A prefix never matches a sibling.
    (&["api.lead.*", "api.project.*"], &["api.lead.*", "api.project.*"], [403, 403, 403]),
    (&["api.leads.list.*"], &["api.leads.list.*"], [403, 403, 403]),
    // Spellings fold into one.
    (&["API.Projects.Manage"], &["api.projects.manage"], [403, 403, 200]),
    (
        &["api.security.mobile-auth.*", "api.leads.*"],
        &[
            "api.leads.*",
            "api.leads.list",
            "api.security.mobile_auth.*",
            "api.security.mobile_auth.use",
        ],
        [403, 200, 403],
    ),
];

#[tokio::test]
async fn c27_wildcards_and_spellings() {
    on_each_database(async |server| {
        for (number, (grants, expected, statuses)) in CASES.into_iter().enumerate() {
            let person = with_role(server, number, grants).await;
            let client = server.by_bearer(&person).await;
            let body = client.get(PATH).send().await.json();
            assert_eq!(keys(&body), expected, "{grants:?}");
            for (path, status) in
                ["/api/jobs", "/api/leads", "/api/projects"].into_iter().zip(statuses)
            {
                let answer = client.get(path).send().await;
                assert_eq!(answer.status.as_u16(), status, "{grants:?} {path}: {answer:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_star_is_everything() {
    on_each_database(async |server| {
        let staff = server.by_bearer(&STAFF).await;
        let body = staff.get(PATH).send().await.json();
        assert_eq!(body["data"]["permissions"]["*"], true, "{body}");
        let me = staff.get("/api/auth/me").send().await.json();
        assert_eq!(me["user"]["is_superuser"], true);
        let worker = server.by_bearer(&Z1).await.get("/api/auth/me").send().await.json();
        assert_eq!(worker["user"]["is_superuser"], false);
    })
    .await;
}

/// Somebody with a role of these grants; both are made. Names are kept for the test's life.
async fn with_role(server: &TestApp, number: usize, grants: &[&str]) -> Person {
    let now = server.app.clock.now();
    let role: &'static str = format!("case{number}").leak();
    let email: &'static str = format!("case{number}@example.com").leak();
    let new = NewRole { name: Name::parse(role).unwrap(), level: Level::new(20).unwrap() };
    let mut tx = server.app.db.write().await.unwrap();
    let id = roles::insert(&mut tx, &new, now).await.unwrap();
    for grant in grants {
        roles::grant(&mut tx, id, &Grant::parse(grant).unwrap()).await.unwrap();
    }
    tx.commit().await.unwrap();
    Person { email, username: None, account_type: AccountType::Contractor, role }
}

fn keys(body: &Value) -> Vec<&str> {
    let permissions = body["data"]["permissions"].as_object().unwrap();
    assert!(permissions.values().all(|held| held == true), "{body}");
    permissions.keys().map(String::as_str).collect()
}
