//! Roles over the API (P30 to P33): making, changing, deleting, files, and the table of permissions.

use serde_json::{Value, json};

use super::*;
use crate::harness::on_each_database;
use crate::harness::people::{AGENT, STAFF, STAFF0};

const CELLS: &str = "/api/admin/staff-permissions";
const POLICY: &str = "/api/admin/user-management-policy";
const MATRIX: &str = "/api/admin/api-permissions";

async fn role(by: &Client, id: RoleId) -> Value {
    let answer = by.get(&format!("{ROLES}?action=get_role&role_id={id}")).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["data"].clone()
}

#[tokio::test]
async fn a_role_is_made_changed_and_deleted() {
    on_each_database(async |server| {
        make_roles(server).await;
        let manager = server.by_cookie(&MANAGER).await;
        let body = json!({
            "action": "create_role", "name": "Lettings", "level": 30,
            "permissions": ["api.jobs.manage.manage"],
        });
        let answer = post(&manager, ROLES, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let made = answer.json()["data"].clone();
        let id = RoleId(made["id"].as_i64().unwrap());
        let expected = json!({
            "id": id, "name": "Lettings", "level": 30, "built_in": false,
            "permissions": ["api.jobs.manage.manage"], "members": 0,
        });
        assert_eq!(made, expected);
        assert_eq!(post(&manager, ROLES, &body).await.verdict(), "409 role_taken");
        let body = json!({"action": "update_role", "role_id": id, "name": "Sales", "level": "20"});
        assert_eq!(post(&manager, ROLES, &body).await.status, 200);
        let body = json!({"action": "set_permissions", "role_id": id,
            "permissions": ["api.users.users.manage", "api.users.logout_user.manage"]});
        assert_eq!(post(&manager, ROLES, &body).await.json()["updated_count"], 3);
        let now = role(&manager, id).await;
        assert_eq!((&now["name"], &now["level"]), (&json!("Sales"), &json!(20)));
        let keys = json!(["api.users.logout_user.manage", "api.users.users.manage"]);
        assert_eq!(now["permissions"], keys);
        let body = json!({"action": "delete_role", "role_id": id});
        assert_eq!(post(&manager, ROLES, &body).await.status, 200);
        assert_eq!(post(&manager, ROLES, &body).await.verdict(), "404 not_found");
        for (name, detail) in [
            ("role_deleted", json!({"role": "Sales"})),
            ("role_created", json!({"role": "Lettings", "level": 30})),
        ] {
            assert_eq!(server.events(name, 1).await[0].detail, detail);
        }
    })
    .await;
}

#[tokio::test]
async fn nobody_makes_or_changes_a_role_beyond_himself() {
    on_each_database(async |server| {
        make_roles(server).await;
        let manager = server.by_cookie(&MANAGER).await;
        let id = async |name| role_id(server, name).await.0;
        let (chief, owner, user) = (id("chief").await, id("owner").await, id("user").await);
        let (clerk, own) = (id("clerk").await, id("manager").await);
        let new = |level: i64, keys: Value| {
            json!({"action": "create_role", "name": "x", "level": level, "permissions": keys})
        };
        let set = |id: i64, keys: Value| {
            json!({"action": "set_permissions", "role_id": id, "permissions": keys})
        };
        let update = |id: i64, more: Value| on_role("update_role", id, &more);
        for (body, verdict) in [
            (new(51, json!([])), "403 above_level"),
            (new(10, json!(["*"])), "403 lacking_permission"),
            (new(10, json!(["api.users.*"])), "403 lacking_permission"),
            (new(101, json!([])), "400 invalid"),
            (new(-1, json!([])), "400 invalid"),
            (new(10, json!(["nonsense key"])), "400 invalid"),
            (json!({"action": "create_role", "name": "", "level": 1}), "400 invalid"),
            (json!({"action": "create_role", "name": "x"}), "400 invalid"),
            (json!({"action": "create_role", "name": "a\nb", "level": 1}), "400 invalid"),
            (set(chief, json!([])), "403 above_level"),
            (set(owner, json!(["api.x"])), "409 built_in_role"),
            (set(clerk, json!(["api.leads.list"])), "403 lacking_permission"),
            (set(own, json!(["*"])), "403 lacking_permission"),
            (update(chief, json!({"level": 10})), "403 above_level"),
            (update(clerk, json!({"level": 51})), "403 above_level"),
            (update(own, json!({"level": 60})), "403 above_level"),
            (update(user, json!({"level": 20})), "409 built_in_role"),
            (update(user, json!({"name": "people"})), "409 built_in_role"),
            (update(clerk, json!({"name": "OWNER"})), "409 role_taken"),
            (on_role("delete_role", chief, &json!({})), "403 above_level"),
            (on_role("delete_role", user, &json!({})), "409 built_in_role"),
            (on_role("delete_role", own, &json!({})), "409 role_in_use"),
            (on_role("delete_role", 9999, &json!({})), "404 not_found"),
            (json!({"action": "delete_role"}), "400 invalid"),
            (json!({"action": "bogus"}), "400 invalid"),
        ] {
            let before = manager.get(ROLES).send().await.json();
            let answer = post(&manager, ROLES, &body).await;
            assert_eq!(answer.verdict(), verdict, "{body}: {answer:?}");
            assert_eq!(manager.get(ROLES).send().await.json(), before, "{body}");
        }
        assert_eq!(post(&manager, ROLES, &new(50, json!(["api.jobs.manage.manage"]))).await.status, 200);
        assert_eq!(post(&manager, ROLES, &update(clerk, json!({"level": 50}))).await.status, 200);
        // Owners keep everything, whoever asks.
        let owner_client = server.by_cookie(&STAFF).await;
        let answer = post(&owner_client, ROLES, &set(owner, json!(["api.x"]))).await;
        assert_eq!(answer.verdict(), "409 built_in_role");
    })
    .await;
}

#[tokio::test]
async fn cells_are_set_all_or_none() {
    on_each_database(async |server| {
        make_roles(server).await;
        let manager = server.by_cookie(&MANAGER).await;
        let (clerk, chief) = (role_id(server, "clerk").await, role_id(server, "chief").await);
        let cell = |role: RoleId, key: &str, value: Value| {
            json!({"role_id": role, "permission_key": key, "permission_value": value})
        };
        let send = async |cells: Value| post(&manager, CELLS, &json!({"permissions": cells})).await;
        let (give, take) = (json!(true), json!(false));
        let good = cell(clerk, "api.jobs.manage.manage", give.clone());
        for (cells, verdict) in [
            (json!([good, cell(chief, "api.x", take.clone())]), "403 above_level"),
            (json!([good, cell(clerk, "api.leads.list", give.clone())]), "403 lacking_permission"),
            (json!([good, cell(RoleId(9999), "api.x", give.clone())]), "400 invalid"),
            (json!([good, cell(clerk, "api..x", give.clone())]), "400 invalid"),
            (json!([good, cell(clerk, "api.x", json!("yes"))]), "400 invalid"),
            (json!([good, {"role_id": clerk}]), "400 invalid"),
            (json!({"0": good}), "400 invalid"),
            (json!(null), "400 invalid"),
            (json!(vec![good.clone(); 201]), "400 invalid"),
        ] {
            assert_eq!(send(cells.clone()).await.verdict(), verdict, "{cells}");
            assert_eq!(role(&manager, clerk).await["permissions"], json!([]), "{cells}");
        }
        let more = cell(clerk, "api.users.users.manage", give.clone());
        let answer = send(json!([good, more, good])).await.json();
        assert_eq!(answer["updated_count"], 2, "{answer}");
        let answer = send(json!([cell(clerk, "api.users.users.manage", take)])).await.json();
        assert_eq!(answer["updated_count"], 1);
        let keys = json!(["api.jobs.manage.manage"]);
        assert_eq!(role(&manager, clerk).await["permissions"], keys);
        assert_eq!(send(json!([])).await.json()["updated_count"], 0);
        // For staff alone, whatever else they hold.
        let agent = server.by_cookie(&AGENT).await;
        let body = json!({"permissions": []});
        assert_eq!(post(&agent, CELLS, &body).await.verdict(), "403 account_type");
        let staff0 = server.by_cookie(&STAFF0).await;
        assert_eq!(post(&staff0, CELLS, &body).await.verdict(), "403 permission_missing");
    })
    .await;
}

#[tokio::test]
async fn a_level_is_set_but_not_beyond_ones_own() {
    on_each_database(async |server| {
        make_roles(server).await;
        let manager = server.by_cookie(&MANAGER).await;
        let (clerk, own) = (role_id(server, "clerk").await, role_id(server, "manager").await);
        for (entity, id, level, verdict) in [
            ("role", clerk.0, json!(51), "403 above_level"),
            ("role", own.0, json!(51), "403 above_level"),
            ("role", role_id(server, "chief").await.0, json!(10), "403 above_level"),
            ("role", role_id(server, "user").await.0, json!(11), "409 built_in_role"),
            ("role", 9999, json!(10), "404 not_found"),
            ("role", clerk.0, json!(101), "400 invalid"),
            ("role", clerk.0, json!(null), "400 invalid"),
            ("account_type", 1, json!(10), "400 invalid"),
            ("user", 1, json!(10), "400 invalid"),
            ("role", clerk.0, json!(50), "200"),
        ] {
            let body = json!({"entity": entity, "id": id, "level": level});
            assert_eq!(put(&manager, POLICY, &body).await.verdict(), verdict, "{body}");
        }
        assert_eq!(role(&manager, clerk).await["level"], 50);
        let staff0 = server.by_cookie(&STAFF0).await;
        let body = json!({"entity": "role", "id": clerk, "level": 1});
        assert_eq!(put(&staff0, POLICY, &body).await.verdict(), "403 permission_missing");
    })
    .await;
}

#[tokio::test]
async fn roles_go_out_as_a_file_and_come_in_whole_or_not_at_all() {
    on_each_database(async |server| {
        make_roles(server).await;
        let manager = server.by_cookie(&MANAGER).await;
        let owner = server.by_cookie(&STAFF).await;
        let file = manager.get(&format!("{ROLES}?action=export")).send().await.json();
        assert_eq!(file["roles"].as_array().unwrap().len(), 7, "{file}");
        let import = |roles: Value| json!({"action": "import_roles", "roles": roles});
        let answer = post(&owner, ROLES, &import(file["roles"].clone())).await.json();
        assert_eq!(answer["data"], json!({"created": 0, "changed": 0, "unchanged": 7}));
        let fine = json!({"name": "new", "level": 10, "permissions": ["api.jobs.manage.manage"]});
        let above = json!({"name": "boss", "level": 99, "permissions": []});
        let answer = post(&manager, ROLES, &import(json!([fine, above]))).await;
        assert_eq!(answer.verdict(), "403 import_refused");
        assert!(answer.json()["error"].as_str().unwrap().contains("boss"), "{answer:?}");
        for wrong in [
            json!([fine, fine]),
            json!([{"name": "x", "level": 1}]),
            json!([{"name": "x", "level": 1, "permissions": [], "is_admin": true}]),
            json!("not json"),
            json!(7),
        ] {
            let answer = post(&manager, ROLES, &import(wrong.clone())).await;
            assert_eq!(answer.verdict(), "400 invalid", "{wrong}");
            assert_eq!(answer.json()["success"], false);
        }
        let all = manager.get(ROLES).send().await.json();
        assert_eq!(all["count"], 7, "{all}");
        let answer = post(&manager, ROLES, &import(json!([fine]))).await.json();
        assert_eq!(answer["data"]["created"], 1, "{answer}");
        // A form brings the file as one text.
        let text = json!(file.to_string());
        assert_eq!(post(&owner, ROLES, &import(text)).await.json()["data"]["unchanged"], 7);
    })
    .await;
}

#[tokio::test]
async fn the_table_says_what_opens_what_and_who_holds_it() {
    on_each_database(async |server| {
        make_roles(server).await;
        let manager = server.by_cookie(&MANAGER).await;
        let body = manager.get(MATRIX).send().await.json();
        let rows = body["data"].as_array().unwrap();
        assert_eq!(body["count"], rows.len());
        let row = |key: &str| rows.iter().find(|row| row["key"] == key).unwrap();
        let users = row("api.users.users.manage");
        let opens = users["opens"].as_array().unwrap();
        assert!(opens.contains(&json!("POST /api/users/users")), "{users}");
        assert!(!opens.contains(&json!("POST /api/admin/roles")), "{users}");
        assert_eq!(users["roles"]["owner"], true);
        assert_eq!(users["roles"]["chief"], true);
        assert_eq!(users["roles"]["clerk"], false);
        assert!(row("api.jobs.manage.manage")["opens"].to_string().contains("rule "));
        let staff0 = server.by_cookie(&STAFF0).await;
        assert_eq!(staff0.get(MATRIX).send().await.verdict(), "403 permission_missing");
        assert_eq!(staff0.get(ROLES).send().await.verdict(), "403 permission_missing");
        for query in ["?action=bogus", "?action=get_role", "?action=get_role&role_id=x"] {
            let verdict = manager.get(&format!("{ROLES}{query}")).send().await.verdict();
            assert_eq!(verdict, "400 invalid", "{query}");
        }
    })
    .await;
}

fn on_role(action: &str, id: i64, more: &Value) -> Value {
    let mut body = json!({"action": action, "role_id": id});
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}
