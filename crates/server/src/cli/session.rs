//! `portcullis session`: who is signed in, and ending it, in the words of the operator. What follows
//! is the flow's (`flows::terminate`).

mod listing;

use std::process::ExitCode;

use portcullis_domain::id::SessionHandle;
use portcullis_domain::revocation::Reach;
use portcullis_domain::text::Email;
use serde_json::json;

use super::open::{self, Operator};
use super::output::Output;
use super::{Common, user};
use crate::flows::terminate::{self, Terminate};
use crate::flows::{sessions, users};

/// `portcullis session …`
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Lists who is signed in, newest first.
    List(List),
    /// Ends a session with everything that one sign-in gave.
    Terminate(Named),
}

#[derive(clap::Args)]
struct List {
    #[command(flatten)]
    common: Common,
    /// Only the sessions of this user.
    #[arg(long, value_name = "EMAIL", value_parser = Email::parse)]
    user: Option<Email>,
    /// How many at most.
    #[arg(long, value_name = "NUMBER", default_value_t = 1000,
        value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    limit: u64,
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
        Command::List(args) => list(args).await,
        Command::Terminate(named) => terminate(named).await,
    }
}

async fn list(args: List) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    open::with(open::load(&args.common.config)?, async |on| {
        let user = match &args.user {
            None => None,
            Some(email) => match users::find(&on.db, email).await? {
                Some(user) => Some(user.id),
                None => return Ok(user::unknown(email, output)),
            },
        };
        let listing = sessions::newest(&on.db, user, args.limit, on.clock.now()).await?;
        if listing.has_more {
            output.note(&format!("The newest of {}; --limit shows more.", listing.total));
        }
        listing::print(&listing.sessions, output)
    })
    .await
}

/// Returns when no node lets in what was ended.
async fn terminate(named: Named) -> anyhow::Result<ExitCode> {
    let output = Output::new(named.common.json);
    let handle = named.handle;
    open::with(open::load(&named.common.config)?, async |on| {
        let operator = Operator::new();
        match terminate::terminate(&operator.acting(on), Reach::Everybody, &handle).await? {
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
