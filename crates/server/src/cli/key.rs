//! `portcullis key`: API keys of anybody, in the words of the operator. What is done is the flow's
//! (`flows::api_keys`). The value of a key is printed once, and nowhere kept.

mod listing;

use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use ipnet::IpNet;
use portcullis_domain::activity::span;
use portcullis_domain::api_key::{Scope, network};
use portcullis_domain::id::KeyId;
use portcullis_domain::text::Email;
use portcullis_domain::throttle::Limit;
use portcullis_domain::time::Time;
use portcullis_store::api_keys::Terms;
use serde_json::json;

use super::open::{self, Opened, Operator};
use super::output::Output;
use super::{Common, user};
use crate::flows::api_keys::{self, Change, Keeper, LONGEST_OVERLAP, Made, No, Reach};
use crate::flows::roles::Acting;
use crate::flows::users;

/// `portcullis key …`
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Makes a key for somebody, and prints it once.
    Create(Create),
    /// Lists keys, newest first, without their values.
    List(List),
    /// Takes a key back.
    Revoke(Named),
    /// Puts another value in the place of a key's, and prints it once.
    Regenerate(Regenerate),
    /// Uses a key again that came back with a backup.
    Resume(Named),
}

#[derive(clap::Args)]
struct Create {
    #[command(flatten)]
    common: Common,
    /// Whose key it is.
    #[arg(long, value_name = "EMAIL", value_parser = Email::parse)]
    user: Email,
    /// What it is for.
    #[arg(long)]
    name: String,
    /// What it may do, by the method of a request: read, write, delete or admin. Several times for
    /// several; without it read.
    #[arg(long = "scope", value_name = "SCOPE", value_parser = scope)]
    scopes: Vec<Scope>,
    /// When it ends: a day, or a moment in RFC 3339. Without it never.
    #[arg(long, value_name = "TIME", value_parser = end)]
    expires: Option<Time>,
    /// An address or a network that it may be used from. Several times for several; without it from
    /// anywhere.
    #[arg(long = "allow", value_name = "NETWORK", value_parser = allowed)]
    allowed: Vec<IpNet>,
    /// How often it may be used.
    #[arg(long, value_name = "COUNT/PERIOD", default_value = "1000/1h")]
    limit: Limit,
}

#[derive(clap::Args)]
struct List {
    #[command(flatten)]
    common: Common,
    /// Only the keys of this user.
    #[arg(long, value_name = "EMAIL", value_parser = Email::parse)]
    user: Option<Email>,
}

#[derive(clap::Args)]
struct Named {
    #[command(flatten)]
    common: Common,
    /// The name of the key: `key_` and 24 digits.
    #[arg(value_name = "ID", value_parser = id)]
    id: KeyId,
}

#[derive(clap::Args)]
struct Regenerate {
    #[command(flatten)]
    named: Named,
    /// For how long the old value goes on.
    #[arg(long, value_name = "SECONDS", default_value_t = 0,
        value_parser = clap::value_parser!(u64).range(0..=LONGEST_OVERLAP.as_secs()))]
    overlap: u64,
}

/// Runs the command.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Create(args) => create(args).await,
        Command::List(args) => list(args).await,
        Command::Revoke(named) => revoke(named).await,
        Command::Regenerate(args) => regenerate(args).await,
        Command::Resume(named) => resume(named).await,
    }
}

async fn create(args: Create) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    open::with(open::load(&args.common.config)?, async |on| {
        let Some(owner) = users::find(&on.db, &args.user).await? else {
            return Ok(user::unknown(&args.user, output));
        };
        let name = args.name.trim();
        if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
            return Ok(output.misused("name_invalid", "A key has a name of 1 to 100 characters."));
        }
        if args.expires.is_some_and(|end| end <= on.clock.now()) {
            return Ok(output.misused("expires_invalid", "The end of a key is to come."));
        }
        let read = || [Scope::Read].into_iter().collect();
        let scopes = args.scopes.iter().copied().collect();
        let terms = Terms {
            name: name.to_owned(),
            description: String::new(),
            scopes: if args.scopes.is_empty() { read() } else { scopes },
            addresses: args.allowed.iter().copied().collect(),
            limit: args.limit,
            expires_at: args.expires,
        };
        let operator = Operator::new();
        let keeper = keeper(on, operator.acting(on));
        match api_keys::create(keeper, owner.id, &terms).await? {
            Ok(made) => print_made(&made, output),
            Err(no) => Ok(refuse(no, output)),
        }
    })
    .await
}

async fn list(args: List) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    open::with(open::load(&args.common.config)?, async |on| {
        let reach = match &args.user {
            None => Reach::Everybody,
            Some(email) => match users::find(&on.db, email).await? {
                Some(user) => Reach::Own(user.id),
                None => return Ok(user::unknown(email, output)),
            },
        };
        let keys = api_keys::list(&on.db, reach).await?;
        listing::print(&keys, on.clock.now(), output)
    })
    .await
}

/// Returns when no node lets in what was ended, as the next.
async fn revoke(named: Named) -> anyhow::Result<ExitCode> {
    let (output, id) = (Output::new(named.common.json), named.id);
    open::with(open::load(&named.common.config)?, async |on| {
        let operator = Operator::new();
        match api_keys::revoke(keeper(on, operator.acting(on)), id).await? {
            Ok(_) => {
                open::felt_everywhere(on).await;
                output.done(&json!({ "id": id }), &format!("{id} is revoked."))
            }
            Err(no) => Ok(refuse(no, output)),
        }
    })
    .await
}

async fn regenerate(args: Regenerate) -> anyhow::Result<ExitCode> {
    let (common, id) = (args.named.common, args.named.id);
    let output = Output::new(common.json);
    open::with(open::load(&common.config)?, async |on| {
        let operator = Operator::new();
        let keeper = keeper(on, operator.acting(on));
        match api_keys::regenerate(keeper, id, Duration::from_secs(args.overlap)).await? {
            Ok(made) => {
                open::felt_everywhere(on).await;
                print_made(&made, output)
            }
            Err(no) => Ok(refuse(no, output)),
        }
    })
    .await
}

async fn resume(named: Named) -> anyhow::Result<ExitCode> {
    use portcullis_domain::api_key::State::Active;
    let (output, id) = (Output::new(named.common.json), named.id);
    open::with(open::load(&named.common.config)?, async |on| {
        let Some(seen) = api_keys::one(&on.db, Reach::Everybody, id).await? else {
            return Ok(refuse(No::Unknown, output));
        };
        let operator = Operator::new();
        let change = Change { terms: seen.terms.clone(), state: Some(Active) };
        match api_keys::change(keeper(on, operator.acting(on)), &seen, &change).await? {
            Ok(_) => output.done(&json!({ "id": id }), &format!("{id} can be used.")),
            Err(no) => Ok(refuse(no, output)),
        }
    })
    .await
}

fn keeper<'a>(on: &'a Opened, acting: Acting<'a>) -> Keeper<'a> {
    Keeper { acting, keys: &on.keys.credential, reach: Reach::Everybody, letters: None }
}

fn print_made(made: &Made, output: Output) -> anyhow::Result<ExitCode> {
    let (id, value) = (made.key.id, &made.value);
    let sentence = format!("{value}\nThis is {id}. It will not be shown again.");
    output.done(&json!({ "id": id, "key": value, "prefix": made.key.prefix }), &sentence)
}

fn refuse(no: No, output: Output) -> ExitCode {
    let (code, sentence) = match no {
        No::Unknown => ("key_unknown", "There is no such key."),
        No::Full => {
            ("keys_full", "This user has 50 keys that can still be used. Revoke one first.")
        }
        No::Overtaken | No::SignedOut => ("conflict", "Somebody else has just changed it."),
        No::Revoked => ("key_revoked", "It was revoked. Make it anew, or make another."),
        No::Expired => ("key_expired", "It is over, and a new value would be worth nothing."),
    };
    output.refuse(code, sentence)
}

fn id(text: &str) -> Result<KeyId, &'static str> {
    KeyId::parse(text).ok_or("a key is named key_ and 24 digits from 0 to f")
}

fn scope(text: &str) -> Result<Scope, &'static str> {
    Scope::parse(text).ok_or("a scope is read, write, delete or admin")
}

fn end(text: &str) -> Result<Time, &'static str> {
    let is_day = text.len() == "2026-01-31".len();
    let end = if is_day { span::until(text) } else { span::from(text) };
    end.ok_or("a day such as 2026-01-31, or a moment such as 2026-01-31T12:00:00Z")
}

fn allowed(text: &str) -> Result<IpNet, String> {
    let example = IpAddr::from([192, 0, 2, 7]);
    network(text).ok_or_else(|| format!("an address such as {example}, or a network"))
}
