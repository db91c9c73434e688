//! Keys on pages, at the command line and in mail; erasing, and what a restore must not bring back.

use std::time::Duration;

use http::Method;
use portcullis_server::flows::api_keys::tell_of_ends;
use serde_json::json;

use super::{KEYS, create, program, text};
use crate::cli::beside::beside;
use crate::harness::client::{Answer, Client};
use crate::harness::letters::{letters, mails};
use crate::harness::on_each_database;
use crate::harness::people::{STAFF, TENANT};

const PAGE: &str = "/-/account/keys";
const DAY: Duration = Duration::from_hours(24);

/// Fills in a form of a page, with the token that stands in it.
async fn fill(client: &Client, page: &str, fields: &[(&str, &str)]) -> Answer {
    let html = client.get(page).header("accept", "text/html").send().await.text();
    let (_, rest) = html.rsplit_once("name=\"csrf_token\" value=\"").unwrap();
    let token = rest.split_once('"').unwrap().0;
    let fields: Vec<_> = [("csrf_token", token)].iter().chain(fields).copied().collect();
    let action = page.split('?').next().unwrap();
    client.post(action).header("sec-fetch-site", "same-origin").form(&fields).send().await
}

/// The key that stands in an answer.
fn key_in(html: &str) -> String {
    let at = html.find("<code>sk_").unwrap_or_else(|| panic!("no key in {html}"));
    html[at + 6..at + 6 + 67].to_owned()
}

#[tokio::test]
async fn owners_are_told_of_each_change_of_their_keys() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let owner = server.mobile(&TENANT).await;
        let made = create(&owner, &json!({"name": "import"})).await;
        let one = format!("{KEYS}/{}", text(&made["id"]));
        let mut told = 1;
        let mut check = async |method, path: &str, body, what: Option<&str>| {
            let answer = owner.act(method, path, &body).await;
            assert!(answer.status.is_success(), "{answer:?}");
            told += usize::from(what.is_some());
            let letters = letters(server, TENANT.email, told).await;
            assert_eq!(letters.len(), told, "{path}");
            // Long lines are broken.
            let mails: Vec<_> =
                mails(server).await.iter().map(|mail| mail.replace("=\r\n", "")).collect();
            let said = |what| mails.iter().any(|it| it.contains(&format!("account {what} at")));
            assert!(what.is_none_or(said), "{what:?}: {mails:?}");
        };
        check(Method::PATCH, &one, json!({"scopes": ["read", "write"]}), Some("was changed")).await;
        check(Method::PATCH, &one, json!({"scopes": ["read", "write"]}), None).await;
        let anew = format!("{one}/regenerate");
        check(Method::POST, &anew, json!({}), Some("was given a new value")).await;
        let revoke = format!("{one}/revoke");
        check(Method::POST, &revoke, json!({}), Some("was revoked")).await;
        check(Method::POST, &revoke, json!({}), None).await;
    })
    .await;
}

#[tokio::test]
async fn a_key_is_made_shown_once_made_anew_and_revoked_on_the_page() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let owner = server.sign_in(&TENANT).await;
        let form = [
            ("action", "create"),
            ("name", "<b>import</b>"),
            ("scopes", "read write"),
            ("expiresAt", ""),
            ("allowedIps", "127.0.0.1, 192.0.2.0/24"),
        ];
        let made = fill(&owner, PAGE, &form).await;
        assert_eq!(made.status, 200, "{made:?}");
        assert_eq!(made.header("cache-control"), Some("no-store"));
        let key = key_in(&made.text());
        assert!(made.text().contains("&#60;b&#62;import") && !made.text().contains("<b>import"));
        let client = server.client().key(&key);
        assert_eq!(client.get("/").send().await.status, 200);
        assert_eq!(
            letters(server, TENANT.email, 1).await[0].subject,
            "A new API key for your account"
        );
        let listed = owner.get(PAGE).send().await.text();
        assert!(listed.contains(&key[..12]) && !listed.contains(&key), "shown once");
        let keys = server.mobile(&TENANT).await.get(KEYS).send().await.json();
        let id = text(&keys[0]["id"]).to_owned();
        let anew = [("action", "regenerate"), ("id", &*id), ("overlap", "3600")];
        let new = server.client().key(&key_in(&fill(&owner, PAGE, &anew).await.text()));
        assert_eq!(new.get("/").send().await.status, 200);
        assert_eq!(client.get("/").send().await.status, 200, "for an hour");
        let revoked = fill(&owner, PAGE, &[("action", "revoke"), ("id", &*id)]).await;
        assert!(revoked.text().contains("revoked"), "{}", revoked.text());
        for client in [&client, &new] {
            assert_eq!(client.get("/").send().await.verdict(), "401 key_revoked");
        }
        let wrong =
            fill(&owner, PAGE, &[("action", "create"), ("name", "x"), ("scopes", "all")]).await;
        assert_eq!(wrong.status, 400);
        assert!(wrong.text().contains("must be some of read, write, delete and admin"));
        let bare = owner.post(PAGE).form(&[("action", "create"), ("name", "x")]).send().await;
        assert_eq!(bare.status, 403, "no token of the form");
    })
    .await;
}

#[tokio::test]
async fn whoever_looks_after_users_sees_their_keys_and_revokes_them() {
    on_each_database(async |server| {
        let tenant = server.add(&TENANT).await;
        let (client, id) = program(server, &TENANT, &["read"]).await;
        let staff = server.by_cookie(&STAFF).await;
        let page = format!("/-/admin/user?uuid={}", tenant.uuid);
        assert!(staff.get(&page).send().await.text().contains("API keys</h2>"));
        let form = [("action", "revoke_key"), ("uuid", &*tenant.uuid), ("key", &*id)];
        assert_eq!(fill(&staff, &page, &form).await.status, 303);
        assert_eq!(client.get("/").send().await.verdict(), "401 key_revoked");
        let told = letters(server, TENANT.email, 2).await;
        let revoked = "An API key of your account was revoked";
        assert!(told.iter().any(|letter| letter.subject == revoked));
        let event = &server.events("api_key_revoked", 1).await[0];
        assert_eq!(event.detail["key"], id);
        assert!(!staff.get(&page).send().await.text().contains("API keys</h2>"));
        // Nobody reaches above himself, and one's own are on one's own page.
        let (own, id) = program(server, &STAFF, &["read"]).await;
        let form = [("action", "revoke_key"), ("uuid", &*tenant.uuid), ("key", &*id)];
        assert_eq!(fill(&staff, &page, &form).await.status, 400);
        assert_eq!(own.get("/").send().await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn the_operator_makes_lists_and_revokes_keys() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let line = format!(
            "key create --user {} --name import --scope read --scope delete --allow 127.0.0.0/8 \
             --expires 2030-01-31 --limit 5/1m --json",
            TENANT.email
        );
        let made = beside(server, &line, "").await.assert(0).json();
        let (id, key) = (text(&made["id"]).to_owned(), text(&made["key"]).to_owned());
        let client = server.client().key(&key);
        assert_eq!(client.get("/").send().await.status, 200);
        let ran = beside(server, "key list --json", "").await;
        assert!(!ran.assert(0).out.contains(&key[3..]));
        let listed = &ran.json()[0];
        for (member, expected) in [
            ("id", &*id),
            ("scopes", "read,delete"),
            ("allowed_ips", "127.0.0.0/8"),
            ("status", "ACTIVE"),
            ("expires_at", "2030-02-01T00:00:00Z"),
        ] {
            assert_eq!(listed[member], expected, "{listed}");
        }
        let anew = beside(server, &format!("key regenerate {id} --overlap 60 --json"), "").await;
        let new = server.client().key(text(&anew.assert(0).json()["key"]));
        assert_eq!(new.get("/").send().await.status, 200);
        beside(server, &format!("key revoke {id}"), "").await.assert(0);
        server.advance(Duration::from_secs(5));
        assert_eq!(new.get("/").send().await.verdict(), "401 key_revoked");
        beside(server, "key revoke key_000000000000000000000000", "").await.assert(1);
        beside(server, "key create --user nobody@example.com --name x", "").await.assert(1);
        beside(server, "key revoke sk_0", "").await.assert(2);
        beside(server, &format!("key create --user {} --name x --scope all", TENANT.email), "")
            .await
            .assert(2);
    })
    .await;
}

#[tokio::test]
async fn owners_are_told_a_week_and_a_day_before_the_end() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let owner = server.mobile(&TENANT).await;
        let ends = server.app.clock.now().plus(8 * DAY).iso();
        let made = create(&owner, &json!({"name": "import", "expiresAt": ends})).await;
        let told = async |count: usize| {
            tell_of_ends(&server.app).await.unwrap();
            tell_of_ends(&server.app).await.unwrap();
            let found = letters(server, TENANT.email, count).await;
            let ends = "An API key of your account ends soon";
            found.iter().filter(|letter| letter.subject == ends).count()
        };
        assert_eq!(told(1).await, 0);
        server.advance(2 * DAY);
        assert_eq!(told(2).await, 1);
        server.advance(4 * DAY);
        assert_eq!(told(2).await, 1);
        server.advance(DAY + Duration::from_hours(1));
        assert_eq!(told(3).await, 2);
        let revoke = format!("{KEYS}/{}/revoke", text(&made["id"]));
        owner.act(Method::POST, &revoke, &json!({})).await;
        assert_eq!(told(3).await, 2);
    })
    .await;
}

#[tokio::test]
async fn who_is_erased_has_no_keys() {
    on_each_database(async |server| {
        let tenant = server.add(&TENANT).await;
        let (client, _) = program(server, &TENANT, &["read"]).await;
        assert_eq!(client.get("/").send().await.status, 200, "control");
        server.app.key_usage.write(&server.app.db).await.unwrap();
        let staff = server.by_cookie(&STAFF).await;
        let page = format!("/-/admin/user?uuid={}", tenant.uuid);
        let form =
            [("action", "erase"), ("uuid", &*tenant.uuid), ("basis", "request 7"), ("sure", "1")];
        assert_eq!(fill(&staff, &page, &form).await.status, 303);
        let gone = client.get("/").send().await.verdict();
        assert!(gone.starts_with("401 "), "{gone}");
        let found = server.mobile(&STAFF).await.get(&format!("{KEYS}/stats")).send().await.json();
        assert_eq!((&found["keys"]["total"], &found["requestsLast24h"]), (&json!(0), &json!(0)));
    })
    .await;
}
