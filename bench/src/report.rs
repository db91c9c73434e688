//! The figures as tables: on the terminal, and as the Markdown page of the handbook.

mod figure;
mod page;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::load::{self, Figures, Load};
use crate::pace;

pub(crate) use figure::Figure;

/// One case and what its rounds gave.
pub(crate) struct Row {
    pub(crate) load: Load,
    pub(crate) rounds: Vec<Figures>,
    /// Requests a second, where they did not go as fast as they could.
    pace: Option<u32>,
}

/// Everything that was measured in one run.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) rows: Vec<Row>,
    /// Bare hashes per CPU second, one a round.
    pub(crate) hashes: Vec<f64>,
    pub(crate) figures: Vec<Figure>,
    /// Peers that are not installed.
    pub(crate) missing: Vec<&'static str>,
}

impl Row {
    /// A case that is measured as fast as it goes.
    pub(crate) fn of(load: Load) -> Self {
        Self { load, rounds: Vec::new(), pace: None }
    }

    /// A case that is measured at a fixed rate.
    pub(crate) fn paced(load: Load, per_second: u32) -> Self {
        Self { pace: Some(per_second), ..Self::of(load) }
    }

    /// The round in the middle; at a fixed rate, the middle of each latency.
    pub(crate) fn median(&self) -> Figures {
        let mut median = load::median(self.rounds.clone());
        if self.pace.is_some() {
            median.p50 = pace::middle(&self.rounds, |round| round.p50);
            median.p99 = pace::middle(&self.rounds, |round| round.p99);
        }
        median
    }
}

/// One case against another by answers per CPU second; nothing where one was not measured.
pub(crate) fn ratio(rows: &[Row], case: &str, against: &str, least: f64) -> Option<Figure> {
    let rate = |name: &str| {
        let row = rows.iter().find(|row| row.load.name == name)?;
        Some(row.median().per_cpu_second)
    };
    let value = rate(case)? / rate(against)?;
    Some(Figure::at_least(&format!("{case} ÷ {against}"), value, least))
}

/// The tables on the terminal.
#[expect(clippy::print_stdout, reason = "a program for the terminal")]
pub(crate) fn print(findings: &Findings) {
    println!("\n{}", tables(findings));
}

/// The page.
#[expect(clippy::print_stdout, reason = "a program for the terminal")]
pub(crate) fn write(file: &Path, findings: &Findings) -> Result<()> {
    let page = format!("{}\n{}", page::preface()?, tables(findings));
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(file, page).with_context(|| file.display().to_string())?;
    println!("Written to {}.", file.display());
    Ok(())
}

pub(crate) fn middle(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn tables(findings: &Findings) -> String {
    let mut lines = vec![
        "| case | load | answers per CPU second | per second | p50 ms | p99 ms |".to_owned(),
        "|---|--:|--:|--:|--:|--:|".to_owned(),
    ];
    lines.extend(findings.rows.iter().map(rates));
    lines.extend(findings.missing.iter().map(|peer| format!("| {peer} | not installed | | | | |")));
    if !findings.hashes.is_empty() {
        let hashes = middle(&findings.hashes);
        lines.push(format!("| {} | – | {hashes:.1} | – | – | – |", page::HASH));
    }
    lines.push(String::new());
    lines.push("| figure | measured | owed | |".to_owned());
    lines.push("|---|--:|--:|---|".to_owned());
    lines.extend(findings.figures.iter().map(Figure::line));
    lines.join("\n") + "\n"
}

fn rates(row: &Row) -> String {
    let Figures { per_cpu_second, per_second, p50, p99 } = row.median();
    let (load, per_cpu) = match row.pace {
        Some(pace) => (format!("{pace} a second"), "–".to_owned()),
        None => (format!("{} connections", row.load.connections), format!("{per_cpu_second:.0}")),
    };
    let (name, p50, p99) = (row.load.name, millis(p50), millis(p99));
    format!("| {name} | {load} | {per_cpu} | {per_second:.0} | {p50:.2} | {p99:.2} |")
}
