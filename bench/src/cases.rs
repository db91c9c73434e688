//! What is measured, in which order: the yardsticks and Portcullis take turns in every round, so
//! that a busy minute of the machine falls on all of them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use tempfile::TempDir;

use crate::hash;
use crate::http::{Connection, request};
use crate::load::{self, Load, Script};
use crate::portcullis::{self, Credentials, JSON, Portcullis};
use crate::process::{Server, memory_mb};
use crate::report::{self, Findings, Row};

#[derive(Args)]
pub(crate) struct Options {
    /// The release binary of Portcullis.
    #[arg(long)]
    server: PathBuf,
    /// Where the figures go, as Markdown.
    #[arg(long)]
    out: PathBuf,
    /// Measured seconds of one case in one round.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// The core of the measured servers.
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// The core of what is not measured: the application behind the gate.
    #[arg(long, default_value_t = 1)]
    load_core: usize,
}

const CONNECTIONS: usize = 32;
const SIGN_IN_CONNECTIONS: usize = 4;
const STARTS: usize = 5;

/// The request that spends a one-time token: through the gate to a bare server.
const TOKEN_POST: (&str, &str, u16) = ("POST", "/posted", 200);

/// Measures everything, prints the table and writes it to `--out`.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let own = std::env::current_exe()?;
    let folder = tempfile::tempdir()?;
    let bare = Server::start(options.server_core, &own, &["yardstick"]).await?;
    let behind = Server::start(options.load_core, &own, &["yardstick"]).await?;
    let binary = options.server.canonicalize().context("--server")?;
    let gate =
        Portcullis::prepare(&binary, folder.path(), options.server_core, behind.address).await?;

    say("Starting Portcullis several times");
    let (server, start) = start_several_times(&gate).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let memory = memory_mb(server.pid)?;
    let who = portcullis::sign_in(server.address).await?;
    let same = same_headers(options, &own, &folder, &server, &who).await?;

    let mut rows = rows(&bare, &same, &server, &who);
    let mut hashes = Vec::new();
    for number in 1..=options.rounds {
        for row in &mut rows {
            say(&format!("Round {number} of {}: {}", options.rounds, row.load.name));
            row.rounds.push(load::round(&row.load, span(options)).await?);
        }
        say(&format!("Round {number} of {}: the bare hash function", options.rounds));
        hashes.push(hash::measured(options.server_core, &own, span(options)).await?);
    }
    let loaded_memory = memory_mb(server.pid)?;
    server.stop().await?;
    report::write(&options.out, &Findings { rows, hashes, start, memory, loaded_memory })
}

/// The middle one of the times from start to the first answer, on a database that exists; and the
/// server that was started last.
async fn start_several_times(gate: &Portcullis) -> Result<(Server, Duration)> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let (server, time) = gate.start().await?;
        server.stop().await?;
        times.push(time);
    }
    times.sort();
    let (server, _) = gate.start().await?;
    Ok((server, times.get(STARTS / 2).copied().unwrap_or_default()))
}

/// A yardstick that answers with the headers and the body that Portcullis answers with.
async fn same_headers(
    options: &Options,
    own: &Path,
    folder: &TempDir,
    server: &Server,
    who: &Credentials,
) -> Result<Server> {
    let asked = request("GET", "/api/auth/me", &who.cookie, "");
    let bytes = Connection::open(server.address).await?.record(&asked).await?;
    ensure!(bytes.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&bytes));
    let file = folder.path().join("answer");
    std::fs::write(&file, bytes)?;
    let file = file.to_str().context("a folder that is not UTF-8")?;
    Server::start(options.server_core, own, &["yardstick", "--like", file]).await
}

fn rows(bare: &Server, same: &Server, server: &Server, who: &Credentials) -> Vec<Row> {
    let get = |target: &str, headers: &str| Script::Same(request("GET", target, headers, ""));
    let (method, target, status) = TOKEN_POST;
    let post = Script::TokenEach {
        first: request("GET", "/api/security/csrf-token", &who.cookie, ""),
        method,
        target,
        headers: format!("{}{JSON}", who.cookie),
    };
    let cases = [
        (report::BARE, bare, get("/", &who.cookie), 200, CONNECTIONS),
        (report::SAME_HEADERS, same, get("/", &who.cookie), 200, CONNECTIONS),
        (report::COOKIE, server, get("/api/auth/me", &who.cookie), 200, CONNECTIONS),
        (report::TOKEN, server, get("/api/auth/me", &who.bearer), 200, CONNECTIONS),
        (report::ISSUE, server, get("/api/security/csrf-token", &who.cookie), 200, CONNECTIONS),
        (report::POST, server, post, status, CONNECTIONS),
        (
            report::SIGN_IN,
            server,
            Script::Same(portcullis::sign_in_request()),
            201,
            SIGN_IN_CONNECTIONS,
        ),
    ];
    let row = |(name, server, script, status, connections): (_, &Server, _, _, _)| Row {
        load: Load { name, address: server.address, pid: server.pid, script, status, connections },
        rounds: Vec::new(),
    };
    cases.into_iter().map(row).collect()
}

fn span(options: &Options) -> Duration {
    Duration::from_secs(options.seconds)
}

#[expect(clippy::print_stderr, reason = "a program for the terminal")]
fn say(text: &str) {
    eprintln!("{text} …");
}
