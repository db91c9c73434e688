//! `GET /metrics`, on an address of its own and nothing else there: figures are not for clients.
//! Whoever reaches the address reads them, so it belongs on an inner network.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use portcullis_domain::time::Time;
use portcullis_store::outbox;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::file_alerts;
use super::metrics::{Moment, OfWebhooks};
use super::process::Process;
use crate::app::App;
use crate::geo;

/// Connections at once: for a few collectors, and for nobody's flood.
const CONNECTIONS: usize = 32;
/// How long a connection may be silent. Collectors ask every minute at the latest.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long the store may take to say how much mail waits, or how many alerts are new.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long to wait before accepting again when the system is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers until the server stops.
pub async fn serve(app: App, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            () = app.stopping.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, _)) => {
                // Without a place the connection is closed.
                if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
                    app.spawn(converse(app.clone(), socket, place));
                }
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One connection. It ends with the server, so that a collector that keeps it does not hold up the
/// shutdown.
async fn converse(app: App, socket: TcpStream, place: OwnedSemaphorePermit) {
    let asked = &app;
    let service = service_fn(move |request: Request<Incoming>| async move {
        Ok::<_, Infallible>(answer(asked, &request).await)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(KEEP_ALIVE);
    let connection = builder.serve_connection(TokioIo::new(socket), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = app.stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = &error as &dyn std::error::Error, "a collector went away");
    }
    drop(place);
}

async fn answer(app: &App, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let (status, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => (StatusCode::OK, scrape(app).await),
        (_, "/metrics") => (StatusCode::METHOD_NOT_ALLOWED, "Only GET.\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, "Only /metrics is here.\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let kind = if status == StatusCode::OK { OPEN_METRICS } else { "text/plain" };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
    }
    response
}

/// Every figure as it is now.
async fn scrape(app: &App) -> String {
    let process = tokio::task::spawn_blocking(Process::look).await.unwrap_or_default();
    let mail = tokio::time::timeout(PATIENCE, mail_waiting(app)).await;
    let alerts = tokio::time::timeout(PATIENCE, file_alerts::open(app)).await;
    app.telemetry.metrics.render(&Moment {
        store: app.db.counts(),
        mail_waiting: mail.ok().and_then(Result::ok),
        mail_is_down: app.mailer.condition.down_since().is_some(),
        backup_at: app.backups.last_good().map(Time::secs),
        passwords_waiting: app.hasher.waiting(),
        webhooks: webhooks(app),
        geo_is_good: match app.geo.standing() {
            geo::Standing::Off => None,
            geo::Standing::Good => Some(true),
            geo::Standing::Bad => Some(false),
        },
        audit_verified: app
            .audit
            .verified()
            .map(|kept| (kept.at.secs(), i64::try_from(kept.faults).unwrap_or(i64::MAX))),
        has_rejected: app.audit.has_rejected(),
        file_alerts: alerts.ok().and_then(Result::ok).flatten(),
        process,
    })
}

/// The one that is furthest behind tells, and those that fail are counted.
fn webhooks(app: &App) -> Option<OfWebhooks> {
    let (seen, now) = (app.webhooks.seen(), app.clock.now());
    let most = seen.iter().max_by_key(|seen| seen.behind)?;
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let failing = seen.iter().filter(|seen| seen.sink.failing_since.is_some()).count();
    let oldest = seen.iter().filter_map(|seen| seen.oldest).min();
    Some(OfWebhooks {
        failing: whole(failing as u64),
        behind: whole(most.behind),
        oldest_seconds: oldest.map(|at| whole(now.since(at).as_secs())),
    })
}

/// How much waits, and for how many seconds the oldest has.
async fn mail_waiting(app: &App) -> Result<(i64, i64), portcullis_store::Error> {
    let mut tx = app.db.read_once().await?;
    let now = app.clock.now();
    let waiting = outbox::waiting(&mut tx, now).await?;
    let age = waiting.oldest.map(|oldest| now.since(oldest).as_secs());
    Ok((waiting.count, i64::try_from(age.unwrap_or_default()).unwrap_or(i64::MAX)))
}
