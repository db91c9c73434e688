//! The scanner on real files: a full check beside a bare loop that reads and hashes the same files and
//! beside AIDE, and how much memory it takes. Each is a program of its own, on both cores.

pub(crate) mod job;
mod peers;
mod tree;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use crate::process::pinned;
use crate::report::{Figure, Findings, middle};
use crate::run::{Bench, say};
use job::Told;

const OWED_OF_BARE: f64 = 0.9;
const OWED_OF_FIND: f64 = 1.3;
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

/// What the rounds of one job took.
#[derive(Default)]
struct Rounds {
    seconds: Vec<f64>,
    cpu_seconds: Vec<f64>,
    last: Told,
}

impl Rounds {
    fn add(&mut self, (seconds, told): (f64, Told)) {
        self.seconds.push(seconds);
        self.cpu_seconds.push(told.cpu_seconds);
        self.last = told;
    }

    fn seconds(&self) -> f64 {
        middle(&self.seconds)
    }

    fn cpu_seconds(&self) -> f64 {
        middle(&self.cpu_seconds)
    }
}

/// Longer than the clock of a file system is in doubt.
const SETTLED: Duration = Duration::from_secs(3);

/// The full check in turns with the bare loop, and the quick one with `find`.
async fn full(bench: &Bench, trees: &Trees, findings: &mut Findings) -> Result<Ours> {
    say("Recording baselines");
    let (all, real) = (trees.folder.join("all.manifest"), trees.folder.join("real.manifest"));
    run(bench, "baseline", [&trees.all, &all]).await?;
    run(bench, "baseline", [&trees.real, &real]).await?;
    // It reads everything, and keeps what it read for the next; but what changed right before is not
    // known for good (the rules of the shortcut), and the copies may be new.
    tokio::time::sleep(SETTLED).await;
    run(bench, "quick", [&trees.all, &all]).await?;
    let [mut bare, mut check, mut on_real, mut quick] = [(); 4].map(|()| Rounds::default());
    let mut find = Vec::new();
    for number in 1..=bench.rounds() {
        say(&format!("Round {number}: a bare loop over files, and checks of them"));
        bare.add(run(bench, "bare", [&trees.all, &trees.list]).await?);
        check.add(run(bench, "check", [&trees.all, &all]).await?);
        on_real.add(run(bench, "check", [&trees.real, &real]).await?);
        find.push(timed(peers::find(bench, &trees.all)).await?.0);
        quick.add(run(bench, "quick", [&trees.all, &all]).await?);
        ensure!(quick.last.bytes < 1.0, "the quick check read files");
    }
    let find = middle(&find);
    let (spent, wall) =
        (bare.cpu_seconds() / check.cpu_seconds(), bare.seconds() / check.seconds());
    let of_find = quick.seconds() / find;
    findings.figures.extend([
        Figure::amount("files and folders of the tree", check.last.names, ""),
        Figure::amount("bytes in them", check.last.bytes / 1e6, "MB"),
        Figure::amount("the bare loop that reads and hashes them", bare.seconds(), "s"),
        Figure::amount("a full check", check.seconds(), "s"),
        Figure::at_least("the bare loop ÷ a full check, in CPU seconds", spent, OWED_OF_BARE),
        Figure::at_least("the bare loop ÷ a full check", wall, 0.0).without_a_bound(),
        Figure::below("the most memory of a full check", check.last.peak_mb, OWED_MB, "MB"),
        Figure::amount("find -printf", find, "s"),
        Figure::amount("a check that reads nothing", quick.seconds(), "s"),
        Figure::at_most("a check that reads nothing ÷ find -printf", of_find, OWED_OF_FIND),
    ]);
    Ok(Ours { all: check.seconds(), real: on_real.seconds() })
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
    run(bench, "baseline", [&root, &manifest]).await?;
    let (seconds, told) = run(bench, "check", [&root, &manifest]).await?;
    let name = format!("the most memory of a full check of {files} small files");
    findings.figures.extend([
        Figure::amount(&format!("a full check of {files} small files"), seconds, "s"),
        Figure::below(&name, told.peak_mb, OWED_MILLION_MB, "MB"),
    ]);
    Ok(())
}

/// Runs one of our own jobs on both cores: its seconds, and what it told.
async fn run(bench: &Bench, job: &str, paths: [&Path; 2]) -> Result<(f64, Told)> {
    let mut command = pinned(&bench.both_cores(), &bench.own);
    let [root, file] = paths;
    command.args(["files", job, "--root"]).arg(root).arg("--file").arg(file);
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
