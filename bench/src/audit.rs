//! The audit log over ten million events: how fast events are written and get their place, how long
//! lists and the report take, and how fast everything is verified.

mod database;

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, ensure};
use portcullis_domain::secret::{Keys, MasterSecret};
use portcullis_domain::time::Time;
use portcullis_store::audit::{pending, tree};
use portcullis_store::{Db, Options};
use tokio::process::Command;

use crate::http::request;
use crate::load::{CONNECTIONS, Load};
use crate::million::secret_text;
use crate::pace;
use crate::portcullis::{JSON, Portcullis};
use crate::process::{Server, memory_mb, peak_mb, pinned};
use crate::questions;
use crate::report::{Figure, Findings, millis};
use crate::run::{Bench, say};
use crate::script::Script;

/// Events a second that are asked for, a little more than what is owed.
const PACE: u32 = 2200;
const OWED_PER_SECOND: f64 = 2000.0;
const OWED_LAG_MS: f64 = 1000.0;
const OWED_REPORT_MS: f64 = 1000.0;
const OWED_PAGE_MS: f64 = 100.0;
const OWED_VERIFIED: f64 = 300_000.0;
const OWED_MB: f64 = 150.0;

const LOG: &str = "/api/admin/activity-log";
const REPORT: &str = "/api/admin/security-report";
/// How often it is looked how long events have waited.
const LOOK_EVERY: Duration = Duration::from_millis(10);

pub(crate) async fn measure(bench: &Bench, findings: &mut Findings) -> Result<()> {
    let events = bench.options.events;
    let folder = bench.kept(&format!("events-{events}"));
    if !folder.exists() {
        say(&format!("Making a database of {events} events, to be kept"));
        Box::pin(database::make(&folder, events)).await?;
    }
    let cores = bench.server_core();
    let gate = Portcullis::configured(&bench.binary, &folder, &cores, bench.behind.address)?;
    let (server, _) = gate.start().await?;
    let cookie = format!("cookie: sessionid={}\r\n", secret_text(0));
    for (name, path, owed) in questions(events) {
        say(&format!("Asking for {name}"));
        findings.figures.extend(questions::ask(&server, &cookie, (&name, &path), owed).await?);
    }
    say("Writing events");
    findings.figures.extend(append(bench, &server, &cookie, &folder).await?);
    let memory = peak_mb(server.pid)?;
    findings.figures.push(Figure::below("the most memory meanwhile", memory, OWED_MB, "MB"));
    server.stop().await?;
    say("Verifying all of it");
    findings.figures.extend(verify(bench, &folder).await?);
    Ok(())
}

/// What is asked: its name, its target, and what is owed.
fn questions(events: u64) -> Vec<(String, String, f64)> {
    let address = database::address(events / 2);
    let list =
        |name: &str, query: String| (name.to_owned(), format!("{LOG}?{query}"), OWED_PAGE_MS);
    let report =
        |name: &str, query: &str| (name.to_owned(), format!("{REPORT}{query}"), OWED_REPORT_MS);
    vec![
        list("the newest 50 events", "limit=50".to_owned()),
        list("50 events far back", format!("limit=50&before={}", events / 3)),
        list("50 events of one user", "limit=50&user_id=77".to_owned()),
        list("50 events of one action", "limit=50&action=user_blacklisted".to_owned()),
        list(
            "50 events of one user and action",
            "limit=50&user_id=77&action=user_blacklisted".into(),
        ),
        list("50 events from one address", format!("limit=50&ip={address}")),
        list("50 events of a search for a name", "limit=50&q=user-77%40".to_owned()),
        report("the report of the last 30 days", ""),
    ]
}

/// Refusals for a missing token, each an event, at a fixed rate; meanwhile it is looked how long the
/// oldest without a place has waited.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
async fn append(
    bench: &Bench,
    server: &Server,
    cookie: &str,
    folder: &Path,
) -> Result<[Figure; 2]> {
    let db = open(folder).await?;
    let load = Load {
        name: "refusals that are written down",
        address: server.address,
        pid: server.pid,
        script: Script::Same(request("POST", "/orders", &format!("{cookie}{JSON}"), "{}")),
        status: 403,
        text: Some("csrf_missing"),
        control: None,
        connections: CONNECTIONS,
    };
    let before = size(&db).await?;
    let started = Instant::now();
    let asking = pace::round(&load, PACE, bench.span());
    tokio::pin!(asking);
    let mut longest = Duration::ZERO;
    loop {
        tokio::select! {
            asked = &mut asking => { asked?; break }
            () = tokio::time::sleep(LOOK_EVERY) => longest = longest.max(lag(&db).await?),
        }
    }
    let spent = started.elapsed();
    while lag(&db).await? > Duration::ZERO {
        longest = longest.max(lag(&db).await?);
        ensure!(started.elapsed() < spent + Duration::from_mins(1), "events still wait");
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let written = size(&db).await?.saturating_sub(before);
    db.close().await;
    let rate = f64::from(u32::try_from(written)?) / spent.as_secs_f64();
    Ok([
        Figure::at_least("events written and given their place a second", rate, OWED_PER_SECOND),
        Figure::below("longest that an event waited for it", millis(longest), OWED_LAG_MS, "ms"),
    ])
}

async fn open(folder: &Path) -> Result<Db> {
    let url = format!("sqlite:{}", folder.join("data/portcullis.db").display());
    // Of the database that `make` makes.
    let keys = Keys::derive(&MasterSecret::from_random([7; 32]))?;
    let options = Options::new(url, keys.audit);
    Ok(Box::pin(Db::open(&options)).await?)
}

async fn size(db: &Db) -> Result<u64> {
    let tree = tree::read(&mut db.read().await?).await?;
    Ok(tree.context("no log")?.size)
}

/// How long the oldest event without a place has waited.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
async fn lag(db: &Db) -> Result<Duration> {
    let waiting = pending::waiting(&mut db.read().await?).await?;
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let now = Time(i64::try_from(since_epoch.as_millis())?);
    Ok(waiting.since.map_or(Duration::ZERO, |since| now.since(since)))
}

/// The whole log, on all cores that are there.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
async fn verify(bench: &Bench, folder: &Path) -> Result<[Figure; 2]> {
    let db = open(folder).await?;
    let entries = size(&db).await?;
    db.close().await;
    let config = folder.join("portcullis.toml");
    let mut command: Command = pinned(&bench.both_cores(), &bench.binary);
    command.args(["audit", "verify", "--json", "--config"]).arg(config);
    command.stdout(std::process::Stdio::null());
    let started = Instant::now();
    let mut child = command.spawn()?;
    let pid = child.id().context("no process")?;
    let mut peak: f64 = 0.0;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            () = tokio::time::sleep(LOOK_EVERY) => {
                peak = peak.max(memory_mb(pid).unwrap_or_default());
            }
        }
    };
    let spent = started.elapsed();
    ensure!(status.success(), "`portcullis audit verify` found a fault: {status}");
    let rate = f64::from(u32::try_from(entries)?) / spent.as_secs_f64();
    Ok([
        Figure::at_least("entries verified a second, on two cores", rate, OWED_VERIFIED),
        Figure::below("the most memory of it", peak, OWED_MB, "MB"),
    ])
}
