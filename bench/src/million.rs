//! Decisions for another proxy over a million sessions that are all in use: what they cost, and what
//! they take to remember.

pub(crate) mod database;

use std::cell::Cell;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::task::LocalSet;

use crate::checks;
use crate::forward_auth::{ASKED, DECIDE};
use crate::http::{Connection, Wanted};
use crate::load::{CONNECTIONS, Load};
use crate::portcullis::{Credentials, Portcullis};
use crate::process::{Server, memory_mb, peak_mb};
use crate::report::{Figure, Findings, Row, ratio};
use crate::run::{Bench, round, say};
use crate::script::{Script, of_session};

use database::Shape;
pub(crate) use database::secret_text;

const BARE: &str = "bare handler, in turns with the next";
const WALK: &str = "forward-auth, cookies of a million sessions at random";
const OWED: f64 = 0.5;
const OWED_MB: f64 = 400.0;

/// Sessions that must be signed in for the database to be used again.
const SAMPLES: u64 = 100;

pub(crate) async fn measure(bench: &Bench, findings: &mut Findings) -> Result<()> {
    let sessions = bench.options.sessions;
    let server = start(bench).await?;
    let idle = memory_mb(server.pid)?;
    let time = check_each(&server, sessions).await?;
    say(&format!("Every session was checked once, in {:.0} seconds", time.as_secs_f64()));

    let who = Credentials { cookie: cookie_line(0), bearer: String::new() };
    let mut bare = checks::bare(&bench.bare, &who);
    bare.load.name = BARE;
    let script = Script::Walk { sessions };
    let walk = Load { script, ..Load::checked(WALK, &server, DECIDE, (&who.cookie, ASKED)) };
    let mut rows = vec![bare, Row::of(walk)];
    for number in 1..=bench.rounds() {
        round(bench, number, &mut rows).await?;
    }
    let figures = &mut findings.figures;
    figures.extend(ratio(&rows, WALK, BARE, OWED));
    figures.push(Figure::told("memory before a million sessions are in use", idle));
    let memory = memory_mb(server.pid)?;
    figures.push(Figure::below("memory with a million sessions in use", memory, OWED_MB, "MB"));
    figures.push(Figure::told("the most memory meanwhile", peak_mb(server.pid)?));
    findings.rows.append(&mut rows);
    server.stop().await
}

/// Portcullis on the database of the sessions, which is made if it is not there or of no use.
async fn start(bench: &Bench) -> Result<Server> {
    let sessions = bench.options.sessions;
    let folder = bench.kept(&format!("sessions-{sessions}"));
    if folder.exists() {
        match try_start(bench, &folder).await {
            Ok(server) => return Ok(server),
            Err(fault) => say(&format!("The database is of no use any more ({fault:#})")),
        }
    }
    say(&format!("Making a database of {sessions} sessions, to be kept"));
    Box::pin(database::make(&folder, sessions, Shape::Alike)).await?;
    try_start(bench, &folder).await
}

async fn try_start(bench: &Bench, folder: &Path) -> Result<Server> {
    let cores = bench.server_core();
    let gate = Portcullis::configured(&bench.binary, folder, &cores, bench.behind.address)?;
    let (server, _) = gate.start().await?;
    let mut connection = Connection::open(server.address).await?;
    let sessions = bench.options.sessions;
    for sample in 0..SAMPLES.min(sessions) {
        let session = sample * (sessions / SAMPLES).max(1);
        let answer = connection.ask(&of_session(session)).await?;
        ensure!(answer.status == 200, "session {session}: {}", answer.text());
    }
    Ok(server)
}

/// Checks every session once, and says how long that took.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
async fn check_each(server: &Server, sessions: u64) -> Result<Duration> {
    say("Checking every session once");
    let (started, next) = (Instant::now(), Rc::new(Cell::new(0)));
    let tasks = LocalSet::new();
    let checking: Vec<_> = (0..CONNECTIONS)
        .map(|_| tasks.spawn_local(check_next(server.address, Rc::clone(&next), sessions)))
        .collect();
    tasks.await;
    for each in checking {
        each.await.context("a task of the load generator")??;
    }
    Ok(started.elapsed())
}

async fn check_next(address: SocketAddr, next: Rc<Cell<u64>>, sessions: u64) -> Result<()> {
    let mut connection = Connection::open(address).await?;
    loop {
        let session = next.get();
        if session >= sessions {
            return Ok(());
        }
        next.set(session + 1);
        let status = connection.ask_briefly(&of_session(session), Wanted::Nothing).await?.status;
        if status != 200 {
            bail!("session {session} was answered {status}");
        }
    }
}

fn cookie_line(session: u64) -> String {
    format!("cookie: sessionid={}\r\n", secret_text(session))
}
