//! `portcullis backup` and `portcullis restore`: backups made beside a running server, tried, and
//! restored into an empty database (`reading`). None of them makes a secret, and none brings a database that is
//! there to a newer schema.

mod reading;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use portcullis_domain::backup::is_ours;
use portcullis_domain::secret::Keys;
use serde_json::json;

use super::output::Output;
use super::{Common, open};
use crate::clock::Clock;
use crate::config::{Config, Database};
use crate::flows::backup::create::{self, Backup, CreateError, Making, Target};
use crate::flows::backup::size;
use crate::random::Random;
use crate::secret_file;

/// `portcullis backup …`
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The configuration file; its keys can be overridden in the environment.
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    /// Prints JSON for machines instead of text for people.
    #[arg(long)]
    json: bool,
    /// Makes a backup in this directory, named after the moment: the short form of create.
    #[arg(long, value_name = "DIR", required = true)]
    to: Option<PathBuf>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Writes everything but the secret into one file, while the server runs.
    Create(Create),
    /// Restores a backup into a database that is thrown away, to see whether it can be.
    Verify(File),
    /// Fills an empty database from a backup. Everybody has to sign in again.
    Restore(File),
}

#[derive(clap::Args)]
struct Create {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    place: Place,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Place {
    /// The file, which must not be there yet.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// A directory, where the file is named after the moment.
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

#[derive(clap::Args)]
struct File {
    #[command(flatten)]
    common: Common,
    /// The backup.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// `portcullis restore …`
#[derive(clap::Args)]
pub struct RestoreArgs {
    #[command(flatten)]
    common: Common,
    /// The backup, or a directory of which the newest is taken.
    #[arg(long, value_name = "DIR|FILE")]
    from: PathBuf,
}

/// Runs `backup`.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Some(Command::Create(Create { common, place })) => {
            let (file, directory) = (place.out.map(Target::File), place.to.map(Target::Directory));
            let target = file.or(directory).context("neither --out nor --to was given")?;
            create(&common, &target).await
        }
        Some(Command::Verify(File { common, file })) => reading::verify(&common, &file).await,
        Some(Command::Restore(File { common, file })) => reading::restore(&common, &file).await,
        None => {
            let config = args.config.context("--config was not given")?;
            let to = args.to.context("--to was not given")?;
            create(&Common { config, json: args.json }, &Target::Directory(to)).await
        }
    }
}

/// Runs `restore`.
pub async fn run_restore(args: RestoreArgs) -> anyhow::Result<ExitCode> {
    let file = if args.from.is_dir() { newest_in(&args.from)? } else { args.from };
    reading::restore(&args.common, &file).await
}

fn newest_in(directory: &Path) -> anyhow::Result<PathBuf> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).context("the directory cannot be read")? {
        names.extend(entry?.file_name().into_string().ok().filter(|name| is_ours(name)));
    }
    let newest = names.into_iter().max();
    let newest = newest.with_context(|| format!("{} holds no backup", directory.display()))?;
    Ok(directory.join(newest))
}

async fn create(common: &Common, target: &Target) -> anyhow::Result<ExitCode> {
    let output = Output::new(common.json);
    let config = open::load(&common.config)?;
    let keys = match keys(&config)? {
        Ok(keys) => keys,
        Err(sentence) => return Ok(output.refuse("secret_missing", &sentence)),
    };
    if let Some(sentence) = missing(&config.database) {
        return Ok(output.refuse("database_missing", &sentence));
    }
    let db = open::open_database(&config.database, &keys).await?;
    let now = Clock::system().now();
    let on = Making { db: &db, keys: &keys, random: Random, now };
    let made = Box::pin(create::create(on, target)).await;
    db.close().await;
    match made {
        Ok(backup) => created(output, &config, &backup),
        Err(error @ CreateError::Exists { .. }) => {
            Ok(output.refuse("backup_exists", &format!("{error}.")))
        }
        Err(error) => Err(error.into()),
    }
}

fn created(output: Output, config: &Config, backup: &Backup) -> anyhow::Result<ExitCode> {
    let Backup { file, written } = backup;
    let rows = written.rows.total();
    let told = json!({
        "file": file,
        "taken_at": written.head.taken_at.iso(),
        "bytes": written.bytes,
        "rows": rows,
        "schema": written.head.schema,
        "sha256": hex::encode(written.sha256),
    });
    let sentence = format!(
        "{} holds {rows} rows of {} ({}).\nThe secret is not in it, and it is worth nothing without \
         it: keep a copy of {} somewhere else.",
        file.display(),
        written.head.taken_at.iso(),
        size(written.bytes),
        config.server.secret_file.display(),
    );
    output.done(&told, &sentence)
}

/// The keys, or what to do where there is no secret: one that is made here would be the wrong one.
fn keys(config: &Config) -> anyhow::Result<Result<Keys, String>> {
    let path = &config.server.secret_file;
    let Some(secret) = secret_file::read(path)? else {
        return Ok(Err(format!(
            "There is no secret file {}: put there the one of the server that the backup is of \
             (server.secret_file).",
            path.display()
        )));
    };
    Ok(Ok(Keys::derive(&secret)?))
}

fn missing(database: &Database) -> Option<String> {
    match database {
        Database::Sqlite(file) if !file.exists() => {
            Some(format!("There is no database {} to back up (database.url).", file.display()))
        }
        Database::Sqlite(_) | Database::Postgres(_) => None,
    }
}
