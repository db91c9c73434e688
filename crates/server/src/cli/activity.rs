//! `portcullis activity`: what happened, as a list and to take along. The same questions as on the web
//! (`web::activity`); what answers them is `flows::activity`.

use std::net::IpAddr;
use std::process::ExitCode;

use portcullis_domain::activity::query::{self, Action, Query, Term};
use portcullis_domain::activity::{Record, Somebody, span, to_the_millisecond};
use portcullis_domain::event::ocsf::Resource;
use portcullis_domain::event::{Context, Outcome, Severity};
use portcullis_domain::id::{SessionHandle, UserId};
use portcullis_domain::time::Time;

use super::audit::log_of;
use super::open::{self, Opened};
use super::output::{self, Output};
use super::{Common, DONE};
use crate::flows::activity::export::{self, Begun, By, Format};
use crate::flows::activity::{self, Found, Listing, Reader, Wanted};

/// `portcullis activity …`
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Lists what happened, newest first.
    List(List),
    /// Prints what happened in the order of the log, to take along.
    Export(Export),
}

#[derive(clap::Args)]
struct List {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    filter: Filter,
    /// How many at most.
    #[arg(long, value_name = "NUMBER", default_value_t = 50,
        value_parser = clap::value_parser!(u64).range(1..=10_000))]
    limit: u64,
    /// Only what stands before the entry of this index.
    #[arg(long, value_name = "INDEX")]
    before: Option<u64>,
}

#[derive(clap::Args)]
struct Export {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    filter: Filter,
    /// csv, ndjson (one JSON object a line) or ocsf (the same in the words of that schema).
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    format: Format,
    /// Only what stands after the entry of this index.
    #[arg(long, value_name = "INDEX")]
    after: Option<u64>,
}

/// What is wanted; all of it must be so.
#[derive(clap::Args)]
struct Filter {
    /// An address, a session, the id of a request or an event, the beginning of a name or an e-mail
    /// address, or words of an event.
    #[arg(value_name = "TEXT", value_parser = term)]
    text: Option<Term>,
    /// What this user did, and what was done to the account.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(1..))]
    user_id: Option<i64>,
    /// The same by the beginning of an e-mail address, a username or a name.
    #[arg(long, value_name = "TEXT", value_parser = person)]
    user: Option<String>,
    /// The name of an event, or its beginning with a * at the end; several with commas between, or
    /// given several times.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = action)]
    action: Vec<Action>,
    /// success or failure.
    #[arg(long, value_name = "OUTCOME", value_parser = outcome)]
    outcome: Option<Outcome>,
    /// info, warning or critical.
    #[arg(long, value_name = "SEVERITY", value_parser = severity)]
    severity: Option<Severity>,
    /// What kind of thing it is about, such as session or role.
    #[arg(long, value_name = "KIND", value_parser = resource)]
    resource_type: Option<Resource>,
    /// A day such as 2026-11-22 (UTC), or a moment such as 2026-11-22T01:02:03Z.
    #[arg(long, value_name = "TIME", value_parser = from)]
    from: Option<Time>,
    /// The same; the day is meant whole.
    #[arg(long, value_name = "TIME", value_parser = until)]
    to: Option<Time>,
    /// The address of the client.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    ip: Option<IpAddr>,
    /// The session.
    #[arg(long, value_name = "ID", value_parser = session)]
    session: Option<SessionHandle>,
    /// The id that the answer to a request carries.
    #[arg(long, value_name = "ID", value_parser = request)]
    request_id: Option<String>,
}

/// Runs the command.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::List(args) => list(args).await,
        Command::Export(args) => export(args).await,
    }
}

async fn list(args: List) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let wanted = Wanted { limit, offset: 0, before: args.before };
    let query = args.filter.query();
    open::with(open::load(&args.common.config)?, async |on| {
        settle(on).await;
        match activity::list(reader(on), &query, wanted).await? {
            Found::Listing(listing) => print(&listing, output),
            Found::UnknownBefore => {
                Ok(output.refuse("entry_unknown", "There is no entry of this index."))
            }
            Found::TooManyPeople => Ok(too_many_people(output)),
        }
    })
    .await
}

fn print(listing: &Listing, output: Output) -> anyhow::Result<ExitCode> {
    if let Some(next) = listing.next {
        output.note(&format!("There may be more: --before {next}"));
    }
    let header = ["No.", "When", "Event", "Outcome", "Who", "About", "From", "Details"];
    output.list(&listing.records, header, listing.records.iter().map(cells))
}

fn cells(record: &Record) -> [String; 8] {
    let name = |it: &Option<Somebody>| {
        let name = it.as_ref().map(|it| it.name.clone().unwrap_or_else(|| it.person.to_string()));
        name.unwrap_or_default()
    };
    let by_command = record.is_by_command().then(|| "(command line)".to_owned());
    let detail = record.detail.iter().map(|(name, value)| format!("{name}={value}"));
    let detail: Vec<String> = detail.collect();
    [
        record.index.to_string(),
        to_the_millisecond(record.at),
        record.event.clone(),
        record.outcome.clone(),
        by_command.unwrap_or_else(|| name(&record.actor)),
        name(&record.subject),
        record.ip.clone().unwrap_or_default(),
        detail.join(" "),
    ]
}

async fn export(args: Export) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    let (query, format) = (args.filter.query(), args.format);
    open::with(open::load(&args.common.config)?, async |on| {
        settle(on).await;
        let context = Context::default();
        let by = By { context: &context, random: on.random, now: on.clock.now() };
        let begun = export::begin(reader(on), &query, args.after, format, by).await?;
        let Begun::Export(mut export) = begun else { return Ok(too_many_people(output)) };
        let mut is_read = output::print_part(&format.head())?;
        while is_read && let Some(records) = export.next(reader(on)).await? {
            is_read = output::print_part(&format.write(&records))?;
        }
        Ok(ExitCode::from(DONE))
    })
    .await
}

fn reader(on: &Opened) -> Reader<'_> {
    Reader { db: &on.db, keys: &on.keys.audit }
}

/// If it cannot be done, the answer is made of what is in the log.
async fn settle(on: &Opened) {
    if let Err(error) = log_of(on).await {
        tracing::warn!("events wait for their place: {error:#}");
    }
}

fn too_many_people(output: Output) -> ExitCode {
    let sentence = "The text may mean more than ten people; say more of the name.";
    output.refuse("too_many_people", sentence)
}

impl Filter {
    fn query(self) -> Query {
        Query {
            user: self.user_id.map(UserId),
            person: self.user,
            actions: self.action,
            outcome: self.outcome,
            severity: self.severity,
            resource: self.resource_type,
            from: self.from,
            until: self.to,
            address: self.ip,
            session: self.session,
            request: self.request_id,
            term: self.text,
        }
    }
}

fn format(text: &str) -> Result<Format, &'static str> {
    Format::parse(text).ok_or("csv, ndjson or ocsf")
}

fn term(text: &str) -> Result<Term, &'static str> {
    Term::parse(text).ok_or("1 to 254 characters")
}

fn person(text: &str) -> Result<String, &'static str> {
    query::person(text).ok_or("1 to 254 characters")
}

fn action(text: &str) -> Result<Action, &'static str> {
    Action::parse(text).ok_or("the name of an event, or its beginning with a * at the end")
}

fn outcome(text: &str) -> Result<Outcome, &'static str> {
    query::outcome(text).ok_or("success or failure")
}

fn severity(text: &str) -> Result<Severity, &'static str> {
    query::severity(text).ok_or("info, warning or critical")
}

fn resource(text: &str) -> Result<Resource, &'static str> {
    Resource::parse(text).ok_or("a kind of thing, such as user, session, role or permission")
}

fn from(text: &str) -> Result<Time, &'static str> {
    span::from(text).ok_or("a day or a moment, such as 2026-11-22 or 2026-11-22T01:02:03Z")
}

fn until(text: &str) -> Result<Time, &'static str> {
    span::until(text).ok_or("a day or a moment, such as 2026-11-22 or 2026-11-22T01:02:03Z")
}

fn address(text: &str) -> Result<IpAddr, &'static str> {
    query::address(text).ok_or("an IP address")
}

fn session(text: &str) -> Result<SessionHandle, &'static str> {
    SessionHandle::parse(text).ok_or("a session is named sess_ and 24 digits from 0 to f")
}

fn request(text: &str) -> Result<String, &'static str> {
    let is_id = query::is_request_id(text);
    is_id.then(|| text.to_owned()).ok_or("the id of a request is 24 digits from 0 to f")
}
