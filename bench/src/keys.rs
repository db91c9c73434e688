//! API keys: one that is sent again and again, and a million that nobody has.

use std::rc::Rc;

use anyhow::Result;

use crate::bad;
use crate::forward_auth::{ASKED, DECIDE};
use crate::http::request;
use crate::load::Load;
use crate::million::secret_text;
use crate::portcullis::Portcullis;
use crate::process::Server;
use crate::report::{Findings, Row, ratio};
use crate::run::{Bench, round};

const BARE: &str = "bare handler, asked with an API key";
const KEY: &str = "forward-auth, API key";
const OWED: f64 = 0.6;

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
    let lines = |number| Ok(format!("{}{ASKED}", nobodys(number)));
    bad::measure(gate, ("API keys", DECIDE), Rc::new(lines), findings).await
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

/// The header line of a request with this key.
fn line(key: &str) -> String {
    format!("x-api-key: {key}\r\n")
}

/// That of a key as it should be, which nobody has.
fn nobodys(number: u64) -> String {
    line(&format!("sk_{}", secret_text(number)))
}
