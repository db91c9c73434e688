//! `portcullis session`: who is signed in, and ending it, in the words of the operator. What follows
//! is the flow's (`flows::terminate`).

use std::process::ExitCode;

use portcullis_domain::id::SessionHandle;
use portcullis_domain::revocation::Actor;
use serde_json::json;

use super::Common;
use super::open::{self, Operator};
use super::output::Output;
use crate::flows::terminate::{self, Terminate};

/// `portcullis session …`
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Ends a session with everything that one sign-in gave.
    Terminate(Named),
}

#[derive(clap::Args)]
struct Named {
    #[command(flatten)]
    common: Common,
    /// The name of the session: `sess_` and 24 digits.
    #[arg(value_name = "ID", value_parser = handle)]
    handle: SessionHandle,
}

/// Runs the command.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Terminate(named) => terminate(named).await,
    }
}

/// Returns when no node lets in what was ended.
async fn terminate(named: Named) -> anyhow::Result<ExitCode> {
    let output = Output::new(named.common.json);
    let handle = named.handle;
    open::with(open::load(&named.common.config)?, async |on| {
        let (operator, actor) = (Operator::new(), Actor::operator());
        match terminate::terminate(&operator.acting(on), &actor, &handle).await? {
            Terminate::Done => {
                open::felt_everywhere(on).await;
                output.done(&json!({ "session_id": handle }), &format!("{handle} is ended."))
            }
            Terminate::Unknown => {
                let sentence = format!("There is no session {handle}, or it has ended.");
                Ok(output.refuse("session_unknown", &sentence))
            }
            Terminate::Refused(refusal) => Ok(output.refuse("not_allowed", &refusal.to_string())),
        }
    })
    .await
}

fn handle(text: &str) -> Result<SessionHandle, &'static str> {
    SessionHandle::parse(text).ok_or("a session is named sess_ and 24 digits from 0 to f")
}
