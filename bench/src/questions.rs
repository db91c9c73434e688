//! What people ask of a list or a report, one request after the other, and how long the answers take.

use std::time::Instant;

use anyhow::{Result, ensure};

use crate::http::{Connection, request};
use crate::process::Server;
use crate::report::{Figure, millis};

/// How often each question is asked.
const TIMES: usize = 200;

/// Asks the same again and again; the median, of which something is owed, and the slowest but for one in
/// a hundred. An answer that is not ours, such as the application's, is a fault.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) async fn ask(
    server: &Server,
    cookie: &str,
    (name, target): (&str, &str),
    owed: f64,
) -> Result<[Figure; 2]> {
    let mut connection = Connection::open(server.address).await?;
    let asked = request("GET", target, cookie, "");
    let mut times = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let started = Instant::now();
        let answer = connection.ask(&asked).await?;
        times.push(started.elapsed());
        let is_ours = answer.status == 200 && answer.text().contains("\"success\":true");
        ensure!(is_ours, "{target}: {}", answer.text());
    }
    times.sort_unstable();
    let at = |share: usize| times.get((TIMES - 1) * share / 100).copied().unwrap_or_default();
    Ok([
        Figure::below(&format!("{name}, median"), millis(at(50)), owed, "ms"),
        Figure::below(&format!("{name}, 99 %"), millis(at(99)), owed, "ms").without_a_bound(),
    ])
}
