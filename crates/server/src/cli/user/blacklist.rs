//! `portcullis user blacklist` and `unblacklist`: keeping somebody out, and letting him in again.

use std::process::ExitCode;

use portcullis_domain::blacklist::Reason;
use serde_json::json;

use super::super::open::{self, Operator};
use super::super::output::Output;
use super::{Named, unknown};
use crate::flows::blacklist::{self, Add, Remove};
use crate::flows::users;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    named: Named,
    /// Why, for staff to read. The user is not told.
    #[arg(long, value_name = "TEXT", value_parser = Reason::parse)]
    reason: Reason,
}

/// Keeps a user out. Returns when no node lets in what he had.
pub(super) async fn add(args: Args) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.named.common.json);
    open::with(open::load(&args.named.common.config)?, async |on| {
        let email = &args.named.email;
        let Some(user) = users::find(&on.db, email).await? else {
            return Ok(unknown(email, output));
        };
        let operator = Operator::new();
        let acting = operator.acting(on);
        match blacklist::add(&acting, user.id, Some(&args.reason)).await? {
            Add::Done { ended, is_new } => {
                open::felt_everywhere(on).await;
                let value = json!({
                    "id": user.id, "email": email.as_str(), "changed": is_new, "sessions": ended,
                });
                let sentence = if is_new {
                    format!("{email} is kept out. Sessions that ended: {ended}.")
                } else {
                    format!("{email} was kept out already, now for this reason.")
                };
                output.done(&value, &sentence)
            }
            Add::Unknown => Ok(unknown(email, output)),
            Add::Refused(refusal) => Ok(output.refuse("not_allowed", &refusal.to_string())),
        }
    })
    .await
}

/// Lets a user in again.
pub(super) async fn remove(named: Named) -> anyhow::Result<ExitCode> {
    let output = Output::new(named.common.json);
    open::with(open::load(&named.common.config)?, async |on| {
        let email = &named.email;
        let Some(user) = users::find(&on.db, email).await? else {
            return Ok(unknown(email, output));
        };
        let value =
            |changed: bool| json!({ "id": user.id, "email": email.as_str(), "changed": changed });
        let operator = Operator::new();
        match blacklist::remove(&operator.acting(on), user.id).await? {
            Remove::Done => output.done(&value(true), &format!("{email} can sign in again.")),
            Remove::Unknown => output.done(&value(false), &format!("{email} was not kept out.")),
            Remove::Refused(refusal) => Ok(output.refuse("not_allowed", &refusal.to_string())),
        }
    })
    .await
}
