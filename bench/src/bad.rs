//! A million bad credentials, no two alike, and what the server keeps of them.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use anyhow::{Context as _, Result, ensure};
use tokio::task::LocalSet;

use crate::http::{Connection, Wanted, request};
use crate::load::CONNECTIONS;
use crate::portcullis::Portcullis;
use crate::process::{forget_peak, memory_mb, peak_mb};
use crate::report::{Figure, Findings};
use crate::run::say;

const BAD: u64 = 1_000_000;
/// Sent before memory is measured, so that what every server needs to refuse anything is there.
const FIRST: u64 = 20_000;
const OWED_MB: f64 = 8.0;

/// The header lines of the bad credential of a number.
pub(crate) type Lines = dyn Fn(u64) -> Result<String>;

/// On a server that has seen none before; `what` they are.
pub(crate) async fn measure(
    gate: &Portcullis,
    (what, target): (&str, &'static str),
    lines: Rc<Lines>,
    findings: &mut Findings,
) -> Result<()> {
    let (server, _) = gate.start().await?;
    let next = Rc::new(Cell::new(0));
    refused((server.address, target), &lines, &next, FIRST).await?;
    let before = memory_mb(server.pid)?;
    forget_peak(server.pid)?;
    say(&format!("A million bad {what}"));
    refused((server.address, target), &lines, &next, FIRST + BAD).await?;
    let (after, most) = (memory_mb(server.pid)?, peak_mb(server.pid)?);
    let figures = &mut findings.figures;
    figures.push(Figure::told(&format!("memory before a million bad {what}"), before));
    figures.push(Figure::told(&format!("memory after a million bad {what}"), after));
    let name = format!("the most memory meanwhile, over what was before, {what}");
    figures.push(Figure::below(&name, most - before, OWED_MB, "MB"));
    server.stop().await
}

/// Sends bad ones up to this number.
async fn refused(
    (address, target): (SocketAddr, &'static str),
    lines: &Rc<Lines>,
    next: &Rc<Cell<u64>>,
    until: u64,
) -> Result<()> {
    let tasks = LocalSet::new();
    let send = |_| send_next((address, target), Rc::clone(lines), Rc::clone(next), until);
    let sending: Vec<_> = (0..CONNECTIONS).map(|each| tasks.spawn_local(send(each))).collect();
    tasks.await;
    for each in sending {
        each.await.context("a task of the load generator")??;
    }
    Ok(())
}

async fn send_next(
    (address, target): (SocketAddr, &'static str),
    lines: Rc<Lines>,
    next: Rc<Cell<u64>>,
    until: u64,
) -> Result<()> {
    let mut connection = Connection::open(address).await?;
    loop {
        let number = next.get();
        if number >= until {
            return Ok(());
        }
        next.set(number + 1);
        let lines = lines(number)?;
        let asked = request("GET", target, &lines, "");
        let status = connection.ask_briefly(&asked, Wanted::Nothing).await?.status;
        ensure!(status == 401, "a bad credential was answered {status}: {lines}");
    }
}
