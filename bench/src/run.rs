//! The order of a run: what is fast takes turns with the bare server in every round, so that a busy
//! minute of the machine falls on all of them; what needs a server of its own comes after.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use tempfile::TempDir;

use crate::load;
use crate::peers::{self, Peer};
use crate::portcullis::{self, Credentials, Portcullis};
use crate::process::{Server, memory_mb};
use crate::report::{self, Figure, Findings, Row};
use crate::{
    audit, bodies, breach, checks, files, forward_auth, hash, keys, million, proxy, sessions,
    sign_ins, tokens,
};

#[derive(Args)]
pub(crate) struct Options {
    /// The release binary of Portcullis.
    #[arg(long)]
    server: PathBuf,
    /// Where the figures go, as Markdown; a run of only some groups writes nothing.
    #[arg(long)]
    out: PathBuf,
    /// A folder that is kept: for the database of the sessions, and with the peers.
    #[arg(long)]
    kept: PathBuf,
    /// Only this group; may be given several times.
    #[arg(long)]
    only: Vec<Group>,
    /// Measured seconds of one case in one round.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// The sessions of the groups `million` and `sessions`.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) sessions: u64,
    /// The events of the group `audit`.
    #[arg(long, default_value_t = 10_000_000)]
    pub(crate) events: u64,
    /// The small files of the group `integrity`.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) files: u64,
    /// The hashes of the group `breach`.
    #[arg(long, default_value_t = 20_000_000)]
    pub(crate) hashes: u64,
    /// The core of the measured servers.
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// The core of what is not measured: the load, and the application behind the gate.
    #[arg(long, default_value_t = 1)]
    load_core: usize,
}

/// What can be measured alone.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    /// Own endpoints: checks, CSRF tokens, sign-ins, memory, the time of a start.
    Own,
    /// Decisions for another proxy.
    Forward,
    /// Small answers through the gate, and what it adds to their time.
    Proxy,
    /// Large bodies through the gate.
    Bodies,
    /// Access tokens: the same again, another each time, and a million bad ones.
    Tokens,
    /// API keys: the same again, and a million bad ones.
    Keys,
    /// Checks while people sign in.
    SignIns,
    /// Checks over a million sessions.
    Million,
    /// The list of a million sessions, and ending some of them.
    Sessions,
    /// The audit log of ten million events.
    Audit,
    /// The scanner on real files, beside a bare loop and AIDE.
    Integrity,
    /// The index of breached passwords, beside SQLite.
    Breach,
    /// Other people's servers.
    Peers,
}

/// The groups that share one instance of Portcullis.
const IN_TURNS: [Group; 4] = [Group::Own, Group::Forward, Group::Proxy, Group::Peers];

/// What every group works with.
pub(crate) struct Bench {
    pub(crate) options: Options,
    /// This program, for what it starts of itself.
    pub(crate) own: PathBuf,
    /// That of Portcullis.
    pub(crate) binary: PathBuf,
    pub(crate) folder: TempDir,
    pub(crate) bare: Server,
    /// The application behind the gate.
    pub(crate) behind: Server,
}

/// Measures, prints the tables and, if everything was measured, writes them.
pub(crate) async fn run(options: Options) -> Result<()> {
    let bench = Bench::open(options).await?;
    let folder = bench.folder.path();
    let cores = bench.server_core();
    let gate = Portcullis::configured(&bench.binary, folder, &cores, bench.behind.address)?;
    gate.make_user().await?;
    let mut findings = Findings::default();
    if IN_TURNS.into_iter().any(|group| bench.wants(group)) {
        take_turns(&bench, &gate, &mut findings).await?;
    }
    if bench.wants(Group::Bodies) {
        bodies::measure(&gate, &mut findings).await?;
    }
    if bench.wants(Group::Tokens) {
        Box::pin(tokens::measure(&bench, &gate, &mut findings)).await?;
    }
    if bench.wants(Group::Keys) {
        Box::pin(keys::measure(&bench, &gate, &mut findings)).await?;
    }
    if bench.wants(Group::SignIns) {
        sign_ins::measure(&bench, &gate, &mut findings).await?;
    }
    if bench.wants(Group::Million) {
        million::measure(&bench, &mut findings).await?;
    }
    if bench.wants(Group::Sessions) {
        sessions::measure(&bench, &mut findings).await?;
    }
    if bench.wants(Group::Audit) {
        audit::measure(&bench, &mut findings).await?;
    }
    if bench.wants(Group::Integrity) {
        files::measure(&bench, &mut findings).await?;
    }
    if bench.wants(Group::Breach) {
        breach::measure(&bench, &gate, &mut findings).await?;
    }
    report::print(&findings);
    if bench.options.only.is_empty() {
        report::write(&bench.options.out, &findings)?;
    }
    Ok(())
}

/// Everything that one instance of Portcullis answers, with the bare server and the peers.
async fn take_turns(bench: &Bench, gate: &Portcullis, findings: &mut Findings) -> Result<()> {
    let (server, start) = checks::start_several_times(gate).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let memory = memory_mb(server.pid)?;
    let who = portcullis::sign_in(server.address).await?;
    let like = checks::like_ours(bench, &server, &who).await?;
    let peers = peers::start(bench, findings).await?;

    let mut rows = rows(bench, &like, &server, &who);
    rows.extend(peers.iter().map(Peer::row));
    if let [_] = rows[..] {
        // A bare server with nothing beside it.
        rows.clear();
    }
    findings.hashes = rounds(bench, &mut rows).await?;
    if bench.wants(Group::Own) {
        findings.figures.extend(checks::figures(&rows, &findings.hashes, memory, start));
        let memory = memory_mb(server.pid)?;
        findings.figures.push(Figure::told("memory after the last round", memory));
    }
    findings.figures.extend(forward_auth::figures(&rows));
    findings.figures.extend(proxy::figures(&rows));
    findings.figures.extend(peers::figures(&rows));
    findings.rows.append(&mut rows);
    if bench.wants(Group::Proxy) {
        proxy::latency(bench, &server, &who, findings).await?;
    }
    for peer in peers {
        peer.server.stop().await?;
    }
    server.stop().await
}

fn rows(bench: &Bench, like: &Server, server: &Server, who: &Credentials) -> Vec<Row> {
    let mut rows = vec![checks::bare(&bench.bare, who)];
    if bench.wants(Group::Own) {
        rows.extend(checks::rows(like, server, who));
    } else if bench.wants(Group::Peers) {
        rows.push(checks::cookie(server, who));
    }
    if bench.wants(Group::Forward) {
        rows.extend(forward_auth::rows(server, who));
    }
    if bench.wants(Group::Proxy) {
        rows.push(proxy::row(server, who));
    }
    rows
}

/// Every round of every row, and of the bare hash function, whose rates are given back.
async fn rounds(bench: &Bench, rows: &mut [Row]) -> Result<Vec<f64>> {
    let mut hashes = Vec::new();
    for number in 1..=bench.options.rounds {
        round(bench, number, rows).await?;
        if bench.wants(Group::Own) {
            say(&format!("Round {number}: the bare hash function"));
            hashes.push(hash::measured(&bench.server_core(), &bench.own, bench.span()).await?);
        }
    }
    Ok(hashes)
}

/// One turn of every row; before the first, its control.
pub(crate) async fn round(bench: &Bench, number: usize, rows: &mut [Row]) -> Result<()> {
    for row in rows {
        if number == 1 {
            load::control(&row.load).await?;
        }
        say(&format!("Round {number} of {}: {}", bench.options.rounds, row.load.name));
        row.rounds.push(load::round(&row.load, bench.span()).await?);
    }
    Ok(())
}

impl Bench {
    async fn open(options: Options) -> Result<Self> {
        let own = std::env::current_exe()?;
        let binary = options.server.canonicalize().context("--server")?;
        let (server, load) = (options.server_core.to_string(), options.load_core.to_string());
        let bare = Server::start(&server, &own, &["yardstick"]).await?;
        let behind = Server::start(&load, &own, &["upstream"]).await?;
        let folder = tempfile::tempdir()?;
        Ok(Self { options, own, binary, folder, bare, behind })
    }

    /// Whether this group is to be measured.
    pub(crate) fn wants(&self, group: Group) -> bool {
        self.options.only.is_empty() || self.options.only.contains(&group)
    }

    pub(crate) fn span(&self) -> Duration {
        Duration::from_secs(self.options.seconds)
    }

    pub(crate) fn rounds(&self) -> usize {
        self.options.rounds
    }

    pub(crate) fn server_core(&self) -> String {
        self.options.server_core.to_string()
    }

    /// Both cores, for what is measured on the whole machine.
    pub(crate) fn both_cores(&self) -> String {
        format!("{},{}", self.options.server_core, self.options.load_core)
    }

    /// The data of Portcullis, except where a group has a database of its own.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn kept(&self, name: &str) -> PathBuf {
        self.options.kept.join(name)
    }
}

#[expect(clippy::print_stderr, reason = "a program for the terminal")]
pub(crate) fn say(text: &str) {
    eprintln!("{text} …");
}
