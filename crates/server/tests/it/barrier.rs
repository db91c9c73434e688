//! A22: after the answer that ends something no node lets it in, and alone the answer is quick. By the
//! machine's clock, with the jobs that a served node runs. The figures are printed; run with
//! `--nocapture` to see them.

#![expect(clippy::disallowed_methods, reason = "it measures by the machine's clock")]

use std::time::{Duration, Instant};

use portcullis_server::flows::barrier;
use portcullis_store::nodes::{self, LEASE};

use crate::harness::client::{Client, me};
use crate::harness::database::Kind;
use crate::harness::people::{self, PASSWORD, Person, STAFF, TENANT, Z1};
use crate::harness::program::Program;
use crate::harness::revoking::{blacklist, let_in, name_on_page, terminate};
use crate::harness::{Setup, TestApp, database};

/// Long enough that who does not wait for it is caught, and short enough for many rounds.
const BOUND: Duration = Duration::from_secs(1);
const ROUNDS: usize = 20;

fn served() -> Setup {
    Setup { config: "[session]\nrevocation_bound = \"1s\"".to_owned(), ..Setup::served() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a22_after_the_answer_no_node_lets_it_in() {
    for kind in database::kinds() {
        let first = TestApp::start(kind, &served()).await;
        let second = first.second_node(&served()).await;
        let staff = first.by_cookie(&STAFF).await;
        let tenant = first.add(&TENANT).await.id.0;
        first.add(&Z1).await;
        know_of_each_other(&first, &second).await;
        for round in 0..ROUNDS {
            let terminated = remembered_by(&first, &second, &Z1).await;
            let kept_out = remembered_by(&first, &second, &TENANT).await;
            let handle = first.handle_of(&terminated).await;
            let since = Instant::now();
            let ending = async {
                assert_eq!(terminate(&staff, &handle).await.status, 200);
                assert_eq!(me(&terminated).await, 401, "{kind:?}: terminated, round {round}");
            };
            let keeping_out = async {
                assert_eq!(blacklist(&staff, tenant).await.status, 200);
                assert_eq!(me(&kept_out).await, 401, "{kind:?}: blacklisted, round {round}");
                let refused = people::sign_in(&second.client(), "tenant", PASSWORD).await;
                assert_eq!(refused.verdict(), "403 account_blacklisted");
            };
            tokio::join!(ending, keeping_out);
            assert!(since.elapsed() >= BOUND, "it did not wait");
            assert_eq!(let_in(&staff, tenant).await.status, 200);
        }
        second.finish().await;
        first.finish().await;
    }
}

/// Who is alone waits for nobody, also when another one has just gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alone_the_answer_is_quick() {
    for kind in database::kinds() {
        let first = TestApp::start(kind, &served()).await;
        let second = first.second_node(&served()).await;
        let staff = first.by_cookie(&STAFF).await;
        first.add(&TENANT).await;
        know_of_each_other(&first, &second).await;
        second.ask_to_stop();
        while sees_others(&first).await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let mut all = Vec::new();
        for _ in 0..ROUNDS {
            let ended = first.sign_in(&TENANT).await;
            assert_eq!(me(&ended).await, 200, "control");
            let (handle, token) = (first.handle_of(&ended).await, staff.fetch_csrf().await);
            let fields = serde_json::json!({"action": "terminate", "session_id": handle});
            let post = staff.post("/api/security/sessions").header("x-csrf-token", &token);
            let since = Instant::now();
            assert_eq!(post.json(&fields).send().await.status, 200);
            assert_eq!(me(&ended).await, 401);
            all.push(since.elapsed());
        }
        all.sort_unstable();
        println!(
            "{kind:?}: from terminate to refusal {:?}, at worst {:?}",
            all[ROUNDS / 2],
            all[ROUNDS - 1]
        );
        assert!(all[ROUNDS / 2] < BOUND / 4, "{all:?}");
        second.finish().await;
        first.finish().await;
    }
}

/// Whose lease is over is not waited for; who cannot be asked is.
#[tokio::test]
async fn who_may_be_there_is_waited_for() {
    for kind in database::kinds() {
        let server = TestApp::start(kind, &Setup::default()).await;
        let check = async |expected: bool, why: &str| {
            let (db, now) = (&server.app.db, server.app.clock.now());
            let since = Instant::now();
            barrier::wait_for_others(db, None, now, BOUND).await;
            assert_eq!(since.elapsed() >= BOUND, expected, "{kind:?}: {why}");
        };
        check(false, "nobody runs").await;
        let renew = async |at| {
            let mut tx = server.app.db.write().await.unwrap();
            nodes::renew(&mut tx, "another", at).await.unwrap();
            tx.commit().await.unwrap();
        };
        renew(server.app.clock.now()).await;
        check(true, "another runs").await;
        renew(server.app.clock.now().minus(LEASE)).await;
        check(false, "its lease is over").await;
        // SQLite's clock is that of the machine.
        server.advance(Duration::from_mins(1));
        check(kind == Kind::Postgres, "nobody can say by this clock").await;
        server.app.db.close().await;
        check(true, "nobody can be asked").await;
        server.finish().await;
    }
}

/// A process that was frozen wakes with what it remembered, and does not believe it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_node_wakes_without_what_it_remembered() {
    let first = Program::serve("[limits]\nlogin = \"off\"\n");
    for (name, role, account_type) in [("staff", "owner", "staff"), ("tenant", "user", "tenant")] {
        first.make_user(name, role, account_type);
    }
    let second = first.second();
    let staff = first.signed_in("staff").await;
    for round in 0..3 {
        let tenant = first.signed_in("tenant").await;
        let handle = name_on_page(&tenant).await;
        loop {
            let at_second = tenant.at(second.address);
            assert_eq!((me(&at_second).await, me(&at_second).await), (200, 200), "control");
            second.signal("STOP");
            // It is sent while nobody can answer: the first thing to be done on waking.
            let asked = tokio::spawn(async move { me(&at_second).await });
            let answer = terminate(&staff, &handle).await;
            second.signal("CONT");
            let said = asked.await.unwrap();
            if answer.verdict() == "503 store_unavailable" {
                // It was frozen while it wrote, and nobody else can write to that file meanwhile.
                assert_eq!(said, 200, "round {round}: nothing was ended");
                continue;
            }
            assert_eq!(answer.status, 200, "round {round}: {answer:?}");
            assert_eq!(said, 401, "round {round}");
            break;
        }
    }
}

/// A client whose cookie the second node remembers.
async fn remembered_by(first: &TestApp, second: &TestApp, person: &Person) -> Client {
    let client = first.sign_in(person).await;
    let there = client.at(second.address);
    for _ in 0..3 {
        assert_eq!(me(&there).await, 200, "control");
    }
    there
}

async fn know_of_each_other(first: &TestApp, second: &TestApp) {
    while !(sees_others(first).await && sees_others(second).await) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn sees_others(node: &TestApp) -> bool {
    let mut tx = node.app.db.read_once().await.unwrap();
    nodes::others(&mut tx, Some(&node.app.node), node.app.clock.now()).await.unwrap()
}
