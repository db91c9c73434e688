//! Other people's servers, where they could be installed: each finds out on every request whose
//! session a cookie belongs to, by its own code and its own defaults, on SQLite.
//!
//! `scripts/bench` installs them; the servers are in `bench/peers`. One that is not there is told of
//! in the table.

use std::path::Path;

use anyhow::{Context as _, Result};
use tokio::process::Command;

use crate::checks::COOKIE;
use crate::load::Load;
use crate::portcullis::EMAIL;
use crate::process::{Server, pinned};
use crate::report::{Figure, Findings, Row, ratio};
use crate::run::{Bench, Group};

const BETTER_AUTH: &str = "Better Auth, cookie check";
const DJANGO: &str = "Django, cookie check";
const DJANGO_KEEPING: &str = "Django, cookie check, database connections kept";

/// How many times faster the cookie check owes to be. The second form of Django is told for the
/// sake of those who set it; it is not its default.
const OWED: [(&str, f64); 2] = [(BETTER_AUTH, 40.0), (DJANGO, 100.0)];

/// One that runs.
pub(crate) struct Peer {
    name: &'static str,
    target: &'static str,
    cookie: String,
    pub(crate) server: Server,
}

impl Peer {
    /// Every answer must name the person, and one to another cookie must not.
    pub(crate) fn row(&self) -> Row {
        let load = Load::checked(self.name, &self.server, self.target, (&self.cookie, ""));
        Row::of(Load { text: Some(EMAIL), ..load })
    }
}

/// Starts those that are installed, and tells of the others.
pub(crate) async fn start(bench: &Bench, findings: &mut Findings) -> Result<Vec<Peer>> {
    let mut peers = Vec::new();
    if !bench.wants(Group::Peers) {
        return Ok(peers);
    }
    let folder = bench.kept("peers");
    for (name, target, command) in [
        (BETTER_AUTH, "/api/auth/get-session", better_auth(bench, &folder.join("better-auth"))),
        (DJANGO, "/me", django(bench, &folder.join("django"), "0")),
        (DJANGO_KEEPING, "/me", django(bench, &folder.join("django"), "600")),
    ] {
        let Some(command) = command else {
            findings.missing.push(name);
            continue;
        };
        let server = Server::spawn(command).await.context(name)?;
        let cookie = server.cookie.as_ref().context("no cookie").context(name)?;
        let cookie = format!("cookie: {cookie}\r\n");
        peers.push(Peer { name, target, cookie, server });
    }
    Ok(peers)
}

pub(crate) fn figures(rows: &[Row]) -> Vec<Figure> {
    let owed = OWED.iter().filter_map(|(peer, least)| ratio(rows, COOKIE, peer, *least));
    let told = ratio(rows, COOKIE, DJANGO_KEEPING, 0.0).map(Figure::without_a_bound);
    owed.chain(told).collect()
}

fn better_auth(bench: &Bench, folder: &Path) -> Option<Command> {
    let server = folder.join("server.mjs");
    installed(folder)?;
    let mut command = pinned(&bench.server_core(), Path::new("node"));
    command.arg(server).arg(bench.folder.path().join("better-auth.db")).arg(EMAIL);
    command.env("NODE_ENV", "production");
    Some(command)
}

fn django(bench: &Bench, folder: &Path, keep_connections: &str) -> Option<Command> {
    installed(folder)?;
    let database = format!("django-{keep_connections}.db");
    let mut command = pinned(&bench.server_core(), &folder.join("venv/bin/python"));
    command.arg(folder.join("server.py")).arg(EMAIL);
    command.env("BENCH_DATABASE", bench.folder.path().join(database));
    command.env("BENCH_CONN_MAX_AGE", keep_connections);
    Some(command)
}

/// The script leaves this file when everything is there.
fn installed(folder: &Path) -> Option<()> {
    folder.join("installed").exists().then_some(())
}
