//! Kill -9 in the middle of mixed work, again and again: whatever was acknowledged holds after every
//! restart, and what was not acknowledged is one of the two things it can be.
//!
//! `work` is what goes on when the process dies, `ledger` what was promised until then.

mod factor;
mod ledger;
mod server;
mod work;

use std::time::Duration;

use crate::harness::database;
use ledger::Ledger;
use server::Server;

/// How often the process is killed, on each database, at least; and at most, where a slow machine promises
/// less in each round.
const ROUNDS: usize = 20;
const MOST_ROUNDS: usize = 60;
/// How soon it must serve again.
const START: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_acknowledged_holds_after_kill_9() {
    for kind in database::kinds() {
        let mut server = Server::start(kind).await;
        let mut ledger = Ledger::default();
        for round in 0..MOST_ROUNDS {
            if round >= ROUNDS && ledger.lacks().is_empty() {
                break;
            }
            let workers = work::start(&server, &ledger, round);
            tokio::time::sleep(span(round)).await;
            server.kill();
            ledger.take(workers.finish().await);
            let took = server.start_again();
            assert!(took < START, "{kind:?}, round {round}: it took {took:?}");
            let when = format!("{kind:?}, round {round}");
            ledger.check(&server, &when).await;
            server.verify(&when);
        }
        assert!(ledger.lacks().is_empty(), "{kind:?}: {:?}", ledger.lacks());
        server.finish().await;
    }
}

/// Sooner and later, so that it dies in all stages of the work, and sometimes so late that mail has
/// gone out, which a job sees to every second.
fn span(round: usize) -> Duration {
    let millis = if round.is_multiple_of(3) { 1_600 } else { 150 + 67 * round % 700 };
    Duration::from_millis(u64::try_from(millis).unwrap())
}
