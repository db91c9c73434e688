//! Mail: claimed by one node at a time, forgotten when sent.

use portcullis_domain::delivery::Undelivered;
use portcullis_store::outbox::{self, Held, NewMail, State};
use portcullis_store::{Error, Tx};

use crate::harness::{NOW, each, later, race};

#[tokio::test]
async fn a_mail_is_claimed_sent_and_forgotten() {
    each(async |test| {
        let mut tx = test.write().await;
        outbox::insert(&mut tx, &new_mail("a"), NOW).await.unwrap();
        assert_eq!(claim(&mut tx, 0, 9).await, ["a"]);
        assert_eq!(claim(&mut tx, 179, 9).await, [""; 0], "leased");
        assert!(!outbox::late(&mut tx, "a", 2, later(1)).await.unwrap(), "another attempt");
        let mail = outbox::claim(&mut tx, later(180), 9).await.unwrap().remove(0);
        let new = new_mail("a");
        assert_eq!(
            (mail.recipient, mail.subject, mail.body),
            (new.recipient, new.subject, new.body)
        );
        assert_eq!((mail.link, mail.code, mail.html), (new.link, new.code, Some(new.html)));
        assert_eq!(mail.worth_until, Some(later(50_000)));
        assert_eq!((mail.created_at, mail.attempts), (NOW, 2));

        assert!(outbox::late(&mut tx, "a", 2, later(500)).await.unwrap());
        assert_eq!(claim(&mut tx, 499, 9).await, [""; 0]);
        assert_eq!(claim(&mut tx, 500, 9).await, ["a"]);
        let waiting = outbox::Waiting { count: 1, oldest: Some(NOW) };
        assert_eq!(outbox::waiting(&mut tx, later(500)).await.unwrap(), waiting);
        assert!(outbox::sent(&mut tx, "a", later(501)).await.unwrap());
        let nothing = outbox::Waiting { count: 0, oldest: None };
        assert_eq!(outbox::waiting(&mut tx, later(500)).await.unwrap(), nothing);
        assert!(!outbox::sent(&mut tx, "a", later(502)).await.unwrap());
        assert!(!outbox::late(&mut tx, "a", 3, later(503)).await.unwrap());
        assert_eq!(claim(&mut tx, 9999, 9).await, [""; 0]);
        assert_eq!(outbox::sweep(&mut tx, later(501), 9).await.unwrap(), 0);
        assert_eq!(outbox::sweep(&mut tx, later(502), 9).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_mail_that_is_to_leave_later_is_written_anew_until_it_does() {
    each(async |test| {
        let mut tx = test.write().await;
        let new = new_mail("a");
        outbox::hold(&mut tx, &new, NOW, later(60)).await.unwrap();
        let (to, subject) = (new.recipient.clone(), new.subject.clone());
        let held = outbox::held(&mut tx, &to, &subject, later(59)).await.unwrap();
        assert_eq!(held, Some(Held { id: "a".to_owned(), created_at: NOW }));
        for (to, subject, at) in [("b", &*subject, 59), (&*to, "b", 59), (&*to, &*subject, 60)] {
            let held = outbox::held(&mut tx, to, subject, later(at)).await.unwrap();
            assert_eq!(held, None, "{to} {subject} {at}");
        }
        let other = NewMail { body: "other".to_owned(), ..new };
        assert!(outbox::rewrite(&mut tx, "a", &other).await.unwrap());
        let count = async |tx: &mut Tx, at| outbox::waiting(tx, later(at)).await.unwrap().count;
        assert_eq!((count(&mut tx, 59).await, count(&mut tx, 60).await), (0, 1));
        assert_eq!(claim(&mut tx, 59, 9).await, [""; 0]);
        let mail = outbox::claim(&mut tx, later(60), 9).await.unwrap().remove(0);
        assert_eq!(mail.body, "other");
        assert!(!outbox::rewrite(&mut tx, "a", &other).await.unwrap(), "it is being sent");
        assert_eq!(outbox::held(&mut tx, &to, &subject, later(59)).await.unwrap(), None);
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

#[tokio::test]
async fn mail_is_given_up_once_and_says_why() {
    each(async |test| {
        let mut tx = test.write().await;
        for (id, worth) in [("a", 100), ("b", 100), ("c", 200)] {
            let mail = NewMail { worth_until: later(worth), ..new_mail(id) };
            outbox::insert(&mut tx, &mail, NOW).await.unwrap();
        }
        assert!(outbox::is_due(&mut tx, NOW).await.unwrap());
        assert_eq!(outbox::give_up_expired(&mut tx, later(99), 9).await.unwrap(), [""; 0]);
        assert_eq!(claim(&mut tx, 99, 1).await, ["a"]);
        assert_eq!(outbox::give_up_expired(&mut tx, later(100), 9).await.unwrap(), ["b"]);
        assert!(!outbox::sent(&mut tx, "b", later(101)).await.unwrap());
        assert!(!outbox::give_up(&mut tx, "b", Undelivered::Refused, later(101)).await.unwrap());
        assert_eq!(claim(&mut tx, 199, 9).await, ["c"], "a is claimed, b is given up");
        assert!(outbox::give_up(&mut tx, "c", Undelivered::Refused, later(150)).await.unwrap());
        assert!(!outbox::late(&mut tx, "c", 1, later(151)).await.unwrap());
        assert_eq!(claim(&mut tx, 999, 9).await, [""; 0], "a is worth nothing any more");
        assert_eq!(outbox::give_up_expired(&mut tx, later(999), 9).await.unwrap(), ["a"]);
        assert!(!outbox::is_due(&mut tx, later(999)).await.unwrap());
        let states: Vec<_> = outbox::list(&mut tx, 9).await.unwrap();
        let states: Vec<_> = states.into_iter().map(|mail| (mail.id, mail.state)).collect();
        let given_up = |id: &str, at, why| (id.to_owned(), State::GivenUp(later(at), why));
        let expected = [
            given_up("c", 150, Undelivered::Refused),
            given_up("b", 100, Undelivered::Expired),
            given_up("a", 999, Undelivered::Expired),
        ];
        assert_eq!(states, expected);
    })
    .await;
}

/// What is settled keeps nothing that only its recipient may read.
#[tokio::test]
async fn settled_mail_is_forgotten() {
    each(async |test| {
        let mut tx = test.write().await;
        for id in ["sent", "expired", "refused"] {
            let mail = NewMail {
                link: Some("https://example.com/".to_owned()),
                code: Some("123456".to_owned()),
                worth_until: later(if id == "expired" { 1 } else { 9_000 }),
                ..new_mail(id)
            };
            outbox::insert(&mut tx, &mail, NOW).await.unwrap();
        }
        assert!(outbox::sent(&mut tx, "sent", later(1)).await.unwrap());
        assert!(outbox::give_up(&mut tx, "refused", Undelivered::Refused, later(1)).await.unwrap());
        assert_eq!(outbox::give_up_expired(&mut tx, later(1), 9).await.unwrap(), ["expired"]);
        tx.commit().await.unwrap();
        test.tamper("UPDATE outbox SET sent_at = NULL, given_up_at = NULL, worth_until = NULL")
            .await;
        let mut tx = test.write().await;
        let found = outbox::claim(&mut tx, later(1), 9).await.unwrap();
        assert_eq!(found.len(), 3);
        for mail in found {
            assert_eq!(
                (mail.body.as_str(), mail.html, mail.link, mail.code),
                ("", None, None, None)
            );
        }
    })
    .await;
}

fn new_mail(id: &str) -> NewMail {
    NewMail {
        id: id.to_owned(),
        recipient: "ada@example.com".to_owned(),
        subject: "Hello".to_owned(),
        body: "line\nline".to_owned(),
        html: "<p>line".to_owned(),
        link: (id == "a").then(|| "https://example.com/".to_owned()),
        code: None,
        worth_until: later(50_000),
    }
}

async fn claim(tx: &mut Tx, seconds: u64, limit: i64) -> Vec<String> {
    let mails = outbox::claim(tx, later(seconds), limit).await.unwrap();
    mails.into_iter().map(|mail| mail.id).collect()
}
