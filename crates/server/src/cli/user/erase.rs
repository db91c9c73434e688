//! `portcullis user erase`: takes a person out of everything, for good.

use std::process::ExitCode;

use portcullis_domain::audit::entry::Person;
use portcullis_domain::erasure::Basis;
use portcullis_domain::id::UserId;
use portcullis_domain::text::Email;
use serde_json::json;

use super::super::Common;
use super::super::audit::log_of;
use super::super::open::{self, Opened, Operator};
use super::super::output::Output;
use crate::flows::administration::{Desk, Halt};
use crate::flows::audit::erase;
use crate::flows::users;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    common: Common,
    /// The user's e-mail address, or his number, by which an account is found that was deleted.
    #[arg(value_name = "USER", value_parser = who)]
    user: Who,
    /// Why, such as the number of the request. It is kept, so it must not name the person.
    #[arg(long, value_name = "TEXT", value_parser = Basis::parse)]
    basis: Basis,
}

/// Whom it is about.
#[derive(Clone)]
enum Who {
    Number(UserId),
    Address(Email),
}

fn who(text: &str) -> Result<Who, String> {
    let number = text.parse().ok().filter(|number| *number > 0).map(|id| Who::Number(UserId(id)));
    number.map_or_else(
        || {
            let address = Email::parse(text).map(Who::Address);
            address.map_err(|_| "neither an address nor the number of a user".to_owned())
        },
        Ok,
    )
}

/// Erases. Returns when no node lets in what the user had.
pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    open::with(open::load(&args.common.config)?, async |on| {
        let Some(id) = find(on, &args.user).await? else { return Ok(unknown(&args.user, output)) };
        let operator = Operator::new();
        let log = log_of(on).await?;
        let desk = match Desk::of(&operator.acting(on)).await {
            Ok(desk) => desk,
            Err(halt) => return refused(halt, &args.user, output),
        };
        let erased = match Box::pin(erase::erase(&log, desk, id, &args.basis)).await {
            Ok(erased) => erased,
            Err(halt) => return refused(halt, &args.user, output),
        };
        open::felt_everywhere(on).await;
        let is_gone = erase::fold(&on.db).await?;
        if !is_gone {
            output
                .note("Somebody is still reading the database; the last bytes go when he is done.");
        }
        let person = erased.person.as_ref().map(Person::to_string);
        let entries = erased.entries;
        let value = json!({"id": id, "person": person, "entries": entries, "folded": is_gone});
        let sentence =
            format!("User {id} was erased. Entries of the log that told of him: {entries}.");
        output.done(&value, &sentence)
    })
    .await
}

async fn find(on: &Opened, user: &Who) -> anyhow::Result<Option<UserId>> {
    Ok(match user {
        Who::Number(id) => Some(*id),
        Who::Address(email) => users::find(&on.db, email).await?.map(|user| user.id),
    })
}

fn refused(halt: Halt, user: &Who, output: Output) -> anyhow::Result<ExitCode> {
    Ok(match halt {
        Halt::UnknownUser => unknown(user, output),
        Halt::Refused(refusal) => output.refuse("not_allowed", &refusal.to_string()),
        Halt::Conflict(code) => output.refuse(code, "He was erased before."),
        Halt::Store(error) => return Err(error.into()),
        Halt::UnknownRole | Halt::UsernameIsAddress => anyhow::bail!("this cannot happen here"),
    })
}

fn unknown(user: &Who, output: Output) -> ExitCode {
    match user {
        Who::Address(email) => super::unknown(email, output),
        Who::Number(id) => {
            output.refuse("user_unknown", &format!("There is no user with the number {id}."))
        }
    }
}
