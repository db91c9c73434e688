//! The revocation bound, on a real database and a clock that the test moves.

use std::collections::HashSet;

use portcullis_domain::account::AccountType;
use portcullis_domain::event::EndReason;
use portcullis_domain::id::{SessionHandle, SessionId};
use portcullis_domain::second_factor::SecondFactor;
use portcullis_domain::secret::{Keys, MasterSecret};
use portcullis_domain::session::{Life, SignInForm};
use portcullis_domain::text::{Email, Name};
use portcullis_store::credentials::{CredentialKind, NewCredential};
use portcullis_store::migrate::{self, MigrateOptions};
use portcullis_store::scratch::{self, LogFault};
use portcullis_store::sessions::{self, NewSession};
use portcullis_store::users::{self, NewUser};
use portcullis_store::{Options, Tx, roles};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::follow::Follower;
use super::*;

pub(crate) const NOW: Time = Time(1_795_309_323_000);
const BOUND: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_mins(30);
const ALMOST: Duration = Duration::from_millis(4999);
const MILLISECOND: Duration = Duration::from_millis(1);

/// A database with two users of one session each: a cookie that dies when it is not used, and a
/// token that does not. Whoever waits for a connection gives up at once.
pub(crate) struct SignedIn {
    pub(crate) db: Db,
    pub(crate) sessions: [SessionId; 2],
    users: [UserId; 2],
    url: String,
    _directory: TempDir,
}

impl SignedIn {
    pub(crate) async fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("test.db").display());
        let acquire_timeout = Duration::from_millis(300);
        let options = Options { acquire_timeout, ..Self::options(&url) };
        let db = Db::open(&options).await.unwrap();
        migrate::run(&db, &MigrateOptions { seal_check: [7; 32], now: NOW }).await.unwrap();
        let mut tx = db.write().await.unwrap();
        roles::ensure_built_in(&mut tx, NOW).await.unwrap();
        let ada = sign_in(&mut tx, 1, CredentialKind::Cookie, Some(IDLE)).await;
        let eve = sign_in(&mut tx, 2, CredentialKind::Api, None).await;
        tx.commit().await.unwrap();
        let sessions = [1, 2].map(|number| SessionId::from_random([number; 16]));
        Self { db, sessions, users: [ada, eve], url, _directory: directory }
    }

    /// The same database, through another program.
    async fn elsewhere(&self) -> Db {
        Db::open(&Self::options(&self.url)).await.unwrap()
    }

    fn options(url: &str) -> Options {
        let keys = Keys::derive(&MasterSecret::from_random([7; 32])).unwrap();
        Options { sqlite_synchronous_full: false, ..Options::new(url, keys.audit) }
    }

    async fn end_session(&self, through: &Db, index: usize) {
        let mut tx = through.write().await.unwrap();
        sessions::end(&mut tx, &self.sessions[index], EndReason::Logout, NOW).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// A verifier that writes uses down.
    fn verifier(&self, bound: Duration) -> Arc<Verifier> {
        let (toucher, touching) = Toucher::new(self.db.clone());
        spawn(touching);
        Arc::new(Verifier::new(bound, toucher))
    }

    async fn last_active(&self, mac: &Mac) -> Time {
        let mut tx = self.db.read_once().await.unwrap();
        credentials::find(&mut tx, mac).await.unwrap().unwrap().facts().last_active
    }
}

async fn sign_in(tx: &mut Tx, number: u8, kind: CredentialKind, idle: Option<Duration>) -> UserId {
    let role = roles::by_name(tx, "user").await.unwrap().unwrap();
    let user = NewUser {
        uuid: format!("uuid-{number}"),
        email: Email::parse(&format!("user-{number}@example.com")).unwrap(),
        username: None,
        first_name: Name::default(),
        last_name: Name::default(),
        phone: None,
        branch_id: 1,
        account_type: AccountType::Staff,
        role_id: role.id,
        password: None,
    };
    let user_id = users::insert(tx, &user, NOW).await.unwrap();
    let session = NewSession {
        id: SessionId::from_random([number; 16]),
        handle: SessionHandle::from_random([number; 12]),
        user_id,
        user_epoch: 0,
        form: SignInForm::Email,
        second_factor: SecondFactor::NotAsked,
        auth_time: NOW,
        ip: "192.0.2.1".to_owned(),
        peer: "127.0.0.1".to_owned(),
        user_agent: "test".to_owned(),
        platform: None,
        device_type: None,
        app_version: None,
        remember_series: None,
    };
    sessions::insert(tx, &session, NOW).await.unwrap();
    let credential = NewCredential {
        mac: mac(number),
        session_id: session.id,
        kind,
        parent: None,
        platform: None,
        device_type: None,
        app_version: None,
        life: Life { expires_at: NOW.plus(IDLE * 100), idle, renew_until: None },
    };
    credentials::insert(tx, &credential, NOW).await.unwrap();
    user_id
}

/// A session cookie.
fn proof(number: u8) -> Proof {
    Proof { auth: AuthKind::Cookie, mac: mac(number) }
}

fn mac(number: u8) -> Mac {
    Mac::from_bytes(&[number; 32]).unwrap()
}

/// Each read makes a value of its own, so equal pointers are one read.
fn live(verified: Result<Verified, Error>) -> Arc<Entry> {
    match verified.unwrap() {
        Verified::Live(live) => live.0,
        Verified::Dead(dead) => panic!("{dead:?}"),
        Verified::Unknown => panic!("unknown"),
    }
}

#[tokio::test]
async fn an_answer_is_used_again_up_to_the_bound_and_never_after_it() {
    let people = SignedIn::open().await;
    let (verifier, clock) = (people.verifier(BOUND), Clock::fake(NOW));
    let verify = async || verifier.verify(&people.db, &clock, proof(1)).await;
    let first = live(verify().await);
    clock.advance(ALMOST);
    assert!(Arc::ptr_eq(&first, &live(verify().await)));
    clock.advance(MILLISECOND);
    let second = live(verify().await);
    assert!(!Arc::ptr_eq(&first, &second));
    people.db.close().await;
    clock.advance(ALMOST);
    assert!(Arc::ptr_eq(&second, &live(verify().await)));
    clock.advance(MILLISECOND);
    assert!(matches!(verify().await, Err(Error::Unavailable)));
}

/// For those who ask only now and then, such as open streams.
#[tokio::test]
async fn a_younger_answer_can_be_asked_for() {
    let people = SignedIn::open().await;
    let (verifier, clock) = (people.verifier(BOUND), Clock::fake(NOW));
    let verify =
        async |within| live(verifier.verify_within(within, &people.db, &clock, proof(1)).await);
    let first = verify(BOUND).await;
    clock.advance(BOUND / 2);
    assert!(Arc::ptr_eq(&first, &verify(BOUND).await));
    let second = verify(BOUND / 2).await;
    assert!(!Arc::ptr_eq(&first, &second));
    let mut follower = Follower::default();
    follower.look(&people.db, &clock, &verifier).await.unwrap();
    let third = verify(BOUND / 2).await;
    clock.advance(BOUND / 2);
    follower.look(&people.db, &clock, &verifier).await.unwrap();
    assert!(Arc::ptr_eq(&third, &verify(BOUND / 2).await), "the log was seen lately");
}

#[tokio::test]
async fn with_no_bound_every_answer_is_read() {
    let people = SignedIn::open().await;
    let (verifier, clock) = (people.verifier(Duration::ZERO), Clock::fake(NOW));
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(live(verifier.verify(&people.db, &clock, proof(1)).await));
        clock.advance(MILLISECOND);
    }
    assert_eq!(reads(&seen), 3);
}

#[tokio::test]
async fn a_change_through_this_process_is_felt_at_once_by_those_it_is_about() {
    let people = SignedIn::open().await;
    let (verifier, clock) = (people.verifier(BOUND), Clock::fake(NOW));
    let told = Arc::clone(&verifier);
    people.db.on_invalidation(move |changes| changes.iter().for_each(|c| told.invalidate(*c)));
    let verify = async |number| verifier.verify(&people.db, &clock, proof(number)).await;
    let (_, other) = (live(verify(1).await), live(verify(2).await));
    // By another node: known after the bound. By this one: known now.
    people.end_session(&people.elsewhere().await, 0).await;
    live(verify(1).await);
    let mut tx = people.db.write().await.unwrap();
    users::bump_epoch(&mut tx, people.users[0]).await.unwrap();
    live(verify(1).await);
    tx.commit().await.unwrap();
    assert!(matches!(verify(1).await, Ok(Verified::Dead(Dead::Ended))));
    assert!(Arc::ptr_eq(&other, &live(verify(2).await)));
}

/// Nobody waits any more for a node whose lease is over, so it believes nothing that it remembers.
#[tokio::test]
async fn without_a_lease_every_answer_is_read() {
    let people = SignedIn::open().await;
    let (clock, elsewhere) = (Clock::fake(NOW), people.elsewhere().await);
    let verifier = people.verifier(BOUND);
    let verify = async || verifier.verify(&people.db, &clock, proof(1)).await;
    let lease_ends = clock.monotonic() + MILLISECOND * 2;
    verifier.trust_until(lease_ends);
    let first = live(verify().await);
    assert!(Arc::ptr_eq(&first, &live(verify().await)), "control: it is remembered");
    clock.advance(MILLISECOND * 2);
    verifier.confirm(clock.monotonic());
    let second = live(verify().await);
    assert!(!Arc::ptr_eq(&first, &second), "it was read");
    people.end_session(&elsewhere, 0).await;
    clock.advance(MILLISECOND);
    assert!(matches!(verify().await.unwrap(), Verified::Dead(Dead::Ended)), "at once");

    let other = async || live(verifier.verify(&people.db, &clock, proof(2)).await);
    let first = other().await;
    clock.advance(MILLISECOND);
    let second = other().await;
    assert!(!Arc::ptr_eq(&first, &second), "control");
    verifier.trust_until(clock.monotonic() + BOUND);
    clock.advance(MILLISECOND);
    assert!(Arc::ptr_eq(&second, &other().await), "with a lease it remembers again");
}

#[tokio::test]
async fn what_nobody_knows_is_remembered_apart_and_shortly() {
    let people = SignedIn::open().await;
    let (verifier, clock) = (people.verifier(BOUND), Clock::fake(NOW));
    let verify = async || verifier.verify(&people.db, &clock, proof(9)).await;
    assert!(matches!(verify().await, Ok(Verified::Unknown)));
    assert_eq!(verifier.cache.len(), 0);
    people.db.close().await;
    clock.advance(Duration::from_millis(99));
    assert!(matches!(verify().await, Ok(Verified::Unknown)));
    clock.advance(MILLISECOND);
    assert!(matches!(verify().await, Err(Error::Unavailable)));
}

#[tokio::test]
async fn while_the_log_is_followed_answers_are_used_for_longer_than_the_bound() {
    let people = SignedIn::open().await;
    let (verifier, clock) = (people.verifier(BOUND), Clock::fake(NOW));
    let mut follower = Follower::default();
    let verify = async |number| verifier.verify(&people.db, &clock, proof(number)).await;
    follower.look(&people.db, &clock, &verifier).await.unwrap();
    let (first, other) = (live(verify(1).await), live(verify(2).await));
    for _ in 0..3 {
        clock.advance(ALMOST);
        follower.look(&people.db, &clock, &verifier).await.unwrap();
        clock.advance(ALMOST);
        assert!(Arc::ptr_eq(&first, &live(verify(1).await)));
    }
    people.end_session(&people.elsewhere().await, 0).await;
    live(verify(1).await);
    follower.look(&people.db, &clock, &verifier).await.unwrap();
    assert!(matches!(verify(1).await, Ok(Verified::Dead(Dead::Ended))));
    assert!(Arc::ptr_eq(&other, &live(verify(2).await)), "nothing happened to this one");
    clock.advance(LONGEST);
    follower.look(&people.db, &clock, &verifier).await.unwrap();
    assert!(!Arc::ptr_eq(&other, &live(verify(2).await)), "not for ever");
}

#[tokio::test]
async fn when_the_log_cannot_be_followed_nothing_outlives_the_bound() {
    let people = SignedIn::open().await;
    let (verifier, clock) = (people.verifier(BOUND), Clock::fake(NOW));
    let mut follower = Follower::default();
    let verify = async || verifier.verify(&people.db, &clock, proof(2)).await;
    live(verify().await);
    follower.look(&people.db, &clock, &verifier).await.unwrap();
    let kept = live(verify().await);
    people.db.close().await;
    clock.advance(ALMOST);
    assert!(follower.look(&people.db, &clock, &verifier).await.is_err());
    assert!(Arc::ptr_eq(&kept, &live(verify().await)));
    clock.advance(MILLISECOND);
    assert!(matches!(verify().await, Err(Error::Unavailable)));
}

#[tokio::test]
async fn a_log_that_does_not_go_on_where_it_was_left_dates_everything() {
    let people = SignedIn::open().await;
    let (verifier, clock) = (people.verifier(BOUND), Clock::fake(NOW));
    let mut follower = Follower::default();
    let elsewhere = people.elsewhere().await;
    let verify = async || live(verifier.verify(&people.db, &clock, proof(2)).await);
    people.end_session(&elsewhere, 0).await;
    follower.look(&people.db, &clock, &verifier).await.unwrap();
    let mut kept = verify().await;
    let mut check = async |fault, is_kept: bool| {
        scratch::tamper_with_log(&people.url, fault).await.unwrap();
        follower.look(&people.db, &clock, &verifier).await.unwrap();
        let now = verify().await;
        assert_eq!(Arc::ptr_eq(&kept, &now), is_kept, "{fault:?}");
        kept = now;
    };
    check(LogFault::Grown, true).await;
    check(LogFault::Gap, false).await;
    check(LogFault::Grown, true).await;
    check(LogFault::GoneBack, false).await;
    check(LogFault::Grown, true).await;
    check(LogFault::Empty, false).await;
}

/// A use or a renewal at another node is in no log.
#[tokio::test]
async fn who_looks_dead_from_here_is_asked_for_before_he_is_refused() {
    let people = SignedIn::open().await;
    let (verifier, clock) = (people.verifier(BOUND), Clock::fake(NOW));
    let mut follower = Follower::default();
    let verify = async || verifier.verify(&people.db, &clock, proof(1)).await;
    follower.look(&people.db, &clock, &verifier).await.unwrap();
    live(verify().await);
    let elsewhere = people.elsewhere().await;
    let mut tx = elsewhere.write_once().await.unwrap();
    clock.advance(IDLE / 2);
    credentials::touch(&mut tx, &[mac(1)], clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    clock.advance(IDLE / 2);
    follower.look(&people.db, &clock, &verifier).await.unwrap();
    live(verify().await);
    clock.advance(IDLE);
    follower.look(&people.db, &clock, &verifier).await.unwrap();
    assert!(matches!(verify().await, Ok(Verified::Dead(Dead::Idle))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_parallel_requests_one_reads() {
    let people = SignedIn::open().await;
    let (db, verifier) = (people.db.clone(), people.verifier(BOUND));
    let clock = Arc::new(Clock::fake(NOW));
    for round in 0..50 {
        let mut requests = JoinSet::new();
        for _ in 0..50 {
            let (db, verifier, clock) = (db.clone(), Arc::clone(&verifier), Arc::clone(&clock));
            requests.spawn(async move { live(verifier.verify(&db, &clock, proof(2)).await) });
        }
        assert_eq!(reads(&requests.join_all().await), 1, "round {round}");
        if round % 2 == 0 {
            clock.advance(BOUND);
        } else {
            verifier.invalidate(Invalidation::User(people.users[1]));
        }
    }
}

fn reads(seen: &[Arc<Entry>]) -> usize {
    seen.iter().map(Arc::as_ptr).collect::<HashSet<_>>().len()
}

#[tokio::test]
async fn who_is_late_does_not_replace_what_was_read_since() {
    let people = SignedIn::open().await;
    let (verifier, clock) = (people.verifier(BOUND), Clock::fake(NOW));
    let read = async || live(verifier.verify(&people.db, &clock, proof(1)).await);
    let stale = read().await;
    clock.advance(BOUND);
    let fresh = read().await;
    verifier.remember(mac(1), &stale);
    assert!(Arc::ptr_eq(&fresh, &read().await));
}

#[tokio::test]
async fn sessions_of_one_user_share_what_is_known_of_him() {
    let people = SignedIn::open().await;
    let (verifier, clock) = (people.verifier(BOUND), Clock::fake(NOW));
    let read = async |number| live(verifier.verify(&people.db, &clock, proof(number)).await);
    let first = read(1).await;
    clock.advance(BOUND);
    let (again, other) = (read(1).await, read(2).await);
    assert!(Arc::ptr_eq(&first.found.user, &again.found.user));
    assert!(Arc::ptr_eq(&first.found.role, &other.found.role));
    assert!(!Arc::ptr_eq(&first.found.user, &other.found.user));
    clock.advance(LONGEST);
    verifier.sweep(&clock);
    assert_eq!(verifier.cache.len(), 0);
}

#[tokio::test]
async fn a_good_credential_is_not_refused_for_a_use_that_cannot_be_written_down() {
    let people = SignedIn::open().await;
    let (verifier, clock) = (people.verifier(Duration::from_hours(2)), Clock::fake(NOW));
    let verify = async |number| verifier.verify(&people.db, &clock, proof(number)).await;
    live(verify(1).await);
    live(verify(2).await);
    let writer = people.db.write().await.unwrap();
    // Nobody waits in the first half of the time until it is idle; the other never is.
    clock.advance(Duration::from_mins(14));
    let entry = live(verify(1).await);
    until(async || entry.touched.load(Ordering::SeqCst) == NOW.0).await;
    clock.advance(Duration::from_mins(1));
    assert!(matches!(verify(1).await, Err(Error::Unavailable)));
    live(verify(2).await);
    assert_eq!(people.last_active(&mac(1)).await, NOW);

    drop(writer);
    live(verify(1).await);
    assert_eq!(people.last_active(&mac(1)).await, clock.now());
    until(async || live(verify(2).await).touched.load(Ordering::SeqCst) == clock.now().0).await;
    until(async || people.last_active(&mac(2)).await == clock.now()).await;
    let writer = people.db.write().await.unwrap();
    clock.advance(IDLE);
    assert!(matches!(verify(1).await, Ok(Verified::Dead(Dead::Idle))));
    live(verify(2).await);
    drop(writer);
}

/// Waits for what is done beside the requests.
async fn until(condition: impl AsyncFn() -> bool) {
    for _ in 0..1000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it does not come about");
}

/// A task of the test's own, which ends with its runtime.
#[expect(clippy::disallowed_methods, reason = "nobody waits for a task of a test")]
fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(work);
}
