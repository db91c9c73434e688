//! What is done with a backup that is there: `backup verify` and `backup restore`, and what they say.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use portcullis_store::backup::Refusal;
use portcullis_store::migrate::MigrateError;
use serde_json::json;

use super::keys;
use crate::cli::output::Output;
use crate::cli::{Common, FORGED, REFUSED, open};
use crate::clock::Clock;
use crate::config::Database;
use crate::flows::backup::code;
use crate::flows::backup::restore::{self, Restored, Restoring};
use crate::flows::backup::verify::{self, Verified, VerifyError};
use crate::random::Random;

/// Restores a backup into a scratch database.
pub(super) async fn verify(common: &Common, file: &Path) -> anyhow::Result<ExitCode> {
    let output = Output::new(common.json);
    let config = open::load(&common.config)?;
    let keys = match keys(&config)? {
        Ok(keys) => keys,
        Err(sentence) => return Ok(output.refuse("secret_missing", &sentence)),
    };
    let directory = tempfile::tempdir().context("no temporary directory can be made (TMPDIR)")?;
    let scratch = Database::Sqlite(directory.path().join("scratch.db"));
    let db = open::open_database(&scratch, &keys).await?;
    let mut told = Told::new(output);
    let now = Clock::system().now();
    let mut progress = |done, total| told.tell("Verifying", done, total);
    let verified = Box::pin(verify::verify(&db, &keys, file, now, &mut progress)).await;
    db.close().await;
    told.end();
    match verified {
        Ok(verified) => tried(output, file, &verified),
        Err(VerifyError::Refused(refusal)) => refused(output, file, refusal, &scratch),
        Err(error @ VerifyError::Log(_)) => Err(error.into()),
    }
}

fn tried(output: Output, file: &Path, verified: &Verified) -> anyhow::Result<ExitCode> {
    let Verified { head, rows, log } = verified;
    let (shown, at) = (file.display(), head.taken_at.iso());
    if let Some(log) = log.as_ref().filter(|log| !log.faults.is_clean()) {
        let first = log.faults.first().first().map(ToString::to_string).unwrap_or_default();
        let sentence = format!(
            "{shown} can be restored, but the audit log in it is not in order. Faults: {}; the first: \
             {first}. Look at the database with portcullis audit verify.",
            log.faults.total(),
        );
        output.refuse("audit_log_faulty", &sentence);
        return Ok(ExitCode::from(if log.is_forged() { FORGED } else { REFUSED }));
    }
    let entries = log.as_ref().map_or(0, |log| log.size);
    let told = json!({
        "file": file,
        "taken_at": at,
        "schema": head.schema,
        "program": head.program,
        "rows": rows.0,
        "audit_log_size": entries,
    });
    let sentence = format!(
        "{shown} can be restored: {} rows of {at}, written by portcullis {} at schema version {}. Its \
         audit log is in order, with {entries} entries.",
        rows.total(),
        head.program,
        head.schema,
    );
    output.done(&told, &sentence)
}

/// Restores a backup into the database of the configuration.
pub(super) async fn restore(common: &Common, file: &Path) -> anyhow::Result<ExitCode> {
    let output = Output::new(common.json);
    let config = open::load(&common.config)?;
    let keys = match keys(&config)? {
        Ok(keys) => keys,
        Err(sentence) => return Ok(output.refuse("secret_missing", &sentence)),
    };
    open::make_directories(&config)?;
    let db = open::open_database(&config.database, &keys).await?;
    let mut told = Told::new(output);
    let mut progress = |done, total| told.tell("Restoring", done, total);
    let to = Restoring { db: &db, keys: &keys, random: Random, now: Clock::system().now() };
    let restored = Box::pin(restore::restore(to, file, &mut progress)).await;
    db.close().await;
    told.end();
    match restored {
        Ok(restored) => filled(output, &restored, &config.audit.anchor),
        Err(refusal) => refused(output, file, refusal, &config.database),
    }
}

fn filled(output: Output, restored: &Restored, anchor: &Path) -> anyhow::Result<ExitCode> {
    let Restored { head, rows, ended, log } = restored;
    let at = head.taken_at.iso();
    let signed = signed_size(anchor);
    let told = json!({
        "taken_at": at,
        "schema": head.schema,
        "rows": rows.total(),
        "ended_sessions": ended.sessions,
        "ended_links_and_codes": ended.one_time,
        "suspended_keys": ended.keys,
        "audit_log_size": log,
        "audit_log_signed_size": signed,
    });
    let sentence = format!(
        "The database is as it was at {at}: {} rows.\n\
         Everybody has to sign in again. Ended: {} sessions with their tokens, every browser that stays \
         signed in; {} links and codes. {} API keys wait until they are said to be still wanted, because \
         some may have been revoked since: their owners do so on their account pages, or you do with \
         portcullis key resume.\n\
         What was done after {at} is lost: new users and roles, new passwords (the old ones are good \
         again), who was put on the blacklist or taken off it, whose data was erased. Go through that \
         before you let people in.{}",
        rows.total(),
        ended.sessions,
        ended.one_time,
        ended.keys,
        signed.filter(|signed| signed > log).map_or(String::new(), |signed| format!(
            "\nThe audit log has {log} entries, and this machine has signed {signed} of it ({}). Until you run \
                 portcullis audit accept nothing more is signed, so that nobody brings back an older \
                 copy unseen. It keeps that file aside, which proves what there was.",
                anchor.display(),
        )),
    );
    output.done(&told, &sentence)
}

/// How many entries the last checkpoint was of that this machine knows; the second line of a note says it.
fn signed_size(anchor: &Path) -> Option<u64> {
    std::fs::read_to_string(anchor).ok()?.lines().nth(1)?.parse().ok()
}

/// Says why it was not done, and what to do.
fn refused(
    output: Output,
    file: &Path,
    refusal: Refusal,
    database: &Database,
) -> anyhow::Result<ExitCode> {
    let code = code(&refusal);
    let shown = file.display();
    match refusal {
        Refusal::Io(_) => Err(anyhow::Error::new(refusal).context(format!("the backup {shown}"))),
        Refusal::Migrate(MigrateError::Store(error)) => {
            Err(anyhow::Error::new(error).context("the database does not take the backup"))
        }
        Refusal::NotEmpty => {
            let advice = match database {
                Database::Sqlite(file) => {
                    format!(
                        "stop the server and move {} away with its -wal and -shm",
                        file.display()
                    )
                }
                Database::Postgres(_) => "make a new database and name that".to_owned(),
            };
            let sentence = format!(
                "The database (database.url) is not empty, and a backup is restored into an empty one \
                 only: {advice}."
            );
            Ok(output.refuse(code, &sentence))
        }
        Refusal::Migrate(
            MigrateError::OtherSecret | MigrateError::Newer { .. } | MigrateError::Changed { .. },
        ) => Ok(output.refuse(code, &format!("{shown}: {refusal}."))),
        Refusal::Forged => {
            output.refuse(code, &format!("{shown} {refusal}."));
            Ok(ExitCode::from(FORGED))
        }
        Refusal::Foreign
        | Refusal::NewerFormat { .. }
        | Refusal::Truncated
        | Refusal::Damaged
        | Refusal::Line { .. }
        | Refusal::Changed => Ok(output.refuse(code, &format!("{shown} {refusal}."))),
    }
}

/// How far it is, for a person at a terminal.
struct Told {
    output: Output,
    percent: Option<u64>,
}

impl Told {
    fn new(output: Output) -> Self {
        Self { output, percent: None }
    }

    fn tell(&mut self, what: &str, done: u64, total: u64) {
        let percent = done.saturating_mul(100) / total.max(1);
        if self.percent != Some(percent) {
            self.percent = Some(percent);
            self.output.progress(&format!("{what}: {percent} %"));
        }
    }

    fn end(&self) {
        self.output.progress("");
    }
}
