//! The page of limits.

use super::{attempt, lock_out, usual};
use crate::harness::client::{Answer, Client};
use crate::harness::people::{PASSWORD, STAFF, STAFF0, Z1};
use crate::harness::{on_each_database, on_each_database_with};

const PAGE: &str = "/-/admin/limits";

/// Sends a form of the page as a browser does.
async fn submit(client: &Client, path: &str, fields: &[(&str, &str)]) -> Answer {
    let page = client.get(PAGE).header("accept", "text/html").send().await;
    assert_eq!(page.status, 200, "{page:?}");
    let html = page.text();
    let (_, rest) = html.split_once("name=\"csrf_token\" value=\"").unwrap();
    let (token, _) = rest.split_once('"').unwrap();
    let mut all = vec![("csrf_token", token)];
    all.extend(fields);
    let sending = client.post(path).header("accept", "text/html").form(&all);
    sending
        .header("sec-fetch-site", "same-origin")
        .header("sec-fetch-mode", "navigate")
        .send()
        .await
}

#[tokio::test]
async fn the_page_shows_changes_and_unlocks() {
    on_each_database_with(usual(), async |server| {
        let user = server.add(&Z1).await;
        let owner = server.by_cookie(&STAFF).await;
        lock_out(server, &server.client(), "203.0.113.7", "Fredkiss3").await;
        let shown = async || owner.get(PAGE).header("accept", "text/html").send().await.text();
        let before = shown().await;
        for text in ["limits.login", "5/60s", "203.0.113.7/32", "fred@example.com", ">Unlock<"] {
            assert!(before.contains(text), "{text}: {before}");
        }
        let changed = submit(&owner, PAGE, &[("name", "login"), ("value", " 9/60s ")]).await;
        assert_eq!((changed.status.as_u16(), changed.header("location")), (303, Some(PAGE)));
        let after = shown().await;
        assert!(after.contains("value=\"9/60s\"") && after.contains("Set by staff@example.com"));
        let back = submit(&owner, PAGE, &[("name", "login")]).await;
        assert_eq!(back.status, 303, "{back:?}");
        assert!(!shown().await.contains("Set by"), "as configured");

        let script = "<script>alert(1)</script>";
        let refused = submit(&owner, PAGE, &[("name", "login"), ("value", script)]).await;
        assert_eq!(refused.status, 400);
        let html = refused.text();
        assert!(html.contains("was not changed") && !html.contains(script), "{html}");
        let unknown = submit(&owner, PAGE, &[("name", script), ("value", "9/60s")]).await;
        assert_eq!(unknown.status, 404);
        assert!(!unknown.text().contains(script));

        let id = user.id.to_string();
        let unlocked = submit(&owner, &format!("{PAGE}/unlock"), &[("user_id", &id)]).await;
        assert_eq!(unlocked.status, 303, "{unlocked:?}");
        assert!(shown().await.contains("Nobody."));
        let answer = attempt(&server.client(), "203.0.113.7", "Fredkiss3", PASSWORD).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    })
    .await;
}

#[tokio::test]
async fn the_page_is_for_those_who_hold_the_key() {
    on_each_database(async |server| {
        let helper = server.by_cookie(&STAFF0).await;
        let owner = server.by_cookie(&STAFF).await;
        let look =
            async |client: &Client| client.get(PAGE).header("accept", "text/html").send().await;
        assert_eq!(look(&helper).await.status, 403);
        assert_ne!(look(&server.client()).await.status, 200);
        assert_eq!(look(&owner).await.status, 200, "control");
        let token = helper.fetch_csrf().await;
        for path in [PAGE.to_owned(), format!("{PAGE}/unlock")] {
            let form = [("csrf_token", token.as_str()), ("name", "login"), ("value", "off")];
            let answer = helper.post(&path).form(&form).send().await;
            assert_eq!(answer.verdict(), "403 permission_missing", "{path}");
            let without = owner.post(&path).form(&form[1..]).send().await;
            assert_eq!(without.verdict(), "403 csrf_missing", "{path}");
        }
        let menu = owner.get("/-/admin").header("accept", "text/html").send().await.text();
        assert!(menu.contains(PAGE));
        let menu = helper.get("/-/admin").header("accept", "text/html").send().await.text();
        assert!(!menu.contains(PAGE), "it leads nowhere he may go");
    })
    .await;
}
