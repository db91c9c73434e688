//! `audit accept`: goes on with a log that does not continue the anchor file, and says what was lost.

use std::process::ExitCode;

use serde_json::json;

use super::log_of;
use crate::cli::Common;
use crate::cli::open::{self, Opened};
use crate::cli::output::Output;
use crate::flows::audit::accept::{Accepted, Lost};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    common: Common,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    let config = open::load(&args.common.config)?;
    open::with(config, async |on| accept(on, output).await).await
}

async fn accept(on: &Opened, output: Output) -> anyhow::Result<ExitCode> {
    let log = log_of(on).await?;
    match log.accept(on.clock.now()).await? {
        Accepted::Nothing => output.done(
            &json!({"accepted": false}),
            "Nothing to accept: the log continues what the anchor file says.",
        ),
        Accepted::Done(lost) => output.done(&value(&lost), &text(&lost)),
        Accepted::Refused(how) => Ok(output.refuse(
            "audit_discontinued",
            &format!(
                "The log does not continue what the database itself says was signed ({}), so it was \
                 tampered with. `portcullis audit verify` says where. Bring back a backup.",
                how.as_str()
            ),
        )),
    }
}

fn value(lost: &Lost) -> serde_json::Value {
    json!({
        "accepted": true,
        "reason": lost.how.as_str(),
        "anchored": lost.anchored,
        "size": lost.size,
        "aside": lost.aside,
    })
}

fn text(lost: &Lost) -> String {
    let signed = match lost.anchored {
        Some(anchored) => format!("{anchored} entries were signed"),
        None => "the anchor file was not signed by this key".to_owned(),
    };
    format!(
        "Accepted: {signed}, and the log has {} and goes on from here. This is an entry of the log for \
         ever.\nThe old checkpoint is kept in {}.",
        lost.size,
        lost.aside.display()
    )
}
