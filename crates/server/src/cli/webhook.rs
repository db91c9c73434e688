//! `portcullis webhook`: how far the receivers of what happens are, sending them a test, and sending
//! again what they have had. Not here: the sending itself, which a serving process does.

use std::process::ExitCode;

use portcullis_domain::time::Time;
use portcullis_store::audit::{sinks, tree};
use serde_json::{Value, json};

use super::output::Output;
use super::{Common, UNREACHABLE, open};
use crate::clock::Clock;
use crate::config::Webhook;
use crate::random::Random;
use crate::webhooks::{self, Client, Message, Seen};

/// `portcullis webhook …`
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Lists the receivers, how far each is, and what does not work.
    List(Common),
    /// Sends one receiver a test message at once, signed like any other.
    Test(Named),
    /// Sends a receiver the log from an index on, again or passing over what lies between.
    Rewind(Rewind),
    /// Forgets how far a receiver is. If it is still in the configuration, it begins anew with what
    /// happens from then on.
    Forget(Named),
}

#[derive(clap::Args)]
struct Named {
    #[command(flatten)]
    common: Common,
    /// The receiver, as the configuration names it.
    #[arg(value_name = "NAME")]
    name: String,
}

#[derive(clap::Args)]
struct Rewind {
    #[command(flatten)]
    named: Named,
    /// The entry that is sent next.
    #[arg(long, value_name = "INDEX")]
    to: u64,
}

/// Runs the command.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::List(common) => list(common).await,
        Command::Test(named) => test(named).await,
        Command::Rewind(args) => rewind(args).await,
        Command::Forget(named) => forget(named).await,
    }
}

async fn list(common: Common) -> anyhow::Result<ExitCode> {
    let output = Output::new(common.json);
    open::with(open::load(&common.config)?, async |on| {
        let all = webhooks::standing(&on.db).await?;
        let known = |webhook: &&Webhook| !all.iter().any(|seen| seen.sink.name == webhook.name);
        let new = on.config.audit.webhooks.iter().filter(known);
        let place = |name: &str| {
            let mut webhooks = on.config.audit.webhooks.iter();
            webhooks.find(|webhook| webhook.name == name).map(Webhook::place)
        };
        let mut values: Vec<Value> = all
            .iter()
            .map(|seen| value(seen, place(&seen.sink.name).as_deref(), on.clock.now()))
            .collect();
        values.extend(new.map(|it| json!({"name": it.name, "to": it.place(), "state": "new"})));
        let header = ["Name", "To", "State", "Behind", "Delivered", "Next attempt", "Why"];
        let rows: Vec<[String; 7]> = values.iter().map(row).collect();
        output.list(&values, header, rows)
    })
    .await
}

fn value(seen: &Seen, to: Option<&str>, now: Time) -> Value {
    let Seen { sink, behind, oldest } = seen;
    let state = match (to, sink.failing_since) {
        (None, _) => "removed",
        (Some(_), Some(_)) => "failing",
        (Some(_), None) => "good",
    };
    json!({
        "name": sink.name,
        "to": to,
        "state": state,
        "next": sink.next,
        "behind": behind,
        "oldest_seconds": oldest.map(|at| now.since(at).as_secs()),
        "delivered_at": sink.delivered_at.map(Time::iso),
        "failures": sink.failures,
        "failing_since": sink.failing_since.map(Time::iso),
        "failure": sink.failure,
        "next_attempt_at": sink.failing_since.map(|_| sink.retry_at.iso()),
    })
}

fn row(value: &Value) -> [String; 7] {
    ["name", "to", "state", "behind", "delivered_at", "next_attempt_at", "failure"].map(|member| {
        match value.get(member) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        }
    })
}

async fn test(named: Named) -> anyhow::Result<ExitCode> {
    let output = Output::new(named.common.json);
    let config = open::load(&named.common.config)?;
    let mut webhooks = config.audit.webhooks.iter();
    let Some(webhook) = webhooks.find(|webhook| webhook.name == named.name).cloned() else {
        return Ok(unknown(&named.name, output));
    };
    let client = Client::new(&webhook)?;
    let origin = open::with(config, async |on| {
        let mut tx = on.db.read().await?;
        Ok(tree::read(&mut tx).await?.map_or_else(String::new, |tree| tree.origin))
    })
    .await?;
    let now = Clock::system().now();
    let message = Message::test(&webhook, &origin, Random.bytes(), now);
    match client.send(&message, now).await {
        Ok(()) => output.done(
            &json!({"sent": true, "webhook_id": message.id}),
            &format!("{} took the message {}.", webhook.name, message.id),
        ),
        Err(refused) => {
            let sentence = format!("{} did not take the message: {refused}.", webhook.name);
            output.refuse("webhook_refused", &sentence);
            Ok(ExitCode::from(UNREACHABLE))
        }
    }
}

async fn rewind(args: Rewind) -> anyhow::Result<ExitCode> {
    let Rewind { named: Named { common, name }, to } = args;
    let output = Output::new(common.json);
    open::with(open::load(&common.config)?, async |on| {
        let mut tx = on.db.write().await?;
        let size = tree::read(&mut tx).await?.map_or(0, |tree| tree.size);
        if to > size {
            let sentence = format!("The log has {size} entries; the next one will be {size}.");
            return Ok(output.refuse("entry_unknown", &sentence));
        }
        if !sinks::rewind(&mut tx, &name, to).await? {
            return Ok(unknown(&name, output));
        }
        tx.commit().await?;
        output.done(&json!({"name": name, "next": to}), &format!("{name} is sent {to} next."))
    })
    .await
}

async fn forget(named: Named) -> anyhow::Result<ExitCode> {
    let Named { common, name } = named;
    let output = Output::new(common.json);
    open::with(open::load(&common.config)?, async |on| {
        let mut tx = on.db.write().await?;
        if !sinks::forget(&mut tx, &name).await? {
            return Ok(unknown(&name, output));
        }
        tx.commit().await?;
        output.done(&json!({"name": name, "forgotten": true}), &format!("{name} is forgotten."))
    })
    .await
}

fn unknown(name: &str, output: Output) -> ExitCode {
    output.refuse("webhook_unknown", &format!("There is no receiver {name}."))
}
