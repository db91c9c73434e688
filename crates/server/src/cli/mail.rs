//! `portcullis mail`: sends a test message through the configured transport, and shows how far mail
//! is. What it says is shown to nobody.

use std::process::ExitCode;

use portcullis_domain::delivery::Undelivered;
use portcullis_domain::text::Email;
use portcullis_store::outbox::{self, Listed, State};
use serde_json::{Value, json};

use super::output::Output;
use super::{Common, open};
use crate::clock::Clock;
use crate::mail::{self, Letter, Mailer, Sending};
use crate::random::Random;

/// `portcullis mail …`
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Sends a message at once, past the queue, and says what the mail server said.
    Test(Test),
    /// Lists the newest messages: which wait, which were sent and which never went out.
    List(List),
}

#[derive(clap::Args)]
struct Test {
    #[command(flatten)]
    common: Common,
    /// Who gets the message.
    #[arg(long, value_name = "ADDRESS", value_parser = Email::parse)]
    to: Email,
}

#[derive(clap::Args)]
struct List {
    #[command(flatten)]
    common: Common,
    /// How many messages.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

/// Runs the command.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Test(args) => test(args).await,
        Command::List(args) => list(args).await,
    }
}

async fn test(args: Test) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    let config = open::load(&args.common.config)?;
    let mailer = Mailer::new(&config.mail)?;
    let place = config.server.public_url_at(config.server.listen).to_string();
    let now = Clock::system().now();
    let new = mail::write(Random.row_id(now), &args.to, &Letter::test(), &place, now);
    match mailer.deliver_at_once(new, now).await {
        Sending::Taken(said) => {
            output.done(&json!({"sent": true, "answer": said}), &format!("Sent: {said}"))
        }
        Sending::NotNow(said) => {
            Ok(output
                .refuse("mail_not_now", &format!("The mail server does not take it now: {said}")))
        }
        Sending::Refused(said) => {
            Ok(output.refuse("mail_refused", &format!("The mail server refuses it: {said}")))
        }
        Sending::Down(trouble) => {
            let error = anyhow::Error::new(trouble).context("mail cannot be sent (mail.transport)");
            Ok(output.unreachable("mail_down", &format!("{error:#}")))
        }
    }
}

async fn list(args: List) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    let config = open::load(&args.common.config)?;
    open::with(config, async |opened| {
        let mut tx = opened.db.read().await?;
        let mails = outbox::list(&mut tx, args.limit).await?;
        let values: Vec<Value> = mails.iter().map(value).collect();
        let header = ["queued", "to", "subject", "state", "attempts"];
        output.list(&values, header, mails.into_iter().map(row))
    })
    .await
}

fn value(mail: &Listed) -> Value {
    let Listed { id, recipient, subject, created_at, attempts, .. } = mail;
    let mut value = json!({
        "id": id,
        "to": recipient,
        "subject": subject,
        "queued_at": created_at.iso(),
        "attempts": attempts,
        "state": word(mail.state),
    });
    let (key, time) = match mail.state {
        State::Waiting => ("next_at", mail.next_at),
        State::Sent(at) => ("sent_at", at),
        State::GivenUp(at, _) => ("given_up_at", at),
    };
    if let Value::Object(fields) = &mut value {
        fields.insert(key.to_owned(), time.iso().into());
    }
    value
}

fn row(mail: Listed) -> [String; 5] {
    let state = match mail.state {
        State::Waiting if mail.attempts > 0 => format!("waiting until {}", mail.next_at.iso()),
        state @ (State::Waiting | State::Sent(_) | State::GivenUp(..)) => word(state).to_owned(),
    };
    [mail.created_at.iso(), mail.recipient, mail.subject, state, mail.attempts.to_string()]
}

fn word(state: State) -> &'static str {
    match state {
        State::Waiting => "waiting",
        State::Sent(_) => "sent",
        State::GivenUp(_, Undelivered::Refused) => "refused",
        State::GivenUp(_, Undelivered::Expired) => "expired",
    }
}
