//! The page of the security report, and the report as a file.

use portcullis_domain::event::{Context, Event, SignInFailure};
use portcullis_domain::session::SignInForm;
use portcullis_domain::time::Time;
use portcullis_store::events;
use serde_json::Value;

use crate::harness::client::{Answer, Client};
use crate::harness::people::{AGENT, Person, STAFF, STAFF0, Z1};
use crate::harness::{TestApp, on_each_database};

const PAGE: &str = "/-/admin/report";
const FILE: &str = "/-/admin/report/file";
/// 2024-06-01T12:00:00Z.
const NOON: i64 = 1_717_243_200_000;
const PERIOD: &str = "from=2024-06-01&to=2024-06-02";

async fn look(client: &Client, path: &str) -> Answer {
    client.get(path).header("accept", "text/html").send().await
}

async fn fail_to_sign_in(server: &TestApp, times: i64) {
    let reason = SignInFailure::UnknownUser;
    let event = Event::SignInFailed { form: SignInForm::Page, reason, known: false };
    let mut tx = server.app.db.write().await.unwrap();
    for at in (0..times).map(|number| Time(NOON + number)) {
        let id = server.app.random.row_id(at);
        events::append(&mut tx, &event, &Context::default(), &id, at).await.unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn the_page_shows_a_period_beside_the_one_before() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        fail_to_sign_in(server, 1234).await;
        let page = look(&staff, &format!("{PAGE}?{PERIOD}")).await;
        assert_eq!(page.status, 200, "{page:?}");
        let html = page.text();
        for part in [
            "2024-06-01 to 2024-06-02",
            "2024-05-30 to 2024-05-31",
            "<strong>1,234</strong>",
            "class=\"change bad\">+1,234",
            "<rect class=\"s2\"",
            "<th scope=\"row\">2024-06-01</th><td>0</td><td>0</td><td>1234</td>",
            "Nobody has the name",
            "action=authn_login_fail&#38;from=2024-06-01&#38;to=2024-06-02",
            "Owners who can sign in",
            "href=\"/-/admin/users\"",
            "value=\"2024-06-01\"",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(!html.contains("<script") && !html.contains(" style="), "{html}");
        let usual = look(&staff, PAGE).await;
        assert!(usual.text().contains("class=\"s0\""), "one's own sign-in");
        let empty = look(&staff, &format!("{PAGE}?from=2020-01-01&to=2020-01-02")).await.text();
        assert!(empty.contains("Nobody tried to sign in.") && empty.contains("The log begins on"));
    })
    .await;
}

#[tokio::test]
async fn nonsense_in_the_fields_is_told_and_stands_there_inert() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        for (query, said) in [
            ("?from=2024-06-02&to=2024-06-01", "must lie before to"),
            ("?from=%22%3E%3Cscript%3E", "must be a day"),
        ] {
            let page = look(&staff, &format!("{PAGE}{query}")).await;
            let html = page.text();
            assert_eq!(page.status, 400, "{query}");
            assert!(html.contains(said) && !html.contains("<script"), "{query}: {html}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_file_is_csv_json_or_a_page_that_needs_nothing() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        fail_to_sign_in(server, 3).await;
        let file = async |format: &str| {
            staff.get(&format!("{FILE}?{PERIOD}&format={format}")).send().await
        };
        let csv = file("csv").await;
        assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
        let name = "attachment; filename=\"security-report-2024-06-01-2024-06-02.csv\"";
        assert_eq!(csv.header("content-disposition"), Some(name));
        assert!(csv.text().contains("\r\nfigures,logins.failed,3,0,3\r\n"), "{csv:?}");
        let json: Value = file("json").await.json();
        assert_eq!(
            (&json["period"]["to"], &json["logins"]["failed"]),
            (&"2024-06-02".into(), &3.into())
        );
        let html = file("html").await.text();
        let link = format!("href=\"{}/-/admin/users\"", server.app.public_url);
        assert!(html.contains(&link) && html.contains("<style>"), "{html}");
        for foreign in ["csrf_token", "src=", "<link rel=\"stylesheet\"", "<script", "<form"] {
            assert!(!html.contains(foreign), "{foreign}: {html}");
        }
        for query in ["format=pdf", "format=", ""] {
            let answer = staff.get(&format!("{FILE}?{query}")).send().await;
            assert_eq!(answer.verdict(), "400 invalid", "{query}");
        }
        let reversed = "?format=csv&from=2024-06-02&to=2024-06-01";
        let answer = staff.get(&format!("{FILE}{reversed}")).send().await;
        assert_eq!(answer.verdict(), "400 period_reversed");
    })
    .await;
}

/// Staff whose role has the documented keys of staff, but not those of roles and limits.
const CLERK: Person =
    Person { email: "clerk@example.com", username: Some("clerk"), role: "staff", ..STAFF };

#[tokio::test]
async fn the_page_is_for_staff_with_the_key_and_leads_only_where_they_may_go() {
    on_each_database(async |server| {
        let clerk = server.by_cookie(&CLERK).await;
        for person in [&STAFF0, &AGENT, &Z1] {
            let other = server.by_cookie(person).await;
            for path in [PAGE.to_owned(), format!("{FILE}?format=csv")] {
                assert_eq!(look(&other, &path).await.status, 403, "{path}");
            }
        }
        assert_ne!(look(&server.client(), PAGE).await.status, 200);
        let html = look(&clerk, PAGE).await;
        assert_eq!(html.status, 200, "control");
        let html = html.text();
        assert!(html.contains("aria-label=\"Look at: Owners"), "{html}");
        assert!(!html.contains("href=\"/-/admin/limits\""), "only owners hold its key: {html}");
        let owner = look(&server.by_cookie(&STAFF).await, PAGE).await.text();
        assert!(owner.contains("href=\"/-/admin/limits\""), "control");
    })
    .await;
}
