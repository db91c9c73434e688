//! `integrity alerts` and `integrity diff`: what differs, and how.

use std::process::ExitCode;

use portcullis_domain::event::Context;
use portcullis_domain::integrity::alert::{Severity, Status};
use portcullis_integrity::Entry;
use portcullis_store::integrity::alerts::{Filter, Order};
use serde_json::json;

use super::shown;
use crate::cli::open;
use crate::cli::output::{self, Output};
use crate::cli::{Common, DONE};
use crate::flows::integrity::Monitor;
use crate::flows::integrity::alerts::{self, Difference, Version};
use crate::flows::integrity::words::{what, why_not};

#[derive(clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    common: Common,
    /// Those that are new, resolved or ignored; or all.
    #[arg(long, value_name = "STATUS", default_value = "new", value_parser = status)]
    status: Of,
    /// Only those of a severity: critical, high, medium or low.
    #[arg(long, value_name = "SEVERITY", value_parser = severity)]
    severity: Option<Severity>,
    /// Only those of a root.
    #[arg(long, value_name = "NAME")]
    root: Option<String>,
    /// So many at most, the worst first.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..))]
    limit: i64,
}

/// Of which status; `None`: of any.
#[derive(Clone, Copy)]
struct Of(Option<Status>);

#[derive(clap::Args)]
pub(super) struct Diff {
    #[command(flatten)]
    common: Common,
    /// The number of the alert.
    #[arg(value_name = "ALERT")]
    alert: i64,
    /// As the file is now, and not as it was when the alert was made.
    #[arg(long)]
    current: bool,
}

pub(super) async fn list(args: List) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    open::with(open::load(&args.common.config)?, async |on| {
        let filter = Filter {
            status: args.status.0,
            severity: args.severity,
            kind: None,
            root: args.root.clone(),
        };
        let page = alerts::list(&on.db, &filter, Order::Worst, 1, args.limit).await?;
        match output {
            Output::Person => {
                output::print(&output::table(shown::HEADER, page.alerts.iter().map(shown::cells)))?;
            }
            Output::Machine => output::print_with(|out| {
                page.alerts.iter().try_for_each(|alert| writeln!(out, "{}", shown::value(alert)))
            })?,
        }
        if page.total > args.limit {
            output
                .note(&format!("These are {} of {}: --limit shows more.", args.limit, page.total));
        }
        Ok(ExitCode::from(DONE))
    })
    .await
}

pub(super) async fn diff(args: Diff) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    open::with(open::load(&args.common.config)?, async |on| {
        let context = Context::default();
        let monitor = Monitor::at_command(on, &context);
        let version = if args.current { Version::Current } else { Version::Found };
        let Some(found) = alerts::difference(&monitor, args.alert, version).await? else {
            return Ok(output.refuse("alert_unknown", "There is no such alert."));
        };
        let value = json!({
            "id": args.alert, "file_path": found.file_path, "diff": found.diff,
            "added": found.added, "removed": found.removed,
            "truncated": found.truncated, "unavailable": found.unavailable,
            "current_differs": found.sides.current_differs,
            "was": found.sides.before.as_ref().map(Entry::to_string),
            "is": found.sides.after.as_ref().map(Entry::to_string),
            "looks_like": found.sides.looks_like,
        });
        if !args.current && found.sides.current_differs == Some(true) {
            output.note("Something else is there by now: --current shows it.");
        }
        output.done(&value, text(&found).trim_end())
    })
    .await
}

fn text(found: &Difference) -> String {
    match &found.unavailable {
        None => found.diff.clone(),
        Some(why) => {
            let sides = &found.sides;
            let none = || "nothing".to_owned();
            let side = |entry: Option<&Entry>| entry.map_or_else(none, |it| what(&it.content));
            let (before, after) = (side(sides.before.as_ref()), side(sides.after.as_ref()));
            let kind = sides.looks_like.map(|kind| format!(" ({kind})")).unwrap_or_default();
            let why = why_not(why);
            format!(
                "{}: no difference is shown. {why} It was {before}, and {after}{kind} was found.",
                found.file_path
            )
        }
    }
}

fn status(word: &str) -> Result<Of, &'static str> {
    shown::parse_status(word).map(Of)
}

fn severity(word: &str) -> Result<Severity, &'static str> {
    Severity::parse(word).ok_or("a severity is critical, high, medium or low")
}
