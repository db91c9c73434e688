//! `integrity explain`: what the watch makes of one path, and why.

use std::path::{PathBuf, absolute};
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_domain::event::Context;
use portcullis_domain::integrity::Origin;
use portcullis_domain::integrity::alert::Status;
use portcullis_domain::time::Time;
use portcullis_integrity::path::show;
use portcullis_integrity::{Entry, Severity};
use portcullis_store::integrity::alerts::Alert;
use portcullis_store::integrity::baselines::Baseline;
use serde_json::{Value, json};

use super::shown;
use crate::cli::open;
use crate::cli::output::{self, Output};
use crate::cli::{Common, DONE, FORGED, REFUSED, UNREACHABLE};
use crate::flows::integrity::Monitor;
use crate::flows::integrity::explain::{By, Excluded, Explained, Rule, Stands, explain};
use crate::flows::integrity::words::{what, why_not};

const CODES: &str = "Exit codes: 0 it is as it ought to be, or is passed over, 1 it differs, or no root has it \
    in it, 2 wrong usage, 3 it could not be checked, 4 the baseline is not what was signed.";

#[derive(clap::Args)]
#[command(after_help = CODES)]
pub(super) struct Args {
    #[command(flatten)]
    common: Common,
    /// The file or folder. It need not be there.
    #[arg(value_name = "PATH")]
    path: PathBuf,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    let path = absolute(&args.path)?;
    open::with(open::load(&args.common.config)?, async |on| {
        let context = Context::default();
        let monitor = Monitor::at_command(on, &context);
        if monitor.settings.roots.is_empty() {
            return Ok(super::no_roots(output));
        }
        let Some(explained) = Box::pin(explain(&monitor, &path)).await? else {
            let sentence = format!("{} is below no [[integrity.root]].", path.display());
            return Ok(output.refuse("path_unwatched", &sentence));
        };
        match output {
            Output::Person => output::print(&lines(&explained).join("\n"))?,
            Output::Machine => output::print(&value(&explained).to_string())?,
        }
        Ok(ExitCode::from(code(&explained.stands)))
    })
    .await
}

fn code(stands: &Stands) -> u8 {
    match stands {
        Stands::PassedOver | Stands::AsItOught => DONE,
        Stands::Differs { .. } => REFUSED,
        Stands::NoBaseline | Stands::Unknown(_) => UNREACHABLE,
        Stands::Forged => FORGED,
    }
}

fn lines(of: &Explained) -> Vec<String> {
    let below = if of.path.is_empty() { "itself".to_owned() } else { show(&of.path) };
    let mut lines = vec![format!("Root {}: {below}", of.root)];
    if let Some(Excluded { pattern, by }) = &of.excluded {
        let by = match by {
            By::Configuration => "exclude of its [[integrity.root]]",
            By::Baseline => "the baseline",
        };
        lines.push(format!("Passed over by {pattern:?}, as {by} has it."));
    }
    lines.push(match &of.baseline {
        Some(baseline) => format!("Baseline {}: {}.", made(baseline), has(of)),
        None => "There is no baseline yet: the first check records one.".to_owned(),
    });
    lines.push(format!("Now: {}", now(&of.stands)));
    lines.extend(of.rule.as_ref().map(|rule| judged(rule, &of.stands)));
    lines.push(match of.looked_at {
        Some(at) => format!("The root was last read as a whole at {}.", at.iso()),
        None => "The root was never read as a whole.".to_owned(),
    });
    lines.extend(of.alerts.iter().map(alert));
    lines
}

fn made(baseline: &Baseline) -> String {
    let by = match baseline.origin {
        Origin::Declared => "declared by a deploy key",
        Origin::Observed => "observed, not attested",
    };
    format!("{} ({by})", baseline.number)
}

fn has(of: &Explained) -> String {
    match &of.was {
        Some(was) => format!("{}, rights {:04o}", what(&was.content), was.mode),
        None if of.path.is_empty() => "of all that is below it".to_owned(),
        None => "nothing of that path".to_owned(),
    }
}

fn now(stands: &Stands) -> String {
    match stands {
        Stands::PassedOver => "not looked at.".to_owned(),
        Stands::NoBaseline => "there is nothing to hold it against.".to_owned(),
        Stands::AsItOught => "as it ought to be.".to_owned(),
        Stands::Differs { change, details, below } => {
            let own = change.map(|change| format!("{change}. {details}"));
            let below = (*below > 0).then(|| format!("{below} below it differ."));
            own.into_iter().chain(below).collect::<Vec<_>>().join(" ")
        }
        Stands::Unknown(why) => format!("it could not be checked. {}", why_not(why)),
        Stands::Forged => "the baseline in the store is not what this server signed.".to_owned(),
    }
}

fn judged(rule: &Rule, stands: &Stands) -> String {
    let differs = matches!(stands, Stands::Differs { change: Some(_), .. });
    let of = if differs { "The difference".to_owned() } else { format!("If {}, it", rule.of) };
    match rule.severity {
        Some(severity) => format!("{of} is {} by the rule {}.", severity.as_str(), rule.name),
        None => format!("{of} is ignored by the rule {}.", rule.name),
    }
}

fn alert(alert: &Alert) -> String {
    let until = match (alert.status, alert.ignored_until) {
        (Status::Ignored, Some(until)) => format!(" until {}", until.iso()),
        _ => String::new(),
    };
    let (severity, status) = (alert.about.severity.as_str(), alert.status.as_str());
    let kind = alert.about.kind.as_str();
    format!("Alert {}: {severity}, {kind}, {status}{until}.", alert.id)
}

fn value(of: &Explained) -> Value {
    let Explained { excluded, baseline, was, rule, .. } = of;
    let by = |by| if by == By::Baseline { "baseline" } else { "configuration" };
    let mut value = json!({
        "root": of.root,
        "path": show(&of.path),
        "path_b64": STANDARD.encode(&of.path),
        "excluded": excluded.as_ref().map(|it| json!({"pattern": it.pattern, "by": by(it.by)})),
        "baseline": baseline.as_ref().map(|baseline| json!({
            "number": baseline.number, "origin": baseline.origin,
        })),
        "was": was.as_ref().map(Entry::to_string),
        "rule": rule.as_ref().map(|rule| json!({
            "name": rule.name, "severity": rule.severity.map(Severity::as_str), "change": rule.of,
        })),
        "looked_at": of.looked_at.map(Time::iso),
        "alerts": of.alerts.iter().map(shown::value).collect::<Vec<_>>(),
    });
    let (result, more) = match &of.stands {
        Stands::PassedOver => ("passed_over", json!({})),
        Stands::NoBaseline => ("no_baseline", json!({})),
        Stands::AsItOught => ("clean", json!({})),
        Stands::Differs { change, details, below } => {
            ("differences", json!({"change": change, "details": details, "below": below}))
        }
        Stands::Unknown(why) => ("unverifiable", json!({"why": why})),
        Stands::Forged => ("forged", json!({})),
    };
    if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
        value.insert("result".to_owned(), result.into());
        value.extend(more);
    }
    value
}
