//! The index of breached passwords: building it, looking passwords up in it, in turns with SQLite on the same
//! data, and what it costs a server. Each is a program of its own, so that its memory can be told.

pub(crate) mod job;
mod server;
mod sqlite;

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use self::server::{PASSWORDS, PREFIXES, Servers};
use crate::portcullis::Portcullis;
use crate::process::pinned;
use crate::report::{Figure, Findings, middle};
use crate::run::{Bench, say};

const OWED_MILLIONS: f64 = 3.0;
const OWED_MICROSECONDS: f64 = 1.0;
const OWED_OF_SQLITE: f64 = 10.0;
const OWED_MB: f64 = 10.0;
const OWED_BYTES: f64 = 6.5;

pub(crate) async fn measure(
    bench: &Bench,
    gate: &Portcullis,
    findings: &mut Findings,
) -> Result<()> {
    let hashes = bench.options.hashes;
    let folder = bench.kept(&format!("breach-{hashes}"));
    std::fs::create_dir_all(&folder)?;
    say(&format!("Making {hashes} hashes"));
    run(bench, "hashes", &folder).await?;
    let (mut rates, mut bytes) = (Vec::new(), 0.0);
    for number in 1..=bench.rounds() {
        say(&format!("Round {number}: building an index"));
        let told = run(bench, "build", &folder).await?;
        rates.push(self::number(&told, "lines")? / self::number(&told, "seconds")? / 1e6);
        bytes = self::number(&told, "bytes")? / self::number(&told, "entries")?;
    }
    if !folder.join(sqlite::FILE).exists() {
        say("Making a database of the same hashes, to be kept");
        run(bench, "database", &folder).await?;
    }
    std::fs::remove_file(folder.join(job::TEXT))?;
    let [mut ours, mut theirs, mut grown] = [(); 3].map(|()| Vec::new());
    for round in 1..=bench.rounds() {
        say(&format!("Round {round}: looking hashes up"));
        let told = run(bench, "look-up", &folder).await?;
        ours.push(number(&told, "median_ns")? / 1e3);
        grown.push(number(&told, "grown_mb")?);
        let told = run(bench, "ask-sqlite", &folder).await?;
        theirs.push(number(&told, "median_ns")? / 1e3);
    }
    let (ours, theirs) = (middle(&ours), middle(&theirs));
    let built = format!("million hashes a second, an index of {hashes} being built");
    findings.figures.extend([
        Figure::at_least(&built, middle(&rates), OWED_MILLIONS),
        Figure::below("bytes an entry of the index", bytes, OWED_BYTES, "bytes"),
        Figure::below("a hash looked up in the index, p50", ours, OWED_MICROSECONDS, "µs"),
        Figure::amount("the same in SQLite, p50", theirs, "µs"),
        Figure::at_least("SQLite ÷ the index", theirs / ours, OWED_OF_SQLITE),
        Figure::below(
            "what memory of the process grew by, looking a million up",
            middle(&grown),
            OWED_MB,
            "MB",
        ),
    ]);
    findings.figures.extend(in_a_server(bench, gate, &folder.join(job::INDEX)).await?);
    Ok(())
}

/// What the server itself grows by.
async fn in_a_server(bench: &Bench, gate: &Portcullis, index: &Path) -> Result<[Figure; 2]> {
    let servers = Servers::of(gate, bench, index)?;
    let (mut bare, mut grown) = (Vec::new(), Vec::new());
    for round in 1..=bench.rounds() {
        say(&format!("Round {round}: asking a server without the index, and one with it"));
        let memory = servers.measure().await?;
        bare.push(memory.without);
        grown.push(memory.with - memory.without);
    }
    let asked = format!("{PREFIXES} prefixes and {PASSWORDS} passwords");
    let (bare, grown) = (middle(&bare), middle(&grown));
    Ok([
        Figure::told(&format!("a server without an index, asked for {asked}"), bare),
        Figure::below(
            "what a server with the index has more, asked the same",
            grown,
            OWED_MB,
            "MB",
        ),
    ])
}

/// Does one job on one core, and reads what it told.
async fn run(bench: &Bench, job: &str, folder: &Path) -> Result<Value> {
    let mut command = pinned(&bench.server_core(), &bench.own);
    command.args(["breach", job, "--hashes", &bench.options.hashes.to_string()]);
    let output = command.arg("--folder").arg(folder).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("what a job told")
}

fn number(told: &Value, name: &str) -> Result<f64> {
    told.get(name).and_then(Value::as_f64).with_context(|| format!("a number {name}"))
}
