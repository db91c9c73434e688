//! A26 and A51: what the lists of sessions show opens nothing, and names nobody else's; and what
//! clients say of themselves means nothing to whoever reads it.

use http::Method;
use serde_json::Value;

use crate::harness::client::{Answer, Client};
use crate::harness::on_each_database;
use crate::harness::people::{PASSWORD, STAFF, TENANT, Z1};

const OWN: &str = "/api/account/sessions";
const LIST: &str = "/api/security/sessions?action=list";
const ME: &str = "/api/auth/me";

#[tokio::test]
async fn a26_no_value_of_the_list_is_a_credential() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let victim = server.sign_in(&TENANT).await;
        let cookie = victim.cookie("sessionid").unwrap();
        let bearer = server.mobile_token(&TENANT).await;
        let staff = server.by_cookie(&STAFF).await;
        let listed = staff.get(LIST).send().await.json();
        let own = victim.get(OWN).send().await.json();
        // The control: a credential is one in these places.
        assert_eq!(by_cookie(&server.client(), &cookie).await.status, 200);
        assert_eq!(server.client().bearer(&bearer).get(ME).send().await.status, 200);
        let mut tried = 0;
        for value in texts(&listed).into_iter().chain(texts(&own)) {
            assert!(value != cookie && value != bearer);
            let is_sendable = value.bytes().all(|byte| byte.is_ascii_graphic());
            for shape in [value.clone(), value.trim_start_matches("sess_").to_owned()] {
                if !is_sendable || shape.is_empty() {
                    continue;
                }
                let client = server.client();
                assert_eq!(by_cookie(&client, &shape).await.status, 401, "{shape}");
                assert_eq!(client.bearer(&shape).get(ME).send().await.status, 401, "{shape}");
                let sent = client.get(ME).header("cookie", &format!("remember={shape}"));
                assert_eq!(sent.send().await.status, 401, "{shape}");
                tried += 1;
            }
        }
        assert!(tried > 20, "{tried}");
    })
    .await;
}

#[tokio::test]
async fn a51_sessions_of_others_are_as_unknown_as_none() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let victim = server.mobile(&TENANT).await;
        let handle = own_handle(&victim).await;
        let stranger = server.by_bearer(&Z1).await;
        let unknown = "sess_0123456789abcdef01234567";
        let mut bodies = Vec::new();
        for named in [handle.as_str(), unknown, "sess_x", "1", "%2e%2e"] {
            let answer = delete(&stranger, &format!("{OWN}/{named}")).await;
            if answer.status == 400 {
                continue;
            }
            assert_eq!(answer.verdict(), "404 not_found", "{named}");
            let mut body = answer.json();
            body["requestId"] = Value::Null;
            bodies.push(body);
        }
        assert!(
            bodies.len() >= 4 && bodies.windows(2).all(|pair| pair[0] == pair[1]),
            "{bodies:?}"
        );
        assert_eq!(victim.get(OWN).send().await.status, 200, "it lives");
        // Nothing of another's shows in one's own list, whatever is asked.
        let query = format!("{OWN}?user_id=1&session_id={handle}&user=tenant");
        let listed = stranger.get(&query).send().await.text();
        assert!(!listed.contains(&handle) && !listed.contains(TENANT.email), "{listed}");
        let other = server.mobile(&TENANT).await;
        let ended = delete(&victim, &format!("{OWN}/{}", own_handle(&other).await)).await;
        assert_eq!(ended.status, 200, "the control: one's own is ended");
    })
    .await;
}

#[tokio::test]
async fn hostile_user_agents_are_clipped_and_inert() {
    const HTML: &str = "<script>alert(1)</script>\"'&";
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let long = format!("{HTML}{}", "x".repeat(10_000));
        // UTF-8 in a header is bytes above 127, as some clients send it.
        for agent in [HTML, &long, "a\tb", "é\u{202e}txt.exe"] {
            let body = serde_json::json!({
                "email": TENANT.email, "password": PASSWORD, "platform": "ios",
                "device_type": format!("{HTML}\u{1b}[31m\u{202e}"), "app_version": "<b>",
            });
            let client = server.client();
            let sending = client.post("/api/security/mobile-auth").header("user-agent", agent);
            let answer = sending.json(&body).send().await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        let staff = server.by_cookie(&STAFF).await;
        let answer = staff.get(LIST).send().await;
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        for text in texts(&answer.json()) {
            assert!(text.chars().count() <= 256, "{text}");
            let steers = |char: char| char.is_control() || char == '\u{202e}';
            assert!(!text.contains(steers), "{text:?}");
        }
        let tenant = server.sign_in(&TENANT).await;
        for (client, page) in [(&tenant, "/-/account"), (&staff, "/-/admin/sessions")] {
            let html = client.get(page).header("accept", "text/html").send().await.text();
            assert!(
                html.contains("&#60;script&#62;") && !html.contains("<script>"),
                "{page}: {html}"
            );
            assert!(!html.contains('\u{202e}') && !html.contains('\u{1b}'), "{page}");
        }
    })
    .await;
}

async fn by_cookie(client: &Client, value: &str) -> Answer {
    client.get(ME).header("cookie", &format!("sessionid={value}")).send().await
}

async fn delete(client: &Client, path: &str) -> Answer {
    let token = client.fetch_csrf().await;
    client.request(Method::DELETE, path).header("x-csrf-token", &token).send().await
}

async fn own_handle(client: &Client) -> String {
    let own = client.get(OWN).send().await.json();
    let rows = own.as_array().unwrap();
    let row = rows.iter().find(|row| row["is_current"] == true).unwrap();
    row["session_id"].as_str().unwrap().to_owned()
}

/// Every text in it, however deep.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}
