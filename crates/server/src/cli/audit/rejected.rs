//! `audit rejected`: rows that waited for their place in the log, that this program did not write, and
//! that were put aside.

use std::process::ExitCode;

use portcullis_domain::text::visible;
use portcullis_store::audit::rejected::Kept;
use serde_json::{Value, json};

use super::settle;
use crate::cli::Common;
use crate::cli::open::{self, Opened};
use crate::cli::output::Output;
use crate::flows::audit::rejected;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    common: Common,
    /// Deletes them, once you have looked at them. The log says so.
    #[arg(long)]
    clear: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    let config = open::load(&args.common.config)?;
    open::with(config, async |on| {
        settle(on, output).await;
        if args.clear { clear(on, output).await } else { show(on, output).await }
    })
    .await
}

async fn show(on: &Opened, output: Output) -> anyhow::Result<ExitCode> {
    let kept = rejected::list(&on.db).await?;
    let value: Vec<Value> = kept.iter().map(value).collect();
    if kept.is_empty() {
        return output.done(&value, "Nothing was put aside.");
    }
    let lines: Vec<String> = kept.iter().map(line).collect();
    output.done(&value, &lines.join("\n"))
}

fn value(kept: &Kept) -> Value {
    let row: Value = serde_json::from_str(&kept.content).unwrap_or_default();
    json!({"number": kept.number, "at": kept.at.iso(), "reason": kept.reason, "row": row})
}

/// Whoever wrote it moves no cursor.
fn line(kept: &Kept) -> String {
    let Kept { number, at, reason, content } = kept;
    visible(&format!("{number}  {}  {reason}  {content}", at.iso()))
}

async fn clear(on: &Opened, output: Output) -> anyhow::Result<ExitCode> {
    let cleared = rejected::clear(&on.db, on.random, on.clock.now()).await?;
    settle(on, output).await;
    match cleared {
        None => output.done(&json!({"cleared": 0}), "Nothing was put aside."),
        Some(count) => output.done(
            &json!({"cleared": count}),
            &format!("{count} rows are deleted. The log tells of it, and of what they were."),
        ),
    }
}
