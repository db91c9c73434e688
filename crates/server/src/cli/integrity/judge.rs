//! `integrity resolve`, `ignore` and `accept`: what is made of alerts. Only `accept` changes what ought to be
//! there.

use std::collections::BTreeSet;
use std::process::ExitCode;

use portcullis_domain::event::Context;
use portcullis_domain::integrity::alert::Resolution;
use portcullis_domain::time::Time;
use serde_json::json;

use super::text;
use crate::cli::open;
use crate::cli::output::{self, Output};
use crate::cli::{Common, DONE, REFUSED};
use crate::flows::integrity::Monitor;
use crate::flows::integrity::judge::{self, Act, Acted, Judged};

#[derive(clap::Args)]
pub(super) struct Resolve {
    #[command(flatten)]
    of: Of,
    /// How it came to be done: `reverted`, `false_positive` or `remediated`.
    #[arg(long, value_name = "WORD", value_parser = resolution)]
    resolution: Option<Resolution>,
    /// What is to be remembered of it.
    #[arg(long, value_name = "TEXT", value_parser = text)]
    note: Option<String>,
}

#[derive(clap::Args)]
pub(super) struct Ignore {
    #[command(flatten)]
    of: Of,
    /// For so many days.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=366))]
    days: i64,
    /// Why it is of no interest.
    #[arg(long, value_name = "TEXT", value_parser = text)]
    note: String,
}

#[derive(clap::Args)]
pub(super) struct Accept {
    #[command(flatten)]
    of: Of,
    /// Why it ought to be like that.
    #[arg(long, value_name = "TEXT", value_parser = text)]
    note: String,
}

#[derive(clap::Args)]
struct Of {
    #[command(flatten)]
    common: Common,
    /// The numbers of the alerts.
    #[arg(value_name = "ALERT", required = true)]
    alerts: Vec<i64>,
}

pub(super) async fn resolve(args: Resolve) -> anyhow::Result<ExitCode> {
    let note = args.note.unwrap_or_default();
    act(args.of, |_| Act::Resolve(args.resolution), &note).await
}

pub(super) async fn ignore(args: Ignore) -> anyhow::Result<ExitCode> {
    let until = |now: Time| Act::Ignore { until: Time(now.0 + args.days * 86_400_000) };
    act(args.of, until, &args.note).await
}

pub(super) async fn accept(args: Accept) -> anyhow::Result<ExitCode> {
    act(args.of, |_| Act::Resolve(Some(Resolution::Accepted)), &args.note).await
}

async fn act(of: Of, what: impl FnOnce(Time) -> Act, note: &str) -> anyhow::Result<ExitCode> {
    let output = Output::new(of.common.json);
    let ids: BTreeSet<i64> = of.alerts.into_iter().collect();
    let ids: Vec<i64> = ids.into_iter().collect();
    open::with(open::load(&of.common.config)?, async |on| {
        let context = Context::default();
        let monitor = Monitor::at_command(on, &context);
        match judge::act(&monitor, &ids, what(on.clock.now()), note).await? {
            Acted::Done(judged) => show(&judged, output),
            Acted::Refused => Ok(output.refuse("permission_missing", "That is not permitted.")),
        }
    })
    .await
}

fn show(judged: &[(i64, Judged)], output: Output) -> anyhow::Result<ExitCode> {
    output::print_with(|out| {
        judged.iter().try_for_each(|(id, judged)| match output {
            Output::Person => writeln!(out, "{id}: {}", sentence(*judged)),
            Output::Machine => writeln!(out, "{}", json!({ "id": id, "result": judged.as_str() })),
        })
    })?;
    let is_done = |judged: Judged| matches!(judged, Judged::Changed | Judged::Unchanged);
    let all = judged.iter().all(|(_, judged)| is_done(*judged));
    Ok(ExitCode::from(if all { DONE } else { REFUSED }))
}

fn sentence(judged: Judged) -> &'static str {
    match judged {
        Judged::Changed => "done.",
        Judged::Unchanged => "it was so already, and stays as it is.",
        Judged::Unknown => "there is no such alert.",
        Judged::NotAcceptable => "no baseline can have it: it is not about what is at a path.",
        Judged::Overtaken => "the baseline is another one by now, or cannot be believed.",
    }
}

fn resolution(word: &str) -> Result<Resolution, &'static str> {
    let may = [Resolution::Reverted, Resolution::FalsePositive, Resolution::Remediated];
    let resolution = Resolution::parse(word).filter(|resolution| may.contains(resolution));
    resolution.ok_or("a resolution is reverted, false_positive or remediated")
}
