//! What is measured, each as a process of its own: the bare loop, recording a baseline, and checking
//! against it.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Seek as _, SeekFrom, Write as _};
use std::num::NonZero;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, ensure};
use aws_lc_rs::digest::{Context, SHA256};
use clap::{Args, ValueEnum};
use portcullis_integrity::manifest::{Body, Manifest, write};
use portcullis_integrity::{
    Comparison, Exclude, FileSystems, Limits, Plan, Progress, Quick, Scope, Seen, scan,
    scan_quickly,
};
use serde_json::{Value, json};

use crate::process::peak_mb;

const THREADS: NonZero<usize> = NonZero::new(2).unwrap();
const STEP: usize = 128 * 1024;
const MAX_BYTES: u64 = 1 << 30;

#[derive(Args)]
pub(crate) struct Options {
    job: Job,
    /// What is scanned.
    #[arg(long)]
    root: PathBuf,
    /// The baseline; for the bare loop, the names of the files.
    #[arg(long)]
    file: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Job {
    /// Reads and hashes what it has the names of.
    Bare,
    /// Records a baseline.
    Baseline,
    /// Reads everything, and holds it against the baseline, which it must match.
    Check,
    /// The same, without reading what the last such job read and nobody changed.
    Quick,
}

/// What a job tells when it is done.
#[derive(Default)]
pub(super) struct Told {
    pub(super) names: f64,
    pub(super) bytes: f64,
    pub(super) peak_mb: f64,
    /// Of all its threads.
    pub(super) cpu_seconds: f64,
}

impl Told {
    pub(super) fn of(said: &Value) -> Result<Self> {
        let number = |name| said.get(name).and_then(Value::as_f64).context("a number");
        Ok(Self {
            names: number("names")?,
            bytes: number("bytes")?,
            peak_mb: number("peak_mb")?,
            cpu_seconds: number("cpu_seconds")?,
        })
    }
}

/// Does a job, and prints what there is to tell of it.
#[expect(clippy::print_stdout, reason = "the line that the benchmark reads")]
pub(crate) fn run(options: &Options) -> Result<()> {
    let Options { job, root, file } = options;
    let (names, bytes) = match job {
        Job::Bare => bare(file)?,
        Job::Baseline => baseline(root, file)?,
        Job::Check => check(root, file)?,
        Job::Quick => quick(root, file)?,
    };
    let (peak, cpu) = (peak_mb(std::process::id())?, own_cpu_seconds());
    let told = json!({ "names": names, "bytes": bytes, "peak_mb": peak, "cpu_seconds": cpu });
    println!("{told}");
    Ok(())
}

/// User and system time of this process; `/proc` tells hundredths, which is too little here.
fn own_cpu_seconds() -> f64 {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(spent).unwrap_or_default().as_secs_f64()
}

/// Every thread takes the next name, opens it, reads it and hashes it.
fn bare(list: &Path) -> Result<(u64, u64)> {
    let list = fs::read(list)?;
    let names: Vec<&Path> = list
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .map(|name| Path::new(std::ffi::OsStr::from_bytes(name)))
        .collect();
    let (next, bytes) = (AtomicUsize::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        let threads: Vec<_> =
            (0..THREADS.get()).map(|_| scope.spawn(|| hash(&names, &next, &bytes))).collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(done) => done,
            Err(_) => anyhow::bail!("a thread of the bare loop broke off"),
        })
    })?;
    Ok((u64::try_from(names.len())?, bytes.into_inner()))
}

fn hash(names: &[&Path], next: &AtomicUsize, bytes: &AtomicU64) -> Result<()> {
    let (mut buffer, mut sum) = (vec![0; STEP], 0_u8);
    while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
        let mut file = File::open(name)?;
        let mut context = Context::new(&SHA256);
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            context.update(buffer.get(..count).unwrap_or_default());
            bytes.fetch_add(u64::try_from(count)?, Ordering::Relaxed);
        }
        sum ^= context.finish().as_ref().first().copied().unwrap_or_default();
    }
    std::hint::black_box(sum);
    Ok(())
}

fn baseline(root: &Path, file: &Path) -> Result<(u64, u64)> {
    let body = file.with_extension("lines");
    let mut lines =
        Body::new(BufWriter::new(File::create_new(&body).or_else(|_| File::create(&body))?));
    let progress = Progress::default();
    let mut fault = None;
    scan(&plan(root), &progress, |seen| match seen {
        Seen::Is(entry, ..) => fault = fault.take().or(lines.push(&entry).err()),
        Seen::Unverifiable { .. } | Seen::Closed { .. } => {}
    })?;
    if let Some(fault) = fault {
        return Err(fault.into());
    }
    let (written, head) = lines.finish("bench", 1, None);
    written.into_inner()?.sync_all()?;
    let mut to = BufWriter::new(File::create(file)?);
    let mut from = File::open(&body)?;
    from.seek(SeekFrom::Start(0))?;
    write(&mut to, &head, &mut from)?;
    to.flush()?;
    fs::remove_file(body)?;
    Ok((progress.names(), progress.bytes()))
}

fn check(root: &Path, file: &Path) -> Result<(u64, u64)> {
    let manifest = Manifest::open(BufReader::with_capacity(STEP, File::open(file)?))?;
    let mut comparison = Comparison::begin(manifest.lines, root);
    let progress = Progress::default();
    let mut fault = None;
    scan(&plan(root), &progress, |seen| fault = fault.take().or(comparison.seen(seen).err()))?;
    if let Some(fault) = fault {
        return Err(fault.into());
    }
    let compared = comparison.finish()?;
    ensure!(compared.findings.is_empty(), "the tree is not as it was recorded");
    Ok((progress.names(), progress.bytes()))
}

/// What it keeps lies beside the manifest.
#[expect(clippy::disallowed_methods, reason = "the files have the times of the real clock")]
fn quick(root: &Path, file: &Path) -> Result<(u64, u64)> {
    let manifest = Manifest::open(BufReader::new(File::open(file)?))?;
    let mut comparison = Comparison::begin(manifest.lines, root);
    let (known, next) = (file.with_extension("known"), file.with_extension("next"));
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let from: Box<dyn Read + Send> = match File::open(&known) {
        Ok(known) => Box::new(BufReader::new(known)),
        Err(_) => Box::new(std::io::empty()),
    };
    let quick = Quick {
        known: from,
        keep: BufWriter::new(File::create(&next)?),
        key: &[7; 32],
        now: i64::try_from(since.as_millis())?,
        era: "bench",
        always: &|_, _| false,
        // None is due while it is measured.
        within: Duration::MAX,
        file_systems: FileSystems::Any,
    };
    let progress = Progress::default();
    let mut fault = None;
    let coverage = scan_quickly(&plan(root), quick, &progress, |seen| {
        fault = fault.take().or(comparison.seen(seen).err());
    })?;
    if let Some(fault) = fault {
        return Err(fault.into());
    }
    ensure!(comparison.finish()?.findings.is_empty(), "the tree is not as it was recorded");
    coverage.kept?;
    fs::rename(next, known)?;
    Ok((progress.names(), progress.bytes()))
}

fn plan(root: &Path) -> Plan {
    Plan {
        root: root.to_owned(),
        exclude: Exclude::default(),
        scope: Scope::everything(),
        max_bytes: MAX_BYTES,
        threads: THREADS,
        limits: Limits::default(),
    }
}
