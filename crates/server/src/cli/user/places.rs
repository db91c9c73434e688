//! `portcullis user places`: where somebody signed in before, and what an operator does when the mail
//! with the code does not arrive.

use std::net::IpAddr;
use std::process::ExitCode;

use portcullis_store::places::Verified;
use serde_json::{Value, json};

use super::super::open::{self, Operator};
use super::super::output::Output;
use super::{Named, unknown};
use crate::flows::{places, users};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    named: Named,
    /// Vouches for the network of this address: a browser there is asked for no code.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "forget")]
    trust: Option<IpAddr>,
    /// Forgets every place: the next one is learned silently, as the first was.
    #[arg(long)]
    forget: bool,
}

/// Runs the command.
pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.named.common.json);
    let config = open::load(&args.named.common.config)?;
    open::with(config, async |on| {
        let Some(user) = users::find(&on.db, &args.named.email).await? else {
            return Ok(unknown(&args.named.email, output));
        };
        let operator = Operator::new();
        let (email, acting) = (user.email.as_str(), operator.acting(on));
        if let Some(address) = args.trust {
            let network = places::trust(&acting, user.id, address).await?.to_string();
            let sentence = format!("{email} can sign in from {network} without a code.");
            return output.done(&json!({"email": email, "network": network}), &sentence);
        }
        if args.forget {
            let count = places::forget(&acting, user.id).await?;
            let sentence = format!("Forgot {count} places of {email}; the next one is learned.");
            return output.done(&json!({"email": email, "forgotten": count}), &sentence);
        }
        let list = places::list(&on.db, user.id).await?;
        let values: Vec<Value> = list.iter().map(value).collect();
        output.list(&values, ["network", "first seen", "last seen"], list.iter().map(row))
    })
    .await
}

fn value(place: &Verified) -> Value {
    json!({
        "id": place.id,
        "network": place.place.to_string(),
        "first_seen": place.first_seen.iso(),
        "last_seen": place.last_seen.iso(),
    })
}

fn row(place: &Verified) -> [String; 3] {
    [place.place.to_string(), place.first_seen.iso(), place.last_seen.iso()]
}
