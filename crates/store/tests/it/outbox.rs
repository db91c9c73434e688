//! Mail: claimed by one node at a time, forgotten when sent.

use portcullis_store::outbox::{self, NewMail};
use portcullis_store::{Error, Tx};

use crate::harness::{NOW, each, later, race};

#[tokio::test]
async fn a_mail_is_claimed_sent_and_forgotten() {
    each(async |test| {
        let mut tx = test.write().await;
        outbox::insert(&mut tx, &new_mail("a"), NOW).await.unwrap();
        assert_eq!(claim(&mut tx, 0, 9).await, ["a"]);
        assert_eq!(claim(&mut tx, 59, 9).await, [""; 0], "leased");
        let mail = outbox::claim(&mut tx, later(60), 9).await.unwrap().remove(0);
        let new = new_mail("a");
        assert_eq!(
            (mail.recipient, mail.subject, mail.body),
            (new.recipient, new.subject, new.body)
        );
        assert_eq!((mail.link, mail.code), (new.link, new.code));
        assert_eq!((mail.created_at, mail.attempts), (NOW, 2));

        assert!(outbox::failed(&mut tx, "a", later(500)).await.unwrap());
        assert_eq!(claim(&mut tx, 499, 9).await, [""; 0]);
        assert_eq!(claim(&mut tx, 500, 9).await, ["a"]);
        assert_eq!(outbox::waiting(&mut tx).await.unwrap(), 1);
        assert!(outbox::sent(&mut tx, "a", later(501)).await.unwrap());
        assert_eq!(outbox::waiting(&mut tx).await.unwrap(), 0);
        assert!(!outbox::sent(&mut tx, "a", later(502)).await.unwrap());
        assert!(!outbox::failed(&mut tx, "a", later(503)).await.unwrap());
        assert_eq!(claim(&mut tx, 9999, 9).await, [""; 0]);
        assert_eq!(outbox::sweep(&mut tx, later(501), 9).await.unwrap(), 0);
        assert_eq!(outbox::sweep(&mut tx, later(502), 9).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_oldest_come_first_and_the_unsent_are_dropped_in_the_end() {
    each(async |test| {
        let mut tx = test.write().await;
        for (id, at) in [("b", 2), ("c", 3), ("a", 1)] {
            outbox::insert(&mut tx, &new_mail(id), later(at)).await.unwrap();
        }
        assert_eq!(outbox::sweep(&mut tx, later(1), 9).await.unwrap(), 0);
        assert_eq!(claim(&mut tx, 2, 9).await, ["a", "b"]);
        for expected in [1, 1, 0] {
            assert_eq!(outbox::sweep(&mut tx, later(3), 1).await.unwrap(), expected);
        }
        let twice = outbox::insert(&mut tx, &new_mail("c"), NOW).await;
        assert!(matches!(twice, Err(Error::Conflict)), "{twice:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_claims_share_the_work() {
    each(async |test| {
        let mut tx = test.write().await;
        for number in 0..40 {
            outbox::insert(&mut tx, &new_mail(&format!("{number:02}")), NOW).await.unwrap();
        }
        tx.commit().await.unwrap();
        let claimed = race(10, |_| {
            let db = test.db.clone();
            async move {
                let mut tx = db.write().await.unwrap();
                let ids = claim(&mut tx, 0, 4).await;
                tx.commit().await.unwrap();
                assert!(ids.len() <= 4);
                ids
            }
        });
        let mut claimed = claimed.await.concat();
        claimed.extend(claim(&mut test.write().await, 0, 40).await);
        claimed.sort_unstable();
        assert_eq!(claimed.len(), 40);
        claimed.dedup();
        assert_eq!(claimed.len(), 40);
    })
    .await;
}

fn new_mail(id: &str) -> NewMail {
    NewMail {
        id: id.to_owned(),
        recipient: "ada@example.com".to_owned(),
        subject: "Hello".to_owned(),
        body: "line\nline".to_owned(),
        link: (id == "a").then(|| "https://example.com/".to_owned()),
        code: None,
    }
}

async fn claim(tx: &mut Tx, seconds: u64, limit: i64) -> Vec<String> {
    let mails = outbox::claim(tx, later(seconds), limit).await.unwrap();
    mails.into_iter().map(|mail| mail.id).collect()
}
