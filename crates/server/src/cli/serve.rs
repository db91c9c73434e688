//! `portcullis serve`: opens everything, serves until it is asked to stop, and says so.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::open::{self, Opened};
use super::output;
use crate::app::{App, Outside};
use crate::flows::required_factor;
use crate::telemetry::{listener, log};
use crate::{jobs, serve, signing_keys};

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
    let config = open::load(&args.config)?;
    log::to_stderr(config.log.format);
    let opened = Box::pin(open::open(config)).await?;
    let stop = stop_on_signal()?;
    let running = Box::pin(start(opened)).await?;
    output::print(&running.announcement(args.json))?;
    running.until(stop).await;
    Ok(ExitCode::SUCCESS)
}

/// A server whose port is open.
pub struct Running {
    pub app: App,
    pub address: SocketAddr,
    listener: TcpListener,
    metrics: Option<(SocketAddr, TcpListener)>,
}

/// Opens the port and builds the application.
pub async fn start(opened: Opened) -> anyhow::Result<Running> {
    let Opened { config, db, secret, clock, .. } = opened;
    let (address, listener) = bind(config.server.listen, "server.listen").await?;
    let metrics = match config.metrics.listen {
        Some(listen) => Some(bind(listen, "metrics.listen").await?),
        None => None,
    };
    let app = App::build(Outside { config, db, secret, clock, listening: address })?;
    Box::pin(app.limits.refresh(&app.db)).await?;
    Box::pin(signing_keys::keep(&app)).await?;
    for role in required_factor::unknown_roles(&app).await? {
        tracing::warn!(role, "sign_in.require_second_factor names a role that does not exist");
    }
    app.telemetry.spans.export(open::environment()).context("traces cannot be exported")?;
    Ok(Running { app, address, listener, metrics })
}

/// Opens the port that this key of the configuration names.
async fn bind(listen: SocketAddr, key: &str) -> anyhow::Result<(SocketAddr, TcpListener)> {
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen} ({key}); is another program there?"))?;
    let address = listener.local_addr().context("the open port has no address")?;
    Ok((address, listener))
}

impl Running {
    /// What is printed once the ports are open.
    fn announcement(&self, json: bool) -> String {
        let metrics = self.metrics.as_ref().map(|(address, _)| address.to_string());
        match (json, metrics) {
            (true, None) => json!({"listening": self.address.to_string()}).to_string(),
            (true, Some(metrics)) => {
                json!({"listening": self.address.to_string(), "metrics": metrics}).to_string()
            }
            (false, None) => format!("Listening on {}", self.app.public_url),
            (false, Some(metrics)) => {
                let url = &self.app.public_url;
                format!("Listening on {url}\nMetrics on http://{metrics}/metrics")
            }
        }
    }

    /// Serves until `stop`.
    pub async fn until(self, stop: CancellationToken) {
        jobs::start(&self.app);
        if let Some((_, metrics)) = self.metrics {
            self.app.spawn(listener::serve(self.app.clone(), metrics));
        }
        // Where it is not known there is no such file, and the log says that.
        let program = std::env::current_exe().unwrap_or_default();
        serve::serve(self.app, program, self.listener, stop).await;
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
