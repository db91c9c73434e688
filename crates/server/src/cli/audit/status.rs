//! `audit status`: the key of the log, how far it is, and when it was last verified.

use std::process::ExitCode;

use serde_json::json;

use super::settle;
use crate::cli::Common;
use crate::cli::open::{self, Opened};
use crate::cli::output::Output;
use crate::flows::audit::watch::{self, Kept};
use crate::flows::audit::{Standing, standing};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    common: Common,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    let config = open::load(&args.common.config)?;
    open::with(config, async |on| show(on, output).await).await
}

async fn show(on: &Opened, output: Output) -> anyhow::Result<ExitCode> {
    settle(on, output).await;
    let Some(standing) = standing(&on.db, &on.keys.audit).await? else {
        return output.done(&json!({"size": 0}), "The log has not begun.");
    };
    let verified = watch::kept(&on.db).await?;
    let value = json!({
        "origin": standing.key.name(),
        "key": standing.key.to_string(),
        "size": standing.size,
        "pruned": standing.pruned,
        "waiting": standing.waiting,
        "rejected": standing.rejected.map(|told| json!({"index": told.index, "count": told.count})),
        "checkpoint": standing.signed.map(|(size, at)| json!({"size": size, "at": at.iso()})),
        "anchor": on.config.audit.anchor,
        "verified": verified.as_ref().map(|kept| json!({
            "at": kept.at.iso(),
            "entries": kept.entries,
            "faults": kept.faults,
            "first": kept.first.as_ref().map(|(kind, text)| json!({"kind": kind, "text": text})),
        })),
    });
    output.done(&value, &text(&standing, verified.as_ref(), on))
}

fn text(standing: &Standing, verified: Option<&Kept>, on: &Opened) -> String {
    let signed = match standing.signed {
        Some((size, at)) => format!("the first {size} entries on {}", at.iso()),
        None => "nothing yet".to_owned(),
    };
    let verified = match verified {
        None => "never".to_owned(),
        Some(kept) if kept.faults == 0 => {
            format!("{}: {} entries in order", kept.at.iso(), kept.entries)
        }
        Some(kept) => format!("{}: NOT in order, {} found", kept.at.iso(), kept.faults),
    };
    let mut lines = vec![
        format!("Log        {}", standing.key.name()),
        format!("Key        {}", standing.key),
        format!("Entries    {}", standing.size),
    ];
    if standing.pruned > 0 {
        lines.push(format!("Pruned     entries below {}", standing.pruned));
    }
    if standing.waiting > 0 {
        lines.push(format!("Waiting    {} events", standing.waiting));
    }
    if let Some(told) = standing.rejected {
        lines.push(format!(
            "Rejected   {} events that this program did not write: portcullis audit rejected",
            told.count
        ));
    }
    lines.push(format!("Signed     {signed}"));
    lines.push(format!("Anchor     {}", on.config.audit.anchor.display()));
    lines.push(format!("Verified   {verified}"));
    lines.join("\n")
}
