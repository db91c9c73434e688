//! Small answers of the application through the gate: how many, and what the gate adds to the time
//! that the application alone takes.

use anyhow::Result;

use crate::checks::BARE;
use crate::load::Load;
use crate::pace;
use crate::portcullis::Credentials;
use crate::process::Server;
use crate::report::{Figure, Findings, Row, millis, ratio};
use crate::run::{Bench, say};

const PAGE: &str = "/page";
const THROUGH: &str = "small answer through the gate";
const OWED: f64 = 0.4;

/// For the latencies: what one core answers without queues.
const PER_SECOND: u32 = 2000;
const DIRECT: &str = "small answer from the application itself";
const AT_PACE: &str = "small answer through the gate, at that pace";
const OWED_P50_MS: f64 = 0.3;
const OWED_P99_MS: f64 = 1.0;

pub(crate) fn row(server: &Server, who: &Credentials) -> Row {
    Row::of(through(THROUGH, server, who))
}

pub(crate) fn figures(rows: &[Row]) -> Vec<Figure> {
    ratio(rows, THROUGH, BARE, OWED).into_iter().collect()
}

/// The application alone and through the gate in turns, at a fixed rate.
pub(crate) async fn latency(
    bench: &Bench,
    server: &Server,
    who: &Credentials,
    findings: &mut Findings,
) -> Result<()> {
    let mut direct = Row::paced(Load::get(DIRECT, &bench.behind, PAGE, &who.cookie), PER_SECOND);
    let mut gate = Row::paced(through(AT_PACE, server, who), PER_SECOND);
    for number in 1..=bench.rounds() {
        say(&format!("Round {number}: what the gate adds to the time of an answer"));
        for row in [&mut direct, &mut gate] {
            row.rounds.push(pace::round(&row.load, PER_SECOND, bench.span()).await?);
        }
    }
    let (alone, through) = (direct.median(), gate.median());
    let p50 = millis(through.p50) - millis(alone.p50);
    let p99 = millis(through.p99) - millis(alone.p99);
    findings.figures.push(Figure::below("the gate adds, p50", p50, OWED_P50_MS, "ms"));
    findings.figures.push(Figure::below("the gate adds, p99", p99, OWED_P99_MS, "ms"));
    findings.rows.extend([direct, gate]);
    Ok(())
}

fn through(name: &'static str, server: &Server, who: &Credentials) -> Load {
    Load { text: Some("ok"), ..Load::checked(name, server, PAGE, (&who.cookie, "")) }
}
