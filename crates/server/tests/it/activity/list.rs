//! `GET /api/admin/activity-log` (P29): its shape, who may see it, what makes no sense, page by page.

use portcullis_domain::id::UserId;
use serde_json::{Value, json};

use super::{LOG, about, actions, ask, forgive, rows};
use crate::harness::client::Client;
use crate::harness::people::{AGENT, STAFF, STAFF0, TENANT, sign_in};
use crate::harness::{TestApp, on_each_database};

#[tokio::test]
async fn p29_rows_have_the_documented_keys_and_count_tells_them_all() {
    on_each_database(async |server| {
        let tenant = server.add(&TENANT).await;
        let staff = server.by_cookie(&STAFF).await;
        let wrong = sign_in(&server.client(), TENANT.username.unwrap(), "not the password").await;
        assert_eq!(wrong.status, 401);
        server.events("authn_login_fail", 1).await;
        let body = ask(&staff, "?action=authn_login_fail").await;
        assert_eq!((&body["success"], &body["count"]), (&json!(true), &json!(1)));
        assert_eq!(body["count_is_capped"], false);
        assert!(body.get("next").is_none(), "{body}");
        let [row] = rows(&body) else { panic!("{body}") };
        assert!(row["ID"].is_u64(), "{row}");
        let documented = [
            ("user_id", json!(tenant.id.0)),
            ("user_name", json!("Jane Smith")),
            ("action", json!("authn_login_fail")),
            ("resource_type", json!("user")),
            ("resource_id", json!(tenant.id.0)),
            ("ip_address", json!("127.0.0.1")),
        ];
        for (key, value) in documented {
            assert_eq!(row[key], value, "{key}: {row}");
        }
        assert!(row["created_at"].as_str().unwrap().ends_with('Z'), "{row}");
        assert_eq!((&row["outcome"], &row["severity"]), (&json!("failure"), &json!("warning")));
        assert_eq!(row["detail"]["reason"], "wrong_password");
        assert_eq!(row["actor"], Value::Null);
        assert_eq!(row["subject"]["user_id"], tenant.id.0);
        assert_eq!(row["request_id"].as_str().unwrap().len(), 24);
        assert_eq!(row["erased"], false);

        let two = ["role_deleted,authn_login_fail", "role_deleted&action=authn_login_fail"];
        for actions in two.iter().chain(&["&action=role_deleted&action=authn_login_fail&action="]) {
            let body = ask(&staff, &format!("?action={actions}")).await;
            assert_eq!(rows(&body), std::slice::from_ref(row));
        }

        let all = ask(&staff, "").await;
        assert_eq!(all["count"], rows(&all).len());
        let ids: Vec<u64> = rows(&all).iter().map(|row| row["ID"].as_u64().unwrap()).collect();
        assert!(ids.is_sorted_by(|newer, older| newer > older), "{ids:?}");
    })
    .await;
}

/// The page of a user tells of an event at once; so does the list.
#[tokio::test]
async fn what_was_just_done_is_in_the_answer() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        for count in 1..=3 {
            server.sign_in(&STAFF).await;
            let found = ask(&staff, "?action=authn_login_success").await;
            assert_eq!(found["count"], count + 1);
        }
    })
    .await;
}

#[tokio::test]
async fn it_is_for_staff_with_the_permission() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        for path in [LOG.to_owned(), format!("{LOG}/export?format=ndjson")] {
            assert_eq!(staff.get(&path).send().await.status, 200, "control");
            let nobody = server.client().get(&path).send().await;
            assert_eq!(nobody.status, 401);
        }
        let (without, agent) = (server.by_bearer(&STAFF0).await, server.by_bearer(&AGENT).await);
        for path in [LOG.to_owned(), format!("{LOG}/export?format=csv")] {
            assert_eq!(without.get(&path).send().await.verdict(), "403 permission_missing");
            assert_eq!(agent.get(&path).send().await.verdict(), "403 account_type");
        }
        // The key of the documents, in either spelling of theirs.
        let denied = without.get(LOG).send().await.json();
        assert_eq!(denied["rule"], "api.admin.activity_log.manage");
    })
    .await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_name() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        for (query, named) in [
            ("?limit=0", "limit"),
            ("?limit=-1", "limit"),
            ("?limit=ten", "limit"),
            ("?limit=1.5", "limit"),
            ("?offset=-1", "offset"),
            ("?offset=10001", "offset"),
            ("?before=x", "before"),
            ("?before=99999999", "before"),
            ("?before=18446744073709551615", "before"),
            ("?user_id=ada", "user_id"),
            ("?user_id=0", "user_id"),
            ("?user=%00", "user"),
            ("?action=A", "action"),
            ("?action=authn_login_fail,", "action"),
            ("?action=a%20OR%201=1", "action"),
            ("?outcome=maybe", "outcome"),
            ("?severity=high", "severity"),
            ("?resource_type=tables", "resource_type"),
            ("?from=yesterday", "from"),
            ("?to=2026-02-30", "to"),
            ("?from=2026-11-22&to=2026-11-21", "to"),
            ("?ip=999.1.1.1", "ip"),
            ("?session_id=sess_", "session_id"),
            ("?request_id=x", "request_id"),
            ("?q=%00", "q"),
        ] {
            let answer = staff.get(&format!("{LOG}{query}")).send().await;
            assert_eq!(answer.status, 400, "{query}");
            let body = answer.json();
            let error = body["error"].as_str().unwrap();
            assert!(error.starts_with(&format!("{named}: ")), "{query}: {body}");
        }
        for (query, named) in
            [("", "format"), ("?format=xml", "format"), ("?format=csv&after=x", "after")]
        {
            let answer = staff.get(&format!("{LOG}/export{query}")).send().await;
            assert_eq!(answer.status, 400, "{query}");
            assert!(answer.text().contains(named), "{query}");
        }
        // An empty value is no condition, and more than a page is a page.
        assert_eq!(ask(&staff, "?user=&action=&from=").await["success"], true);
        assert_eq!(ask(&staff, "?limit=100000").await["success"], true);
    })
    .await;
}

#[tokio::test]
async fn pages_hold_every_event_once_however_they_are_asked_for() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        forgive(server, 0..130, &about(UserId(1))).await;
        let filter = "?action=limit_address_forgiven";
        let by_offset = by_offset(&staff, filter).await;
        assert_eq!(by_offset, (0..130).rev().map(|name| name.to_string()).collect::<Vec<_>>());

        // By where the last page ended, while more happens.
        let mut query = format!("{filter}&limit=17");
        let mut by_cursor = Vec::new();
        for _ in 0..20 {
            let body = ask(&staff, &query).await;
            by_cursor.extend(networks(&body));
            forgive(server, 1000..1003, &about(UserId(1))).await;
            let Some(next) = body["next"].as_str() else { break };
            assert!(next.contains("limit=17"), "{next}");
            query = next.strip_prefix(LOG).unwrap().to_owned();
        }
        assert_eq!(by_cursor, by_offset);

        forgive(server, 0..100, &about(UserId(1))).await;
        let all = ask(&staff, "?limit=1000").await;
        assert_eq!(rows(&all).len(), 200, "more than a page is a page");
        assert!(all["next"].is_string());
    })
    .await;
}

async fn by_offset(staff: &Client, filter: &str) -> Vec<String> {
    let mut found = Vec::new();
    for offset in (0..130).step_by(20) {
        let body = ask(staff, &format!("{filter}&limit=20&offset={offset}")).await;
        assert_eq!((&body["count"], &body["count_is_capped"]), (&json!(130), &json!(false)));
        assert_eq!(body["next"].is_string(), offset < 120, "{offset}");
        found.extend(networks(&body));
    }
    found
}

fn networks(body: &Value) -> Vec<String> {
    let network = |row: &Value| row["detail"]["network"].as_str().unwrap().to_owned();
    rows(body).iter().map(network).collect()
}

/// What is rarer than a page may look for is gone on with, and nothing is passed over.
#[tokio::test]
async fn a_rare_event_is_found_page_by_page() {
    on_each_database(async |server: &TestApp| {
        let staff = server.by_cookie(&STAFF).await;
        server.sign_in(&STAFF).await;
        let rare = ask(&staff, "?action=authn_login_success&limit=1").await;
        let request = rows(&rare)[0]["request_id"].as_str().unwrap().to_owned();
        forgive(server, 0..5_200, &about(UserId(1))).await;
        let first = ask(&staff, &format!("?request_id={request}")).await;
        assert_eq!(rows(&first).len(), 0, "{first}");
        assert_eq!(first["count_is_capped"], true);
        let next = first["next"].as_str().unwrap().strip_prefix(LOG).unwrap();
        let second = ask(&staff, next).await;
        assert!(actions(&second).contains(&"authn_login_success"), "{second}");
        assert!(second.get("next").is_none(), "{second}");
        // By a condition that an index knows it is on the first page.
        let known = ask(&staff, &format!("?request_id={request}&action=authn_*")).await;
        assert!(actions(&known).contains(&"authn_login_success"), "{known}");
    })
    .await;
}

#[tokio::test]
async fn more_than_is_counted_is_said_to_be_more() {
    on_each_database(async |server: &TestApp| {
        let staff = server.by_cookie(&STAFF).await;
        forgive(server, 0..10_050, &about(UserId(1))).await;
        let some = ask(&staff, "?action=limit_address_forgiven").await;
        assert_eq!((&some["count"], &some["count_is_capped"]), (&json!(10_000), &json!(true)));
        let all = ask(&staff, "").await;
        assert!(all["count"].as_u64().unwrap() > 10_050, "{}", all["count"]);
        assert_eq!(all["count_is_capped"], false);
        let far = ask(&staff, "?action=limit_address_forgiven&offset=10000").await;
        assert_eq!(networks(&far).first().map(String::as_str), Some("49"));
    })
    .await;
}
