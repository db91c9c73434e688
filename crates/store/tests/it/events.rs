//! Events: written once, read newest first.

use portcullis_domain::event::{Context, Event};
use portcullis_domain::id::UserId;
use portcullis_domain::secret::{Keys, MasterSecret};
use portcullis_domain::session::SignInForm;
use portcullis_store::events::{self, EventFilter, Standing, StoredEvent};
use portcullis_store::{Error, Tx};

use crate::harness::{NOW, each, later};

const SIGNED_IN: Event = Event::SignedIn { form: SignInForm::Page };

#[tokio::test]
async fn an_event_reads_back_with_and_without_a_context() {
    each(async |test| {
        let mut tx = test.write().await;
        let full = Context {
            actor: Some(UserId(1)),
            subject: Some(UserId(2)),
            session: Some("sess_x".to_owned()),
            ip: Some("192.0.2.1".to_owned()),
            peer: Some("127.0.0.1".to_owned()),
            user_agent: Some("test".to_owned()),
            request_id: Some("r".to_owned()),
        };
        for (id, context) in [("a", Context::default()), ("b", full)] {
            events::append(&mut tx, &SIGNED_IN, &context, id, NOW).await.unwrap();
            let expected = StoredEvent {
                index: None,
                id: id.to_owned(),
                at: NOW,
                name: SIGNED_IN.name().to_owned(),
                outcome: SIGNED_IN.outcome().as_str().to_owned(),
                severity: SIGNED_IN.severity().as_str().to_owned(),
                context,
                detail: SIGNED_IN.detail(),
                personal: Standing::Whole,
            };
            assert_eq!(read(&mut tx, None, None, 1).await, [expected]);
        }
        let again = events::append(&mut tx, &SIGNED_IN, &Context::default(), "a", NOW).await;
        assert!(matches!(again, Err(Error::Conflict)), "{again:?}");
    })
    .await;
}

#[tokio::test]
async fn events_are_filtered_and_newest_first() {
    each(async |test| {
        let mut tx = test.write().await;
        let about = |user| Context { subject: Some(UserId(user)), ..Context::default() };
        for (id, event, user, at) in [
            ("1", SIGNED_IN, 1, 0),
            ("2", Event::UserDisabled { sessions: 0 }, 1, 5),
            ("3", SIGNED_IN, 2, 5),
            ("4", SIGNED_IN, 1, 3),
        ] {
            events::append(&mut tx, &event, &about(user), id, later(at)).await.unwrap();
        }
        let mut check = async |name: Option<&str>, subject, limit, expected: &[&str]| {
            let found = read(&mut tx, name, subject, limit).await;
            let ids: Vec<&str> = found.iter().map(|event| event.id.as_str()).collect();
            assert_eq!(ids, expected);
        };
        let name = Some(SIGNED_IN.name());
        check(None, None, 9, &["3", "2", "4", "1"]).await;
        check(None, None, 2, &["3", "2"]).await;
        check(name, None, 9, &["3", "4", "1"]).await;
        check(None, Some(1), 9, &["2", "4", "1"]).await;
        check(name, Some(1), 9, &["4", "1"]).await;
        check(Some("none"), None, 9, &[]).await;
    })
    .await;
}

async fn read(
    tx: &mut Tx,
    name: Option<&str>,
    subject: Option<i64>,
    limit: i64,
) -> Vec<StoredEvent> {
    let name = name.map(str::to_owned);
    let filter = EventFilter { name, subject: subject.map(UserId), limit };
    let keys = Keys::derive(&MasterSecret::from_random([7; 32])).unwrap();
    events::list(tx, &keys.audit, &filter).await.unwrap()
}
