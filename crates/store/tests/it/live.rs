//! Who is signed in: the list finds what is asked for, in pages, and a job keeps it short. That it tells
//! the truth whatever is done is in `liveness`.

use std::time::Duration;

use portcullis_domain::event::EndReason;
use portcullis_domain::id::{SessionHandle, UserId};
use portcullis_domain::session::{self, Life, SignInForm};
use portcullis_domain::text::{Name, Username};
use portcullis_domain::time::Time;
use portcullis_store::Tx;
use portcullis_store::credentials::{self, CredentialKind, NewCredential};
use portcullis_store::sessions::{self, Filter, LiveSession, NewSession, Page};
use portcullis_store::users::{self, NewUser};

use crate::harness::{NOW, ada, each, later, new_session, new_user};

#[tokio::test]
async fn existing_sessions_are_in_the_list_after_the_migration() {
    const MIGRATION: &str = include_str!("../../../../migrations/0013_live_sessions.sql");
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        for number in 1..=4 {
            let id = crate::harness::session(&mut tx, number, user).await;
            crate::harness::credential(&mut tx, number, &id, CredentialKind::Cookie).await;
        }
        let id = |number| new_session(number, user).id;
        sessions::end(&mut tx, &id(2), EndReason::Logout, NOW).await.unwrap();
        credentials::end(&mut tx, &crate::harness::mac(3), NOW).await.unwrap();
        tx.commit().await.unwrap();
        test.tamper("UPDATE sessions SET live_until = NULL").await;
        let mut tx = test.read().await;
        assert_eq!(list(&mut tx, &Filter::default(), later(1)).await.len(), 0);
        drop(tx);
        let (_, fill) = MIGRATION.split_once("BIGINT;\n").unwrap();
        let (fill, _) = fill.split_once("CREATE INDEX").unwrap();
        test.tamper(fill).await;
        let mut tx = test.read().await;
        let listed = handles(&list(&mut tx, &Filter::default(), later(1)).await);
        assert_eq!(listed, [4, 1].map(|number| new_session(number, user).handle.to_string()));
    })
    .await;
}

#[tokio::test]
async fn the_job_lets_the_living_stay_and_the_dead_go() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        for number in 1..=3 {
            let id = crate::harness::session(&mut tx, number, user).await;
            let life = Life {
                expires_at: later(3600),
                idle: Some(Duration::from_secs(100)),
                renew_until: None,
            };
            let new = NewCredential {
                life,
                ..crate::harness::new_credential(number, &id, CredentialKind::Cookie)
            };
            credentials::insert(&mut tx, &new, NOW).await.unwrap();
        }
        let mac = crate::harness::mac;
        assert_eq!(sessions::move_on(&mut tx, later(99), 9).await.unwrap(), 0, "nothing is due");
        credentials::touch(&mut tx, &[mac(1), mac(2)], later(60)).await.unwrap();
        assert_eq!(
            sessions::let_go(&mut tx, later(99), 9).await.unwrap(),
            0,
            "nor is anything over"
        );
        assert_eq!(sessions::let_go(&mut tx, later(100), 9).await.unwrap(), 1, "two were used");
        assert_eq!(sessions::move_on(&mut tx, later(100), 1).await.unwrap(), 1, "a slice");
        assert_eq!(sessions::move_on(&mut tx, later(100), 9).await.unwrap(), 1);
        assert_eq!(sessions::move_on(&mut tx, later(100), 9).await.unwrap(), 0, "moved on");
        assert_eq!(sessions::let_go(&mut tx, later(159), 9).await.unwrap(), 0);
        assert_eq!(sessions::let_go(&mut tx, later(160), 9).await.unwrap(), 2);
        // What was let go is as dead as before, and its row says nothing else.
        let found = credentials::find(&mut tx, &mac(3)).await.unwrap().unwrap();
        assert_eq!(session::alive(&found.facts(), later(160)), Err(session::Dead::Idle));
    })
    .await;
}

#[tokio::test]
async fn a_child_that_lives_shorter_than_the_one_before_shortens_the_session() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let id = crate::harness::session(&mut tx, 1, user).await;
        let idle = |seconds| Life {
            expires_at: later(3600),
            idle: Some(Duration::from_secs(seconds)),
            renew_until: None,
        };
        let new = |number, kind, life| NewCredential {
            life,
            ..crate::harness::new_credential(number, &id, kind)
        };
        let parent = new(1, CredentialKind::Mobile, idle(60));
        credentials::insert(&mut tx, &parent, NOW).await.unwrap();
        for (number, life, seconds) in [(2, idle(1000), 999), (3, idle(10), 59)] {
            let child = new(number, CredentialKind::Child, life);
            let child = NewCredential { parent: Some(parent.mac), ..child };
            assert!(credentials::replace_child(&mut tx, &child, NOW).await.unwrap());
            let filter = Filter::default();
            assert_eq!(list(&mut tx, &filter, later(seconds)).await.len(), 1, "{number}");
            assert_eq!(list(&mut tx, &filter, later(seconds + 1)).await.len(), 0, "{number}");
        }
    })
    .await;
}

/// A filter, and the sessions that it finds.
type Case = (fn(&People) -> Filter, &'static [u8]);

const ALL: &[u8] = &[6, 5, 4, 3, 2, 1];

const CASES: &[Case] = &[
    (|_| Filter::default(), ALL),
    (|people| Filter { user: Some(people.ada), ..Filter::default() }, &[4, 1]),
    (|_| Filter { user: Some(UserId(99)), ..Filter::default() }, &[]),
    (|_| of_person("a"), &[4, 1]),
    (|_| of_person("ADA@ex"), &[4, 1]),
    (|_| of_person("ada l"), &[4, 1]),
    (|_| of_person("love"), &[4, 1]),
    (|_| of_person("ovelace"), &[]),
    (|_| of_person("émile"), &[6, 3]),
    (|_| of_person("É"), &[6, 3]),
    (|_| of_person("zo"), &[6, 3]),
    (|_| of_person("100%"), &[]),
    (|_| of_person("_"), &[5, 2]),
    (|_| of_person("!"), &[]),
    (|_| of_person("' OR 1=1 --"), &[]),
    (|_| Filter { ip: Some("198.51.100.7".to_owned()), ..Filter::default() }, &[3, 2, 1]),
    (|_| Filter { ip: Some("198.51.100.".to_owned()), ..Filter::default() }, &[]),
    (|_| Filter { form: Some(SignInForm::Mobile), ..Filter::default() }, &[4, 3]),
    (|_| Filter { handle: Some(new_session(2, UserId(0)).handle), ..Filter::default() }, &[2]),
    (|_| Filter { form: Some(SignInForm::Mobile), ..of_person("a") }, &[4]),
    (
        |people| Filter {
            user: Some(people.ada),
            ip: Some("198.51.100.7".to_owned()),
            form: Some(SignInForm::Page),
            ..of_person("love")
        },
        &[1],
    ),
    (
        |people| Filter {
            handle: Some(new_session(2, UserId(0)).handle),
            user: Some(people.ada),
            ..Filter::default()
        },
        &[],
    ),
];

struct People {
    ada: UserId,
}

#[tokio::test]
async fn filters_find_what_is_asked_for() {
    each(async |test| {
        let mut tx = test.write().await;
        let people = six_sessions(&mut tx).await;
        for (number, (filter, expected)) in CASES.iter().enumerate() {
            let filter = filter(&people);
            let found = list(&mut tx, &filter, later(100)).await;
            let expected: Vec<String> = expected
                .iter()
                .map(|number| new_session(*number, UserId(0)).handle.to_string())
                .collect();
            assert_eq!(handles(&found), expected, "{number}: {filter:?}");
        }
    })
    .await;
}

/// Twenty users are few, thirty are many; and when very many sessions match, the list is walked.
#[tokio::test]
async fn a_name_that_many_have_finds_all_of_them() {
    each(async |test| {
        let mut tx = test.write().await;
        let role = crate::harness::role(&mut tx, "clerk", 20).await;
        for number in 0..30_u8 {
            let name = if number < 20 { "few" } else { "many" };
            let new = new_user(&format!("{name}-of-all-{number}"), role);
            let new = NewUser { last_name: Name::parse("Everybody").unwrap(), ..new };
            let user = users::insert(&mut tx, &new, NOW).await.unwrap();
            let id = crate::harness::session(&mut tx, number, user).await;
            crate::harness::credential(&mut tx, number, &id, CredentialKind::Cookie).await;
        }
        tx.commit().await.unwrap();
        let found = async |person: &str, form| {
            let filter = Filter { form, ..of_person(person) };
            let mut tx = test.read().await;
            let search = sessions::search(&mut tx, &filter).await.unwrap();
            let total = sessions::count(&mut tx, &search, NOW).await.unwrap();
            let page = Page { limit: 40, skip: 5, after: None };
            (total, sessions::list(&mut tx, &search, &page, total, NOW).await.unwrap().len())
        };
        assert_eq!(found("few", None).await, (20, 15));
        assert_eq!(found("many-of-all-2", None).await, (10, 5));
        assert_eq!(found("everybody", None).await, (30, 25));
        assert_eq!(found("everybody", Some(SignInForm::Page)).await, (30, 25));
        assert_eq!(found("everybody", Some(SignInForm::Mobile)).await, (0, 0));
        test.tamper(
            "INSERT INTO sessions (id, handle, user_id, user_epoch, form, csrf_epoch, created_at,
                auth_time, ip, peer, user_agent, live_until)
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)
            SELECT CAST(10000000 + i AS TEXT) || '000000000000000000000000',
                'sess_' || CAST(10000000 + i AS TEXT) || '0000000000000000', 1 + i % 30, 0,
                CASE WHEN i % 3 = 0 THEN 'mobile' ELSE 'page' END, 0, i, i, '', '', '',
                9000000000000 FROM n",
        )
        .await;
        assert_eq!(found("everybody", None).await, (6030, 40));
        assert_eq!(found("everybody", Some(SignInForm::Mobile)).await, (2000, 40));
        assert_eq!(found("few-of-all-1@", None).await, (201, 40));
    })
    .await;
}

#[tokio::test]
async fn pages_are_the_same_list_in_pieces_from_either_end() {
    each(async |test| {
        let mut tx = test.write().await;
        six_sessions(&mut tx).await;
        let now = later(100);
        let filter = Filter::default();
        let search = sessions::search(&mut tx, &filter).await.unwrap();
        let total = sessions::count(&mut tx, &search, now).await.unwrap();
        let mut page = async |skip, limit, after: Option<u8>| {
            let after = match after {
                None => None,
                Some(number) => {
                    let handle = new_session(number, UserId(0)).handle;
                    Some(sessions::position(&mut tx, &handle).await.unwrap().unwrap())
                }
            };
            let page = Page { limit, skip, after };
            let found = sessions::list(&mut tx, &search, &page, total, now).await.unwrap();
            found.iter().map(|session| hex_digit(&session.handle)).collect::<Vec<_>>()
        };
        for skip in 0..8 {
            for limit in 0..8 {
                let all = ALL.iter().copied();
                let expected: Vec<u8> = all.skip(skip).take(limit).collect();
                let (skip, limit) = (skip as u64, limit as u64);
                assert_eq!(page(skip, limit, None).await, expected, "{skip} {limit}");
            }
        }
        assert_eq!(page(0, 2, Some(5)).await, [4, 3]);
        assert_eq!(page(0, 2, Some(1)).await, [0; 0]);
        assert_eq!(page(1, 9, Some(3)).await, [1]);
        let unknown = SessionHandle::from_random([99; 12]);
        assert!(sessions::position(&mut tx, &unknown).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn what_is_listed_says_whose_it_is_and_how_long() {
    each(async |test| {
        let mut tx = test.write().await;
        six_sessions(&mut tx).await;
        let listed = list(&mut tx, &of_person("love"), later(100)).await;
        let expected = LiveSession {
            handle: new_session(1, UserId(0)).handle,
            user_id: listed[1].user_id,
            email: "ada@example.com".to_owned(),
            username: Some("ada".to_owned()),
            first_name: "Ada".to_owned(),
            last_name: "Lovelace".to_owned(),
            account_type: portcullis_domain::account::AccountType::Staff,
            form: SignInForm::Page,
            ip: "198.51.100.7".to_owned(),
            user_agent: "test".to_owned(),
            platform: Some("ios".to_owned()),
            device_type: None,
            app_version: Some("1.2".to_owned()),
            second_factor: false,
            is_remembered: false,
            created_at: later(1),
            last_active: later(1),
            expires_at: later(3600),
        };
        assert_eq!(listed[1], expected);
    })
    .await;
}

/// Sessions 1 to 6, which began one after the other: of Ada (1, 4), of somebody with an underscore
/// (2, 5), and of Émile Zola (3, 6).
async fn six_sessions(tx: &mut Tx) -> People {
    let role = crate::harness::role(tx, "clerk", 20).await;
    let named = |name: &str, first: &str, last: &str| NewUser {
        first_name: Name::parse(first).unwrap(),
        last_name: Name::parse(last).unwrap(),
        ..new_user(name, role)
    };
    let ada = NewUser {
        username: Some(Username::parse("ada").unwrap()),
        ..named("ada", "Ada", "Lovelace")
    };
    let mut users = Vec::new();
    for new in [ada, named("_x", "", ""), named("zola", "Émile", "Zola")] {
        users.push(users::insert(tx, &new, NOW).await.unwrap());
    }
    for number in 1..=6_u8 {
        let is_early = number <= 3;
        let form = if matches!(number, 3 | 4) { SignInForm::Mobile } else { SignInForm::Page };
        let new = NewSession {
            form,
            ip: if is_early { "198.51.100.7" } else { "2001:db8::1" }.to_owned(),
            platform: Some("ios".to_owned()),
            app_version: Some("1.2".to_owned()),
            ..new_session(number, *users.get(usize::from(number - 1) % 3).unwrap())
        };
        // Two begin in the same millisecond.
        let began = later(u64::from(number.min(5)));
        sessions::insert(tx, &new, began).await.unwrap();
        let cookie = crate::harness::new_credential(number, &new.id, CredentialKind::Cookie);
        credentials::insert(tx, &cookie, began).await.unwrap();
    }
    People { ada: *users.first().unwrap() }
}

fn of_person(text: &str) -> Filter {
    Filter { person: Some(text.to_owned()), ..Filter::default() }
}

/// Every live session of a filter; the count says the same.
pub(crate) async fn list(tx: &mut Tx, filter: &Filter, now: Time) -> Vec<LiveSession> {
    let search = sessions::search(tx, filter).await.unwrap();
    let total = sessions::count(tx, &search, now).await.unwrap();
    let page = Page { limit: 1000, skip: 0, after: None };
    let listed = sessions::list(tx, &search, &page, total, now).await.unwrap();
    assert_eq!(listed.len() as u64, total, "{filter:?}");
    listed
}

pub(crate) fn handles(listed: &[LiveSession]) -> Vec<String> {
    listed.iter().map(|session| session.handle.to_string()).collect()
}

/// The number of [`new_session`].
fn hex_digit(handle: &SessionHandle) -> u8 {
    u8::from_str_radix(&handle.as_str()[5..7], 16).unwrap()
}
