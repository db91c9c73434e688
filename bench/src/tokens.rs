//! Access tokens: one that is sent again and again, others that come for the first time, and a million
//! that are bad.

mod bad;
pub(crate) mod check;
pub(crate) mod forge;

use std::rc::Rc;
use std::sync::Arc;

use anyhow::Result;

use crate::load::Load;
use crate::portcullis::{ME, Portcullis, access_token};
use crate::process::{Server, memory_mb};
use crate::report::{Figure, Findings, Row, middle, ratio};
use crate::run::{Bench, round, say};
use crate::script::Script;

use forge::Forge;

const BARE: &str = "bare handler, asked with an access token";
const AGAIN: &str = "access token, again and again";
const CHECKING: &str = "bare handler that checks an Ed25519 signature";
const NEW: &str = "access token, another one each time";

const OWED_AGAIN: f64 = 0.6;
const OWED_NEW: f64 = 0.8;

pub(crate) async fn measure(
    bench: &Bench,
    gate: &Portcullis,
    findings: &mut Findings,
) -> Result<()> {
    let (server, _) = gate.start().await?;
    let token = access_token(server.address).await?;
    let forge = Arc::new(forge::open(&bench.data(), &token).await?);
    let checking = checking(bench, &forge).await?;

    let mut rows = rows(bench, (&server, &checking), &forge, &token);
    let mut loops = Vec::new();
    for number in 1..=bench.rounds() {
        round(bench, number, &mut rows).await?;
        say(&format!("Round {number}: bare signature checks in a loop"));
        loops.push(check::measured(&bench.server_core(), &bench.own, bench.span()).await?);
    }
    findings.figures.extend(ratio(&rows, AGAIN, BARE, OWED_AGAIN));
    findings.figures.extend(ratio(&rows, NEW, CHECKING, OWED_NEW));
    if let Some(new) = rows.iter().find(|row| row.load.name == NEW) {
        let value = new.median().per_cpu_second / middle(&loops);
        let name = format!("{NEW} ÷ bare Ed25519 checks in a loop");
        findings.figures.push(Figure::at_least(&name, value, 0.0).without_a_bound());
    }
    let memory = memory_mb(server.pid)?;
    let name = "memory with as many access tokens as are remembered";
    findings.figures.push(Figure::told(name, memory));
    findings.rows.append(&mut rows);
    checking.stop().await?;
    server.stop().await?;
    let lines = move |number| Ok(forge::line(&bad::token(&forge, number)?));
    crate::bad::measure(gate, ("access tokens", ME), Rc::new(lines), findings).await
}

/// What is asked in turns.
fn rows(
    bench: &Bench,
    (server, checking): (&Server, &Server),
    forge: &Arc<Forge>,
    token: &str,
) -> Vec<Row> {
    let line = forge::line(token);
    let another = |load: Load| Load { script: Script::Tokens(Arc::clone(forge)), ..load };
    vec![
        Row::of(Load::get(BARE, &bench.bare, "/", &line)),
        Row::of(Load::checked(AGAIN, server, ME, (&line, ""))),
        Row::of(another(Load::checked(CHECKING, checking, ME, (&line, "")))),
        Row::of(another(Load::checked(NEW, server, ME, (&line, "")))),
    ]
}

/// A yardstick that lets in whatever the key has signed.
async fn checking(bench: &Bench, forge: &Forge) -> Result<Server> {
    // A key may begin with a dash.
    let key = format!("--key={}", forge.public_key());
    Server::start(&bench.server_core(), &bench.own, &["yardstick", &key]).await
}
