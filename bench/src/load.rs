//! The load: a number of connections, each asking again as soon as it is answered, and the CPU
//! time that the server spent meanwhile.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use tokio::task::LocalSet;

use crate::http::{Connection, request};
use crate::process::cpu_seconds;

/// How one connection makes its next request.
#[derive(Clone)]
pub(crate) enum Script {
    /// The same bytes again and again.
    Same(Vec<u8>),
    /// Each answer's `X-CSRF-Token` goes into the next request; the first comes from `first`.
    TokenEach { first: Vec<u8>, method: &'static str, target: &'static str, headers: String },
}

/// What is asked, of whom, and what must come back.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
    pub(crate) script: Script,
    pub(crate) status: u16,
    pub(crate) connections: usize,
}

/// The figures of one round.
#[derive(Clone, Copy, Default)]
pub(crate) struct Figures {
    /// Answers per second of the server's user and system time.
    pub(crate) per_cpu_second: f64,
    /// Answers per second of the clock.
    pub(crate) per_second: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

#[derive(Default)]
struct Tally {
    counting: bool,
    stopped: bool,
    latencies: Vec<u32>,
    fault: Option<anyhow::Error>,
}

/// Runs one round: one second unmeasured, then `span` measured.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) async fn round(load: &Load, span: Duration) -> Result<Figures> {
    let tally = Rc::new(RefCell::new(Tally::default()));
    let tasks = LocalSet::new();
    for _ in 0..load.connections {
        tasks.spawn_local(connection(load.clone(), Rc::clone(&tally)));
    }
    let measured = tasks
        .run_until(async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            tally.borrow_mut().counting = true;
            let (cpu, started) = (cpu_seconds(load.pid)?, Instant::now());
            tokio::time::sleep(span).await;
            tally.borrow_mut().counting = false;
            let used = (cpu_seconds(load.pid)? - cpu, started.elapsed());
            tally.borrow_mut().stopped = true;
            anyhow::Ok(used)
        })
        .await;
    tasks.await;
    let (cpu, elapsed) = measured?;
    let mut tally = tally.take();
    if let Some(fault) = tally.fault {
        return Err(fault.context(load.name));
    }
    ensure!(!tally.latencies.is_empty() && cpu > 0.0, "{}: nothing was measured", load.name);
    Ok(figures(&mut tally.latencies, cpu, elapsed))
}

/// The round in the middle, by answers per CPU second.
pub(crate) fn median(mut rounds: Vec<Figures>) -> Figures {
    rounds.sort_by(|a, b| a.per_cpu_second.total_cmp(&b.per_cpu_second));
    rounds.get(rounds.len() / 2).copied().unwrap_or_default()
}

async fn connection(load: Load, tally: Rc<RefCell<Tally>>) {
    if let Err(fault) = ask_until_stopped(&load, &tally).await {
        let mut tally = tally.borrow_mut();
        tally.stopped = true;
        tally.fault.get_or_insert(fault);
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
async fn ask_until_stopped(load: &Load, tally: &RefCell<Tally>) -> Result<()> {
    let mut connection = Connection::open(load.address).await?;
    let (mut bytes, tokens) = first_request(load, &mut connection).await?;
    while !tally.borrow().stopped {
        let asked = Instant::now();
        let head = connection.ask_briefly(&bytes, tokens).await?;
        let micros = u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX);
        if head.status != load.status {
            let answer = connection.ask(&bytes).await?;
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            bail!("answered {} where {} is right; asked again: {body}", head.status, load.status);
        }
        let mut tally = tally.borrow_mut();
        if tally.counting {
            tally.latencies.push(micros);
        }
        drop(tally);
        if let Some(token) = head.token {
            bytes = with_token(&load.script, &token);
        }
    }
    Ok(())
}

async fn first_request(load: &Load, connection: &mut Connection) -> Result<(Vec<u8>, bool)> {
    match &load.script {
        Script::Same(bytes) => Ok((bytes.clone(), false)),
        Script::TokenEach { first, .. } => {
            let answer = connection.ask(first).await?;
            let body: serde_json::Value = serde_json::from_slice(&answer.body)?;
            let token = body.pointer("/data/token").and_then(serde_json::Value::as_str);
            let Some(token) = token else { bail!("no first token: {} {body}", answer.status) };
            Ok((with_token(&load.script, token), true))
        }
    }
}

fn with_token(script: &Script, token: &str) -> Vec<u8> {
    match script {
        Script::Same(bytes) => bytes.clone(),
        Script::TokenEach { method, target, headers, .. } => {
            let headers = format!("{headers}x-csrf-token: {token}\r\n");
            request(method, target, &headers, "{}")
        }
    }
}

fn figures(latencies: &mut [u32], cpu: f64, elapsed: Duration) -> Figures {
    latencies.sort_unstable();
    let count = f64::from(u32::try_from(latencies.len()).unwrap_or(u32::MAX));
    let at = |percent: usize| {
        let micros = latencies.get(latencies.len() * percent / 100).copied().unwrap_or_default();
        Duration::from_micros(micros.into())
    };
    Figures {
        per_cpu_second: count / cpu,
        per_second: count / elapsed.as_secs_f64(),
        p50: at(50),
        p99: at(99),
    }
}
