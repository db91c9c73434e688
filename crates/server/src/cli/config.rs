//! `portcullis config`: the sample of every key, and the check of a configuration. Touches neither
//! the database nor the network.

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;

use super::output::{self, Output};
use super::{Common, USAGE, open};
use crate::config::{self, Config, Database, Fault, Faults, Place};

/// `portcullis config …`
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Prints a configuration file with every key at its default, each explained.
    Sample,
    /// Checks a configuration, with what the environment overrides, and lists every fault.
    Check(Common),
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Sample => {
            output::print(config::sample().trim_end())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Check(common) => check(&common.config, Output::new(common.json)),
    }
}

fn check(path: &Path, output: Output) -> anyhow::Result<ExitCode> {
    match Config::load(Some(path), open::environment()) {
        Ok(config) => output.done(&summary(&config), &told(path, &config)),
        Err(faults) => {
            let all: Vec<FaultLine<'_>> = faults.iter().map(FaultLine::new).collect();
            output.done(&json!({ "ok": false, "faults": all }), &listed(path, &faults))?;
            Ok(ExitCode::from(USAGE))
        }
    }
}

fn summary(config: &Config) -> serde_json::Value {
    json!({
        "ok": true,
        "listen": config.server.listen,
        "public_url": config.server.public_url_at(config.server.listen).to_string(),
        "data_dir": config.server.data_dir,
        "database": database(&config.database),
        "upstream": config.gate.upstream.as_ref().map(url::Url::as_str),
        "rules": config.gate.rules.rules().len(),
    })
}

fn told(path: &Path, config: &Config) -> String {
    let server = &config.server;
    let upstream = config.gate.upstream.as_ref().map_or("none", url::Url::as_str);
    format!(
        "{} is in order.\n\
         listens on  {}\n\
         public URL  {}\n\
         data        {}\n\
         database    {}\n\
         upstream    {upstream}\n\
         gate rules  {}",
        path.display(),
        server.listen,
        server.public_url_at(server.listen),
        server.data_dir.display(),
        database(&config.database),
        config.gate.rules.rules().len(),
    )
}

fn listed(path: &Path, faults: &Faults) -> String {
    let count = faults.iter().count();
    let noun = if count == 1 { "fault" } else { "faults" };
    format!("{} has {count} {noun}:\n{faults}", path.display())
}

fn database(database: &Database) -> &'static str {
    match database {
        Database::Sqlite(_) => "SQLite",
        Database::Postgres(_) => "PostgreSQL",
    }
}

/// A fault for machines. What does not apply is left out.
#[derive(Serialize)]
struct FaultLine<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a Path>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variable: Option<&'a str>,
    key: &'a str,
    found: &'a str,
    accepted: &'a str,
}

impl<'a> FaultLine<'a> {
    fn new(fault: &'a Fault) -> Self {
        let (file, line, variable) = match &fault.place {
            Place::File { path, line: 0 } => (Some(path.as_path()), None, None),
            Place::File { path, line } => (Some(path.as_path()), Some(*line), None),
            Place::Environment(variable) => (None, None, Some(variable.as_str())),
            Place::Default => (None, None, None),
        };
        let Fault { key, found, accepted, .. } = fault;
        Self { file, line, variable, key, found, accepted }
    }
}
