//! `portcullis signing-key`: the keys that access tokens are signed with, and a new one, also beside a
//! running server.

use std::process::ExitCode;

use portcullis_domain::event::Context;
use portcullis_domain::signing_key::Pace;
use portcullis_domain::time::Time;
use portcullis_store::signing_keys::StoredKey;
use serde_json::{Value, json};

use super::output::Output;
use super::{Common, open};
use crate::flows::signing_keys::{self, Making, Rotated};

/// `portcullis signing-key …`
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Lists the keys that access tokens are signed and verified with.
    List(Common),
    /// Makes a new key. It is published now and signs ten minutes later; what the old one signed is good
    /// until it runs out.
    Rotate(Rotate),
}

#[derive(clap::Args)]
struct Rotate {
    #[command(flatten)]
    common: Common,
    /// The new key signs at once, and every access token that was signed before is over: for when
    /// somebody else may have a key.
    #[arg(long)]
    now: bool,
}

/// Runs the command.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::List(common) => list(common).await,
        Command::Rotate(args) => rotate(args).await,
    }
}

async fn list(common: Common) -> anyhow::Result<ExitCode> {
    let output = Output::new(common.json);
    open::with(open::load(&common.config)?, async |on| {
        let now = on.clock.now();
        let keys = signing_keys::list(&on.db).await?;
        let values: Vec<Value> = keys.iter().map(|key| value(key, now)).collect();
        let header = ["Key", "Algorithm", "State", "Published", "Signs from", "Until", "Gone"];
        output.list(&values, header, values.iter().map(row).collect::<Vec<_>>())
    })
    .await
}

fn value(key: &StoredKey, now: Time) -> Value {
    json!({
        "kid": key.kid,
        "algorithm": key.algorithm.name(),
        "state": key.life.stage(now),
        "published_at": key.life.published_at.iso(),
        "signs_from": key.life.signs_from.iso(),
        "retired_at": key.life.retired_at.map(Time::iso),
        "gone_at": key.life.gone_at.map(Time::iso),
    })
}

fn row(value: &Value) -> [String; 7] {
    let members =
        ["kid", "algorithm", "state", "published_at", "signs_from", "retired_at", "gone_at"];
    members.map(|member| value.get(member).and_then(Value::as_str).unwrap_or_default().to_owned())
}

async fn rotate(args: Rotate) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    let pace = if args.now { Pace::AtOnce } else { Pace::Planned };
    open::with(open::load(&args.common.config)?, async |on| {
        let context = Context::default();
        let making = Making {
            db: &on.db,
            keys: &on.keys,
            plan: on.config.key_plan(),
            random: on.random,
            now: on.clock.now(),
            context: &context,
        };
        let rotated = Box::pin(signing_keys::rotate(&making, pace)).await?;
        if pace == Pace::AtOnce {
            open::felt_everywhere(on).await;
        }
        match rotated {
            Rotated::Made { kid, life } => {
                let from = life.signs_from.iso();
                let body = json!({"kid": kid, "signs_from": from});
                output.done(&body, &format!("The key {kid} signs from {from} on."))
            }
            Rotated::Waiting { kid, life } => {
                let from = life.signs_from.iso();
                let sentence =
                    format!("The key {kid} is published already, and signs from {from}.");
                Ok(output.refuse("signing_key_waiting", &sentence))
            }
            Rotated::Overtaken => {
                let sentence = "Somebody made a key at the same moment.";
                Ok(output.unreachable("signing_key_overtaken", sentence))
            }
        }
    })
    .await
}
