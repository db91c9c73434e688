//! Facts and counters.

use portcullis_store::{counters, meta};

use crate::harness::each;

#[tokio::test]
async fn a_value_is_set_once() {
    each(async |test| {
        let mut tx = test.write().await;
        assert_eq!(meta::get(&mut tx, "key").await.unwrap(), None);
        assert!(meta::insert_if_absent(&mut tx, "key", b"one").await.unwrap());
        assert!(!meta::insert_if_absent(&mut tx, "key", b"two").await.unwrap());
        assert_eq!(meta::get(&mut tx, "key").await.unwrap().unwrap(), b"one");
        for (name, value) in [("empty", &[][..]), ("bytes", &[0, 255])] {
            assert!(meta::insert_if_absent(&mut tx, name, value).await.unwrap());
            assert_eq!(meta::get(&mut tx, name).await.unwrap().unwrap(), value);
        }
    })
    .await;
}

#[tokio::test]
async fn counters_count_apart() {
    each(async |test| {
        let mut tx = test.write().await;
        assert_eq!(counters::next(&mut tx, "a").await.unwrap(), 1);
        assert_eq!(counters::next(&mut tx, "a").await.unwrap(), 2);
        assert_eq!(counters::next(&mut tx, "b").await.unwrap(), 1);
    })
    .await;
}
