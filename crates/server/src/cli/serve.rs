//! `portcullis serve`: opens everything, serves until it is asked to stop, and says so.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::open::{self, Opened};
use super::output;
use crate::app::{App, Outside};
use crate::{jobs, serve};

/// What `serve` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file; its keys can be overridden in the environment.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Prints {"listening":"ADDRESS:PORT"} once the port is open.
    #[arg(long)]
    pub json: bool,
}

/// Serves until a signal asks it to stop. The port is open when the address is printed, and the
/// server is ready when `GET /readyz` says 200.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    log_to_stderr();
    let opened = open::open(open::load(&args.config)?).await?;
    let stop = stop_on_signal()?;
    let running = start(opened).await?;
    let address = running.address;
    if args.json {
        output::print(&json!({"listening": address.to_string()}).to_string())?;
    } else {
        output::print(&format!("Listening on {}", running.app.public_url))?;
    }
    running.until(stop).await;
    Ok(ExitCode::SUCCESS)
}

/// A server whose port is open.
pub struct Running {
    pub app: App,
    pub address: std::net::SocketAddr,
    listener: TcpListener,
}

/// Opens the port and builds the application.
pub async fn start(opened: Opened) -> anyhow::Result<Running> {
    let Opened { config, db, secret, clock, .. } = opened;
    let listen = config.server.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("cannot listen on {listen} (server.listen); is another program there?")
    })?;
    let address = listener.local_addr().context("the open port has no address")?;
    let app = App::build(Outside { config, db, secret, clock, listening: address })?;
    Ok(Running { app, address, listener })
}

impl Running {
    /// Serves until `stop`.
    pub async fn until(self, stop: CancellationToken) {
        jobs::start(&self.app);
        serve::serve(self.app, self.listener, stop).await;
    }
}

/// A token that is cancelled by the signals that ask a program to stop.
pub fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let cancelled = stop.clone();
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    #[expect(clippy::disallowed_methods, reason = "it outlives every tracked task by design")]
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        cancelled.cancel();
    });
    Ok(stop)
}

/// What is logged where `RUST_LOG` says nothing. The database drivers remark on what is normal.
const USUAL_LOG: &str = "info,sqlx=warn";

/// The log of a serving process: to the standard error, at the level that `RUST_LOG` says.
pub fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(USUAL_LOG));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // Somebody else may have set up the log of this process; then that one is good enough.
    drop(log.try_init());
}
