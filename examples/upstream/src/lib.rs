//! A small application to protect: jobs, leads and projects of a property company. It is what
//! `portcullis demo` puts behind the gate and what the gate's tests talk to.
//!
//! It has no sign-in, no sessions and no CSRF checks of its own: it believes the `X-Auth-*`
//! headers, as an application behind the gate may. Never offer it to a network directly.
//!
//! | Method and path | Answer |
//! |---|---|
//! | `GET /` | page: who the gate says you are, the three lists, a form that posts a job |
//! | `GET /admin` | page for administrators |
//! | `GET /public/about` | page for everyone |
//! | `GET /api/jobs/manage` | 200 `{success, data: [job], count}` |
//! | `POST /api/jobs/manage {title, priority?}` | 201 `{success, data: job, message}` |
//! | `GET /api/leads?page&limit` | 200, a bare array, total in `X-Total-Count` |
//! | `GET /api/projects` | 200, a bare array |
//! | `POST /api/projects {slug}` | 201 `{description, id, slug, created_at, updated_at}` |
//! | any `/echo`, `/echo/…` | 200, what arrived |
//!
//! What the page for everyone says stands in a file, if the application is given a folder for its files:
//! whoever changes it there changes the page, as with applications that are deployed as files.
//!
//! Everything else lives in memory, at most [`MAX_ROWS`] rows of a kind; the oldest go first.

mod api;
mod caller;
mod echo;
mod files;
mod input;
mod pages;
mod state;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get};

pub use files::{Files, write_missing};
pub use state::MAX_ROWS;
use state::Office;

/// The whole application, with its sample rows. Each call makes one that shares nothing with others.
pub fn router() -> Router {
    router_with(Files::default())
}

/// The same with its files in a folder.
#[expect(
    clippy::disallowed_methods,
    reason = "an application has its own routes, not the gate's table"
)]
pub fn router_with(files: Files) -> Router {
    Router::new()
        .route("/", get(pages::home))
        .route("/admin", get(pages::admin))
        .route("/public/about", get(move |caller| pages::about(files, caller)))
        .route("/api/jobs/manage", get(api::list_jobs).post(api::add_job))
        .route("/api/leads", get(api::list_leads))
        .route("/api/projects", get(api::list_projects).post(api::add_project))
        .layer(DefaultBodyLimit::max(64 * 1024))
        .route("/echo", any(echo::echo))
        .route("/echo/{*rest}", any(echo::echo))
        .with_state(Office::with_samples())
}

/// Serves the application on this listener until the process ends.
pub async fn serve(listener: tokio::net::TcpListener, files: Files) -> std::io::Result<()> {
    axum::serve(listener, router_with(files)).await
}

#[cfg(test)]
mod tests;
