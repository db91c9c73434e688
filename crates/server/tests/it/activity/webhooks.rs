//! What happens is sent to other systems: signed, in the order of the log, at least once and by one node;
//! nothing is lost while a receiver is down, and nobody waits for one.

#![expect(clippy::disallowed_methods, reason = "it measures how long a sign-in takes")]

use std::time::{Duration, Instant};

use portcullis_domain::event::{Context, Event, Text};
use portcullis_domain::id::UserId;
use portcullis_store::audit::sinks;
use serde_json::Value;

use super::{about, forgive, happen};
use crate::harness::people::{PASSWORD, STAFF, Z1, sign_in};
use crate::harness::receiver::Receiver;
use crate::harness::{Setup, TestApp, database};

const FORGIVEN: &str = "limit_address_forgiven";

/// Runs a test with a server that sends to one receiver, on each database.
async fn sending(more: &str, test: impl AsyncFn(&TestApp, &Receiver)) {
    for kind in database::kinds() {
        let receiver = Receiver::start().await;
        let setup = Setup { config: receiver.config("siem", more), ..Setup::served() };
        let server = TestApp::start(kind, &setup).await;
        begun(&server).await;
        test(&server, &receiver).await;
        server.finish().await;
    }
}

/// What happens from now on is sent.
async fn begun(server: &TestApp) {
    for _ in 0..400 {
        let mut tx = server.app.db.read().await.unwrap();
        if sinks::by_name(&mut tx, "siem").await.unwrap().is_some() {
            return;
        }
        drop(tx);
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the receiver is not known");
}

async fn sink(server: &TestApp) -> sinks::Sink {
    let mut tx = server.app.db.read().await.unwrap();
    sinks::by_name(&mut tx, "siem").await.unwrap().unwrap()
}

/// The numbers of the events that forgive an address, as they came.
fn numbers(receiver: &Receiver) -> Vec<usize> {
    let events = receiver.events();
    let forgiven = events.iter().filter(|event| event["event"] == FORGIVEN);
    forgiven.map(|event| event["detail"]["network"].as_str().unwrap().parse().unwrap()).collect()
}

async fn all(receiver: &Receiver, count: usize) {
    let what = format!("{count} events");
    receiver.until(&what, |receiver| numbers(receiver).len() >= count).await;
    assert_eq!(numbers(receiver), (0..count).collect::<Vec<_>>(), "in order, none twice");
}

/// Each message goes on where the one before it ended, and its events are those of the log.
fn assert_whole(receiver: &Receiver) {
    let messages = receiver.messages();
    let mut next = None;
    for message in messages.iter().filter(|message| message.status < 300) {
        let data = &message.body["data"];
        let (from, before) = (data["from"].as_u64().unwrap(), data["before"].as_u64().unwrap());
        assert!(next.is_none_or(|next| next <= from), "{from} after {next:?}");
        assert!(before > from, "{data}");
        next = Some(before);
        assert_eq!(message.body["type"], "portcullis.audit.events");
        assert_eq!(data["receiver"], "siem");
    }
    let indices: Vec<u64> =
        receiver.events().iter().map(|event| event["index"].as_u64().unwrap()).collect();
    let first = *indices.first().unwrap();
    let last = first + indices.len() as u64;
    assert_eq!(indices, (first..last).collect::<Vec<_>>(), "no entry is missing");
}

#[tokio::test]
async fn what_happens_arrives_signed_and_in_order() {
    sending("", async |server, receiver| {
        server.add(&Z1).await;
        let wrong = sign_in(&server.client(), Z1.username.unwrap(), "not the password").await;
        assert_eq!(wrong.status, 401);
        forgive(server, 0..250, &about(UserId(1))).await;
        receiver.has("the sign-in", |event| event["event"] == "authn_login_fail").await;
        all(receiver, 250).await;
        let events = receiver.events();
        let failed = events.iter().find(|event| event["event"] == "authn_login_fail").unwrap();
        assert_eq!(failed["detail"]["reason"], "wrong_password");
        assert_eq!(failed["ip_address"], "127.0.0.1");
        assert!(failed["leaf_hash"].is_string() && failed["schema"] == 1, "{failed}");
        assert_whole(receiver);
        let most = receiver.messages().iter().map(events_of).max().unwrap();
        assert!(most <= 100, "{most}");
        assert!(sink(server).await.delivered_at.is_some());
    })
    .await;
}

fn events_of(message: &crate::harness::receiver::Message) -> usize {
    message.body["data"]["events"].as_array().unwrap().len()
}

#[tokio::test]
async fn what_is_refused_is_sent_again_the_same_until_it_is_taken() {
    sending("", async |server, receiver| {
        receiver.answers(500);
        forgive(server, 0..30, &about(UserId(1))).await;
        receiver.until("an attempt", |receiver| !receiver.messages().is_empty()).await;
        forgive(server, 30..60, &about(UserId(1))).await;
        receiver.until("two attempts", |receiver| receiver.messages().len() >= 2).await;
        let [first, second] = &receiver.messages()[..2] else { panic!("two") };
        assert_eq!((&first.id, &first.body), (&second.id, &second.body), "it is the same");
        // It is seen to fail, and says why without a word of the receiver's.
        let failing = sink(server).await;
        assert!(failing.failures >= 1 && failing.failing_since.is_some(), "{failing:?}");
        assert_eq!(failing.failure.as_deref(), Some("the answer is 500"));
        warned(server, true).await;
        let staff = server.by_cookie(&STAFF).await;
        let page = staff.get("/-/admin/activity").send().await.text();
        assert!(page.contains("the answer is 500"), "{page}");
        receiver.answers(200);
        all(receiver, 60).await;
        assert_whole(receiver);
        warned(server, false).await;
        let good = sink(server).await;
        assert_eq!((good.failures, good.failing_since, good.failure), (0, None, None));
    })
    .await;
}

/// Whether the server says that a webhook does not work; it does so within a moment.
async fn warned(server: &TestApp, expected: bool) {
    for _ in 0..200 {
        let ready = server.client().get("/readyz").send().await;
        assert_eq!(ready.status, 200, "it serves all the same");
        if ready.text().contains("webhook_down") == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("webhook_down is not {expected}");
}

#[tokio::test]
async fn whoever_was_dead_gets_everything_in_order() {
    sending("", async |server, receiver| {
        forgive(server, 0..10, &about(UserId(1))).await;
        all(receiver, 10).await;
        receiver.die();
        forgive(server, 10..150, &about(UserId(1))).await;
        warned(server, true).await;
        assert!(sink(server).await.failure.is_some());
        forgive(server, 150..160, &about(UserId(1))).await;
        receiver.come_back().await;
        all(receiver, 160).await;
        assert_whole(receiver);
    })
    .await;
}

/// A message that was taken by a receiver that did not live to say so comes again, with its id.
#[tokio::test]
async fn what_may_have_arrived_comes_again_with_the_same_id() {
    sending("", async |server, receiver| {
        receiver.takes(Duration::from_secs(1));
        forgive(server, 0..5, &about(UserId(1))).await;
        receiver.until("it has it", |receiver| !receiver.messages().is_empty()).await;
        receiver.die();
        receiver.takes(Duration::ZERO);
        receiver.come_back().await;
        all(receiver, 5).await;
        assert_whole(receiver);
    })
    .await;
}

#[tokio::test]
async fn nobody_waits_for_a_receiver_that_is_slow() {
    sending("", async |server, receiver| {
        server.add(&Z1).await;
        receiver.takes(Duration::from_secs(5));
        forgive(server, 0..3, &about(UserId(1))).await;
        let began = Instant::now();
        for _ in 0..5 {
            let answer = sign_in(&server.client(), Z1.username.unwrap(), PASSWORD).await;
            assert_eq!(answer.status, 201, "{answer:?}");
        }
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
        receiver.takes(Duration::ZERO);
        all(receiver, 3).await;
    })
    .await;
}

#[tokio::test]
async fn only_what_is_asked_for_is_sent() {
    let more = "severity = \"critical\"\nevents = [\"cookie_toss\", \"role_*\"]";
    sending(more, async |server, receiver| {
        let now = server.app.clock.now();
        let context = Context::default();
        let role = || Text::clip("clerks");
        happen(server, &Event::RoleCreated { role: role(), level: 1 }, &context, now).await;
        happen(server, &Event::Stopped, &context, now).await;
        happen(server, &Event::CookieTossed { cookie: "sessionid" }, &context, now).await;
        happen(server, &Event::RoleLevelChanged { role: role(), level: 2 }, &context, now).await;
        receiver.has("the last", |event| event["event"] == "role_updated").await;
        let events = receiver.events();
        let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
        assert_eq!(names, ["cookie_toss", "role_updated"]);
    })
    .await;
}

#[tokio::test]
async fn events_can_be_sent_in_the_words_of_the_schema() {
    sending("format = \"ocsf\"", async |server, receiver| {
        server.add(&Z1).await;
        let answer = sign_in(&server.client(), Z1.username.unwrap(), PASSWORD).await;
        assert_eq!(answer.status, 201);
        let is_sign_in = |event: &Value| event["type_uid"] == 300_201;
        receiver.has("the sign-in", is_sign_in).await;
        let events = receiver.events();
        let event = events.iter().find(|event| is_sign_in(event)).unwrap();
        assert_eq!((&event["class_uid"], &event["status_id"]), (&3002.into(), &1.into()));
        assert_eq!(event["user"]["name"], "Jane Smith");
    })
    .await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    sending("", async |server, receiver| {
        let elsewhere = Receiver::start().await;
        receiver.leads_to(&format!("http://{}/", elsewhere.address));
        forgive(server, 0..2, &about(UserId(1))).await;
        receiver.until("two attempts", |receiver| receiver.messages().len() >= 2).await;
        assert_eq!(sink(server).await.failure.as_deref(), Some("the answer is 307"));
        assert!(elsewhere.messages().is_empty());
        receiver.answers(200);
        all(receiver, 2).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_nodes_one_sends() {
    for kind in database::kinds() {
        let receiver = Receiver::start().await;
        let setup = Setup { config: receiver.config("siem", ""), ..Setup::served() };
        let first = TestApp::start(kind, &setup).await;
        let second = first.second_node(&setup).await;
        begun(&first).await;
        for round in 0..20 {
            let node = if round % 2 == 0 { &first } else { &second };
            forgive(node, round * 10..round * 10 + 10, &about(UserId(1))).await;
        }
        all(&receiver, 200).await;
        assert_whole(&receiver);
        let mut ids: Vec<String> =
            receiver.messages().into_iter().map(|message| message.id).collect();
        let sent = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), sent, "no message came twice");
        // The other goes on when one stops.
        first.ask_to_stop();
        first.app.stopping.cancel();
        forgive(&second, 200..210, &about(UserId(1))).await;
        all(&receiver, 210).await;
        second.finish().await;
        first.finish().await;
    }
}

/// A receiver that is new is sent what happens from then on, and one that is back what it missed.
#[tokio::test]
async fn how_far_a_receiver_is_belongs_to_its_name() {
    for kind in database::kinds() {
        let receiver = Receiver::start().await;
        let without = TestApp::start(kind, &Setup::served()).await;
        forgive(&without, 500..510, &about(UserId(1))).await;
        let setup = Setup { config: receiver.config("siem", ""), ..Setup::served() };
        let with = without.second_node(&setup).await;
        begun(&with).await;
        forgive(&with, 0..5, &about(UserId(1))).await;
        all(&receiver, 5).await;
        with.finish().await;
        forgive(&without, 5..8, &about(UserId(1))).await;
        let moved = Receiver::start().await;
        let setup = Setup { config: moved.config("siem", ""), ..Setup::served() };
        let back = without.second_node(&setup).await;
        let what = "what it missed";
        moved.until(what, |moved| numbers(moved).len() >= 3).await;
        assert_eq!(numbers(&moved), [5, 6, 7]);
        back.finish().await;
        without.finish().await;
    }
}
