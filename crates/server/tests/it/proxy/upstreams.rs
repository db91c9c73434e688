//! Several applications behind one gate, and the connections that are kept open to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::{application, before, read_head};
use crate::harness::people::Z1;
use crate::harness::upstream::Upstream;
use crate::harness::{Setup, on_each_database_with};

#[tokio::test]
async fn a_rule_leads_to_its_own_upstream_and_no_other() {
    let other = Upstream::start().await;
    let gate = format!(
        "[gate]\nrule = [{{ id = \"home\", path = \"/\", allow = \"anyone\" }}, \
         {{ id = \"shop\", path = \"/shop\", allow = \"signed_in\", upstream = \"http://{}\" }}]",
        other.address
    );
    on_each_database_with(Setup::with(&gate), async |server| {
        let browser = server.by_cookie(&Z1).await;
        for (path, usual, others) in [("/page", 1, 0), ("/shop/1", 0, 1), ("/shopping", 1, 0)] {
            let before = (server.upstream.seen().len(), other.seen().len());
            assert_eq!(browser.get(path).send().await.status, 200);
            let after = (server.upstream.seen().len(), other.seen().len());
            assert_eq!((after.0 - before.0, after.1 - before.1), (usual, others), "{path}");
        }
        let before = other.seen().len();
        assert_eq!(server.client().get("/shop/1").send().await.status, 401);
        assert_eq!(other.seen().len(), before);
    })
    .await;
}

/// An upstream that answers so many requests on a connection and then closes it, without a word, when
/// the next one comes or after `idle`. Counts connections and requests.
async fn counting(
    requests: usize,
    idle: Duration,
) -> (std::net::SocketAddr, [Arc<AtomicUsize>; 2]) {
    let counts: [Arc<AtomicUsize>; 2] = Default::default();
    let [connections, answered] = counts.clone();
    let address = application(move |mut socket| {
        connections.fetch_add(1, Ordering::SeqCst);
        let answered = Arc::clone(&answered);
        async move {
            for _ in 0..requests {
                let head = tokio::time::timeout(idle, read_head(&mut socket)).await;
                if !head.is_ok_and(|head| head.ends_with("\r\n\r\n")) {
                    return;
                }
                answered.fetch_add(1, Ordering::SeqCst);
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                socket.write_all(answer).await.unwrap();
            }
            read_head(&mut socket).await;
        }
    })
    .await;
    (address, counts)
}

#[tokio::test]
async fn a_connection_to_the_upstream_is_used_again() {
    let (address, [connections, answered]) = counting(1000, Duration::from_mins(1)).await;
    on_each_database_with(before(address, ""), async |server| {
        for _ in 0..50 {
            // A new client each time: the pool is the gate's.
            assert_eq!(server.client().get("/public").send().await.status, 200);
        }
    })
    .await;
    let kinds = crate::harness::database::kinds().len();
    let held = connections.load(Ordering::SeqCst);
    assert_eq!(answered.load(Ordering::SeqCst), 50 * kinds);
    // One, and a little for a connection that was not back in the pool in time.
    assert!(held <= 3 * kinds, "{held} connections");
}

#[tokio::test]
async fn a_connection_that_the_upstream_has_closed_is_no_error_for_who_reads() {
    for (requests, idle) in
        [(1, Duration::from_mins(1)), (3, Duration::from_mins(1)), (9, Duration::from_millis(20))]
    {
        let (address, [connections, answered]) = counting(requests, idle).await;
        on_each_database_with(before(address, ""), async |server| {
            for number in 0..20 {
                let answer = server.client().get("/public").send().await;
                assert_eq!(answer.verdict(), "200", "{requests} {idle:?} {number}");
                tokio::time::sleep(Duration::from_millis(10 * (number % 4))).await;
            }
        })
        .await;
        let (held, answered) =
            (connections.load(Ordering::SeqCst), answered.load(Ordering::SeqCst));
        assert!(held > 1, "control: connections were closed");
        assert!(answered >= 20, "{answered}");
    }
}
