//! API keys: one that is sent again and again, and a million that nobody has.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use anyhow::{Context as _, Result, ensure};
use tokio::task::LocalSet;

use crate::forward_auth::{ASKED, DECIDE};
use crate::http::{Connection, Wanted, request};
use crate::load::{CONNECTIONS, Load};
use crate::million::secret_text;
use crate::portcullis::Portcullis;
use crate::process::{Server, forget_peak, memory_mb, peak_mb};
use crate::report::{Figure, Findings, Row, ratio};
use crate::run::{Bench, round, say};

const BARE: &str = "bare handler, asked with an API key";
const KEY: &str = "forward-auth, API key";
const OWED: f64 = 0.6;

const BAD: u64 = 1_000_000;
/// Sent before memory is measured, so that what every server needs to refuse anything is there.
const FIRST: u64 = 20_000;
const OWED_MB: f64 = 8.0;

pub(crate) async fn measure(
    bench: &Bench,
    gate: &Portcullis,
    findings: &mut Findings,
) -> Result<()> {
    let key = gate.make_key().await?;
    let (server, _) = gate.start().await?;
    let mut rows = rows(bench, &server, &line(&key));
    for number in 1..=bench.rounds() {
        round(bench, number, &mut rows).await?;
    }
    findings.figures.extend(ratio(&rows, KEY, BARE, OWED));
    findings.rows.append(&mut rows);
    server.stop().await?;
    bad(gate, findings).await
}

/// What is asked in turns.
fn rows(bench: &Bench, server: &Server, line: &str) -> Vec<Row> {
    let with = |line: &str| format!("{line}{ASKED}");
    let control = Some(request("GET", DECIDE, &with(&nobodys(0)), ""));
    vec![
        Row::of(Load::get(BARE, &bench.bare, "/", &with(line))),
        Row::of(Load { control, ..Load::get(KEY, server, DECIDE, &with(line)) }),
    ]
}

/// On a server that has seen no key before.
async fn bad(gate: &Portcullis, findings: &mut Findings) -> Result<()> {
    let (server, _) = gate.start().await?;
    let next = Rc::new(Cell::new(0));
    refused(server.address, &next, FIRST).await?;
    let before = memory_mb(server.pid)?;
    forget_peak(server.pid)?;
    say("A million bad API keys");
    refused(server.address, &next, FIRST + BAD).await?;
    let (after, most) = (memory_mb(server.pid)?, peak_mb(server.pid)?);
    let figures = &mut findings.figures;
    figures.push(Figure::told("memory before a million bad API keys", before));
    figures.push(Figure::told("memory after a million bad API keys", after));
    let name = "the most memory during a million bad API keys, over what was before";
    figures.push(Figure::below(name, most - before, OWED_MB, "MB"));
    server.stop().await
}

/// Sends bad keys up to this number.
async fn refused(address: SocketAddr, next: &Rc<Cell<u64>>, until: u64) -> Result<()> {
    let tasks = LocalSet::new();
    let sending: Vec<_> = (0..CONNECTIONS)
        .map(|_| tasks.spawn_local(send_next(address, Rc::clone(next), until)))
        .collect();
    tasks.await;
    for each in sending {
        each.await.context("a task of the load generator")??;
    }
    Ok(())
}

async fn send_next(address: SocketAddr, next: Rc<Cell<u64>>, until: u64) -> Result<()> {
    let mut connection = Connection::open(address).await?;
    loop {
        let number = next.get();
        if number >= until {
            return Ok(());
        }
        next.set(number + 1);
        let asked = request("GET", DECIDE, &format!("{}{ASKED}", nobodys(number)), "");
        let status = connection.ask_briefly(&asked, Wanted::Nothing).await?.status;
        ensure!(status == 401, "a bad API key was answered {status}");
    }
}

/// The header line of a request with this key.
fn line(key: &str) -> String {
    format!("x-api-key: {key}\r\n")
}

/// That of a key as it should be, which nobody has.
fn nobodys(number: u64) -> String {
    line(&format!("sk_{}", secret_text(number)))
}
