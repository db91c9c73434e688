//! `audit prune`: takes old entries out of the database that a bundle proves.

use std::path::PathBuf;
use std::process::ExitCode;

use portcullis_domain::time::Time;
use serde_json::json;

use super::signed_log_of;
use crate::cli::Common;
use crate::cli::open::{self, Opened};
use crate::cli::output::Output;
use crate::flows::audit::prune::{self, Before, Prune, Pruned, Refusal};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    common: Common,
    /// The bundle that `audit export` wrote of all that is to go. It is verified first.
    #[arg(long, value_name = "FILE")]
    bundle: PathBuf,
    /// Entries before this place go, or those from before this day (YYYY-MM-DD, UTC): whole tiles of 256.
    #[arg(long, value_name = "INDEX|DATE", value_parser = before)]
    before: Before,
}

fn before(text: &str) -> Result<Before, String> {
    if let Ok(index) = text.parse() {
        return Ok(Before::Index(index));
    }
    let day = Time::of_day(text).map(Before::Time);
    day.ok_or_else(|| "neither the number of an entry nor a day such as 2026-01-31".to_owned())
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let config = open::load(&args.common.config)?;
    open::with(config, async |on| prune(on, &args).await).await
}

async fn prune(on: &Opened, args: &Args) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    let log = signed_log_of(on).await?;
    let receivers = on.config.audit.webhooks.iter().map(|webhook| webhook.name.clone()).collect();
    let (bundle, before, now) = (args.bundle.as_path(), args.before, on.clock.now());
    let wanted = Prune { bundle, before, receivers, now };
    let pruned = prune::prune(&log, &wanted, move |done, of| {
        output.progress(&format!("{done} of {of} entries of the bundle"));
    });
    let pruned = pruned.await?;
    output.progress("");
    match pruned {
        Pruned::Done { from, to, sha256 } => {
            let hex = hex::encode(sha256);
            let value = json!({"from": from, "to": to, "bundle_sha256": hex});
            let sentence = format!(
                "Entries {from} to {} are in {} alone now. Keep it: SHA-256 {hex}",
                to.saturating_sub(1),
                args.bundle.display(),
            );
            output.done(&value, &sentence)
        }
        Pruned::Refused(refusal) => Ok(output.refuse(code(&refusal), &refusal.to_string())),
    }
}

fn code(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Nothing => "nothing_to_prune",
        Refusal::NotSigned { .. } => "nothing_signed",
        Refusal::NotSent { .. } => "not_sent",
        Refusal::Unreadable(_) | Refusal::NotInOrder(_) => "bundle_refused",
        Refusal::NotCovered { .. } => "bundle_incomplete",
        Refusal::Different { .. } => "bundle_of_another_log",
    }
}
