//! A22 for requests that were begun before: whoever is signed out while the last byte of a body is
//! still to come is not let in by what was known when the first one came.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::people::{STAFF, TENANT, Z1};
use crate::harness::raw;
use crate::harness::revoking::{SESSIONS, terminate};
use crate::harness::{TestApp, on_each_database};

#[tokio::test]
async fn a22_an_act_that_was_begun_before_is_not_done() {
    on_each_database(async |server| {
        let judge = server.by_cookie(&STAFF).await;
        let tenant = server.add(&TENANT).await.id.0;
        let accomplice = server.sign_in(&STAFF).await;
        for (is_ended, expected) in [(true, 401), (false, 200)] {
            let token = session_token(&accomplice).await;
            let fields = json!({
                "action": "blacklist_add", "user_id": tenant, "reason": "x", "csrf_token": token,
            });
            let status = interrupted(server, &accomplice, SESSIONS, &fields, async || {
                if is_ended {
                    let name = server.handle_of(&accomplice).await;
                    assert_eq!(terminate(&judge, &name).await.status, 200);
                }
            });
            assert_eq!(status.await, expected, "ended: {is_ended}");
            let list = judge.get("/api/security/sessions?action=blacklist_list").send().await;
            assert_eq!(list.json()["count"], i32::from(!is_ended));
            accomplice.set_cookie(
                "sessionid",
                &server.sign_in(&STAFF).await.cookie("sessionid").unwrap(),
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a22_the_application_does_not_get_what_was_begun_before() {
    on_each_database(async |server| {
        let judge = server.by_cookie(&STAFF).await;
        server.add(&Z1).await;
        for (is_ended, expected) in [(true, 401), (false, 201)] {
            let victim = server.sign_in(&Z1).await;
            let fields = json!({"slug": "x", "csrf_token": session_token(&victim).await});
            let seen = server.upstream.seen().len();
            let status = interrupted(server, &victim, "/api/projects", &fields, async || {
                if is_ended {
                    let name = server.handle_of(&victim).await;
                    assert_eq!(terminate(&judge, &name).await.status, 200);
                }
            });
            assert_eq!(status.await, expected, "ended: {is_ended}");
            assert_eq!(server.upstream.seen().len() - seen, usize::from(!is_ended));
        }
    })
    .await;
}

/// The status of a request whose last byte comes only after `meanwhile`.
async fn interrupted(
    server: &TestApp,
    client: &Client,
    path: &str,
    fields: &Value,
    meanwhile: impl AsyncFnOnce(),
) -> u16 {
    let (cookie, body) = (client.cookie("sessionid").unwrap(), fields.to_string());
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nCookie: sessionid={cookie}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        server.address,
        body.len()
    );
    let (most, last) = body.as_bytes().split_at(body.len() - 1);
    let begun = raw::begin(server.address, &[head.as_bytes(), most].concat()).await;
    // Long enough that the head was read and its cookie looked up.
    tokio::time::sleep(Duration::from_millis(300)).await;
    meanwhile().await;
    begun.finish(last).await.status()
}

/// A CSRF token that lives as long as the session: spending is not what refuses.
async fn session_token(client: &Client) -> String {
    let answer = client.get("/api/security/csrf-token?use=session").send().await;
    answer.json()["data"]["token"].as_str().unwrap().to_owned()
}
