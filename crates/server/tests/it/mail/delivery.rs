//! When a message is sent, how often, and what becomes of it otherwise.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join;
use portcullis_domain::delivery::Undelivered;
use portcullis_domain::time::Time;
use portcullis_server::jobs;
use portcullis_server::telemetry::listener;
use portcullis_store::outbox::State;
use serde_json::json;
use tokio::net::TcpListener;

use super::{Mode, deliver, is_down, letter, list, queue, queue_letter, secret_letter, with_mail};
use crate::harness::client::Client;
use crate::harness::people::Z1;
use crate::harness::{Setup, TestApp, spawn};

/// Longer than any pause, and than the waits of the first attempts.
const LATER: Duration = Duration::from_mins(5);

#[tokio::test]
async fn a_server_that_is_down_loses_nothing_and_nobody_notices() {
    let config = "[limits]\nlockout = \"1/15m\"";
    with_mail(Mode::StartTls, config, async |server, mail| {
        server.add(&Z1).await;
        mail.stop();
        // Whoever causes mail is answered as ever.
        let wrong = json!({"email": Z1.email, "password": "wrong horse battery staple"});
        let answer = server.client().post("/api/auth/login").json(&wrong).send().await;
        assert_eq!(answer.status, 401, "{answer:?}");
        for number in 1..30 {
            queue(server, &format!("user{number}@example.com")).await;
        }
        assert!(!is_down(server).await);
        deliver(server).await;
        assert!(is_down(server).await);
        // Every wait is over, and the server is asked by one message and not by all.
        let before = attempts(server).await;
        server.advance(LATER);
        deliver(server).await;
        assert_eq!(attempts(server).await, before + 1);
        assert!(list(server).await.iter().all(|row| row.state == State::Waiting));

        mail.start_again();
        server.advance(LATER);
        deliver(server).await;
        let found: HashSet<_> = mail.recipients().into_iter().collect();
        assert_eq!((mail.kept().len(), found.len()), (30, 30));
        assert!(found.contains(Z1.email), "the notice of the lock-out");
        assert!(!is_down(server).await);
        assert!(list(server).await.iter().all(|row| matches!(row.state, State::Sent(_))));
        server.advance(LATER);
        deliver(server).await;
        assert_eq!(mail.kept().len(), 30, "nothing comes twice");
    })
    .await;
}

/// How often anything was tried.
async fn attempts(server: &TestApp) -> i64 {
    list(server).await.iter().map(|row| row.attempts).sum()
}

#[tokio::test]
async fn what_is_put_off_is_tried_again_and_arrives_once() {
    with_mail(Mode::Tls, "", async |server, mail| {
        queue(server, "later-2@example.com").await;
        queue(server, "ada@example.com").await;
        deliver(server).await;
        assert_eq!(mail.recipients(), ["ada@example.com"]);
        assert!(!is_down(server).await, "the server works");
        let late = list(server).await.into_iter().find(|row| row.state == State::Waiting).unwrap();
        assert!(late.next_at > server.app.clock.now());
        for arrived in [1, 2, 2] {
            server.advance(LATER);
            deliver(server).await;
            assert_eq!(mail.kept().len(), arrived);
        }
        let rows = list(server).await;
        assert_eq!(rows.iter().map(|row| row.attempts).collect::<Vec<_>>(), [1, 3]);
    })
    .await;
}

#[tokio::test]
async fn what_is_refused_for_good_is_given_up_and_forgotten() {
    with_mail(Mode::StartTls, "", async |server, mail| {
        for name in ["nobody", "spam", "ada"] {
            queue(server, &format!("{name}@example.com")).await;
        }
        deliver(server).await;
        assert_eq!(mail.recipients(), ["ada@example.com"]);
        assert!(!is_down(server).await, "the server works");
        let states: Vec<_> = list(server).await.into_iter().map(|row| row.state).collect();
        let [State::Sent(now), refused @ ..] = &states[..] else { panic!("{states:?}") };
        assert_eq!(refused, [State::GivenUp(*now, Undelivered::Refused); 2]);
        let events = server.events("mail_undelivered", 2).await;
        assert!(events.iter().all(|event| event.detail["reason"] == "refused"));
        server.advance(LATER);
        deliver(server).await;
        assert_eq!(attempts(server).await, 3);
    })
    .await;
}

#[tokio::test]
async fn a_message_is_tried_for_as_long_as_its_secret_is_good() {
    with_mail(Mode::StartTls, "", async |server, mail| {
        mail.stop();
        let until = server.app.clock.now().plus(Duration::from_mins(10));
        queue_letter(server, "ada@example.com", &secret_letter(until)).await;
        queue(server, "bob@example.com").await;
        deliver(server).await;
        server.advance(Duration::from_mins(10));
        deliver(server).await;
        let states: Vec<_> = list(server).await.into_iter().map(|row| row.state).collect();
        assert!(matches!(
            states[..],
            [State::Waiting, State::GivenUp(Time(_), Undelivered::Expired)]
        ));
        let events = server.events("mail_undelivered", 1).await;
        assert_eq!(events[0].detail["reason"], "expired");
        mail.start_again();
        server.advance(LATER);
        deliver(server).await;
        assert_eq!(mail.recipients(), ["bob@example.com"]);

        mail.stop();
        queue(server, "eve@example.com").await;
        for _ in 0..3 {
            deliver(server).await;
            server.advance(Duration::from_hours(24));
        }
        deliver(server).await;
        assert_eq!(server.events("mail_undelivered", 2).await.len(), 2);
        mail.start_again();
        server.advance(LATER);
        deliver(server).await;
        assert_eq!(mail.recipients(), ["bob@example.com"]);
    })
    .await;
}

#[tokio::test]
async fn two_nodes_send_each_message_once() {
    with_mail(Mode::Plain, "", async |server, mail| {
        let other = server.second_node(&Setup::with(&mail.section())).await;
        for number in 0..60 {
            queue(server, &format!("user{number}@example.com")).await;
        }
        join(deliver(server), deliver(&other)).await;
        let found: HashSet<_> = mail.recipients().into_iter().collect();
        assert_eq!((mail.kept().len(), found.len()), (60, 60));
        let connections: HashSet<_> =
            mail.kept().iter().map(|mail| mail["port"].to_string()).collect();
        assert!(connections.len() < 40, "connections are used again: {}", connections.len());
        other.finish().await;
    })
    .await;
}

#[tokio::test]
async fn a_message_that_hangs_holds_up_no_other() {
    with_mail(Mode::Plain, "", async |server, mail| {
        for number in 0..4 {
            queue(server, &format!("user{number}@example.com")).await;
            queue(server, "hang@example.com").await;
        }
        jobs::start(&server.app);
        mail.until(4).await;
        queue(server, "ada@example.com").await;
        mail.until(5).await;
        assert!(list(server).await.iter().filter(|row| row.state == State::Waiting).count() >= 4);
    })
    .await;
}

#[tokio::test]
async fn a_server_that_closes_is_asked_again_later() {
    with_mail(Mode::Plain, "", async |server, mail| {
        queue(server, "closing@example.com").await;
        deliver(server).await;
        assert!(is_down(server).await);
        queue(server, "ada@example.com").await;
        deliver(server).await;
        assert_eq!(mail.recipients(), [""; 0], "it is left alone for a while");
        server.advance(LATER);
        deliver(server).await;
        assert_eq!(mail.recipients(), ["ada@example.com"], "who waited longest asks first");
    })
    .await;
}

#[tokio::test]
async fn nothing_that_is_written_becomes_a_command() {
    with_mail(Mode::Plain, "", async |server, mail| {
        let hostile = "Hi\r\n.\r\nMAIL FROM:<eve@example.net>\r\nRCPT TO:<eve@example.net>\r\nDATA";
        queue_letter(server, "ada@example.com", &letter(hostile)).await;
        queue_letter(server, "bob@example.com", &letter("Ärger with 東京 and <b>\n.\n.\n")).await;
        deliver(server).await;
        assert_eq!(mail.recipients(), ["ada@example.com", "bob@example.com"]);
        for mail in mail.kept() {
            assert_eq!(mail["from"], "gate@example.org");
            assert_eq!(mail["to"].as_array().unwrap().len(), 1);
            let text = mail["text"].as_str().unwrap();
            assert!(
                text.is_ascii() && text.contains("\r\nSubject: =?utf-8?b?R3LDvMOfZQ==?="),
                "{text}"
            );
            assert!(!text.contains("X-Portcullis"), "{text}");
        }
    })
    .await;
}

#[tokio::test]
async fn figures_show_what_waits() {
    with_mail(Mode::Plain, "", async |server, mail| {
        queue(server, "nobody@example.com").await;
        queue(server, "ada@example.com").await;
        deliver(server).await;
        mail.stop();
        queue(server, "bob@example.com").await;
        deliver(server).await;
        server.advance(Duration::from_secs(90));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        spawn(listener::serve(server.app.clone(), listener));
        let page = Client::new(address).get("/metrics").send().await.text();
        for line in [
            "portcullis_mail_total{outcome=\"sent\"} 1",
            "portcullis_mail_total{outcome=\"refused\"} 1",
            "portcullis_mail_total{outcome=\"late\"} 1",
            "portcullis_mail_queue 1",
            "portcullis_mail_oldest_seconds 90",
            "portcullis_mail_down 1",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
    })
    .await;
}
