//! The page "Activity": what it shows, how one gets on, and how what is shown is taken along.

use std::time::Duration;

use portcullis_domain::id::UserId;

use super::{LOG, about, forgive};
use crate::harness::on_each_database;
use crate::harness::people::{AGENT, STAFF, STAFF0};

const PAGE: &str = "/-/admin/activity";

#[tokio::test]
async fn it_shows_the_last_day_and_leads_to_older_ones() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        forgive(server, 0..60, &about(UserId(1))).await;
        let page = staff.get(PAGE).send().await;
        assert_eq!(page.status, 200, "{page:?}");
        let text = page.text();
        assert_eq!(text.matches("<tr id=\"entry-").count(), 50);
        assert!(text.contains("newest first"), "{text}");
        let older = link(&text, " rel=\"next\">Older");
        assert!(older.starts_with(PAGE), "{older}");
        let next = staff.get(&older).send().await.text();
        assert!(next.matches("<tr id=\"entry-").count() > 10, "{next}");
        assert!(next.contains(">Newest<"));
        // Two days later it is older than a day.
        server.advance(Duration::from_hours(48));
        let staff = server.sign_in(&STAFF).await;
        let day = staff.get(PAGE).send().await.text();
        assert!(!day.contains("limit_address_forgiven</strong>"), "{day}");
        let week = staff.get(&format!("{PAGE}?range=7d")).send().await.text();
        assert!(week.contains("limit_address_forgiven</strong>"));
        let all = staff.get(&format!("{PAGE}?range=all&action=role_deleted")).send().await.text();
        assert!(all.contains("0 events"), "{all}");
    })
    .await;
}

#[tokio::test]
async fn what_is_shown_can_be_taken_along() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        forgive(server, 0..3, &about(UserId(1))).await;
        let page = staff.get(&format!("{PAGE}?action=limit_*&range=7d")).send().await.text();
        let csv = link(&page, "download>csv");
        assert!(csv.starts_with(&format!("{LOG}/export?")), "{csv}");
        let table = staff.get(&csv).send().await;
        assert_eq!(table.status, 200, "{table:?}");
        assert_eq!(table.text().lines().count(), 4);
    })
    .await;
}

#[tokio::test]
async fn a_question_that_makes_no_sense_is_answered_with_why() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let page = staff.get(&format!("{PAGE}?ip=nowhere")).send().await;
        assert_eq!(page.status, 400);
        assert!(page.text().contains("role=\"alert\""), "{page:?}");
        // What the form has no field for stays, and is shown.
        let kept = staff.get(&format!("{PAGE}?ip=127.0.0.1")).send().await.text();
        assert!(kept.contains("<span class=\"chip\">ip 127.0.0.1</span>"), "{kept}");
        assert!(kept.contains("<input type=\"hidden\" name=\"ip\" value=\"127.0.0.1\">"));
    })
    .await;
}

#[tokio::test]
async fn it_is_for_staff_with_the_permission() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let index = staff.get("/-/admin").send().await.text();
        assert!(index.contains("href=\"/-/admin/activity\""), "{index}");
        let without = server.by_cookie(&STAFF0).await;
        assert_eq!(without.get(PAGE).send().await.status, 403);
        let index = without.get("/-/admin").send().await.text();
        assert!(!index.contains("/-/admin/activity"), "{index}");
        let agent = server.by_cookie(&AGENT).await;
        assert_eq!(agent.get(PAGE).send().await.status, 403);
    })
    .await;
}

/// Where the link leads that has this in it or right behind it.
pub(crate) fn link(page: &str, mark: &str) -> String {
    let at = page.find(mark).unwrap_or_else(|| panic!("no {mark}: {page}"));
    let (before, _) = page.split_at(at);
    let (_, href) = before.rsplit_once("href=\"").unwrap();
    href.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&")
}
