//! The JSON endpoints, in the answer shapes that the documented clients expect.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::input::{Body, Refused};
use crate::state::{Lead, Office, Project};

/// `GET /api/jobs/manage`: 200 `{success, data, count}`.
pub(crate) async fn list_jobs(State(office): State<Office>) -> Json<Value> {
    let jobs = office.jobs();
    Json(json!({ "success": true, "count": jobs.len(), "data": jobs }))
}

#[derive(Deserialize)]
pub(crate) struct NewJob {
    title: String,
    /// `low`, `medium` (when absent) or `high`.
    priority: Option<String>,
}

/// `POST /api/jobs/manage`: 201 `{success, data, message}`; a form of the page goes back to it, 303.
pub(crate) async fn add_job(
    State(office): State<Office>,
    caller: Caller,
    body: Body<NewJob>,
) -> Result<Response, Refused> {
    let title =
        short_text(&body.fields.title).ok_or(Refused::field("title: 1 to 200 characters"))?;
    let priority = body.fields.priority.as_deref().unwrap_or("medium");
    if !["low", "medium", "high"].contains(&priority) {
        return Err(Refused::field("priority: low, medium or high"));
    }
    let job = office.add_job(title, priority.to_owned(), caller.email);
    if body.from_form {
        return Ok(Redirect::to("/").into_response());
    }
    let answer = json!({ "success": true, "data": job, "message": "Job created" });
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// Paging as documented: `page` from 1, `limit` 20, at most 100.
#[derive(Deserialize)]
pub(crate) struct Page {
    page: Option<usize>,
    limit: Option<usize>,
}

/// `GET /api/leads`: 200, a bare array; the total is in `X-Total-Count`.
pub(crate) async fn list_leads(
    State(office): State<Office>,
    Query(asked): Query<Page>,
) -> ([(HeaderName, String); 1], Json<Vec<Lead>>) {
    let leads = office.leads();
    let total = leads.len();
    let limit = asked.limit.unwrap_or(20).clamp(1, 100);
    let before = asked.page.unwrap_or(1).max(1).saturating_sub(1).saturating_mul(limit);
    let page = leads.into_iter().skip(before).take(limit).collect();
    ([(HeaderName::from_static("x-total-count"), total.to_string())], Json(page))
}

/// `GET /api/projects`: 200, a bare array.
pub(crate) async fn list_projects(State(office): State<Office>) -> Json<Vec<Project>> {
    Json(office.projects())
}

#[derive(Deserialize)]
pub(crate) struct NewProject {
    slug: String,
}

/// `POST /api/projects`: 201 with the project.
pub(crate) async fn add_project(
    State(office): State<Office>,
    body: Body<NewProject>,
) -> Result<(StatusCode, Json<Project>), Refused> {
    let slug = body.fields.slug.trim();
    let fits = (1..=100).contains(&slug.len())
        && slug
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !fits {
        return Err(Refused::field("slug: 1 to 100 lower-case letters, digits and dashes"));
    }
    Ok((StatusCode::CREATED, Json(office.add_project(slug))))
}

fn short_text(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = (1..=200).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}
