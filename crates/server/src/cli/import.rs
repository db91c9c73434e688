//! `portcullis import`: brings the users of another system along. What is read, and what becomes of
//! it, is the flow's (`flows::import_users`).

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::ValueEnum;
use portcullis_domain::account::AccountType;
use portcullis_domain::text::Email;
use serde_json::{Value, json};

use super::open::{self, Operator};
use super::output::{self, Output};
use super::user::{self, password};
use super::{Common, REFUSED};
use crate::breach::Breach;
use crate::flows::import_users::{self, Mode, Options, Origin, Outcome, Passwords, Report};
use crate::hasher::Hasher;
use crate::telemetry::metrics::Metrics;

/// `portcullis import …`
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Makes the users of a file, with their passwords or the hashes of those.
    ///
    /// Good rows are written and the others reported: with any refused row the exit code is 1.
    /// Users whose address is here already are left as they are, so a file can be imported again.
    ///
    /// Hashes: Argon2, bcrypt, PBKDF2 and scrypt, as PHC strings and as Django writes them. Each
    /// is replaced by our own when its user first signs in.
    ///
    /// Plain passwords, where there are no hashes, stand in the column password of csv or portcullis.
    /// Each must be what a new password must be, or its row is refused. Delete the file afterwards.
    Users(Users),
}

#[derive(clap::Args)]
struct Users {
    #[command(flatten)]
    common: Common,
    /// How the file is written.
    #[arg(long)]
    format: Format,
    /// Says what would be done, and writes nothing.
    #[arg(long)]
    dry_run: bool,
    /// The role of users for whom the file names none. What they could do elsewhere, such as
    /// Django's superusers, is not carried over.
    #[arg(long, value_name = "NAME", default_value = "user")]
    role: String,
    /// The account type of users for whom the file names none; those that Django calls staff are
    /// staff.
    #[arg(long, value_name = "TYPE", default_value = "tenant", ignore_case = true,
        value_parser = user::account_type())]
    account_type: AccountType,
    /// The file.
    file: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One JSON object a line, with the names of the columns of csv as keys. Hashes of another
    /// Portcullis belong here.
    Portcullis,
    /// What manage.py dumpdata auth.user prints, also of a custom model that is called user.
    Django,
    #[value(help = COLUMNS)]
    Csv,
}

const COLUMNS: &str = "A first line that names columns, in any order: email, username, first_name, \
    last_name, phone, branch, account_type, role, active, password or password_hash. Only email is \
    needed";

impl Format {
    fn flow(self) -> (import_users::Format, Origin) {
        match self {
            Self::Portcullis => (import_users::Format::Portcullis, Origin::Portcullis),
            Self::Django => (import_users::Format::Django, Origin::Elsewhere),
            Self::Csv => (import_users::Format::Csv, Origin::Elsewhere),
        }
    }

    /// What its rows are numbered by.
    fn unit(self) -> &'static str {
        match self {
            Self::Portcullis | Self::Csv => "line",
            Self::Django => "record",
        }
    }
}

/// Runs the command.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Users(args) => users(args).await,
    }
}

async fn users(args: Users) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    let config = open::load(&args.common.config)?;
    let (format, origin) = args.format.flow();
    let shown = args.file.display().to_string();
    let file = File::open(&args.file).with_context(|| format!("{shown} cannot be read"))?;
    let rows = match import_users::rows(format, file) {
        Ok(rows) => rows,
        Err(fault) => {
            let sentence = format!("{shown} is not imported. {fault}");
            return Ok(output.refuse("import_refused", &sentence));
        }
    };
    let mode = if args.dry_run { Mode::DryRun } else { Mode::Write };
    let options = Options { mode, origin, role: args.role, account_type: args.account_type };
    open::with(config, async |on| {
        let (operator, breach) = (Operator::new(), Breach::of_command(&on.config.breach)?);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let times = Metrics::new().hash_times();
        let hasher = Hasher::start(threads, on.config.password.argon2, times)?;
        let judge = password::judge(&on.config, &breach, &on.clock, &on.public_url);
        let passwords = Passwords { judge, hasher };
        let told = |report: &Report| output.progress(&standing(report));
        let outcome = import_users::import(&operator.acting(on), &passwords, &options, rows, told)
            .await
            .context("what was written before stays, and the file can be imported again")?;
        output.progress("");
        match outcome {
            Outcome::Read(report) => say(&report, mode, args.format.unit(), output),
            Outcome::UnknownRole => Ok(output.refuse(
                "role_unknown",
                &format!(
                    "There is no role {:?}; portcullis role list shows those there are.",
                    options.role
                ),
            )),
        }
    })
    .await
}

fn say(report: &Report, mode: Mode, unit: &str, output: Output) -> anyhow::Result<ExitCode> {
    match output {
        Output::Person => {
            for row in &report.skipped {
                output.note(&format!("{unit} {}: {} is here already.", row.at, row.email));
            }
            for row in &report.refused {
                let whose =
                    row.email.as_ref().map(|email| format!("{email}: ")).unwrap_or_default();
                output.note(&format!("{unit} {}: {whose}{}", row.at, row.fault));
            }
            output::print(&sentence(report, mode))?;
        }
        Output::Machine => output::print(&value(report, mode).to_string())?,
    }
    Ok(if report.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(REFUSED) })
}

/// Short enough for one line.
fn standing(report: &Report) -> String {
    let (skipped, refused) = (report.skipped.len(), report.refused.len());
    format!("{} good, {skipped} here already, {refused} refused", report.created)
}

fn sentence(report: &Report, mode: Mode) -> String {
    let head = match mode {
        Mode::Write => "Users made",
        Mode::DryRun => "Nothing was written. Users to be made",
    };
    let Report { created, without_password, disabled, deferred, skipped, refused } = report;
    let (skipped, refused) = (skipped.len(), refused.len());
    let later = match deferred {
        0 => String::new(),
        1 => " 1 password could not be looked up everywhere: it will be at a sign-in.".to_owned(),
        many => {
            format!(
                " {many} passwords could not be looked up everywhere: they will be at a sign-in."
            )
        }
    };
    format!(
        "{head}: {created} (without a password: {without_password}, disabled: {disabled}). \
         Here already: {skipped}. Refused: {refused}.{later}"
    )
}

fn value(report: &Report, mode: Mode) -> Value {
    let skipped = report.skipped.iter();
    let skipped = skipped.map(|row| json!({ "number": row.at, "email": row.email.as_str() }));
    let refused = report.refused.iter().map(|row| {
        let email = row.email.as_ref().map(Email::as_str);
        json!({ "number": row.at, "email": email, "reason": row.fault.to_string() })
    });
    json!({
        "dry_run": mode == Mode::DryRun,
        "created": report.created,
        "without_password": report.without_password,
        "disabled": report.disabled,
        "deferred": report.deferred,
        "skipped": skipped.collect::<Vec<_>>(),
        "refused": refused.collect::<Vec<_>>(),
    })
}
