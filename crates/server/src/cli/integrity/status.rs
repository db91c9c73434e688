//! `integrity status`: the roots with what ought to be there, who says so, and when they were last looked
//! at; what goes on; and how many alerts nobody has judged.

use std::process::ExitCode;

use portcullis_domain::event::Context;
use portcullis_domain::integrity::CheckState;
use portcullis_domain::time::Time;
use portcullis_store::integrity::checks::Check;
use serde_json::{Value, json};

use crate::cli::open;
use crate::cli::output::{self, Output};
use crate::cli::{Common, DONE};
use crate::flows::integrity::Monitor;
use crate::flows::integrity::status::{Notice, OfRoot, Status, status};

const HEADER: [&str; 6] = ["Root", "Path", "Baseline", "Made", "Read", "Deployment"];

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    common: Common,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    open::with(open::load(&args.common.config)?, async |on| {
        let context = Context::default();
        let monitor = Monitor::at_command(on, &context);
        if monitor.settings.roots.is_empty() {
            return Ok(super::no_roots(output));
        }
        let stands = status(&monitor).await?;
        match output {
            Output::Person => {
                output::print(&output::table(HEADER, stands.roots.iter().map(cells)))?;
                output::print(&lines(&stands).join("\n"))?;
            }
            Output::Machine => output::print(&value(&stands).to_string())?,
        }
        Ok(ExitCode::from(DONE))
    })
    .await
}

fn cells(root: &OfRoot) -> [String; 6] {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let baseline = root.baseline.as_ref();
    [
        root.name.clone(),
        root.path.clone(),
        or_none(baseline.map(|of| format!("{} of {} entries", of.number, of.entries))),
        or_none(baseline.map(|of| format!("{} {}", of.origin.as_str(), of.created_at.iso()))),
        root.looked_at.map_or_else(|| "never".to_owned(), Time::iso),
        or_none(root.deployment.as_ref().map(|of| format!("open until {}", of.ends_at.iso()))),
    ]
}

fn lines(stands: &Status) -> Vec<String> {
    let mut lines: Vec<String> = stands
        .roots
        .iter()
        .flat_map(|root| {
            root.notices().into_iter().map(|it| format!("{}: {}", root.name, it.says()))
        })
        .collect();
    let open: Vec<String> = stands
        .open
        .iter()
        .map(|(severity, count)| format!("{count} {}", severity.as_str()))
        .collect();
    lines.push(match &open[..] {
        [] => "No alert is new.".to_owned(),
        open => format!("New alerts: {}.", open.join(", ")),
    });
    lines.extend(running(stands).map(|check| {
        let (names, root) = (check.counts.scanned, &check.root);
        format!("The check {} goes on: {names} names, in {root}.", check.id)
    }));
    lines
}

fn running(stands: &Status) -> Option<&Check> {
    stands.checks.iter().find(|check| check.state == CheckState::Running)
}

fn value(stands: &Status) -> Value {
    let open = stands.open.iter().map(|(severity, count)| (severity.as_str(), *count));
    json!({
        "roots": stands.roots.iter().map(of_root).collect::<Vec<_>>(),
        "open_alerts": open.collect::<std::collections::BTreeMap<_, _>>(),
        "running": running(stands).map(|check| json!({
            "check": check.id, "cause": check.cause, "root": check.root, "phase": check.phase,
            "scanned": check.counts.scanned, "expected": check.counts.expected,
            "started_at": check.started_at.iso(),
        })),
    })
}

fn of_root(root: &OfRoot) -> Value {
    json!({
        "name": root.name,
        "path": root.path,
        "exclude": root.exclude,
        "baseline": root.baseline.as_ref().map(|of| json!({
            "number": of.number, "origin": of.origin, "entries": of.entries, "reason": of.reason,
            "created_at": of.created_at.iso(), "activated_at": of.activated_at.map(Time::iso),
        })),
        "is_attested": root.is_attested(),
        "notices": root.notices().into_iter().map(Notice::code).collect::<Vec<_>>(),
        "looked_at": root.looked_at.map(Time::iso),
        "deployment": root.deployment.as_ref().map(|of| json!({
            "id": of.id, "baseline": of.number, "reason": of.reason, "ends_at": of.ends_at.iso(),
        })),
    })
}
