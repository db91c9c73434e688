//! The figures as a table: on the terminal, and as the Markdown page of the handbook.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::load::{Figures, Load, median};
use crate::process::machine;

pub(crate) const BARE: &str = "bare handler";
pub(crate) const SAME_HEADERS: &str = "bare handler, same headers and body";
pub(crate) const COOKIE: &str = "cookie check, cached";
pub(crate) const TOKEN: &str = "token check, cached";
pub(crate) const ISSUE: &str = "CSRF token issued";
pub(crate) const POST: &str = "POST with a one-time token, through the gate";
pub(crate) const SIGN_IN: &str = "sign-in";

/// One case and what its rounds gave.
pub(crate) struct Row {
    pub(crate) load: Load,
    pub(crate) rounds: Vec<Figures>,
}

/// Everything that was measured in one run.
pub(crate) struct Findings {
    pub(crate) rows: Vec<Row>,
    /// Bare hashes per CPU second, one a round.
    pub(crate) hashes: Vec<f64>,
    /// From start to the first 200 of `/readyz`, on a database that exists.
    pub(crate) start: Duration,
    /// MB resident before the first sign-in, and after the last round.
    pub(crate) memory: f64,
    pub(crate) loaded_memory: f64,
}

/// What is owed: a case, the case it is held against, and the least ratio.
const OWED: [(&str, &str, f64); 6] = [
    (COOKIE, BARE, 0.6),
    (COOKIE, SAME_HEADERS, 0.8),
    (TOKEN, BARE, 0.6),
    (TOKEN, SAME_HEADERS, 0.8),
    (ISSUE, BARE, 0.5),
    (POST, BARE, 0.15),
];
const OWED_SIGN_IN: f64 = 0.9;
const OWED_MEMORY_MB: f64 = 25.0;
const OWED_START_MS: f64 = 150.0;

/// Prints the tables and writes the page.
#[expect(clippy::print_stdout, reason = "a program for the terminal")]
pub(crate) fn write(file: &Path, findings: &Findings) -> Result<()> {
    let tables = format!("{}\n{}", rates(findings), ratios(findings));
    println!("\n{tables}");
    let page = format!("{}\n{tables}", preface()?);
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(file, page).with_context(|| file.display().to_string())?;
    println!("Written to {}.", file.display());
    Ok(())
}

fn preface() -> Result<String> {
    Ok(format!(
        "# Benchmarks\n\n\
         Written by `make bench`; run it to get the figures of your machine.\n\n\
         Machine: {}. Portcullis {}, release profile, SQLite with `synchronous = FULL`, limits off.\n\n\
         Every server runs pinned to one core, the load generator and the application behind the \
         gate on another. All cases take turns in one run; a row is the round in the middle. What \
         counts is answers per second of the server's own CPU time (user and system), because that \
         holds on a shared machine; the ratios hold from one machine to the next. The bare handler \
         is axum on one thread; its second form repeats one recorded answer of `GET /api/auth/me`.\n",
        machine()?,
        env!("CARGO_PKG_VERSION"),
    ))
}

fn rates(findings: &Findings) -> String {
    let mut lines = vec![
        "| case | connections | answers per CPU second | per second | p50 ms | p99 ms |".to_owned(),
        "|---|--:|--:|--:|--:|--:|".to_owned(),
    ];
    for row in &findings.rows {
        let Figures { per_cpu_second, per_second, p50, p99 } = median(row.rounds.clone());
        lines.push(format!(
            "| {} | {} | {per_cpu_second:.0} | {per_second:.0} | {:.2} | {:.2} |",
            row.load.name,
            row.load.connections,
            millis(p50),
            millis(p99)
        ));
    }
    let hashes = middle(&findings.hashes);
    lines.push(format!(
        "| bare argon2id (19456 KiB, 2 passes, 1 lane) | – | {hashes:.1} | – | – | – |"
    ));
    lines.join("\n") + "\n"
}

fn ratios(findings: &Findings) -> String {
    let mut lines =
        vec!["| figure | measured | owed | |".to_owned(), "|---|--:|--:|---|".to_owned()];
    for (case, against, least) in OWED {
        let ratio = rate(findings, case) / rate(findings, against);
        let figure = format!("{case} ÷ {against}");
        lines.push(line(&figure, &format!("{ratio:.2}"), &format!("≥ {least}"), ratio >= least));
    }
    let ratio = rate(findings, SIGN_IN) / middle(&findings.hashes);
    let figure = "sign-ins ÷ bare argon2id";
    let (shown, owed) = (format!("{ratio:.2}"), format!("≥ {OWED_SIGN_IN}"));
    lines.push(line(figure, &shown, &owed, ratio >= OWED_SIGN_IN));
    let (memory, owed) = (findings.memory, format!("< {OWED_MEMORY_MB} MB"));
    let figure = "memory before the first sign-in";
    lines.push(line(figure, &format!("{memory:.1} MB"), &owed, memory < OWED_MEMORY_MB));
    let (start, owed) = (millis(findings.start), format!("< {OWED_START_MS} ms"));
    let figure = "from start to the first answer, on an existing database";
    lines.push(line(figure, &format!("{start:.0} ms"), &owed, start < OWED_START_MS));
    lines.push(format!("| memory after the last round | {:.1} MB | – | |", findings.loaded_memory));
    lines.join("\n") + "\n"
}

fn line(figure: &str, measured: &str, owed: &str, met: bool) -> String {
    let verdict = if met { "met" } else { "**not met**" };
    format!("| {figure} | {measured} | {owed} | {verdict} |")
}

fn rate(findings: &Findings, name: &str) -> f64 {
    let row = findings.rows.iter().find(|row| row.load.name == name);
    row.map_or(f64::NAN, |row| median(row.rounds.clone()).per_cpu_second)
}

fn middle(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
