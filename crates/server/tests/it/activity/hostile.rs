//! What strangers and users write is one inert record each, in every form, and no secret is in any.

use http::Method;
use portcullis_domain::event::{Context, Event, Text};
use serde_json::{Value, json};

use super::{LOG, ask, happen, rows};
use crate::harness::client::Client;
use crate::harness::people::{STAFF, TENANT, Z1, sign_in};
use crate::harness::{TestApp, on_each_database};

/// Typed into the field of the name.
const SECRET: &str = "hunter2-Typed-As-A-Name";

/// One text of each kind: line breaks and escapes, a false record, a formula in both kinds of letters.
const TEXTS: [&str; 6] = [
    "line\r\nbreak\n{\"event\":\"sys_shutdown\"}",
    "\u{1b}[2Jescape \u{9b}31m",
    "=HYPERLINK(\"https://evil.example\")",
    "＠SUM(A1)",
    "</td><script>alert(1)</script>",
    "\u{202e}drawkcab\u{2028}x",
];

async fn hostile(server: &TestApp) -> Client {
    let staff = server.by_cookie(&STAFF).await;
    for text in TEXTS {
        let event = Event::UserBlacklisted { reason: Some(Text::clip(text)), sessions: 0 };
        let context = Context { user_agent: Some(text.to_owned()), ..Context::default() };
        happen(server, &event, &context, server.app.clock.now()).await;
    }
    // Over the wire: a password in the place of the name, a path and a program with a formula.
    let stranger = server.client();
    assert_eq!(sign_in(&stranger, SECRET, SECRET).await.status, 401);
    let tenant = server.by_bearer(&TENANT).await;
    let path = format!("{LOG}?q=%0A{{%22event%22:%22fake%22}}");
    let answer = tenant.request(Method::GET, &path).header("user-agent", "=1+1").send().await;
    assert_eq!(answer.status, 403);
    server.events("authz_fail", 1).await;
    server.events("authn_login_fail", 1).await;
    staff
}

#[tokio::test]
async fn each_is_one_row_of_the_list_that_steers_nothing() {
    on_each_database(async |server| {
        let staff = hostile(server).await;
        let body = ask(&staff, "?action=user_blacklisted").await;
        assert_eq!(rows(&body).len(), TEXTS.len());
        let shown = body.to_string();
        let steers = |text: &str| text.chars().any(portcullis_domain::text::steers);
        for row in rows(&body) {
            assert!(!steers(row["detail"]["reason"].as_str().unwrap()), "{row}");
            assert!(!steers(row["user_agent"].as_str().unwrap()), "{row}");
        }
        assert!(!shown.contains(SECRET));
        let denied = ask(&staff, "?action=authz_fail").await;
        assert_eq!(rows(&denied)[0]["user_agent"], "=1+1");
    })
    .await;
}

#[tokio::test]
async fn each_is_one_line_of_json_that_says_it_word_for_word() {
    on_each_database(async |server| {
        let staff = hostile(server).await;
        for format in ["ndjson", "ocsf"] {
            let path = format!("{LOG}/export?format={format}&action=user_blacklisted");
            let text = staff.get(&path).send().await.text();
            assert!(!text.replace('\n', "").chars().any(portcullis_domain::text::steers));
            let lines: Vec<Value> =
                text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let detail =
                if format == "ocsf" { "/unmapped/detail/reason" } else { "/detail/reason" };
            let reasons: Vec<&Value> =
                lines.iter().map(|line| line.pointer(detail).unwrap()).collect();
            assert_eq!(reasons, TEXTS.map(|text| json!(text)).iter().collect::<Vec<_>>());
        }
    })
    .await;
}

#[tokio::test]
async fn each_is_one_row_of_a_table_and_no_formula() {
    on_each_database(async |server| {
        let staff = hostile(server).await;
        let path = format!("{LOG}/export?format=csv");
        let text = staff.get(&path).send().await.text();
        assert!(!text.contains(SECRET));
        let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
        let head = reader.headers().unwrap().clone();
        let column = |name: &str| head.iter().position(|head| head == name).unwrap();
        let mut texts = 0;
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), text.lines().count() - 1, "a row is a line");
        for row in &rows {
            for cell in row {
                let first = cell.chars().next().unwrap_or('a');
                assert!(!"=+-@\t\r\n＝＋－＠".contains(first), "{row:?}");
                assert!(!cell.chars().any(portcullis_domain::text::steers), "{row:?}");
            }
            texts += usize::from(&row[column("event")] == "user_blacklisted");
        }
        assert_eq!(texts, TEXTS.len());
        let formula = rows.iter().filter(|row| row[column("user_agent")].starts_with("'=HYPER"));
        assert_eq!(formula.count(), 1);
    })
    .await;
}

#[tokio::test]
async fn nothing_of_it_means_anything_to_the_page() {
    on_each_database(async |server| {
        let staff = hostile(server).await;
        let page = staff.get("/-/admin/activity?range=all").send().await;
        assert_eq!(page.status, 200);
        let text = page.text();
        assert!(!text.contains("<script"), "no script at all");
        assert!(text.contains("&#60;script&#62;") || text.contains("&lt;script&gt;"), "{text}");
        assert!(!text.replace('\n', "").chars().any(portcullis_domain::text::steers));
        assert!(!text.contains(SECRET));
    })
    .await;
}

/// What was typed as a name is nowhere, whatever it was and whoever it was sent by.
#[tokio::test]
async fn a_password_in_the_place_of_the_name_is_in_no_form() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        server.add(&Z1).await;
        let stranger = server.client();
        for name in [SECRET, "hunter2@Typed-As-A-Name.example", "=hunter2-Typed"] {
            let login = stranger.post("/api/auth/login").header("user-agent", AGENT_ASCII);
            let body = json!({"username": name, "password": "hunter2-Other"});
            assert_eq!(login.json(&body).send().await.status, 401);
        }
        server.events("authn_login_fail", 3).await;
        let list = ask(&staff, "?action=authn_login_fail").await;
        assert_eq!(rows(&list).len(), 3);
        let mut forms = vec![list.to_string()];
        for format in ["csv", "ndjson", "ocsf"] {
            let path = format!("{LOG}/export?format={format}");
            forms.push(staff.get(&path).send().await.text());
        }
        forms.push(staff.get("/-/admin/activity").send().await.text());
        for form in forms {
            assert!(!form.contains("hunter2"), "{form}");
        }
    })
    .await;
}

const AGENT_ASCII: &str = "=cmd|'/c calc'!A1 {\"event\":\"fake\"}";
