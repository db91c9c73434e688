//! What the application answers, without a gate in front of it.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::{MAX_ROWS, router};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

async fn send(app: &Router, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    let response = app.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (parts.status, parts.headers, String::from_utf8(bytes.to_vec()).unwrap())
}

async fn get(app: &Router, target: &str) -> (StatusCode, HeaderMap, String) {
    send(app, Request::get(target).body(Body::empty()).unwrap()).await
}

async fn post(app: &Router, target: &str, kind: &str, body: &str) -> (StatusCode, String) {
    let request =
        Request::post(target).header("content-type", kind).body(Body::from(body.to_owned()));
    let (status, _, text) = send(app, request.unwrap()).await;
    (status, text)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn answers_each_body_with_the_right_status() {
    let app = router();
    let long = format!(r#"{{"title":"{}"}}"#, "x".repeat(201));
    let huge = format!(r#"{{"title":"{}"}}"#, "x".repeat(70 * 1024));
    let table = [
        ("/api/jobs/manage", JSON, r#"{"title":"Boiler repair","priority":"high"}"#, 201),
        ("/api/jobs/manage", "application/json; charset=utf-8", r#"{"title":"A"}"#, 201),
        ("/api/jobs/manage", FORM, "title=Boiler+repair&priority=low&csrf_token=abc", 303),
        ("/api/jobs/manage", JSON, r#"{"priority":"high"}"#, 400),
        ("/api/jobs/manage", JSON, r#"{"title":"A","priority":"urgent"}"#, 400),
        ("/api/jobs/manage", JSON, r#"{"title":" "}"#, 400),
        ("/api/jobs/manage", JSON, long.as_str(), 400),
        ("/api/jobs/manage", JSON, "not json", 400),
        ("/api/jobs/manage", JSON, huge.as_str(), 413),
        ("/api/jobs/manage", "text/plain", "title=A", 415),
        ("/api/projects", JSON, r#"{"slug":"sandbox"}"#, 201),
        ("/api/projects", FORM, "slug=sandbox", 201),
        ("/api/projects", JSON, r#"{"slug":"Not a slug"}"#, 400),
        ("/api/projects", JSON, r#"{"slug":""}"#, 400),
        ("/api/leads", JSON, "{}", 405),
    ];
    for (target, kind, body, status) in table {
        let (got, text) = post(&app, target, kind, body).await;
        let shown: String = body.chars().take(60).collect();
        assert_eq!(got.as_u16(), status, "{target} {kind} {shown}: {text}");
    }
}

#[tokio::test]
async fn a_project_has_the_documented_fields_and_a_free_slug() {
    let app = router();
    for slug in ["sandbox", "sandbox-2", "sandbox-3"] {
        let (_, text) = post(&app, "/api/projects", JSON, r#"{"slug":"sandbox"}"#).await;
        let project = json(&text);
        assert_eq!(project["slug"], slug);
        assert_eq!(project["description"], Value::Null);
        let id = project["id"].as_str().unwrap();
        assert!(id.starts_with("prj_") && id.len() == 15, "{id}");
        assert_eq!(
            project["created_at"].as_str().unwrap().len(),
            "2024-07-10T17:05:56.276194Z".len()
        );
        assert_eq!(project.as_object().unwrap().len(), 5);
    }
}

#[tokio::test]
async fn leads_are_a_bare_array_with_the_total_beside_it() {
    let app = router();
    let table =
        [("", 5), ("?limit=2", 2), ("?page=3&limit=2", 1), ("?page=9", 0), ("?page=0&limit=0", 1)];
    for (query, rows) in table {
        let (_, headers, text) = get(&app, &format!("/api/leads{query}")).await;
        assert_eq!(json(&text).as_array().unwrap().len(), rows, "{query}");
        assert_eq!(headers["x-total-count"], "5", "{query}");
    }
}

#[tokio::test]
async fn rows_are_bounded_and_the_oldest_go_first() {
    let app = router();
    for number in 0..=MAX_ROWS {
        post(&app, "/api/jobs/manage", JSON, &format!(r#"{{"title":"job {number}"}}"#)).await;
    }
    let (_, _, text) = get(&app, "/api/jobs/manage").await;
    let jobs = json(&text);
    assert_eq!(jobs["count"], MAX_ROWS);
    assert_eq!(jobs["data"][0]["title"], "job 1");
}

#[tokio::test]
async fn the_page_shows_the_caller_and_escapes_what_it_shows() {
    let app = router();
    post(&app, "/api/jobs/manage", JSON, r#"{"title":"<script>alert(1)</script>"}"#).await;
    let request = Request::get("/")
        .header("x-auth-user", "7")
        .header("x-auth-name", "Ann \"<b>\" Lee")
        .header("x-auth-csrf-token", "abc\"def");
    let (status, _, page) = send(&app, request.body(Body::empty()).unwrap()).await;
    assert_eq!(status, StatusCode::OK);
    for text in [
        "&lt;script&gt;alert(1)",
        "Ann &quot;&lt;b&gt;&quot; Lee",
        "name=csrf_token value=\"abc&quot;def\"",
        "href=\"/logout\"",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains("<script"));
    let (_, _, open) = get(&app, "/public/about").await;
    assert!(!open.contains("/logout"));
}

#[tokio::test]
async fn echo_tells_what_arrived() {
    let app = router();
    let request = Request::builder()
        .method("PATCH")
        .uri("/echo/a%20b?x=1&y")
        .header("x-one", "1")
        .header("x-one", "2")
        .body(Body::from("z".repeat(3000)));
    let (_, _, text) = send(&app, request.unwrap()).await;
    let told = json(&text);
    assert_eq!(told["method"], "PATCH");
    assert_eq!(told["target"], "/echo/a%20b?x=1&y");
    assert_eq!(told["headers"], serde_json::json!([["x-one", "1"], ["x-one", "2"]]));
    assert_eq!(told["body_length"], 3000);
    assert_eq!(told["body"].as_str().unwrap().len(), 1024);
}
