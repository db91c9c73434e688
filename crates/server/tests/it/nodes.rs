//! The revocation bound, measured: three nodes over one database, by the machine's clock, with the
//! jobs that a served node runs. The figures are printed; run with `--nocapture` to see them.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "it measures by the machine's clock, and tells the figures"
)]

use std::time::{Duration, Instant};

use http::Method;
use portcullis_domain::event::Context;
use portcullis_domain::id::UserId;
use portcullis_domain::role::Authority;
use portcullis_domain::text::Email;
use portcullis_server::flows::roles::Acting;
use portcullis_server::flows::users::{self, Change};
use portcullis_store::scratch;
use tokio_util::sync::CancellationToken;

use crate::harness::client::{Client, me};
use crate::harness::database::Kind;
use crate::harness::people::Z1;
use crate::harness::relay::Relay;
use crate::harness::{Setup, TestApp, database, spawn};

/// `session.revocation_bound` as it is by default.
const BOUND: Duration = Duration::from_secs(2);
const ROUNDS: usize = 15;
const OUTAGE: Duration = Duration::from_secs(10);

/// How long after the answer to the revocation the other nodes still let the credential in.
struct Delays {
    what: &'static str,
    all: Vec<Duration>,
}

impl Delays {
    /// Prints them, and fails if one was past the bound.
    fn report(mut self, kind: Kind) {
        self.all.sort_unstable();
        let (median, worst) = (self.all[self.all.len() / 2], *self.all.last().unwrap());
        println!("{kind:?}, {}: median {median:.0?}, worst {worst:.0?}", self.what);
        assert!(worst <= BOUND, "{}: past the bound, {:?}", self.what, self.all);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a22_a_revoked_credential_dies_on_every_node_within_the_bound() {
    for kind in database::kinds() {
        let first = TestApp::start(kind, &Setup::served()).await;
        let others =
            [first.second_node(&Setup::served()).await, first.second_node(&Setup::served()).await];
        let user = first.add(&Z1).await.id;
        measure("sign-out", &first, &others, async |client| {
            let (copied, token) = (copy(client, &first), client.fetch_csrf().await);
            let logout = client.request(Method::DELETE, "/api/auth/logout");
            let answer = logout.header("x-csrf-token", &token).send().await;
            assert_eq!(answer.status, 204, "{answer:?}");
            assert_eq!(me(&copied).await, 401, "at once where it was revoked");
        })
        .await
        .report(kind);
        measure("account disabled", &first, &others, async |_| disable(&first, user).await)
            .await
            .report(kind);
        for node in others {
            node.finish().await;
        }
        first.finish().await;
    }
}

/// Correctness must not depend on being told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a22_the_bound_holds_without_notifications() {
    if !database::kinds().contains(&Kind::Postgres) {
        return;
    }
    let first = TestApp::start(Kind::Postgres, &Setup::served()).await;
    let others =
        [first.second_node(&Setup::served()).await, first.second_node(&Setup::served()).await];
    let user = first.add(&Z1).await.id;
    let url = first.database_url();
    let measured = CancellationToken::new();
    let until = measured.clone();
    spawn(async move {
        while !until.is_cancelled() {
            scratch::deafen(&url).await.unwrap();
        }
    });
    measure("account disabled, no notifications", &first, &others, async |_| {
        disable(&first, user).await;
    })
    .await
    .report(Kind::Postgres);
    measured.cancel();
    for node in others {
        node.finish().await;
    }
    first.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a22_the_bound_holds_while_the_database_is_away() {
    if !database::kinds().contains(&Kind::Postgres) {
        return;
    }
    let first = TestApp::start(Kind::Postgres, &Setup::served()).await;
    let (relay, cut_off) = node_on_a_wire(&first).await;
    first.add(&Z1).await;
    let (revoked, living) = (first.sign_in(&Z1).await, first.sign_in(&Z1).await);
    let (at_cut_off, living) = (copy(&revoked, &cut_off), copy(&living, &cut_off));
    assert_eq!((me(&at_cut_off).await, me(&living).await), (200, 200), "control");

    relay.cut();
    let since = Instant::now();
    let token = revoked.fetch_csrf().await;
    let logout = revoked.request(Method::DELETE, "/api/auth/logout");
    assert_eq!(logout.header("x-csrf-token", &token).send().await.status, 204);
    let (mut last_let_in, mut refusals) = (Duration::ZERO, 0);
    while since.elapsed() < OUTAGE {
        // Two at once: a refusal takes as long as the node waits for the database.
        let asked = since.elapsed();
        for status in <[u16; 2]>::from(tokio::join!(me(&at_cut_off), me(&living))) {
            match status {
                200 => last_let_in = last_let_in.max(asked),
                503 => refusals += 1,
                other => panic!("{other} after {asked:?}"),
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("database away for {OUTAGE:?}: last let in after {last_let_in:.0?}, {refusals} × 503");
    assert!(last_let_in <= BOUND && refusals > 0);

    relay.mend();
    let mended = Instant::now();
    while me(&living).await != 200 {
        assert!(mended.elapsed() < Duration::from_secs(10), "it does not recover by itself");
        assert_ne!(me(&at_cut_off).await, 200);
    }
    println!("back {:.0?} after the database", mended.elapsed());
    assert_eq!(me(&at_cut_off).await, 401);
    cut_off.finish().await;
    first.finish().await;
}

/// A machine that vanished closes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_falls_silent_keeps_nobody_waiting() {
    if !database::kinds().contains(&Kind::Postgres) {
        return;
    }
    let first = TestApp::start(Kind::Postgres, &Setup::served()).await;
    let (relay, cut_off) = node_on_a_wire(&first).await;
    first.add(&Z1).await;
    let living = copy(&first.sign_in(&Z1).await, &cut_off);
    assert_eq!(me(&living).await, 200, "control");
    relay.freeze();
    tokio::time::sleep(BOUND).await;
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let living = living.clone();
        asking.spawn(async move { me(&living).await });
    }
    let answers = tokio::time::timeout(Duration::from_secs(10), asking.join_all()).await;
    assert_eq!(answers.expect("somebody still waits"), [503; 20]);
    relay.mend();
    let mended = Instant::now();
    while me(&living).await != 200 {
        assert!(mended.elapsed() < Duration::from_secs(20), "it does not recover by itself");
    }
    cut_off.finish().await;
    first.finish().await;
}

/// A second node, and the wire between it and the database.
async fn node_on_a_wire(first: &TestApp) -> (Relay, TestApp) {
    let relay = Relay::to(first.database_server().unwrap()).await;
    let through = Setup { through: Some(relay.address), ..Setup::served() };
    let node = first.second_node(&through).await;
    (relay, node)
}

/// Revokes a fresh session again and again, and times its death on the other nodes.
async fn measure(
    what: &'static str,
    first: &TestApp,
    others: &[TestApp; 2],
    revoke: impl AsyncFn(&Client),
) -> Delays {
    let mut all = Vec::new();
    for _ in 0..ROUNDS {
        let client = first.sign_in(&Z1).await;
        let copies = others.each_ref().map(|node| copy(&client, node));
        for copy in &copies {
            assert_eq!(me(copy).await, 200, "control");
        }
        revoke(&client).await;
        let answered = Instant::now();
        let [a, b] = copies.map(|copy| died_after(copy, answered));
        all.extend(<[Duration; 2]>::from(tokio::join!(a, b)));
        enable(first).await;
    }
    Delays { what, all }
}

/// Whoever has copied the cookie does not forget it when its owner signs out.
fn copy(client: &Client, node: &TestApp) -> Client {
    let copy = node.client();
    copy.set_cookie("sessionid", &client.cookie("sessionid").unwrap());
    copy
}

/// When a request last began that was let in.
async fn died_after(client: Client, answered: Instant) -> Duration {
    let mut last = Duration::ZERO;
    loop {
        let asked = answered.elapsed();
        match me(&client).await {
            200 => last = asked,
            401 => return last,
            other => panic!("{other}"),
        }
        assert!(last <= BOUND * 2, "it does not die");
    }
}

/// As another program would: nothing of this reaches the caches but through the database.
async fn disable(node: &TestApp, user: UserId) {
    let change = change(node, async |acting| users::disable(acting, user).await.unwrap()).await;
    assert_eq!(change, Change::Done);
}

async fn enable(node: &TestApp) {
    let user = Email::parse(Z1.email).unwrap();
    change(node, async |acting| {
        let user = users::find(acting.db, &user).await.unwrap().unwrap();
        users::enable(acting, user.id).await.unwrap()
    })
    .await;
}

async fn change(node: &TestApp, act: impl AsyncFn(&Acting<'_>) -> Change) -> Change {
    let (authority, context) = (Authority::operator(), Context::default());
    let db = node.another_handle().await;
    let acting = Acting {
        db: &db,
        random: node.app.random,
        now: node.app.clock.now(),
        authority: &authority,
        context: &context,
    };
    let change = act(&acting).await;
    db.close().await;
    change
}
