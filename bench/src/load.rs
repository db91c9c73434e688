//! The load as fast as it goes: a number of connections, each asking again as soon as it is
//! answered, and the CPU time that the server spent meanwhile. Not here: a fixed rate (`pace`).

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use tokio::task::LocalSet;

use crate::http::{Connection, Wanted, request};
use crate::process::{Server, cpu_seconds};
use crate::script::{Script, Turn};

/// Connections at once, unless a case says otherwise.
pub(crate) const CONNECTIONS: usize = 32;

/// What is asked, of whom, and what must come back.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
    pub(crate) script: Script,
    pub(crate) status: u16,
    /// What the body of every answer must have.
    pub(crate) text: Option<&'static str>,
    /// The same request with a credential that is nobody's: it must not be answered as the others.
    pub(crate) control: Option<Vec<u8>>,
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

impl Load {
    /// A GET that is answered with 200, without a control.
    pub(crate) fn get(name: &'static str, server: &Server, target: &str, headers: &str) -> Self {
        Self {
            name,
            address: server.address,
            pid: server.pid,
            script: Script::Same(request("GET", target, headers, "")),
            status: 200,
            text: None,
            control: None,
            connections: CONNECTIONS,
        }
    }

    /// The same, refused without this credential, which is a whole header line.
    pub(crate) fn checked(
        name: &'static str,
        server: &Server,
        target: &str,
        (credential, headers): (&str, &str),
    ) -> Self {
        let with = |credential: &str| format!("{credential}{headers}");
        let control = request("GET", target, &with(&nobodys(credential)), "");
        Self { control: Some(control), ..Self::get(name, server, target, &with(credential)) }
    }

    /// Of every answer.
    pub(crate) fn wanted(&self) -> Wanted {
        match (&self.script, self.text) {
            (Script::TokenEach { .. }, _) => Wanted::Token,
            (_, Some(text)) => Wanted::Text(text),
            (_, None) => Wanted::Nothing,
        }
    }
}

/// Fails if the control is let through: what does not check is not worth measuring.
pub(crate) async fn control(load: &Load) -> Result<()> {
    let Some(request) = &load.control else { return Ok(()) };
    let answer = Connection::open(load.address).await?.ask(request).await?;
    let text = answer.text();
    let passed = answer.status == load.status && load.text.is_none_or(|part| text.contains(part));
    ensure!(!passed, "{}: a credential that is nobody's was let through: {text}", load.name);
    Ok(())
}

/// Runs one round: one second unmeasured, then `span` measured.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) async fn round(load: &Load, span: Duration) -> Result<Figures> {
    let tally = Rc::new(RefCell::new(Tally::default()));
    let tasks = LocalSet::new();
    for number in 0..load.connections {
        tasks.spawn_local(connection(load.clone(), number, Rc::clone(&tally)));
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

/// What latencies in microseconds, CPU seconds and time come to.
pub(crate) fn figures(latencies: &mut [u32], cpu: f64, elapsed: Duration) -> Figures {
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

async fn connection(load: Load, number: usize, tally: Rc<RefCell<Tally>>) {
    if let Err(fault) = ask_until_stopped(&load, number, &tally).await {
        let mut tally = tally.borrow_mut();
        tally.stopped = true;
        tally.fault.get_or_insert(fault);
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
async fn ask_until_stopped(load: &Load, number: usize, tally: &RefCell<Tally>) -> Result<()> {
    let mut connection = Connection::open(load.address).await?;
    let mut turn = Turn::first(&load.script, number, &mut connection).await?;
    while !tally.borrow().stopped {
        let asked = Instant::now();
        let brief = connection.ask_briefly(turn.request(), load.wanted()).await?;
        let micros = u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX);
        if brief.status != load.status || !brief.has_text {
            let again = connection.ask(turn.request()).await?.text();
            bail!("answered {} where {} is right; asked again: {again}", brief.status, load.status);
        }
        let mut tally = tally.borrow_mut();
        if tally.counting {
            tally.latencies.push(micros);
        }
        drop(tally);
        turn.next(&load.script, brief.token)?;
    }
    Ok(())
}

/// The header line with another first character of the credential, a digit where digits stand.
fn nobodys(line: &str) -> String {
    let at = line.rfind(['=', ' ']).map_or(0, |at| at + 1);
    let (name, value) = line.split_at_checked(at).unwrap_or((line, ""));
    let other = if value.starts_with('0') { '1' } else { '0' };
    let rest = value.get(1..).unwrap_or_default();
    format!("{name}{other}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_that_is_nobodys_is_another_one() {
        for (line, expected) in [
            ("cookie: sessionid=abc\r\n", "cookie: sessionid=0bc\r\n"),
            ("cookie: sessionid=0bc\r\n", "cookie: sessionid=1bc\r\n"),
            ("authorization: Bearer abc\r\n", "authorization: Bearer 0bc\r\n"),
        ] {
            assert_eq!(nobodys(line), expected);
        }
    }
}
