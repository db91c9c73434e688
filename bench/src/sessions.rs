//! The list of a million sessions, how soon one that was terminated is refused, and how long it takes
//! to keep somebody out who is signed in ten thousand times.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::http::{Connection, request};
use crate::million::database::{self, CROWD, CROWDED, Shape, handle, secret_text};
use crate::portcullis::{Credentials, JSON, ME, Portcullis};
use crate::process::{Server, memory_mb};
use crate::questions;
use crate::report::{Figure, Findings, millis};
use crate::run::{Bench, say};

/// How many sessions are terminated.
const TERMINATED: u64 = 100;
const OWED_LIST_MS: f64 = 50.0;
const OWED_REFUSAL_MS: f64 = 5.0;
const OWED_BLACKLIST_MS: f64 = 1000.0;
const OWED_MB: f64 = 150.0;

const LIST: &str = "/api/security/sessions?action=list";

pub(crate) async fn measure(bench: &Bench, findings: &mut Findings) -> Result<()> {
    let folder = prepared(bench).await?;
    let cores = bench.server_core();
    let gate = Portcullis::configured(&bench.binary, &folder, &cores, bench.behind.address)?;
    let (server, _) = gate.start().await?;
    let owner = credentials(0);
    for (name, query, owed) in questions(bench.options.sessions) {
        say(&format!("Asking for {name}"));
        let target = format!("{LIST}{query}");
        let asked = questions::ask(&server, &owner.cookie, (&name, &target), owed);
        findings.figures.extend(asked.await?);
    }
    let memory = memory_mb(server.pid)?;
    let figure = Figure::below("memory after listing a million sessions", memory, OWED_MB, "MB");
    findings.figures.push(figure);
    say("Terminating sessions, one by one");
    findings.figures.extend(terminate(&server, &owner).await?);
    say("Keeping somebody out");
    findings.figures.push(blacklist(&server, &owner).await?);
    server.stop().await
}

/// A copy of the database, because this group ends sessions.
async fn prepared(bench: &Bench) -> Result<std::path::PathBuf> {
    let sessions = bench.options.sessions;
    ensure!(sessions > 2 * CROWD, "too few sessions for this group");
    let kept = bench.kept(&format!("varied-sessions-{sessions}"));
    if !kept.exists() {
        say(&format!("Making a database of {sessions} unlike sessions, to be kept"));
        Box::pin(database::make(&kept, sessions, Shape::Varied)).await?;
    }
    let folder = bench.folder.path().join("varied");
    copy(&kept.join("data"), &folder.join("data"))?;
    Ok(folder)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// What is asked: its name, its query, and what is owed.
fn questions(sessions: u64) -> Vec<(String, String, f64)> {
    let shape = Shape::Varied;
    let address = shape.address(sessions / 2);
    let user = format!("user-{}%40", sessions / 20);
    // The ids of users begin at 1.
    let crowded = CROWDED + 1;
    [
        ("the newest thousand sessions", String::new()),
        ("the newest 50 sessions", "&limit=50".to_owned()),
        ("50 sessions from the far end", format!("&limit=50&offset={}", sessions - 60)),
        ("50 sessions from the middle", format!("&limit=50&offset={}", sessions / 2)),
        ("the sessions of one user", "&user_id=20".to_owned()),
        ("50 sessions of a user with 10,000", format!("&limit=50&user_id={crowded}")),
        ("the sessions of a name", format!("&user={user}")),
        ("the sessions from one address", format!("&ip={address}")),
        ("50 sessions of one kind, which all are", "&limit=50&kind=username".to_owned()),
    ]
    .map(|(name, query)| (name.to_owned(), query, OWED_LIST_MS))
    .into()
}

/// From the sending of a termination to the refusal of a request with the session's cookie.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
async fn terminate(server: &Server, who: &Credentials) -> Result<[Figure; 2]> {
    let (mut admin, mut victim) =
        (Connection::open(server.address).await?, Connection::open(server.address).await?);
    let headers = acting(&mut admin, who).await?;
    let mut times = Vec::new();
    for session in (0..TERMINATED).map(|number| CROWD * 2 + number * 11) {
        let cookie = credentials(session).cookie;
        let check = request("GET", ME, &cookie, "");
        let before = victim.ask(&check).await?;
        ensure!(before.status == 200, "session {session}: {}", before.text());
        let body = format!(r#"{{"action":"terminate","session_id":"{}"}}"#, handle(session));
        let end = request("POST", "/api/security/sessions", &headers, &body);
        let started = Instant::now();
        let ended = admin.ask(&end).await?;
        let refused = victim.ask(&check).await?;
        times.push(started.elapsed());
        ensure!(ended.status == 200, "session {session}: {}", ended.text());
        ensure!(refused.status == 401, "session {session} was let in: {}", refused.text());
    }
    times.sort_unstable();
    let name = "terminated and refused";
    let of = |index: usize| millis(times.get(index).copied().unwrap_or(Duration::MAX));
    Ok([
        Figure::below(&format!("{name}, median"), of(times.len() / 2), OWED_REFUSAL_MS, "ms"),
        Figure::below(
            &format!("{name}, longest of 100"),
            of(times.len() - 1),
            OWED_REFUSAL_MS,
            "ms",
        )
        .without_a_bound(),
    ])
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
async fn blacklist(server: &Server, who: &Credentials) -> Result<Figure> {
    let mut connection = Connection::open(server.address).await?;
    let headers = acting(&mut connection, who).await?;
    let check = request("GET", ME, &credentials(Shape::Varied.first(CROWDED)).cookie, "");
    ensure!(connection.ask(&check).await?.status == 200, "the crowd is not signed in");
    let user = CROWDED + 1;
    let body = format!(r#"{{"action":"blacklist_add","user_id":{user},"reason":"A benchmark"}}"#);
    let started = Instant::now();
    let answer =
        connection.ask(&request("POST", "/api/security/sessions", &headers, &body)).await?;
    let time = started.elapsed();
    ensure!(answer.status == 200, "{}", answer.text());
    ensure!(connection.ask(&check).await?.status == 401, "the crowd was let in");
    let name = "blacklisting a user with 10,000 sessions";
    Ok(Figure::below(name, millis(time), OWED_BLACKLIST_MS, "ms"))
}

fn credentials(session: u64) -> Credentials {
    let cookie = format!("cookie: sessionid={}\r\n", secret_text(session));
    Credentials { cookie, bearer: String::new() }
}

/// The headers of a request that changes something: cookie, reusable CSRF token, type.
async fn acting(connection: &mut Connection, who: &Credentials) -> Result<String> {
    let answer = connection.ask(&request("GET", "/api/auth/csrf-token", &who.cookie, "")).await?;
    let value: serde_json::Value = serde_json::from_slice(&answer.body)?;
    let token = value.get("csrf_token").and_then(serde_json::Value::as_str);
    let token = token.with_context(|| format!("no CSRF token: {}", answer.text()))?;
    Ok(format!("{}x-csrf-token: {token}\r\n{JSON}", who.cookie))
}
