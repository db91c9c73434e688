//! What is measured, each as a process of its own. The hashes are no hashes of anything, but as even.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use portcullis_breach::build::{Options as Source, build};
use portcullis_breach::{Index, Progress, Sha1};
use serde_json::{Value, json};

use super::sqlite;
use crate::process::memory_mb;

/// The file with the hashes, as they are published.
pub(super) const TEXT: &str = "hashes.txt";
/// The index of them.
pub(super) const INDEX: &str = "index";
/// Hashes that are looked up in one round; every other one is there.
const ASKED: u64 = 1_000_000;

#[derive(Args)]
pub(crate) struct Options {
    job: Job,
    #[arg(long)]
    folder: PathBuf,
    #[arg(long)]
    hashes: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Job {
    /// Writes the hashes.
    Hashes,
    /// Builds an index of them.
    Build,
    /// Looks hashes up in it.
    LookUp,
    /// Makes a database of them.
    Database,
    /// Looks hashes up in that.
    AskSqlite,
}

/// Does a job, and prints what there is to tell of it.
#[expect(clippy::print_stdout, reason = "the line that the benchmark reads")]
pub(crate) fn run(options: &Options) -> Result<()> {
    let Options { job, folder, hashes } = options;
    let told = match job {
        Job::Hashes => write(&folder.join(TEXT), *hashes)?,
        Job::Build => made(folder)?,
        Job::LookUp => looked_up(folder, *hashes)?,
        Job::Database => sqlite::make(folder, sorted(*hashes).into_iter().map(whole))?,
        Job::AskSqlite => {
            let mut ask = sqlite::open(folder)?;
            median(*hashes, |hash| ask.is_there(hash))?
        }
    };
    println!("{told}");
    Ok(())
}

fn write(path: &Path, hashes: u64) -> Result<Value> {
    let mut to = BufWriter::with_capacity(1 << 20, File::create(path)?);
    for first in sorted(hashes) {
        let [a, b, c] = parts(first);
        writeln!(to, "{a:016X}{b:016X}{c:08X}:{}\r", c % 30 + 1)?;
    }
    to.into_inner()?.sync_all()?;
    Ok(json!({}))
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn made(folder: &Path) -> Result<Value> {
    let to = folder.join(INDEX);
    let source = Source {
        from: folder.join(TEXT),
        to: to.clone(),
        min_count: 1,
        date: None,
        keep_every: Source::KEEP_EVERY,
    };
    let started = Instant::now();
    let built = build(&source, &Progress::default())?;
    let lines = built.lines;
    let head = built.publish(None)?;
    let seconds = started.elapsed().as_secs_f64();
    let bytes = fs::metadata(to)?.len();
    Ok(json!({ "lines": lines, "seconds": seconds, "bytes": bytes, "entries": head.entries }))
}

fn looked_up(folder: &Path, hashes: u64) -> Result<Value> {
    let before = memory_mb(std::process::id())?;
    let index = Index::open(&folder.join(INDEX))?;
    let mut told = median(hashes, |hash| Ok(index.lookup(&Sha1::from_bytes(*hash))?.is_some()))?;
    if let Some(told) = told.as_object_mut() {
        let grown = memory_mb(std::process::id())? - before;
        told.insert("grown_mb".to_owned(), json!(grown));
    }
    Ok(told)
}

/// The median time of an answer, after as many have been given that nobody measured.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn median(hashes: u64, mut is_there: impl FnMut(&[u8; 20]) -> Result<bool>) -> Result<Value> {
    let mut times = Vec::with_capacity(usize::try_from(ASKED)?);
    for measured in [false, true] {
        for number in 0..ASKED {
            // Anywhere among them; those with an odd number are none of them.
            let chosen = mixed(number ^ 0x5EED) % hashes;
            let first = mixed(chosen) ^ ((number % 2) << 32);
            let hash = whole(first);
            let started = Instant::now();
            let found = is_there(&hash)?;
            let time = u64::try_from(started.elapsed().as_nanos())?;
            ensure!(found == number.is_multiple_of(2), "a wrong answer");
            if measured {
                times.push(time);
            }
        }
    }
    let middle = times.len() / 2;
    let (_, median, _) = times.select_nth_unstable(middle);
    Ok(json!({ "median_ns": *median }))
}

/// The first 64 bits of so many hashes, in order.
fn sorted(hashes: u64) -> Vec<u64> {
    let mut all: Vec<u64> = (0..hashes).map(mixed).collect();
    all.sort_unstable();
    all
}

/// No two numbers become one (Vigna's splitmix64).
pub(super) fn mixed(number: u64) -> u64 {
    let mut bits = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// A hash of 20 bytes that begins with these bits.
fn parts(first: u64) -> [u64; 3] {
    let second = mixed(first);
    [first, second, second >> 32]
}

fn whole(first: u64) -> [u8; 20] {
    let [first, second, third] = parts(first).map(u64::to_be_bytes);
    let mut hash = [0; 20];
    let bytes = first.into_iter().chain(second).chain(third.into_iter().skip(4));
    hash.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    hash
}
