//! The scanner on real files: a full check beside a bare loop that reads and hashes the same files and
//! beside AIDE, and how much memory it takes. Each is a program of its own, on both cores.

pub(crate) mod job;
mod peers;
mod tree;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use crate::process::pinned;
use crate::report::{Figure, Findings, middle};
use crate::run::{Bench, say};
use job::Told;

const OWED_OF_BARE: f64 = 0.9;
const OWED_MB: f64 = 100.0;
const OWED_MILLION_MB: f64 = 200.0;

/// The trees, and what was recorded of them. They are kept for the next run.
struct Trees {
    /// Holds `real` and `wide`.
    all: PathBuf,
    /// Real files.
    real: PathBuf,
    /// The names of all files, for the bare loop.
    list: PathBuf,
    folder: PathBuf,
}

pub(crate) async fn measure(bench: &Bench, findings: &mut Findings) -> Result<()> {
    let folder = bench.kept("files");
    if !folder.exists() {
        say("Copying files of this machine, to be kept");
        tree::real(&folder)?;
    }
    // AIDE wants whole paths.
    let folder = folder.canonicalize()?;
    let trees = Trees {
        all: folder.join("tree"),
        real: folder.join("tree/real"),
        list: folder.join("list"),
        folder,
    };
    let ours = full(bench, &trees, findings).await?;
    peers::measure(bench, &trees, &ours, findings).await?;
    million(bench, findings).await
}

/// Seconds of a full check.
struct Ours {
    all: f64,
    real: f64,
}

/// The full check in turns with the bare loop.
async fn full(bench: &Bench, trees: &Trees, findings: &mut Findings) -> Result<Ours> {
    say("Recording baselines");
    let (all, real) = (trees.folder.join("all.manifest"), trees.folder.join("real.manifest"));
    run(bench, &["baseline", "--root"], [&trees.all, &all]).await?;
    run(bench, &["baseline", "--root"], [&trees.real, &real]).await?;
    let (mut bare, mut checks, mut reals) = (Vec::new(), Vec::new(), Vec::new());
    let mut peak = 0.0_f64;
    let mut seen = Told::default();
    for number in 1..=bench.rounds() {
        say(&format!("Round {number}: a bare loop over files, and full checks"));
        bare.push(run(bench, &["bare", "--root"], [&trees.all, &trees.list]).await?.0);
        let (seconds, told) = run(bench, &["check", "--root"], [&trees.all, &all]).await?;
        checks.push(seconds);
        peak = peak.max(told.peak_mb);
        seen = told;
        reals.push(run(bench, &["check", "--root"], [&trees.real, &real]).await?.0);
    }
    let ours = Ours { all: middle(&checks), real: middle(&reals) };
    findings.figures.extend([
        Figure::amount("files and folders of the tree", seen.names, ""),
        Figure::amount("bytes of them", seen.bytes / 1e6, "MB"),
        Figure::amount("the bare loop", middle(&bare), "s"),
        Figure::amount("a full check", ours.all, "s"),
        Figure::at_least("full check ÷ bare loop", middle(&bare) / ours.all, OWED_OF_BARE),
        Figure::below("the most memory of a full check", peak, OWED_MB, "MB"),
    ]);
    Ok(ours)
}

/// A million small files.
async fn million(bench: &Bench, findings: &mut Findings) -> Result<()> {
    let files = bench.options.files;
    let folder = bench.kept(&format!("files-{files}"));
    let root = folder.join("tree");
    if !folder.exists() {
        say(&format!("Making {files} small files, to be kept"));
        tree::small(&root, files)?;
    }
    let manifest = folder.join("manifest");
    say(&format!("Checking {files} small files"));
    run(bench, &["baseline", "--root"], [&root, &manifest]).await?;
    let (seconds, told) = run(bench, &["check", "--root"], [&root, &manifest]).await?;
    let name = format!("the most memory of a full check of {files} small files");
    findings.figures.extend([
        Figure::amount(&format!("a full check of {files} small files"), seconds, "s"),
        Figure::below(&name, told.peak_mb, OWED_MILLION_MB, "MB"),
    ]);
    Ok(())
}

/// Runs one of our own jobs on both cores: its seconds, and what it told.
async fn run(bench: &Bench, job: &[&str], paths: [&Path; 2]) -> Result<(f64, Told)> {
    let mut command = pinned(&bench.both_cores(), &bench.own);
    let [root, file] = paths;
    command.arg("files").args(job).arg(root).arg("--file").arg(file);
    let (seconds, output) = timed(command).await?;
    let told = serde_json::from_slice(&output).context("what a job told")?;
    Ok((seconds, Told::of(&told)?))
}

/// Runs a program to its end: its seconds, and what it printed. It must end well.
async fn timed(command: Command) -> Result<(f64, Vec<u8>)> {
    let (seconds, output) = timed_anyway(command).await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok((seconds, output.stdout))
}

/// The same for one that may tell something by how it ends.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
async fn timed_anyway(mut command: Command) -> Result<(f64, std::process::Output)> {
    let started = Instant::now();
    let output = command.output().await?;
    Ok((started.elapsed().as_secs_f64(), output))
}
