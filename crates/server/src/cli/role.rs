//! `portcullis role`: makes roles and changes what they grant in the words of the operator. What is
//! allowed and what follows is the flow's (`flows::roles`).

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use portcullis_domain::permission::{Grant, Grants};
use portcullis_domain::role::{Level, Role};
use portcullis_domain::text::Name;
use serde::Serialize;
use serde_json::json;

use super::Common;
use super::open::{self, Operator};
use super::output::{self, Output};
use crate::flows::roles::{self, Change, Import, ImportFault};

/// `portcullis role …`
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Makes a role.
    Create(Create),
    /// Gives a role one permission more.
    Grant(Permission),
    /// Takes a permission from a role.
    Revoke(Permission),
    /// Lists every role with what it permits.
    List(Common),
    /// Prints every role as JSON, as `import` reads it.
    Export(Common),
    /// Makes the roles of a file and brings those that exist to what it says, all or nothing.
    ///
    /// Roles that the file leaves out stay as they are, and built-in roles keep their level.
    Import(ImportArgs),
}

#[derive(clap::Args)]
struct Create {
    #[command(flatten)]
    common: Common,
    /// The name, by which users are given the role.
    #[arg(long, value_parser = roles::parse_name)]
    name: Name,
    /// How much power the role has, 0 to 100. Nobody can give or change a role above their own.
    #[arg(long, value_name = "0..100", value_parser = level)]
    level: Level,
    /// A permission, such as api.jobs.manage; api.jobs.* is everything below api.jobs, * is
    /// everything. Can be given several times.
    #[arg(long = "permission", value_name = "KEY", value_parser = Grant::parse)]
    permissions: Vec<Grant>,
}

#[derive(clap::Args)]
struct Permission {
    #[command(flatten)]
    common: Common,
    /// The name of the role.
    name: String,
    /// The permission, such as api.jobs.manage, api.jobs.* or *
    #[arg(value_parser = Grant::parse)]
    key: Grant,
}

#[derive(clap::Args)]
struct ImportArgs {
    #[command(flatten)]
    common: Common,
    /// The file, in the form that `export` prints.
    file: PathBuf,
}

/// Runs the command.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Create(args) => create(args).await,
        Command::Grant(args) => change(args, Act::Grant).await,
        Command::Revoke(args) => change(args, Act::Revoke).await,
        Command::List(common) => list(common).await,
        Command::Export(common) => export(common).await,
        Command::Import(args) => import(args).await,
    }
}

async fn create(args: Create) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    let grants: Grants = args.permissions.into_iter().collect();
    let (name, level) = (args.name, args.level);
    open::with(open::load(&args.common.config)?, async |on| {
        let created = roles::create(&Operator::new().acting(on), &name, level, &grants).await?;
        match created {
            roles::Create::Created(id) => {
                let sentence = format!("The role {name} is made, at level {}.", level.get());
                output.done(&json!({ "id": id, "name": name.as_str() }), &sentence)
            }
            roles::Create::Taken => {
                Ok(output.refuse("role_taken", &format!("There is a role {name} already.")))
            }
            roles::Create::Refused(refusal) => {
                Ok(output.refuse("not_allowed", &refusal.to_string()))
            }
        }
    })
    .await
}

#[derive(Clone, Copy)]
enum Act {
    Grant,
    Revoke,
}

async fn change(args: Permission, act: Act) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    let (name, key) = (args.name, args.key);
    open::with(open::load(&args.common.config)?, async |on| {
        let operator = Operator::new();
        let acting = operator.acting(on);
        let (change, done, unchanged) = match act {
            Act::Grant => {
                (roles::grant(&acting, &name, &key).await?, "now permits", "permitted already")
            }
            Act::Revoke => (
                roles::revoke(&acting, &name, &key).await?,
                "does not permit any more",
                "did not permit anyway",
            ),
        };
        if change == Change::Done {
            open::felt_everywhere(on).await;
        }
        told_of_change(&name, &key, &change, (done, unchanged), output)
    })
    .await
}

/// `sentences`: what to say between role and permission when it was changed, and when there was no
/// need.
fn told_of_change(
    name: &str,
    key: &Grant,
    change: &Change,
    sentences: (&str, &str),
    output: Output,
) -> anyhow::Result<ExitCode> {
    let value =
        |changed| json!({ "role": name, "permission": key.to_string(), "changed": changed });
    match change {
        Change::Done => output.done(&value(true), &format!("{name} {} {key}.", sentences.0)),
        Change::Unchanged => output.done(&value(false), &format!("{name} {} {key}.", sentences.1)),
        Change::Unknown => {
            Ok(output.refuse("role_unknown", &format!("There is no role {name:?}.")))
        }
        Change::KeptBy(wider) => Ok(output.refuse(
            "permission_kept",
            &format!("{name} would still permit {key} through {wider}: nothing was changed."),
        )),
        Change::Refused(refusal) => Ok(output.refuse("not_allowed", &refusal.to_string())),
    }
}

async fn list(common: Common) -> anyhow::Result<ExitCode> {
    open::with(open::load(&common.config)?, async |on| {
        let listed = roles::list(&on.db).await?;
        let rows: Vec<Row<'_>> = listed.iter().map(Row::new).collect();
        let header = ["ID", "Name", "Level", "Built in", "Permissions"];
        Output::new(common.json).list(&rows, header, rows.iter().map(Row::cells))
    })
    .await
}

async fn export(common: Common) -> anyhow::Result<ExitCode> {
    open::with(open::load(&common.config)?, async |on| {
        output::print(&roles::export(&roles::list(&on.db).await?))?;
        Ok(ExitCode::SUCCESS)
    })
    .await
}

async fn import(args: ImportArgs) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    let config = open::load(&args.common.config)?;
    let wanted = match roles::parse(&read(&args.file)?) {
        Ok(wanted) => wanted,
        Err(faults) => return Ok(refused(&args.file, &faults, output)),
    };
    open::with(config, async |on| {
        match roles::import(&Operator::new().acting(on), &wanted).await? {
            Import::Done { created, changed, unchanged } => {
                if changed > 0 {
                    open::felt_everywhere(on).await;
                }
                output.done(
                    &json!({ "created": created, "changed": changed, "unchanged": unchanged }),
                    &format!("Roles made: {created}, changed: {changed}, unchanged: {unchanged}."),
                )
            }
            Import::Full(fault) => Ok(refused(&args.file, &[fault], output)),
            Import::Refused(faults) => Ok(refused(&args.file, &faults, output)),
        }
    })
    .await
}

fn refused(file: &Path, faults: &[ImportFault], output: Output) -> ExitCode {
    let head = format!("{} is not imported, and nothing was changed:", file.display());
    let lines = faults.iter().map(|fault| format!("\n{fault}"));
    output.refuse("import_refused", &(head + &lines.collect::<String>()))
}

fn read(file: &Path) -> anyhow::Result<String> {
    const LONGEST: u64 = 1 << 20;
    let mut text = String::new();
    let opened = File::open(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let length = opened
        .take(LONGEST + 1)
        .read_to_string(&mut text)
        .with_context(|| format!("{} cannot be read", file.display()))?;
    anyhow::ensure!(length as u64 <= LONGEST, "{} is longer than 1 MiB", file.display());
    Ok(text)
}

fn level(text: &str) -> Result<Level, &'static str> {
    let level = text.parse().ok().and_then(Level::new);
    level.ok_or("a level is a number from 0 to 100")
}

#[derive(Serialize)]
struct Row<'a> {
    id: i64,
    name: &'a str,
    level: u8,
    built_in: bool,
    permissions: Vec<String>,
}

impl<'a> Row<'a> {
    fn new(role: &'a Role) -> Self {
        Self {
            id: role.id.0,
            name: &role.name,
            level: role.level.get(),
            built_in: role.built_in,
            permissions: role.grants.iter().map(ToString::to_string).collect(),
        }
    }

    fn cells(&self) -> [String; 5] {
        let built_in = if self.built_in { "yes" } else { "no" };
        [
            self.id.to_string(),
            self.name.to_owned(),
            self.level.to_string(),
            built_in.to_owned(),
            self.permissions.join("\n"),
        ]
    }
}
