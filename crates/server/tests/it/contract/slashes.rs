//! Clients of the Z family write paths with and without a slash at the end.

use http::Method;
use portcullis_server::web::refusal::Family;
use portcullis_server::web::routes;
use serde_json::json;

use crate::harness::client::{Answer, Client};
use crate::harness::people::STAFF;
use crate::harness::{TestApp, on_each_database};

#[tokio::test]
async fn tz23_every_path_of_z_with_a_slash_at_the_end() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let mut seen = 0;
        for (method, path) in paths_of_z() {
            let mut told = Vec::new();
            for path in [path.clone(), format!("{path}/")] {
                let stranger = send(&server.client(), &method, &path, None).await;
                let (owner, token) = owner(server).await;
                let owners = send(&owner, &method, &path, Some(&token)).await;
                for answer in [&stranger, &owners] {
                    assert_eq!(answer.header("location"), None, "{method} {path}");
                }
                told.push((stranger.verdict(), owners.verdict()));
            }
            assert_eq!(told[0], told[1], "{method} {path}");
            seen += 1;
        }
        assert!(seen >= 12, "only {seen} paths were found");
    })
    .await;
}

/// Those of the family alone, and those that it shares.
fn paths_of_z() -> Vec<(Method, String)> {
    let rows = routes::rows().into_iter();
    let of_z = rows.filter(|row| {
        let is_shared = row.doc.family == Family::Every && row.path.starts_with("/api/auth/");
        // What leads people on to a page is no path of that family.
        let leads_on = row.doc.id == "follow_magic_link";
        row.doc.family == Family::Z || (is_shared && !leads_on)
    });
    of_z.map(|row| (row.method, row.path.replace("{id}", "1").replace("{token}", "0"))).collect()
}

async fn owner(server: &TestApp) -> (Client, String) {
    let client = server.sign_in(&STAFF).await;
    let token = client.fetch_csrf().await;
    (client, token)
}

async fn send(client: &Client, method: &Method, path: &str, token: Option<&str>) -> Answer {
    let mut sending = client.request(method.clone(), path);
    if let Some(token) = token {
        sending = sending.header("x-csrf-token", token);
    }
    let has_body = !matches!(*method, Method::GET | Method::HEAD);
    if has_body { sending.json(&json!({})).send().await } else { sending.send().await }
}
