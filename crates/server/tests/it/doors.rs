//! Every door × every kind of caller, as one table. A new route shows up here as a difference; a
//! route that is missing from the table cannot exist, because the table is the router.

use std::fmt::Write as _;

use http::Method;
use portcullis_domain::permission::Key;
use portcullis_server::web::routes;
use serde_json::json;

use crate::api_keys;
use crate::harness::client::Client;
use crate::harness::people::{AGENT, Person, STAFF, STAFF0, TENANT, Z1};
use crate::harness::{TestApp, on_each_database};

/// How a request shows who sends it.
#[derive(Clone, Copy)]
enum By {
    Nobody,
    /// The session cookie without a CSRF token.
    Cookie(&'static Person),
    /// The session cookie and a CSRF token of another session.
    ForeignToken(&'static Person),
    /// The session cookie and a good CSRF token.
    Token(&'static Person),
    /// The same from another site.
    CrossSite(&'static Person),
    /// A bearer token, without a CSRF token and with one.
    Bearer(&'static Person),
    BearerToken(&'static Person),
    /// An API key with every scope, of somebody who may do everything.
    Key,
}

/// The columns of the table.
const CALLERS: [(&str, By); 12] = [
    ("nobody", By::Nobody),
    ("cookie", By::Cookie(&Z1)),
    ("foreign token", By::ForeignToken(&Z1)),
    ("cross-site", By::CrossSite(&Z1)),
    ("worker", By::Token(&Z1)),
    ("tenant", By::Token(&TENANT)),
    ("staff0", By::Token(&STAFF0)),
    ("agent", By::Token(&AGENT)),
    ("owner", By::Token(&STAFF)),
    ("bearer", By::Bearer(&Z1)),
    ("bearer+token", By::BearerToken(&Z1)),
    ("owner's key", By::Key),
];

#[tokio::test]
async fn who_may_pass_which_door() {
    on_each_database(async |server| {
        for person in [&Z1, &TENANT, &STAFF0, &AGENT, &STAFF] {
            server.add(person).await;
        }
        let body = json!({"name": "doors", "scopes": ["admin"]});
        let made = api_keys::create(&server.mobile(&STAFF).await, &body).await;
        let key = server.client().key(made["key"].as_str().unwrap());
        let names: Vec<_> = CALLERS.iter().map(|(name, _)| *name).collect();
        let mut table = format!("{:<40} | {}\n", "door", names.join(" | "));
        for (method, path) in doors() {
            let mark = if asks_for_proof(&method, &path) { " (fresh)" } else { "" };
            let mut line = format!("{:<40}", format!("{method} {path}{mark}"));
            for (_, by) in CALLERS {
                // `/readyz` compares clocks with the database.
                server.catch_up();
                let verdict = knock(server, &key, &method, &path, by).await;
                write!(line, " | {verdict}").unwrap();
            }
            table += &line;
            table.push('\n');
        }
        insta::assert_snapshot!("doors", table);
    })
    .await;
}

/// Every row of our own table, the endpoint beside it, and requests to the upstream that fall under each rule and none.
fn doors() -> Vec<(Method, String)> {
    let mut doors: Vec<_> =
        routes::rows().into_iter().map(|row| (row.method, row.path.to_owned())).collect();
    doors.sort_by(|a, b| (&a.1, a.0.as_str()).cmp(&(&b.1, b.0.as_str())));
    for (method, path) in [
        (Method::GET, "/forward-auth/nginx"),
        (Method::POST, "/forward-auth/envoy/public"),
        (Method::GET, "/"),
        (Method::POST, "/"),
        (Method::GET, "/public/about"),
        (Method::POST, "/public/about"),
        (Method::GET, "/admin"),
        (Method::GET, "/api/jobs/manage"),
        (Method::POST, "/api/jobs/manage"),
        (Method::DELETE, "/api/jobs/manage"),
        (Method::GET, "/api/leads"),
        (Method::POST, "/api/leads"),
        (Method::POST, "/api/projects"),
        (Method::POST, "/forms/contact"),
    ] {
        doors.push((method, path.to_owned()));
    }
    doors
}

/// Whether the row asks for a fresh proof of who is calling. All that knock here are fresh.
fn asks_for_proof(method: &Method, path: &str) -> bool {
    routes::rows().iter().any(|row| row.fresh && row.method == *method && row.path == path)
}

#[test]
fn whatever_administers_asks_for_a_fresh_sign_in() {
    let places =
        ["/-/admin", "/api/admin/", "/api/users/", "/api/console/", "/api/security/sessions"];
    let is_safe = |method: &Method| matches!(*method, Method::GET | Method::HEAD);
    let administers = |path: &str| places.iter().any(|place| path.starts_with(place));
    let rows = routes::rows();
    let unsafe_rows = || rows.iter().filter(|row| administers(row.path) && !is_safe(&row.method));
    let missing: Vec<_> = unsafe_rows()
        .filter(|row| !row.fresh)
        .map(|row| format!("{} {}", row.method, row.path))
        .collect();
    assert_eq!(missing, Vec::<String>::new());
    for place in places {
        assert!(unsafe_rows().any(|row| row.path.starts_with(place)), "control: {place}");
    }
}

async fn knock(server: &TestApp, key: &Client, method: &Method, path: &str, by: By) -> String {
    let (client, token) = caller(server, key, by).await;
    let mut sending = client.request(method.clone(), path).header("accept", "application/json");
    if let Some(token) = token {
        sending = sending.header("x-csrf-token", &token);
    }
    if let By::CrossSite(_) = by {
        sending = sending.header("sec-fetch-site", "cross-site");
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        sending = sending.json(&json!({}));
    }
    sending.send().await.verdict()
}

/// A caller with a session of their own, because some doors end it; none ends a key.
async fn caller(server: &TestApp, key: &Client, by: By) -> (Client, Option<String>) {
    match by {
        By::Nobody => (server.client(), None),
        By::Cookie(person) => (server.sign_in(person).await, None),
        By::Token(person) | By::CrossSite(person) => {
            let client = server.sign_in(person).await;
            let token = client.fetch_csrf().await;
            (client, Some(token))
        }
        By::ForeignToken(person) => {
            let token = server.sign_in(person).await.fetch_csrf().await;
            (server.sign_in(person).await, Some(token))
        }
        By::Bearer(person) => (server.mobile(person).await, None),
        By::BearerToken(person) => {
            let client = server.mobile(person).await;
            let token = client.fetch_csrf().await;
            (client, Some(token))
        }
        By::Key => (key.clone(), None),
    }
}

#[test]
fn routes_do_not_clash_and_their_permissions_parse() {
    let rows = routes::rows();
    let mut seen = std::collections::BTreeSet::new();
    let mut paths = matchit::Router::new();
    for row in &rows {
        assert!(seen.insert((row.path, row.method.to_string())), "{} twice", row.path);
        // A path is inserted once, whatever the methods; a clash is with another pattern.
        if paths.at(row.path).is_err() {
            paths.insert(row.path, ()).unwrap();
        }
        if let Some(key) = row.level.permission() {
            assert_eq!(Key::parse(key).unwrap().as_str(), key, "{}", row.path);
        }
    }
}
