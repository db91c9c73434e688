//! Keys are made one after the other, whoever makes them, and withdrawn with what they signed.

use std::time::Duration;

use portcullis_domain::signing_key::{Algorithm, KeyLife, Pace, Rotation};
use portcullis_store::signing_keys::{self, StoredKey};

use crate::harness::{NOW, each, later};

const DAY: Duration = Duration::from_hours(24);

fn key(generation: i64, life: KeyLife) -> StoredKey {
    StoredKey {
        generation,
        kid: format!("key {generation}"),
        algorithm: Algorithm::Es256,
        public_jwk: "{}".to_owned(),
        private_key: vec![1, 2, 3],
        life,
    }
}

#[tokio::test]
async fn keys_follow_each_other() {
    each(async |test| {
        let mut tx = test.write().await;
        assert_eq!(signing_keys::all(&mut tx).await.unwrap(), []);
        let first = key(1, KeyLife::of_first(NOW));
        assert!(signing_keys::insert(&mut tx, &first).await.unwrap());
        let rival = StoredKey { kid: "rival".to_owned(), ..first.clone() };
        assert!(!signing_keys::insert(&mut tx, &rival).await.unwrap(), "one of a generation");
        assert_eq!(signing_keys::all(&mut tx).await.unwrap(), std::slice::from_ref(&first));

        let rotation = Rotation::new(Pace::Planned, DAY, later(1));
        let second = key(2, rotation.life);
        assert!(signing_keys::insert(&mut tx, &second).await.unwrap());
        assert!(signing_keys::retire(&mut tx, 1, &rotation).await.unwrap());
        assert!(!signing_keys::retire(&mut tx, 1, &rotation).await.unwrap(), "once");
        let life = KeyLife {
            retired_at: Some(rotation.old_retired_at),
            gone_at: Some(rotation.old_gone_at),
            ..first.life
        };
        let known = signing_keys::all(&mut tx).await.unwrap();
        assert_eq!(known, [second.clone(), StoredKey { life, ..first }]);

        assert_eq!(signing_keys::sweep(&mut tx, rotation.old_gone_at, 9).await.unwrap(), 0);
        let after = rotation.old_gone_at.plus(Duration::from_millis(1));
        assert_eq!(signing_keys::sweep(&mut tx, after, 9).await.unwrap(), 1);
        assert_eq!(signing_keys::all(&mut tx).await.unwrap(), [second]);
    })
    .await;
}

#[tokio::test]
async fn keys_are_withdrawn_up_to_a_generation() {
    each(async |test| {
        let mut tx = test.write().await;
        for generation in 1..=3 {
            let key = key(generation, KeyLife::of_first(NOW));
            assert!(signing_keys::insert(&mut tx, &key).await.unwrap());
        }
        assert_eq!(signing_keys::withdraw(&mut tx, 2, later(1)).await.unwrap(), 2);
        assert_eq!(signing_keys::withdraw(&mut tx, 2, later(2)).await.unwrap(), 0, "once");
        let gone: Vec<_> = signing_keys::all(&mut tx).await.unwrap();
        let gone: Vec<_> = gone.iter().map(|key| key.life.gone_at).collect();
        assert_eq!(gone, [None, Some(later(1)), Some(later(1))]);
        tx.commit().await.unwrap();
    })
    .await;
}
