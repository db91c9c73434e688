//! Our own endpoints beside the bare server: checks, CSRF tokens, a POST through the gate, sign-ins;
//! and what a start takes.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::http::{Connection, request};
use crate::load::Load;
use crate::portcullis::{self, CSRF_TOKEN, Credentials, ME, Portcullis};
use crate::process::Server;
use crate::report::{Figure, Row, middle, ratio};
use crate::run::{Bench, say};
use crate::script::Script;

pub(crate) const BARE: &str = "bare handler";
pub(crate) const COOKIE: &str = "cookie check, cached";
const LIKE_OURS: &str = "bare handler, same headers and body";
const TOKEN: &str = "token check, cached";
const ISSUE: &str = "CSRF token issued";
const POST: &str = "POST with a one-time token, through the gate";
const SIGN_IN: &str = "sign-in";

/// What is owed: a case, the case it is held against, and the least ratio.
const OWED: [(&str, &str, f64); 6] = [
    (COOKIE, BARE, 0.6),
    (COOKIE, LIKE_OURS, 0.8),
    (TOKEN, BARE, 0.6),
    (TOKEN, LIKE_OURS, 0.8),
    (ISSUE, BARE, 0.5),
    (POST, BARE, 0.15),
];
const OWED_SIGN_IN: f64 = 0.9;
const OWED_MEMORY_MB: f64 = 25.0;
const OWED_START_MS: f64 = 150.0;

const SIGN_IN_CONNECTIONS: usize = 4;
const STARTS: usize = 5;

/// The yardstick's row.
pub(crate) fn bare(bare: &Server, who: &Credentials) -> Row {
    Row::of(Load::get(BARE, bare, "/", &who.cookie))
}

/// The check that other people's servers are held against.
pub(crate) fn cookie(server: &Server, who: &Credentials) -> Row {
    Row::of(Load::checked(COOKIE, server, ME, (&who.cookie, "")))
}

/// The other rows.
pub(crate) fn rows(like: &Server, server: &Server, who: &Credentials) -> Vec<Row> {
    let script = Script::TokenEach { target: "/posted", who: who.clone() };
    vec![
        Row::of(Load::get(LIKE_OURS, like, "/", &who.cookie)),
        cookie(server, who),
        Row::of(Load::checked(TOKEN, server, ME, (&who.bearer, ""))),
        Row::of(Load::checked(ISSUE, server, CSRF_TOKEN, (&who.cookie, ""))),
        Row::of(Load { script, ..Load::get(POST, server, "", "") }),
        Row::of(sign_ins(server, SIGN_IN, SIGN_IN_CONNECTIONS)),
    ]
}

/// Sign-ins as fast as they are answered.
pub(crate) fn sign_ins(server: &Server, name: &'static str, connections: usize) -> Load {
    let script = Script::Same(portcullis::sign_in_request());
    Load { script, status: 201, connections, ..Load::get(name, server, "", "") }
}

/// What the rows come to, with the raw rates of the hash, and memory and time of a start.
pub(crate) fn figures(rows: &[Row], hashes: &[f64], memory: f64, start: Duration) -> Vec<Figure> {
    let mut figures: Vec<Figure> = OWED
        .into_iter()
        .filter_map(|(case, against, least)| ratio(rows, case, against, least))
        .collect();
    if let Some(row) = rows.iter().find(|row| row.load.name == SIGN_IN) {
        let value = row.median().per_cpu_second / middle(hashes);
        figures.push(Figure::at_least("sign-ins ÷ bare argon2id", value, OWED_SIGN_IN));
    }
    let start = start.as_secs_f64() * 1000.0;
    figures.push(Figure::below("memory before the first sign-in", memory, OWED_MEMORY_MB, "MB"));
    let name = "from start to the first answer, on an existing database";
    figures.push(Figure::below(name, start, OWED_START_MS, "ms"));
    figures
}

/// The middle one of the times from start to the first answer, on a database that exists; and the
/// server that was started last.
pub(crate) async fn start_several_times(gate: &Portcullis) -> Result<(Server, Duration)> {
    say("Starting Portcullis several times");
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let (server, time) = gate.start().await?;
        server.stop().await?;
        times.push(time);
    }
    times.sort();
    let (server, _) = gate.start().await?;
    Ok((server, times.get(STARTS / 2).copied().unwrap_or_default()))
}

/// A yardstick that answers with the headers and the body that Portcullis answers with.
pub(crate) async fn like_ours(bench: &Bench, ours: &Server, who: &Credentials) -> Result<Server> {
    let asked = request("GET", ME, &who.cookie, "");
    let bytes = Connection::open(ours.address).await?.record(&asked).await?;
    ensure!(bytes.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&bytes));
    let file = bench.folder.path().join("answer");
    std::fs::write(&file, bytes)?;
    let file = file.to_str().context("a folder that is not UTF-8")?;
    Server::start(&bench.server_core(), &bench.own, &["yardstick", "--like", file]).await
}
