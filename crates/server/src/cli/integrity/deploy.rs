//! `integrity deploy`: for a while files of a root may come to be as a signed manifest declares them.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use portcullis_domain::event::Context;
use portcullis_domain::id::DeploymentId;
use portcullis_domain::integrity::alert::Status;
use portcullis_domain::time::Time;
use portcullis_store::Db;
use portcullis_store::integrity::alerts::{Filter, Order};
use portcullis_store::integrity::deployments::{Counts, Deployment};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{files, shown, text};
use crate::cli::open;
use crate::cli::output::{self, Output};
use crate::cli::serve::stop_on_signal;
use crate::cli::{Common, REFUSED};
use crate::flows::integrity::deployment::{self, Closed, Opened, Refused};
use crate::flows::integrity::{Monitor, alerts, status};

/// How often it is tried again while a check goes on, and how often at most: five minutes.
const TRY_EVERY: Duration = Duration::from_millis(500);
const MOST_TRIES: u32 = 600;
/// So many alerts are named.
const MOST_NAMED: i64 = 100;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Begins a deployment by a signed manifest.
    Begin(Begin),
    /// Looks at everything once more. If all is as declared, the manifest is the baseline.
    End(Named),
    /// Calls a deployment off: its manifest never comes into force.
    Cancel(Named),
    /// Lists deployments, the newest first.
    List(List),
}

#[derive(clap::Args)]
struct Begin {
    #[command(flatten)]
    common: Common,
    /// The root whose files are replaced.
    #[arg(long, value_name = "NAME")]
    root: String,
    /// The manifest, signed by one of `integrity.deploy_keys`.
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    /// For how long it may take.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=240))]
    minutes: u64,
    /// What is deployed.
    #[arg(long, value_name = "TEXT", value_parser = text)]
    reason: Option<String>,
}

#[derive(clap::Args)]
struct Named {
    #[command(flatten)]
    common: Common,
    /// The deployment that is open in this root.
    #[arg(long, value_name = "NAME", required_unless_present = "id")]
    root: Option<String>,
    /// The deployment: `dep_` and 24 digits.
    #[arg(value_name = "ID", value_parser = id, conflicts_with = "root")]
    id: Option<DeploymentId>,
}

#[derive(clap::Args)]
struct List {
    #[command(flatten)]
    common: Common,
    /// So many at most.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..))]
    limit: i64,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Begin(args) => begin(args).await,
        Command::End(args) => end(args).await,
        Command::Cancel(args) => cancel(args).await,
        Command::List(args) => list(args).await,
    }
}

async fn begin(args: Begin) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    let manifest = files::open(&args.manifest)?;
    open::with(open::load(&args.common.config)?, async |on| {
        let context = Context::default();
        let monitor = Monitor::at_command(on, &context);
        let takes = Duration::from_secs(args.minutes * 60);
        let reason = args.reason.as_deref().unwrap_or_default();
        match deployment::open(&monitor, &args.root, manifest, takes, reason).await? {
            Opened::Done { id, number, ends_at } => {
                let until = ends_at.iso();
                output.note(&format!("The deployment is open until {until}, if nobody ends it."));
                let value =
                    json!({ "id": id, "root": args.root, "number": number, "ends_at": until });
                output.done(&value, id.as_str())
            }
            Opened::Refused(refused) => Ok(refuse(refused, &args.root, output)),
        }
    })
    .await
}

fn refuse(refused: Refused, root: &str, output: Output) -> ExitCode {
    let (code, sentence) = match refused {
        Refused::UnknownRoot => return super::unknown_root(root, output),
        Refused::Malformed => {
            return output.forged("bad_manifest", "It is no signed manifest, or not all of it.");
        }
        Refused::BadSignature => {
            let sentence = "The manifest is not signed by one of integrity.deploy_keys.";
            return output.forged("bad_signature", sentence);
        }
        Refused::NoKeys => {
            ("no_deploy_keys", "The configuration names no key that may: integrity.deploy_keys.")
        }
        Refused::OtherRoot => {
            return output.refuse("other_root", "The manifest is of another root.");
        }
        Refused::NotNext => ("baseline_overtaken", "The manifest follows another baseline."),
        Refused::PassesOver => {
            let sentence = "The manifest passes over paths that neither the exclude of the root in the \
                            configuration nor the baseline in force passes over.";
            return output.refuse("passes_over", sentence);
        }
        Refused::NoBaseline => {
            ("no_baseline", "The root was never checked: run `integrity scan` first.")
        }
        Refused::AlreadyOpen => ("deployment_open", "A deployment of the root is open already."),
        Refused::Duration => ("bad_duration", "A deployment takes 1 to 240 minutes."),
    };
    output.refuse(code, sentence)
}

async fn end(args: Named) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    open::with(open::load(&args.common.config)?, async |on| {
        let context = Context::default();
        let monitor = Monitor::at_command(on, &context);
        let Some(open) = args.find(&monitor).await? else { return Ok(not_open(output)) };
        let stopping = stop_on_signal()?;
        match end_when_free(&monitor, open, &stopping).await? {
            Closed::Complete { number, counts } => {
                let value = json!({
                    "id": open, "state": "complete", "number": number, "reached": counts.reached,
                });
                output.done(&value, &format!("Complete: the baseline {number} is in force."))
            }
            Closed::Incomplete { counts } => incomplete(&on.db, open, counts, output).await,
            Closed::NotOpen => Ok(not_open(output)),
            Closed::Expired => {
                let sentence = "The time of the deployment was over. Begin another one.";
                Ok(output.refuse("deployment_expired", sentence))
            }
            Closed::Busy => {
                let sentence = "Another check goes on, and does not end. Try again later.";
                Ok(output.unreachable("check_running", sentence))
            }
        }
    })
    .await
}

/// Tries again for a while as long as another check goes on.
async fn end_when_free(
    monitor: &Monitor<'_>,
    id: DeploymentId,
    stopping: &CancellationToken,
) -> anyhow::Result<Closed> {
    for _ in 0..MOST_TRIES {
        let closed = Box::pin(deployment::end(monitor, id, stopping)).await?;
        if closed != Closed::Busy || stopping.is_cancelled() {
            return Ok(closed);
        }
        tokio::time::sleep(TRY_EVERY).await;
    }
    Ok(Closed::Busy)
}

/// What is new in the root is what was not declared.
async fn incomplete(
    db: &Db,
    id: DeploymentId,
    counts: Counts,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let all = deployment::list(db, i64::MAX).await?;
    let root = all.into_iter().find(|one| one.id == id).map(|one| one.root);
    let filter = Filter { status: Some(Status::New), root, ..Filter::default() };
    let page = alerts::list(db, &filter, Order::Worst, 1, MOST_NAMED).await?;
    let Counts { reached, pending, unexpected } = counts;
    match output {
        Output::Person => {
            if !page.alerts.is_empty() {
                output::print(&output::table(shown::HEADER, page.alerts.iter().map(shown::cells)))?;
            }
            output::print(&format!(
                "Incomplete: {reached} paths came to be as declared, {pending} are as they were, and \
                 {unexpected} are neither. The baseline before it stays."
            ))?;
        }
        Output::Machine => {
            let alerts: Vec<_> = page.alerts.iter().map(shown::value).collect();
            let value = json!({
                "id": id, "state": "incomplete", "reached": reached, "pending": pending,
                "unexpected": unexpected, "alerts": alerts,
            });
            output::print(&value.to_string())?;
        }
    }
    Ok(ExitCode::from(REFUSED))
}

async fn cancel(args: Named) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    open::with(open::load(&args.common.config)?, async |on| {
        let context = Context::default();
        let monitor = Monitor::at_command(on, &context);
        let Some(open) = args.find(&monitor).await? else { return Ok(not_open(output)) };
        if !deployment::cancel(&monitor, open).await? {
            return Ok(not_open(output));
        }
        output.done(&json!({ "id": open }), &format!("{open} is called off."))
    })
    .await
}

async fn list(args: List) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    open::with(open::load(&args.common.config)?, async |on| {
        let all = deployment::list(&on.db, args.limit).await?;
        let value = all.iter().map(|one| {
            json!({
                "id": one.id, "root": one.root, "number": one.number, "state": one.state,
                "reason": one.reason, "opened_at": one.opened_at.iso(), "ends_at": one.ends_at.iso(),
                "closed_at": one.closed_at.map(Time::iso), "reached": one.counts.reached,
                "pending": one.counts.pending, "unexpected": one.counts.unexpected,
            })
        });
        let value: Vec<_> = value.collect();
        let header = ["Deployment", "Root", "State", "Begun", "Ends", "Reason"];
        output.list(&value, header, all.iter().map(cells))
    })
    .await
}

fn cells(one: &Deployment) -> [String; 6] {
    let ends = one.closed_at.unwrap_or(one.ends_at).iso();
    let state = one.state.as_str().to_owned();
    [one.id.to_string(), one.root.clone(), state, one.opened_at.iso(), ends, one.reason.clone()]
}

impl Named {
    /// The one of the id, or that which is open in the root.
    async fn find(&self, monitor: &Monitor<'_>) -> anyhow::Result<Option<DeploymentId>> {
        if self.id.is_some() {
            return Ok(self.id);
        }
        let roots = status::status(monitor).await?.roots;
        let root = roots.into_iter().find(|root| Some(&root.name) == self.root.as_ref());
        Ok(root.and_then(|root| root.deployment).map(|open| open.id))
    }
}

fn not_open(output: Output) -> ExitCode {
    output.refuse("deployment_unknown", "There is no such deployment that is open.")
}

fn id(text: &str) -> Result<DeploymentId, &'static str> {
    DeploymentId::parse(text).ok_or("a deployment is named dep_ and 24 digits from 0 to f")
}
