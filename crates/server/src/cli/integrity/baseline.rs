//! `integrity baseline`, `baselines` and `export`: what ought to be there. It is recorded anew from what is
//! there, listed, and taken along as a signed manifest for whoever verifies without the server.

use std::fs::File;
use std::io::{self, Seek as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use portcullis_domain::event::Context;
use portcullis_domain::time::Time;
use portcullis_integrity::Progress;
use portcullis_store::integrity::baselines::Baseline;
use serde_json::json;

use super::{files, text};
use crate::cli::open;
use crate::cli::output::{self, Output};
use crate::cli::progress::TOLD_EVERY;
use crate::cli::{Common, DONE};
use crate::config::WatchedRoot;
use crate::flows::integrity::baseline::{self, Recorded};
use crate::flows::integrity::{Monitor, status};

#[derive(clap::Args)]
pub(super) struct Record {
    #[command(flatten)]
    common: Common,
    /// Only this root; without it all of them.
    #[arg(long, value_name = "NAME")]
    root: Option<String>,
    /// Why what is there is good.
    #[arg(long, value_name = "TEXT", value_parser = text)]
    reason: String,
}

#[derive(clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    common: Common,
    /// So many at most.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..))]
    limit: i64,
}

#[derive(clap::Args)]
pub(super) struct Export {
    /// The configuration file; its keys can be overridden in the environment.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The root.
    #[arg(long, value_name = "NAME")]
    root: String,
    /// The number of the baseline; without it the one in force.
    #[arg(long, value_name = "N")]
    number: Option<i64>,
    /// The file that the manifest goes to, instead of the standard output.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Writes the public key that verifies it to a file. Keep it where nobody on this machine could change
    /// it.
    #[arg(long, value_name = "FILE")]
    key_to: Option<PathBuf>,
    /// Prints JSON for machines instead of text for people.
    #[arg(long, requires = "to")]
    json: bool,
}

pub(super) async fn record(args: Record) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    open::with(open::load(&args.common.config)?, async |on| {
        let context = Context::default();
        let monitor = Monitor::at_command(on, &context);
        let roots = &monitor.settings.roots;
        let is_meant =
            |root: &&WatchedRoot| args.root.as_ref().is_none_or(|name| *name == root.name);
        let roots: Vec<&WatchedRoot> = roots.iter().filter(is_meant).collect();
        match &args.root {
            Some(name) if roots.is_empty() => return Ok(super::unknown_root(name, output)),
            None if roots.is_empty() => return Ok(super::no_roots(output)),
            _ => {}
        }
        for root in roots {
            match record_one(&monitor, root, &args.reason, output).await? {
                Recorded::Done { number, entries } => {
                    let name = &root.name;
                    let value = json!({ "root": name, "number": number, "entries": entries });
                    let sentence = format!(
                        "{name}: the baseline {number} of {entries} entries is in force. Alerts of \
                         what it has end at the next check."
                    );
                    output.done(&value, &sentence)?;
                }
                Recorded::Root(why) => {
                    let sentence =
                        format!("{}: the folder cannot be opened ({}).", root.name, why.as_str());
                    return Ok(output.unreachable("root_unreadable", &sentence));
                }
                Recorded::Overtaken => {
                    let sentence =
                        format!("{}: somebody else has just changed the baseline.", root.name);
                    return Ok(output.refuse("baseline_overtaken", &sentence));
                }
            }
        }
        Ok(ExitCode::from(DONE))
    })
    .await
}

async fn record_one(
    monitor: &Monitor<'_>,
    root: &WatchedRoot,
    reason: &str,
    output: Output,
) -> anyhow::Result<Recorded> {
    let progress = Arc::new(Progress::default());
    let mut recording = Box::pin(baseline::record(monitor, root, Arc::clone(&progress), reason));
    let recorded = loop {
        tokio::select! {
            recorded = &mut recording => break recorded,
            () = tokio::time::sleep(TOLD_EVERY) => output.progress(&super::how_far(&progress)),
        }
    };
    output.progress("");
    Ok(recorded?)
}

pub(super) async fn list(args: List) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.common.json);
    open::with(open::load(&args.common.config)?, async |on| {
        let baselines = status::baselines(&on.db, args.limit).await?;
        let value = baselines.iter().map(|one| {
            json!({
                "root": one.root, "number": one.number, "origin": one.origin, "state": one.state,
                "entries": one.entries, "sha256": hex::encode(&one.digest), "reason": one.reason,
                "created_at": one.created_at.iso(), "activated_at": one.activated_at.map(Time::iso),
            })
        });
        let value: Vec<_> = value.collect();
        let header = ["Root", "Number", "State", "Origin", "Entries", "Made", "Reason"];
        output.list(&value, header, baselines.iter().map(cells))
    })
    .await
}

fn cells(one: &Baseline) -> [String; 7] {
    [
        one.root.clone(),
        one.number.to_string(),
        one.state.clone(),
        one.origin.as_str().to_owned(),
        one.entries.to_string(),
        one.created_at.iso(),
        one.reason.clone(),
    ]
}

pub(super) async fn export(args: Export) -> anyhow::Result<ExitCode> {
    let output = Output::new(args.json);
    open::with(open::load(&args.config)?, async |on| {
        let context = Context::default();
        let monitor = Monitor::at_command(on, &context);
        let Some(baseline) = status::baseline(&on.db, &args.root, args.number).await? else {
            let sentence = format!("{}: there is no such baseline.", args.root);
            return Ok(output.refuse("baseline_unknown", &sentence));
        };
        let mut file = tempfile::tempfile_in(monitor.data_dir)?;
        if !baseline::export(&monitor, &baseline, &mut file).await? || !is_whole(&mut file)? {
            let sentence = "The baseline in the store is not what this server has signed, or its lines \
                            were forgotten.";
            return Ok(output.forged("baseline_invalid", sentence));
        }
        let key = monitor.keys.watch.signer()?.verifier().to_string();
        write(&args, &baseline, file, &key, output)
    })
    .await
}

/// Whether the lines are those that were signed.
fn is_whole(file: &mut File) -> io::Result<bool> {
    file.rewind()?;
    let whole =
        files::read(file).and_then(|mut read| read.lines.try_for_each(|line| line.map(drop)));
    file.rewind()?;
    Ok(whole.is_ok())
}

fn write(
    args: &Export,
    baseline: &Baseline,
    mut file: File,
    key: &str,
    output: Output,
) -> anyhow::Result<ExitCode> {
    if let Some(to) = &args.key_to {
        files::replace(to, |out| writeln!(out, "{key}"))??;
    }
    let Baseline { root, number, entries, .. } = baseline;
    let about = format!("{root} {number} of {entries} entries. It verifies with this key:");
    match &args.to {
        None => {
            output::print_with(|out| io::copy(&mut file, out).map(drop))?;
            output.note(&format!("{about}\n{key}"));
            Ok(ExitCode::from(DONE))
        }
        Some(to) => {
            files::replace(to, |out| io::copy(&mut file, out).map(drop))??;
            let value = json!({ "file": to, "root": root, "number": number, "key": key });
            output.note(&format!("{}: {about}", to.display()));
            output.done(&value, key)
        }
    }
}
