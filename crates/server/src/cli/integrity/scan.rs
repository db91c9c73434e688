//! `integrity scan`: every root is looked at now, and what differs from its baseline becomes alerts. Beside
//! a server that makes a check already, that one is waited for.

use std::convert::Infallible;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use portcullis_domain::event::Context;
use portcullis_domain::id::CheckId;
use portcullis_domain::integrity::{Cause, CheckState};
use portcullis_store::Db;
use portcullis_store::integrity::checks::{Check, Counts};
use serde_json::{Value, json};

use crate::cli::open;
use crate::cli::output::{self, Output};
use crate::cli::progress::TOLD_EVERY;
use crate::cli::serve::stop_on_signal;
use crate::cli::{Common, DONE, REFUSED, UNREACHABLE};
use crate::flows::integrity::Monitor;
use crate::flows::integrity::check::{self, Begun, Ended};

/// How often it is asked how far a check of somebody else is.
const ASKED_EVERY: Duration = Duration::from_millis(500);

const CODES: &str = "Exit codes: 0 all is as the baselines say, 1 there are differences, whatever was made \
    of their alerts, 2 wrong usage, 3 not everything could be checked.";

#[derive(clap::Args)]
#[command(after_help = CODES)]
pub(super) struct Args {
    #[command(flatten)]
    common: Common,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    open::with(open::load(&args.common.config)?, async |on| {
        let context = Context::default();
        let monitor = Monitor::at_command(on, &context);
        loop {
            let done = match check::begin(&monitor, Cause::Command).await? {
                Begun::Started(id) => Some(run_here(&monitor, id, output).await?),
                Begun::Running(id) => follow(&monitor, id, output).await?,
                Begun::NoRoots => return Ok(super::no_roots(output)),
            };
            if let Some(done) = done {
                return done.print(output);
            }
        }
    })
    .await
}

/// What a check came to. Only whoever ran it knows what is told now.
struct Done {
    id: CheckId,
    ended: Ended,
}

async fn run_here(monitor: &Monitor<'_>, id: CheckId, output: Output) -> anyhow::Result<Done> {
    let stopping = stop_on_signal()?;
    let ended = tokio::select! {
        ended = Box::pin(check::run(monitor, id, &stopping)) => ended,
        never = tell(monitor.db, id, output) => match never {},
    };
    output.progress("");
    Ok(Done { id, ended })
}

/// Says how far a check is, until nobody wants to know any more.
async fn tell(db: &Db, id: CheckId, output: Output) -> Infallible {
    loop {
        tokio::time::sleep(TOLD_EVERY).await;
        if let Ok(Some(check)) = check::by_id(db, id).await {
            output.progress(&how_far(&check));
        }
    }
}

/// Waits for the end of a check of somebody else. `None`: it does not say how every root stands, because
/// whoever made it is gone, or because it is the last look of a deployment.
async fn follow(
    monitor: &Monitor<'_>,
    id: CheckId,
    output: Output,
) -> anyhow::Result<Option<Done>> {
    output.note(&format!("The check {id} goes on already: it is waited for."));
    loop {
        check::find_interrupted(monitor).await?;
        let check = check::by_id(monitor.db, id).await?.context("the check is gone")?;
        if check.state != CheckState::Running {
            output.progress("");
            let is_of_all =
                check.state != CheckState::Interrupted && check.cause != Cause::Deployment;
            let ended = Ended { state: check.state, counts: check.counts, told: Vec::new() };
            return Ok(is_of_all.then_some(Done { id, ended }));
        }
        output.progress(&how_far(&check));
        tokio::time::sleep(ASKED_EVERY).await;
    }
}

fn how_far(check: &Check) -> String {
    let counts = &check.counts;
    let of = if counts.expected > 0 { format!(" of {}", counts.expected) } else { String::new() };
    format!("{}: {}{of} names, {} MB", check.root, counts.scanned, counts.bytes / 1_000_000)
}

impl Done {
    fn print(&self, output: Output) -> anyhow::Result<ExitCode> {
        let rows = self.ended.told.iter().map(|told| {
            let what = if told.reopened { "again: " } else { "" };
            [
                told.id.to_string(),
                told.severity.as_str().to_owned(),
                format!("{what}{}", told.kind.as_str()),
                told.file_path.clone(),
            ]
        });
        match output {
            Output::Person => {
                if !self.ended.told.is_empty() {
                    output::print(&output::table(["Alert", "Severity", "What", "Path"], rows))?;
                }
                output::print(&self.sentence())?;
            }
            Output::Machine => output::print(&self.value().to_string())?,
        }
        Ok(ExitCode::from(self.code()))
    }

    /// What cannot be checked is counted among what differs. More than that is a difference for sure.
    fn code(&self) -> u8 {
        let Counts { violations, unverifiable, .. } = self.ended.counts;
        if self.ended.state != CheckState::Complete {
            UNREACHABLE
        } else if violations > unverifiable {
            REFUSED
        } else if unverifiable > 0 {
            UNREACHABLE
        } else {
            DONE
        }
    }

    fn sentence(&self) -> String {
        let Counts { scanned, violations, alerts, unverifiable, .. } = self.ended.counts;
        let differ = match violations {
            0 if self.ended.state == CheckState::Complete => {
                ", and no difference was found".to_owned()
            }
            0 => String::new(),
            some => format!(", {some} differ, of which {alerts} are told now"),
        };
        let unverifiable = match unverifiable {
            0 => String::new(),
            some => format!("; {some} could not be checked"),
        };
        let end = match self.ended.state {
            CheckState::Complete => ".",
            CheckState::Failed => ". The check failed: not every root could be looked at.",
            CheckState::Cancelled => ". Somebody stopped the check.",
            CheckState::Interrupted | CheckState::Running => ". The check did not come to its end.",
            CheckState::Superseded => ". A baseline changed meanwhile: check once more.",
        };
        format!("{scanned} names were looked at{differ}{unverifiable}{end}")
    }

    fn value(&self) -> Value {
        let result = match self.code() {
            DONE => "clean",
            REFUSED => "differences",
            _ => "unverifiable",
        };
        let told = self.ended.told.iter().map(|told| {
            json!({
                "id": told.id, "severity": told.severity, "change": told.kind,
                "file_path": told.file_path, "reopened": told.reopened,
            })
        });
        json!({
            "check": self.id,
            "result": result,
            "state": self.ended.state,
            "scanned": self.ended.counts.scanned,
            "violations": self.ended.counts.violations,
            "unverifiable": self.ended.counts.unverifiable,
            "alerts": told.collect::<Vec<_>>(),
        })
    }
}
