//! What a decision for another proxy takes while people sign in, whose passwords are hashed on the same machine.
//!
//! Two views of it. On a machine of two cores, sign-ins that come one after another keep one core
//! busy with hashing, and the rest of the server has the other. On a machine of one core, hashing
//! takes all that there is, and only its low place in the queue for the processor keeps it out of
//! the way. The load generator takes its small share in both.

use std::cell::Cell;
use std::rc::Rc;

use anyhow::{Result, ensure};
use tokio::task::LocalSet;

use crate::checks;
use crate::forward_auth::{ASKED, DECIDE};
use crate::http::{Connection, Wanted};
use crate::load::{Figures, Load};
use crate::pace;
use crate::portcullis::{self, Credentials, Portcullis};
use crate::process::Server;
use crate::report::{Figure, Findings, Row, millis};
use crate::run::{Bench, say};

/// Decisions, at a pace that leaves the processor to the sign-ins.
const PER_SECOND: u32 = 1000;
const OWED: f64 = 3.0;

/// How many people sign in at once, and what the cases are called.
struct View {
    cores: String,
    connections: usize,
    idle: &'static str,
    busy: &'static str,
    figure: &'static str,
}

pub(crate) async fn measure(
    bench: &Bench,
    gate: &Portcullis,
    findings: &mut Findings,
) -> Result<()> {
    let two = View {
        cores: bench.both_cores(),
        connections: 1,
        idle: "forward-auth on two cores, nobody signs in",
        busy: "forward-auth on two cores, sign-ins fill one",
        figure: "p99 of forward-auth while sign-ins fill one core of two ÷ idle",
    };
    let one = View {
        cores: bench.server_core(),
        connections: 4,
        idle: "forward-auth on one core, nobody signs in",
        busy: "forward-auth on one core, sign-ins fill it",
        figure: "p99 of forward-auth while sign-ins fill the only core ÷ idle",
    };
    for view in [two, one] {
        let (server, _) = gate.on(&view.cores).start().await?;
        let who = portcullis::sign_in(server.address).await?;
        compare(bench, &view, &server, &who, findings).await?;
        server.stop().await?;
    }
    Ok(())
}

async fn compare(
    bench: &Bench,
    view: &View,
    server: &Server,
    who: &Credentials,
    findings: &mut Findings,
) -> Result<()> {
    let load = |name| Load::checked(name, server, DECIDE, (&who.cookie, ASKED));
    let mut idle = Row::paced(load(view.idle), PER_SECOND);
    let mut busy = Row::paced(load(view.busy), PER_SECOND);
    let sign_ins = checks::sign_ins(server, "sign-in", view.connections);
    for number in 1..=bench.rounds() {
        say(&format!("Round {number}: {}", view.busy));
        idle.rounds.push(pace::round(&idle.load, PER_SECOND, bench.span()).await?);
        let checked = pace::round(&busy.load, PER_SECOND, bench.span());
        busy.rounds.push(beside(&sign_ins, checked).await?);
    }
    let ratio = millis(busy.median().p99) / millis(idle.median().p99);
    findings.figures.push(Figure::at_most(view.figure, ratio, OWED));
    findings.rows.extend([idle, busy]);
    Ok(())
}

/// What `work` gives while people sign in.
async fn beside(sign_ins: &Load, work: impl Future<Output = Result<Figures>>) -> Result<Figures> {
    let stopped = Rc::new(Cell::new(false));
    let tasks = LocalSet::new();
    let people: Vec<_> = (0..sign_ins.connections)
        .map(|_| tasks.spawn_local(sign_in_until(sign_ins.clone(), Rc::clone(&stopped))))
        .collect();
    let figures = tasks.run_until(work).await;
    stopped.set(true);
    tasks.await;
    for person in people {
        person.await??;
    }
    figures
}

async fn sign_in_until(load: Load, stopped: Rc<Cell<bool>>) -> Result<()> {
    let mut connection = Connection::open(load.address).await?;
    let request = portcullis::sign_in_request();
    while !stopped.get() {
        let status = connection.ask_briefly(&request, Wanted::Nothing).await?.status;
        ensure!(status == load.status, "a sign-in was answered {status}");
    }
    Ok(())
}
