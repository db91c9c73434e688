//! Connections: accepting them, speaking TLS where that is asked for, guarding their framing, speaking
//! HTTP/1.1 and HTTP/2 on them, and shutting down without cutting anybody off.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use portcullis_domain::event::{Context, Event, Text};
use portcullis_integrity::Digest;
use portcullis_store::Error;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::breach;
use crate::connections::Connections;
use crate::flows::record;
use crate::geo;
use crate::nodes;
use crate::tls;
use crate::web::framing::Strict;
use crate::web::front;
use crate::web::socket::Socket;

/// How long a kept-alive connection may be silent between requests.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// After how much silence the system asks whether the peer is still there.
const PROBE_AFTER: Duration = Duration::from_mins(1);
/// How long requests in flight may take to finish once the server is asked to stop.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait before accepting again when the system is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Bytes of a request's head and, on HTTP/2, of its decoded header list.
const MAX_HEAD: usize = 16 * 1024;
/// Requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 128;

/// Serves until `stop` is cancelled, then lets requests in flight finish and ends the background
/// work. Returns when everything is written down. The log says what is in the file `program`.
pub async fn serve(app: App, program: PathBuf, listener: TcpListener, stop: CancellationToken) {
    app.spawn(note_start(app.clone(), program));
    app.spawn(tls::watch(app.clone()));
    app.spawn(geo::watch(app.clone()));
    app.spawn(breach::watch(app.clone()));
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
                tune(&socket);
                let open = app.telemetry.metrics.connection();
                let accepted = Accepted { socket: Socket::new(socket, place, open), peer };
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

/// A small answer must not wait for the acknowledgement of the one before it; and a peer that has
/// gone without a word must not hold a tunnel, in which silence is no fault, for ever.
fn tune(socket: &TcpStream) {
    let probes = TcpKeepalive::new().with_time(PROBE_AFTER);
    let set =
        socket.set_nodelay(true).and_then(|()| SockRef::from(socket).set_tcp_keepalive(&probes));
    if let Err(error) = set {
        tracing::debug!(error = &error as &dyn std::error::Error, "a socket was not tuned");
    }
}

/// Ends the background work: the queues close with the last handle of the application.
async fn finish(app: App) {
    if let Err(error) = stopped(&app).await {
        tracing::error!(error = &error as &dyn std::error::Error, "the stop was not written down");
    }
    let (tasks, db, spans) = (app.tasks.clone(), app.db.clone(), app.telemetry.spans.clone());
    let (audit, now) = (app.audit.clone(), app.clock.now());
    drop(app);
    tasks.close();
    if tokio::time::timeout(PATIENCE, tasks.wait()).await.is_err() {
        tracing::warn!("background work did not finish in time");
    }
    // Every event is written by now.
    if let Err(error) = audit.finish(now).await {
        tracing::error!(error = &error as &dyn std::error::Error, "the audit log was not signed");
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
    socket: Socket,
    peer: SocketAddr,
}

/// One connection, on a task of its own. What is awaited is no larger than it must be: there may be
/// many thousands of them.
fn converse(
    app: &App,
    builder: &auto::Builder<TokioExecutor>,
    graceful: &GracefulShutdown,
    accepted: Accepted,
) {
    let Accepted { socket, peer } = accepted;
    let log = move |ended: Ended| {
        if let Err(error) = ended {
            tracing::debug!(%peer, error = &*error, "a connection ended early");
        }
    };
    if app.tls.is_some() {
        let (app, builder, watcher) = (app.clone(), builder.clone(), graceful.watcher());
        let of_tasks = app.clone();
        of_tasks.spawn(async move {
            log(match shake_hands(&app, socket).await {
                Some(Ok(stream)) => speak_http(&app, &builder, watcher, stream, peer).await,
                Some(Err(error)) => Err(error.into()),
                None => Ok(()),
            });
        });
    } else {
        app.spawn(speak_http(app, builder, graceful.watcher(), socket, peer).map(log));
    }
}

type Ended = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Agrees on keys; `None` when the server stops first.
async fn shake_hands(app: &App, socket: Socket) -> Option<io::Result<TlsStream<Socket>>> {
    tokio::select! {
        stream = app.tls.as_ref()?.accept(socket) => Some(stream),
        () = app.stopping.cancelled() => None,
    }
}

fn speak_http<IO>(
    app: &App,
    builder: &auto::Builder<TokioExecutor>,
    watcher: Watcher,
    io: IO,
    peer: SocketAddr,
) -> impl Future<Output = Ended> + use<IO>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let app = app.clone();
    let io = Strict::new(io);
    let pass_through = io.pass_through();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let app = app.clone();
        if request.extensions().get::<OnUpgrade>().is_some() {
            request.extensions_mut().insert(pass_through.clone());
        }
        async move { Ok::<_, Infallible>(front::respond(app, peer, request).await) }
    });
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(io), service);
    watcher.watch(connection.into_owned())
}

/// Which program started: its version and the digest of its file, read beside the first requests.
async fn note_start(app: App, program: PathBuf) {
    let digest = tokio::task::spawn_blocking(move || Digest::of_file(&program));
    let binary_sha256 = match digest.await {
        Ok(Ok(digest)) => Text::clip(&digest.to_string()),
        Ok(Err(_)) | Err(_) => Text::clip("unreadable"),
    };
    note(&app, &Event::Started { version: env!("CARGO_PKG_VERSION"), binary_sha256 }).await;
}

/// Nothing is answered any more: other nodes need not wait for this one.
async fn stopped(app: &App) -> Result<(), Error> {
    let mut tx = app.db.write().await?;
    nodes::leave(&mut tx, app).await?;
    let (event, context) = (Event::Stopped, Context::default());
    record(&mut tx, app.random, &event, &context, app.clock.now()).await?;
    tx.commit().await
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
