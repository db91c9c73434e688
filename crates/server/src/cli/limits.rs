//! `portcullis limits`: how the limits stand, and changing one while the server runs, in the words of the
//! operator. What a value must be, and what follows, is the flow's (`flows::limits::change`).

use std::process::ExitCode;

use portcullis_domain::limits::{Limits, Tunable, written};
use portcullis_domain::throttle::{Limit, LimitFault, parse_limit};
use serde::Serialize;
use serde_json::json;

use super::Common;
use super::open::{self, Operator};
use super::output::Output;
use crate::config::Config;
use crate::flows::limits::change::{self, Change, Wanted};
use crate::flows::limits::overview::{self, Standing};
use crate::live_limits::LiveLimits;

/// `portcullis limits …`
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Lists every limit with its value and where that comes from.
    List(Common),
    /// Puts a value in force, in place of the configuration's.
    Set(Set),
    /// Gives the configuration's value back.
    Reset(Named),
}

#[derive(clap::Args)]
struct Set {
    #[command(flatten)]
    named: Named,
    /// A count and a period such as 5/60s, or off.
    #[arg(value_name = "VALUE", value_parser = value)]
    value: Value,
}

#[derive(clap::Args)]
struct Named {
    #[command(flatten)]
    common: Common,
    /// login, sensitive, lockout, requests or upstream.
    #[arg(value_name = "NAME", value_parser = name)]
    tunable: Tunable,
}

/// A limit as it was written: `None` is no limit.
#[derive(Clone, Copy)]
struct Value(Option<Limit>);

/// Runs the command.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::List(common) => list(common).await,
        Command::Set(Set { named, value: Value(value) }) => put(named, Wanted::Value(value)).await,
        Command::Reset(named) => put(named, Wanted::Configured).await,
    }
}

async fn list(common: Common) -> anyhow::Result<ExitCode> {
    let output = Output::new(common.json);
    open::with(open::load(&common.config)?, async |on| {
        let limits = LiveLimits::new(on.config.limits.configured);
        limits.refresh(&on.db).await?;
        let mut tx = on.db.read().await?;
        let standings = overview::standings(&mut tx, &limits, Config::default_limits()).await?;
        let rows: Vec<_> = standings.iter().map(Row::new).collect();
        let header = ["Limit", "Value", "From", "Configured", "Changed by", "Changed at"];
        output.list(&rows, header, rows.iter().map(Row::cells))
    })
    .await
}

async fn put(named: Named, wanted: Wanted) -> anyhow::Result<ExitCode> {
    let output = Output::new(named.common.json);
    let tunable = named.tunable;
    open::with(open::load(&named.common.config)?, async |on| {
        let configured = on.config.limits.configured;
        let changed = change::put(&Operator::new().acting(on), configured, tunable, wanted).await?;
        let (name, value) = (tunable.key(), written(value_of(configured, tunable, wanted)));
        let told = json!({ "name": name, "value": value });
        match changed {
            Change::Done => {
                let sentence =
                    format!("limits.{name} is {value}; running servers follow within two seconds.");
                output.done(&told, &sentence)
            }
            Change::Unchanged => output.done(&told, &format!("limits.{name} was {value} already.")),
            Change::Unfit(unfit) => Ok(output.refuse("invalid", unfit.detail())),
            Change::Overtaken => {
                let sentence = format!("Somebody else changed limits.{name} at the same moment.");
                Ok(output.refuse("conflict", &sentence))
            }
        }
    })
    .await
}

fn value_of(configured: Limits, tunable: Tunable, wanted: Wanted) -> Option<Limit> {
    match wanted {
        Wanted::Configured => configured.of(tunable),
        Wanted::Value(value) => value,
    }
}

/// A limit as the API tells of it, without what each node counts by itself.
#[derive(Serialize)]
struct Row<'a> {
    name: &'static str,
    value: String,
    source: &'static str,
    configured: String,
    default: String,
    changed_by: Option<&'a str>,
    /// RFC 3339, UTC.
    changed_at: Option<String>,
}

impl<'a> Row<'a> {
    fn new(one: &'a Standing) -> Self {
        let changed = one.changed.as_ref();
        Self {
            name: one.tunable.key(),
            value: written(one.value),
            source: one.source(),
            configured: written(one.configured),
            default: written(one.default),
            changed_by: changed.and_then(|changed| changed.by.as_deref()),
            changed_at: changed.map(|changed| changed.at.iso()),
        }
    }

    fn cells(&self) -> [String; 6] {
        let is_changed = self.changed_at.is_some();
        let by = self.changed_by.unwrap_or(if is_changed { "the operator" } else { "" });
        [
            self.name.to_owned(),
            self.value.clone(),
            self.source.to_owned(),
            self.configured.clone(),
            by.to_owned(),
            self.changed_at.clone().unwrap_or_default(),
        ]
    }
}

fn name(text: &str) -> Result<Tunable, &'static str> {
    Tunable::of_key(text).ok_or("the limits are login, sensitive, lockout, requests and upstream")
}

fn value(text: &str) -> Result<Value, LimitFault> {
    parse_limit(text).map(Value)
}
