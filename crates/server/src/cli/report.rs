//! `portcullis report`: the security report in the words of the operator, as a table, JSON, CSV or a
//! page in one file. What is in it is the flow's (`flows::report`).

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use portcullis_domain::report::{Concern, Period, Report};
use serde_json::json;

use super::open::{self, Opened};
use super::output::{self, Output};
use super::{Common, DONE, audit};
use crate::flows::report;
use crate::live_limits::LiveLimits;
use crate::web::report::file;

/// `portcullis report`
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    /// The first day of the period, or its first moment (RFC 3339). Without it, 30 days.
    #[arg(long, value_name = "DAY")]
    from: Option<String>,
    /// The last day of the period, which is in it, or the first moment that is not. Without it, today.
    #[arg(long, value_name = "DAY")]
    to: Option<String>,
    /// How the report is written. Without it, as tables for people.
    #[arg(long)]
    format: Option<Format>,
    /// The file that it is written to, readable by its owner alone.
    #[arg(long, value_name = "FILE", requires = "format")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// As the API gives it.
    Json,
    /// One figure a line.
    Csv,
    /// A page that needs nothing but a browser.
    Html,
}

/// Runs the command.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    let format = args.format.or(args.common.json.then_some(Format::Json));
    open::with(open::load(&args.common.config)?, async |on| {
        let now = on.clock.now();
        let period = match Period::parse(args.from.as_deref(), args.to.as_deref(), now) {
            Ok(period) => period,
            Err(fault) => {
                let sentence = format!("--{} {}.", fault.field(), fault.detail());
                return Ok(output.misused(fault.code(), &sentence));
            }
        };
        let report = made(on, period).await?;
        let Some(format) = format else {
            output::print(&for_people(&report))?;
            return Ok(ExitCode::from(DONE));
        };
        let text = written(&report, format, on)?;
        let Some(path) = &args.out else {
            output::print(text.trim_end())?;
            return Ok(ExitCode::from(DONE));
        };
        save(path, &text).with_context(|| format!("cannot write {}", path.display()))?;
        let told = json!({"file": path, "period": report.period});
        output.done(&told, &format!("The report is in {}.", path.display()))
    })
    .await
}

async fn made(on: &Opened, period: Period) -> anyhow::Result<Report> {
    let limits = LiveLimits::new(on.config.limits.configured);
    limits.refresh(&on.db).await?;
    let (lockout, now) = (limits.in_force().lockout, on.clock.now());
    if let Err(error) = audit::log_of(on).await {
        tracing::warn!(
            error = error.as_ref() as &dyn std::error::Error,
            "events wait for their place"
        );
    }
    Ok(report::count(&on.db, report::Asked { period, lockout, node: None, now }).await?)
}

fn written(report: &Report, format: Format, on: &Opened) -> anyhow::Result<String> {
    Ok(match format {
        Format::Json => serde_json::to_string(report)?,
        Format::Csv => report.csv(),
        Format::Html => file(report, &server_of(on))?,
    })
}

/// The address that people type, as far as it is known without a server.
fn server_of(on: &Opened) -> String {
    on.config.server.public_url_at(on.config.server.listen).to_string()
}

/// Whoever reads it knows who was attacked, and how things stand.
fn save(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The figures, and what asks for attention.
fn for_people(report: &Report) -> String {
    let (period, before) = (&report.period, &report.previous.period);
    let earlier = report.previous.figures.named().into_iter().zip(report.previous.change.named());
    let figures = report.figures.named().into_iter().zip(earlier);
    let figures = figures.map(|((name, value), ((_, before), (_, change)))| {
        [name.to_owned(), value.to_string(), before.to_string(), signed(change)]
    });
    let asks = report.posture.iter().filter(|line| line.severity != Concern::Ok);
    let asks = asks.map(|line| {
        let more = if line.at_least { " or more" } else { "" };
        let severity = line.severity.word().to_owned();
        [severity, format!("{}{more}", line.count), line.title.to_owned()]
    });
    let figures = output::table(["Figure", "Period", "Before", "Change"], figures);
    let asks = output::table(["Severity", "Count", "What"], asks);
    format!(
        "{} to {} (UTC), beside {} to {}\n{figures}\n\nHow things stand now\n{asks}",
        period.from, period.to, before.from, before.to
    )
}

fn signed(change: i64) -> String {
    if change == 0 { "0".to_owned() } else { format!("{change:+}") }
}
