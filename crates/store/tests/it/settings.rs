//! What administrators changed is kept by name, and of two who change it at once one wins.

use portcullis_domain::id::UserId;
use portcullis_store::settings::{self, Setting};

use crate::harness::{NOW, each, later, race};

fn setting(name: &str, value: &str) -> Setting {
    Setting {
        name: name.to_owned(),
        value: value.to_owned(),
        changed_by: Some(UserId(7)),
        changed_at: NOW,
    }
}

#[tokio::test]
async fn a_setting_is_made_changed_and_taken_away() {
    each(async |test| {
        let mut tx = test.write().await;
        let first = setting("b", "1");
        assert_eq!(settings::get(&mut tx, "b").await.unwrap(), None);
        assert!(settings::replace(&mut tx, None, &first).await.unwrap());
        assert!(
            !settings::replace(&mut tx, None, &setting("b", "2")).await.unwrap(),
            "it is there"
        );
        assert_eq!(settings::get(&mut tx, "b").await.unwrap(), Some(first.clone()));

        let second = Setting { changed_by: None, changed_at: later(1), ..setting("b", "2") };
        let stale = setting("b", "0");
        assert!(
            !settings::replace(&mut tx, Some(&stale), &second).await.unwrap(),
            "it was read before"
        );
        assert!(settings::replace(&mut tx, Some(&first), &second).await.unwrap());
        assert!(settings::replace(&mut tx, None, &setting("a", "1")).await.unwrap());
        assert_eq!(settings::all(&mut tx).await.unwrap(), [setting("a", "1"), second.clone()]);

        assert!(!settings::remove(&mut tx, &first).await.unwrap(), "it was changed since");
        assert!(settings::remove(&mut tx, &second).await.unwrap());
        assert!(!settings::remove(&mut tx, &second).await.unwrap());
        assert_eq!(settings::all(&mut tx).await.unwrap(), [setting("a", "1")]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_change_it_at_once_one_wins() {
    each(async |test| {
        let won = race(50, |number| {
            let db = test.db.clone();
            async move {
                let mut tx = db.write().await.unwrap();
                let new = setting("a", &number.to_string());
                let won = settings::replace(&mut tx, None, &new).await.unwrap();
                tx.commit().await.unwrap();
                won
            }
        });
        assert_eq!(won.await.into_iter().filter(|won| *won).count(), 1);
    })
    .await;
}
