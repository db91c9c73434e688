//! The pages for users and roles, as a browser without scripts uses them.

use serde_json::json;

use super::*;
use crate::harness::on_each_database;
use crate::harness::people::{AGENT, PASSWORD, STAFF, STAFF0, sign_in};

/// Sends the form of a page with its token.
async fn submit(client: &Client, page: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
    let shown = client.get(page).header("accept", "text/html").send().await;
    assert_eq!(shown.status, 200, "{shown:?}");
    let text = shown.text();
    let (_, rest) = text.split_once("name=\"csrf_token\" value=\"").unwrap();
    let token = rest.split('"').next().unwrap();
    let mut fields = fields.to_vec();
    fields.push(("csrf_token", token));
    client.post(path).header("accept", "text/html").form(&fields).from_own_page().send().await
}

async fn page(client: &Client, path: &str) -> String {
    let shown = client.get(path).header("accept", "text/html").send().await;
    assert_eq!(shown.status, 200, "{shown:?}");
    shown.text()
}

#[tokio::test]
async fn the_account_page_leads_on_who_has_something_to_look_after() {
    on_each_database(async |server| {
        make_roles(server).await;
        for (person, leads_on) in [
            (&STAFF, true),
            (&MANAGER, true),
            // Every key, and no staff; staff, and no key.
            (&AGENT, false),
            (&STAFF0, false),
        ] {
            let client = server.by_cookie(person).await;
            let text = page(&client, "/-/account").await;
            assert_eq!(text.contains("href=\"/-/admin\""), leads_on, "{}", person.email);
        }
    })
    .await;
}

#[tokio::test]
async fn a_user_is_made_found_changed_and_deleted() {
    on_each_database(async |server| {
        make_roles(server).await;
        let manager = server.by_cookie(&MANAGER).await;
        let new = [
            ("email", "ada@example.com"),
            ("username", "ada"),
            ("first_name", "<b>Ada</b>"),
            ("last_name", "Lovelace"),
            ("account_type_id", "4"),
            ("password", PASSWORD),
        ];
        let made = submit(&manager, "/-/admin/users/new", "/-/admin/users/new", &new).await;
        assert_eq!(made.status, 303, "{made:?}");
        let address = made.header("location").unwrap().to_owned();
        let uuid = address.split('=').nth(1).unwrap().to_owned();
        let list = page(&manager, "/-/admin/users?q=ADA").await;
        assert!(list.contains(&address) && list.contains("1 found"), "{list}");
        assert!(list.contains("&#60;b&#62;Ada") && !list.contains("<b>Ada"), "{list}");
        assert!(page(&manager, "/-/admin/users?q=nobody").await.contains("0 found"));
        let one = page(&manager, &address).await;
        assert!(one.contains("<bdi>") && !one.contains("<b>Ada"), "{one}");
        let act = async |fields: &[(&str, &str)]| {
            let mut all = vec![("uuid", uuid.as_str())];
            all.extend_from_slice(fields);
            submit(&manager, &address, "/-/admin/user", &all).await
        };
        let clerk = role_id(server, "clerk").await.to_string();
        let key = "api.jobs.manage.manage";
        for fields in [
            &[("action", "update"), ("first_name", "Ada"), ("branch_id", "4"), ("phone", "")][..],
            &[("action", "role"), ("role_id", &clerk)],
            &[("action", "grant"), ("permissions", key)],
            &[("action", "status"), ("account_status_id", "2")],
        ] {
            let answer = act(fields).await;
            assert_eq!(answer.header("location"), Some(address.as_str()), "{fields:?}: {answer:?}");
        }
        let now = user(&manager, &uuid).await;
        assert_eq!((&now["first_name"], &now["branch_id"]), (&json!("Ada"), &json!(4)));
        assert_eq!((&now["role_name"], &now["own_permissions"]), (&json!("clerk"), &json!([key])));
        assert_eq!(now["account_status_name"], "Disabled");
        assert_eq!(now["email"], "ada@example.com");
        assert_eq!(act(&[("action", "status"), ("account_status_id", "1")]).await.status, 303);
        let ada = server.client();
        assert_eq!(sign_in(&ada, "ada", PASSWORD).await.status, 201);
        assert_eq!(act(&[("action", "sign_out")]).await.status, 303);
        assert!(!is_in(&ada).await);
        assert_eq!(act(&[("action", "revoke"), ("permissions", key)]).await.status, 303);
        let one = page(&manager, &address).await;
        assert!(one.contains("user_signed_out") && one.contains("Jane Smith"), "{one}");

        // What cannot be done is said on the page, which stays as it was.
        let chief = role_id(server, "chief").await.to_string();
        let refused = act(&[("action", "role"), ("role_id", &chief)]).await;
        assert_eq!(refused.status, 403);
        assert!(refused.text().contains("This is above your own level."), "{refused:?}");
        let wrong = act(&[("action", "update"), ("branch_id", "x")]).await;
        assert_eq!(wrong.status, 400, "{wrong:?}");
        let taken = act(&[("action", "update"), ("email", MANAGER.email)]).await;
        assert_eq!(taken.status, 409);
        assert!(taken.text().contains("Another user has this email address."), "{taken:?}");

        let gone = act(&[("action", "delete")]).await;
        assert_eq!(gone.header("location"), Some("/-/admin/users"));
        let missing = manager.get(&address).header("accept", "text/html").send().await;
        assert_eq!(missing.status, 404);
    })
    .await;
}

#[tokio::test]
async fn a_form_that_is_filled_in_wrongly_comes_back_without_the_password() {
    on_each_database(async |server| {
        make_roles(server).await;
        let manager = server.by_cookie(&MANAGER).await;
        let new = "/-/admin/users/new";
        for (fields, status, said) in [
            (vec![("email", "nope"), ("first_name", "Ada")], 400, "must be an email"),
            (vec![("email", MANAGER.email), ("first_name", "Ada")], 409, "Another user has this"),
            (
                vec![
                    ("email", "a@example.com"),
                    ("first_name", "Ada"),
                    ("password", "short-secret"),
                ],
                400,
                "must have at least 15 characters",
            ),
        ] {
            let answer = submit(&manager, new, new, &fields).await;
            assert_eq!(answer.status, status, "{fields:?}");
            let text = answer.text();
            assert!(text.contains(said) && text.contains("value=\"Ada\""), "{fields:?}: {text}");
            assert!(!text.contains("short-secret"), "{text}");
        }
        // Left empty, there is no password: the account waits for one.
        let fields = [("email", "a@example.com"), ("password", "")];
        assert_eq!(submit(&manager, new, new, &fields).await.status, 303);
    })
    .await;
}

#[tokio::test]
async fn boxes_that_are_ticked_are_given_and_the_others_taken() {
    on_each_database(async |server| {
        make_roles(server).await;
        let manager = server.by_cookie(&MANAGER).await;
        let clerk = role_id(server, "clerk").await.to_string();
        let roles = "/-/admin/roles";
        let cells = async |was: &str, ticked: &[&str]| {
            let names: Vec<_> = ticked.iter().map(|key| format!("key:{key}")).collect();
            let mut fields = vec![("action", "cells"), ("role_id", clerk.as_str()), ("was", was)];
            fields.extend(names.iter().map(|name| (name.as_str(), "1")));
            submit(&manager, roles, roles, &fields).await
        };
        let held = async || {
            let path = format!("{ROLES}?action=get_role&role_id={clerk}");
            manager.get(&path).send().await.json()["data"]["permissions"].clone()
        };
        let (jobs, logout) = ("api.jobs.manage.manage", "api.users.logout_user.manage");
        assert_eq!(cells("", &[jobs]).await.status, 303);
        assert_eq!(held().await, json!([jobs]));
        let shown = page(&manager, roles).await;
        let ticked = format!("aria-label=\"clerk: {jobs}\" checked>");
        assert!(shown.contains(&ticked), "{shown}");
        // Somebody else gave one in between: it stays, because its box was not touched.
        assert_eq!(cells("", &[logout]).await.status, 303);
        assert_eq!(held().await, json!([jobs, logout]));
        assert_eq!(cells(&format!("{jobs} {logout}"), &[logout]).await.status, 303);
        assert_eq!(held().await, json!([logout]));
        let refused = cells("", &["api.leads.list"]).await;
        assert_eq!(refused.status, 403, "{refused:?}");
        assert!(refused.text().contains("permission that you do not hold"), "{refused:?}");
        assert_eq!(held().await, json!([logout]));
    })
    .await;
}

#[tokio::test]
async fn roles_are_made_changed_deleted_and_carried_as_a_file() {
    on_each_database(async |server| {
        make_roles(server).await;
        let manager = server.by_cookie(&MANAGER).await;
        let (roles, role) = ("/-/admin/roles", "/-/admin/role");
        let new = [("action", "create"), ("name", "<i>Lettings"), ("level", "30")];
        assert_eq!(submit(&manager, roles, roles, &new).await.status, 303);
        let shown = page(&manager, roles).await;
        assert!(shown.contains("&#60;i&#62;Lettings") && !shown.contains("<i>Lettings"), "{shown}");
        let again = submit(&manager, roles, roles, &new).await;
        assert_eq!(again.status, 409);
        assert!(again.text().contains("There is a role of this name."), "{again:?}");
        let id = role_id(server, "<i>lettings").await.to_string();
        let address = format!("{role}?id={id}");
        for fields in [
            &[("action", "update"), ("name", "Lettings"), ("level", "20")][..],
            &[
                ("action", "permissions"),
                ("permissions", "api.users.users.manage\r\napi.jobs.manage.manage\r\n"),
            ],
            &[("action", "permissions"), ("permissions", "")],
            &[("action", "delete")],
        ] {
            let mut all = vec![("role_id", id.as_str())];
            all.extend_from_slice(fields);
            let answer = submit(&manager, &address, role, &all).await;
            assert_eq!(answer.status, 303, "{fields:?}: {answer:?}");
        }
        let file = manager.get("/-/admin/roles/export").send().await;
        assert_eq!(file.header("content-type"), Some("application/json"));
        assert!(file.header("content-disposition").unwrap().starts_with("attachment;"));
        let owner = server.by_cookie(&STAFF).await;
        let text = file.text();
        let fields = [("action", "import"), ("roles", text.as_str())];
        let answer = submit(&owner, roles, roles, &fields).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.text().contains("0 made, 0 changed, 7 as they were."), "{answer:?}");
        let fields = [("action", "import"), ("roles", "{}")];
        let answer = submit(&owner, roles, roles, &fields).await;
        assert_eq!(answer.status, 400, "{answer:?}");
    })
    .await;
}

#[tokio::test]
async fn these_pages_are_for_staff_who_may_and_their_forms_need_a_token() {
    on_each_database(async |server| {
        make_roles(server).await;
        let uuid = server.add(&CLERK).await.uuid;
        let staff0 = server.by_cookie(&STAFF0).await;
        let agent = server.by_cookie(&AGENT).await;
        let manager = server.by_cookie(&MANAGER).await;
        let one = format!("/-/admin/user?uuid={uuid}");
        let pages = ["/-/admin/users", "/-/admin/users/new", one.as_str(), "/-/admin/roles"];
        for path in pages {
            for (who, client) in [("staff0", &staff0), ("agent", &agent)] {
                let answer = client.get(path).header("accept", "text/html").send().await;
                assert_eq!(answer.status, 403, "{who} {path}");
            }
            page(&manager, path).await;
        }
        let fields = [("uuid", uuid.as_str()), ("action", "delete")];
        let answer = manager.post("/-/admin/user").form(&fields).from_own_page().send().await;
        assert_eq!(answer.verdict(), "403 csrf_missing");
        let answer =
            manager.post("/-/admin/user").form(&fields).header("sec-fetch-site", "cross-site");
        assert_eq!(answer.send().await.verdict(), "403 csrf_origin");
        assert_eq!(user(&manager, &uuid).await["account_status_name"], "Active");
    })
    .await;
}
