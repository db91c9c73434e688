//! The page of staff: whose password is breached, and how it stands with those who know them.

use std::time::Duration;

use portcullis_domain::password::BreachState;
use serde_json::{Value, json};

use super::checks::check;
use super::offline::{config, write};
use super::service::{Manner, Service};
use super::status::{self, look_nobody_up, note};
use crate::activity::page::link;
use crate::harness::client::{Answer, Client};
use crate::harness::people::{AGENT, Person, STAFF, STAFF0, TENANT, Z1};
use crate::harness::{TestApp, on_each_database, on_each_database_with};

const PAGE: &str = "/-/admin/breached-passwords";

async fn look(client: &Client, query: &str) -> Answer {
    client.get(&format!("{PAGE}{query}")).header("accept", "text/html").send().await
}

/// The standing of each source, as programs are told and as people read.
async fn standings(client: &Client) -> (Vec<Value>, String) {
    let body = client.get(status::PATH).send().await.json();
    let sources = body["sources"].as_array().unwrap().clone();
    (sources, look(client, "").await.text())
}

#[tokio::test]
async fn the_page_shows_whose_is_breached_and_leads_to_him() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let zed = server.add(&Z1).await;
        note(server, zed.id, BreachState::Breached, "list").await;
        let tenant = server.add(&TENANT).await;
        note(server, tenant.id, BreachState::Clear, "list 2020-01-01").await;
        let page = look(&staff, "").await;
        assert_eq!(page.status, 200, "{page:?}");
        let html = page.text();
        let user = format!("<a href=\"/-/admin/user?uuid={}\">", zed.uuid);
        for part in [
            "3 people with a password",
            "<span class=\"chip bad\">Breached</span>",
            "found 3,200 times or more, taken until 20",
            "Never looked up",
            "by those who were asked then",
            &user,
            Z1.email,
            "Built-in list",
            "2026-07-17",
            "49,233",
            "part of the program",
            "aria-current=\"page\">Breached passwords</a>",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(!html.contains("<script") && !html.contains(" style="), "{html}");
        let breached = look(&staff, "?status=breached").await.text();
        assert!(breached.contains(Z1.email) && !breached.contains(TENANT.email), "{breached}");
        assert!(breached.contains("One person with a password"), "{breached}");
        let all = look(&staff, "?status=").await;
        assert!(all.status == 200 && all.text().contains(TENANT.email), "{all:?}");
        for query in ["?status=%22%3E%3Cscript%3E", "?after=x", "?status=breached&after=clear-5"] {
            let page = look(&staff, query).await;
            assert_eq!(page.status, 400, "{query}");
            assert!(page.text().contains("role=\"alert\"") && !page.text().contains("<script"));
        }
    })
    .await;
}

#[tokio::test]
async fn more_people_than_a_page_holds_are_on_the_next() {
    on_each_database(async |server| {
        look_nobody_up(server);
        let staff = server.by_cookie(&STAFF).await;
        for number in 0..60 {
            let email: &str = format!("n{number}@example.com").leak();
            server.add(&Person { email, username: None, ..TENANT }).await;
        }
        let first = look(&staff, "?status=unchecked").await.text();
        let next = link(&first, " rel=\"next\">More");
        let second = staff.get(&next).send().await.text();
        let shows = |html: &str| html.matches("@example.com</bdi>").count();
        assert_eq!((shows(&first), shows(&second)), (50, 11), "{next}");
        assert!(second.contains("61 people") && second.contains("From the beginning"), "{second}");
        assert!(!second.contains("rel=\"next\">More"), "{second}");
    })
    .await;
}

#[tokio::test]
async fn the_page_is_for_staff_who_may() {
    on_each_database(async |server| {
        for (person, status) in [(&STAFF, 200), (&STAFF0, 403), (&TENANT, 403), (&AGENT, 403)] {
            let client = server.by_cookie(person).await;
            assert_eq!(look(&client, "").await.status, status, "{}", person.email);
        }
        // Whoever may not look after users is not led to them.
        let reader =
            Person { email: "r@example.com", username: Some("r"), role: "reader", ..STAFF };
        let key = "api.admin.password_breach_status.manage";
        crate::administration::make_role(server, "reader", 20, &[key]).await;
        let reader = server.by_cookie(&reader).await;
        let html = look(&reader, "").await.text();
        assert!(html.contains(STAFF.email) && !html.contains("/-/admin/user"), "{html}");
    })
    .await;
}

#[tokio::test]
async fn how_it_stands_with_each_source_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(&[("P@ssw0rd", 3_200)]).await;
    write(folder.path(), "P@ssw0rd", 2_900, "2025-01-31");
    on_each_database_with(config(folder.path(), &service), async |server: &TestApp| {
        write(folder.path(), "P@ssw0rd", 2_900, "2025-01-31");
        service.is(Manner::Honest);
        let staff = server.by_cookie(&STAFF).await;
        let mut seen = standings(&staff).await;
        for _ in 0..400 {
            if seen.0[0]["standing"] == "verified" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            seen = standings(&staff).await;
        }
        let index = json!({
            "source": "offline", "standing": "verified", "date": "2025-01-31", "passwords": 1,
            "answered_at": null,
        });
        assert_eq!(seen.0[0], index);
        assert!(seen.1.contains("in use, all of it verified"), "{}", seen.1);
        check(&staff, "a quiet harbour").await;
        let (sources, html) = standings(&staff).await;
        let answered = server.app.clock.now().iso();
        let answers = json!({
            "source": "online", "standing": "answers", "date": "2025-11-20", "passwords": null,
            "answered_at": answered,
        });
        assert_eq!(sources[1], answers);
        assert!(html.contains("answers, last answer 20"), "{html}");

        service.is(Manner::Status(500));
        for word in ["one harbour", "two harbours", "three harbours"] {
            check(&staff, word).await;
        }
        std::fs::write(folder.path().join("index"), "nothing").unwrap();
        let mut seen = standings(&staff).await;
        for _ in 0..400 {
            if seen.0[0]["standing"] == "refused" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            seen = standings(&staff).await;
        }
        let (sources, html) = seen;
        let refused = json!({
            "source": "offline", "standing": "refused", "date": null, "passwords": null,
            "answered_at": null,
        });
        assert_eq!(sources[0], refused);
        let told = (&sources[1]["standing"], &sources[1]["answered_at"], &sources[1]["date"]);
        assert_eq!(told, (&json!("down"), &json!(answered), &json!("2025-11-20")));
        for part in ["<span class=\"bad\">cannot be used", "<span class=\"bad\">does not answer"] {
            assert!(html.contains(part), "{part}: {html}");
        }
    })
    .await;
}
