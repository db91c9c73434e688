//! Connections: accepting them, guarding their framing, speaking HTTP/1.1 and HTTP/2 on them, and
//! shutting down without cutting anybody off.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use portcullis_domain::event::{Context, Event, Text};
use portcullis_integrity::Digest;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::connections::{Connections, Place};
use crate::flows::record;
use crate::web::framing::Strict;
use crate::web::front;

/// How long a kept-alive connection may be silent between requests.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long requests in flight may take to finish once the server is asked to stop.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait before accepting again when the system is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Bytes of a request's head and, on HTTP/2, of its decoded header list.
const MAX_HEAD: usize = 16 * 1024;
/// Requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 128;

/// Serves until `stop` is cancelled, then lets requests in flight finish and ends the background
/// work. Returns when everything is written down.
pub async fn serve(app: App, listener: TcpListener, stop: CancellationToken) {
    app.spawn(note_start(app.clone()));
    let graceful = GracefulShutdown::new();
    let builder = protocol();
    let connections = Arc::new(Connections::default());
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                let trusted = &app.config.server.trusted_proxies;
                let Some(place) = connections.admit(peer.ip(), trusted) else { continue };
                let accepted = Accepted { socket, peer, place };
                converse(&app, &builder, &graceful, accepted);
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    app.stopping.cancel();
    drop(listener);
    if tokio::time::timeout(PATIENCE, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests in flight did not finish in time");
    }
    finish(app).await;
}

/// Ends the background work: the queues close with the last handle of the application.
async fn finish(app: App) {
    note(&app, &Event::Stopped).await;
    let (tasks, db, spans) = (app.tasks.clone(), app.db.clone(), app.telemetry.spans.clone());
    drop(app);
    tasks.close();
    if tokio::time::timeout(PATIENCE, tasks.wait()).await.is_err() {
        tracing::warn!("background work did not finish in time");
    }
    db.close().await;
    spans.flush().await;
}

fn protocol() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(KEEP_ALIVE)
        .max_buf_size(MAX_HEAD * 4)
        .max_headers(128);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX));
    builder
}

/// A connection that was let in.
struct Accepted {
    socket: TcpStream,
    peer: SocketAddr,
    place: Place,
}

/// One connection, on a task of its own.
fn converse(
    app: &App,
    builder: &auto::Builder<TokioExecutor>,
    graceful: &GracefulShutdown,
    accepted: Accepted,
) {
    let Accepted { socket, peer, place } = accepted;
    // A small answer must not wait for the acknowledgement of the one before it.
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(error = &error as &dyn std::error::Error, "no TCP_NODELAY");
    }
    let of_requests = app.clone();
    let service = service_fn(move |request| {
        let app = of_requests.clone();
        async move { Ok::<_, Infallible>(front::respond(app, peer, request).await) }
    });
    let io = TokioIo::new(Strict::new(socket));
    let connection = builder.serve_connection(io, service).into_owned();
    let connection = graceful.watch(connection);
    let open = app.telemetry.metrics.connection();
    app.spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%peer, error = &*error, "a connection ended early");
        }
        drop((place, open));
    });
}

/// Which program started: its version and the digest of its file, read beside the first requests.
async fn note_start(app: App) {
    let digest = tokio::task::spawn_blocking(|| Digest::of_file(&std::env::current_exe()?));
    let binary_sha256 = match digest.await {
        Ok(Ok(digest)) => Text::clip(&digest.to_string()),
        Ok(Err(_)) | Err(_) => Text::clip("unreadable"),
    };
    note(&app, &Event::Started { version: env!("CARGO_PKG_VERSION"), binary_sha256 }).await;
}

async fn note(app: &App, event: &Event) {
    let written = async {
        let mut tx = app.db.write().await?;
        record(&mut tx, app.random, event, &Context::default(), app.clock.now()).await?;
        tx.commit().await
    };
    if let Err(error) = written.await {
        tracing::error!(error = &error as &dyn std::error::Error, "an event was not written");
    }
}
