//! Leases of running servers.

use std::time::Duration;

use portcullis_store::nodes::{self, LEASE};

use crate::harness::{NOW, each};

#[tokio::test]
async fn a_server_counts_as_running_while_its_lease_lasts() {
    each(async |test| {
        let mut tx = test.write().await;
        assert!(!nodes::others(&mut tx, None, NOW).await.unwrap());
        nodes::renew(&mut tx, "a", NOW).await.unwrap();
        let a_moment = Duration::from_millis(1);
        let mut check = async |id: Option<&str>, after: Duration, expected: bool| {
            let found = nodes::others(&mut tx, id, NOW.plus(after)).await.unwrap();
            assert_eq!(found, expected, "{id:?} {after:?}");
        };
        check(None, Duration::ZERO, true).await;
        check(Some("a"), Duration::ZERO, false).await;
        check(Some("b"), LEASE.checked_sub(a_moment).unwrap(), true).await;
        check(Some("b"), LEASE, false).await;

        nodes::renew(&mut tx, "a", NOW.plus(LEASE)).await.unwrap();
        assert!(nodes::others(&mut tx, Some("b"), NOW.plus(LEASE)).await.unwrap(), "renewed");
        assert!(nodes::remove(&mut tx, "a").await.unwrap());
        assert!(!nodes::remove(&mut tx, "a").await.unwrap());
        assert!(!nodes::others(&mut tx, None, NOW).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn servers_that_died_are_forgotten() {
    each(async |test| {
        let mut tx = test.write().await;
        for (id, seconds) in [("a", 0), ("b", 1), ("c", 2)] {
            let at = NOW.plus(Duration::from_secs(seconds));
            nodes::renew(&mut tx, id, at).await.unwrap();
        }
        let before = NOW.plus(Duration::from_secs(2));
        assert_eq!(nodes::sweep(&mut tx, before, 1).await.unwrap(), 1, "a slice");
        assert_eq!(nodes::sweep(&mut tx, before, 9).await.unwrap(), 1);
        assert_eq!(nodes::sweep(&mut tx, before, 9).await.unwrap(), 0);
        assert!(nodes::remove(&mut tx, "c").await.unwrap());
    })
    .await;
}
