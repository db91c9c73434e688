//! The load at a fixed rate, for latencies: requests are due at fixed moments, whether or not
//! earlier ones have been answered. Not here: how much a server can bear (`load`).
//!
//! A latency counts from the sending, or, where the connection was still waiting for its last
//! answer, from the moment at which the request was due: a server that stands still for a while
//! is charged for everything that would have been asked meanwhile. That the generator itself woke
//! late is not charged to the server.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::http::BlockingConnection;
use crate::load::{Figures, Load, figures};
use crate::script::Script;

/// Each has a thread, which is mostly asleep.
const CONNECTIONS: u32 = 16;
/// Not measured, at the beginning.
const WARMING: Duration = Duration::from_millis(500);

/// When the requests of one connection are due.
#[derive(Clone, Copy)]
struct Schedule {
    first: Instant,
    every: Duration,
    measured_from: Instant,
    end: Instant,
}

/// Asks so many times a second for `span`.
pub(crate) async fn round(load: &Load, per_second: u32, span: Duration) -> Result<Figures> {
    let load = load.clone();
    tokio::task::spawn_blocking(move || measure(&load, per_second, span)).await?
}

/// The middle of one of the figures of several rounds.
pub(crate) fn middle(rounds: &[Figures], of: impl Fn(&Figures) -> Duration) -> Duration {
    let mut all: Vec<Duration> = rounds.iter().map(of).collect();
    all.sort();
    all.get(all.len() / 2).copied().unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn measure(load: &Load, per_second: u32, span: Duration) -> Result<Figures> {
    let between = Duration::from_secs(1) / per_second;
    let start = Instant::now() + Duration::from_millis(50);
    let (measured_from, end) = (start + WARMING, start + WARMING + span);
    let every = between * CONNECTIONS;
    let mut latencies = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS)
            .map(|number| {
                let first = start + between * number;
                let schedule = Schedule { first, every, measured_from, end };
                scope.spawn(move || connection(load, schedule))
            })
            .collect();
        let joined = threads.into_iter().map(|thread| match thread.join() {
            Ok(latencies) => latencies,
            Err(_) => anyhow::bail!("a thread of the load generator panicked"),
        });
        joined.collect::<Result<Vec<_>>>()
    })
    .context(load.name)?
    .concat();
    ensure!(!latencies.is_empty(), "{}: nothing was measured", load.name);
    Ok(figures(&mut latencies, f64::NAN, span))
}

/// The latencies of one connection, in microseconds.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn connection(load: &Load, schedule: Schedule) -> Result<Vec<u32>> {
    let Script::Same(request) = &load.script else { anyhow::bail!("not the same each time") };
    let mut connection = BlockingConnection::open(load.address)?;
    let (mut due, mut latencies) = (schedule.first, Vec::new());
    while due < schedule.end {
        let early = due.checked_duration_since(Instant::now());
        let from = match early {
            Some(early) => {
                std::thread::sleep(early);
                Instant::now()
            }
            None => due,
        };
        let brief = connection.ask_briefly(request, load.wanted())?;
        ensure!(brief.status == load.status && brief.has_text, "answered {}", brief.status);
        if due >= schedule.measured_from {
            latencies.push(u32::try_from(from.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
        due += schedule.every;
    }
    Ok(latencies)
}
