//! The way to the mail server: TLS or nothing, the right server or none, and a login that nobody else
//! hears.

use std::time::Duration;

use portcullis_domain::text::{Email, Host};
use portcullis_server::config::{Mail, MailLogin, MailSecurity, SmtpServer, Transport};
use portcullis_server::doctor::{Status, installation};
use portcullis_server::mail::{Mailer, Trouble};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use super::{LOGIN, MailServer, Mode, USER, deliver, is_down, list, queue};
use crate::harness::{Setup, TestApp, database, on_each_database_with, spawn};

#[tokio::test]
async fn every_guarded_way_arrives() {
    for mode in [Mode::Plain, Mode::StartTls, Mode::Tls] {
        let mail = MailServer::start(mode);
        on_each_database_with(Setup::with(&mail.section()), async |server| {
            let before = mail.kept().len();
            queue(server, "ada@bücher.example").await;
            deliver(server).await;
            let kept = &mail.kept()[before..];
            let [kept] = kept else { panic!("{mode:?}: {kept:?}") };
            assert_eq!(kept["to"], json!(["ada@xn--bcher-kva.example"]), "{mode:?}");
            assert_eq!(kept["tls"], mode != Mode::Plain, "{mode:?}");
            let user = if mode == Mode::Plain { Value::Null } else { USER.into() };
            assert_eq!(kept["user"], user, "{mode:?}");
            let text = kept["text"].as_str().unwrap();
            for part in ["multipart/alternative", "text/plain", "text/html", "Message-ID: <"] {
                assert!(text.contains(part), "{part}: {text}");
            }
        })
        .await;
    }
}

/// Runs on a server that cannot send by this section, and then on one that can.
async fn waits_and_then_arrives(mail: &MailServer, wrong: &str, right: &str) {
    let server = TestApp::start(database::kinds()[0], &Setup::with(wrong)).await;
    queue(&server, "ada@example.com").await;
    deliver(&server).await;
    assert_eq!(mail.kept().len(), 0, "{wrong}");
    assert!(is_down(&server).await, "{wrong}");
    let [row] = &list(&server).await[..] else { panic!("it is lost: {wrong}") };
    assert_eq!(row.attempts, 1, "{wrong}");
    let check = installation::mail(&server.app.config).await.unwrap();
    assert_eq!(check.status, Status::Unreachable, "{check:?}");
    assert!(!format!("{check:?}").contains("p@ss"), "{check:?}");

    let other = server.second_node(&Setup::with(right)).await;
    other.advance(Duration::from_mins(5));
    deliver(&other).await;
    assert_eq!(mail.kept().len(), 1, "{right}");
    let check = installation::mail(&other.app.config).await.unwrap();
    assert_eq!(check.status, Status::Ok, "{check:?}");
    other.finish().await;
    server.finish().await;
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    for mode in [Mode::StartTls, Mode::Tls] {
        let (mail, stranger) = (MailServer::start(mode), MailServer::start(mode));
        let of_stranger = mail.section().replace(&mail.certificate(), &stranger.certificate());
        waits_and_then_arrives(&mail, &of_stranger, &mail.section()).await;
        let mail = MailServer::start(mode);
        let mozillas = mail.section().replace(&mail.tls_ca(), "");
        waits_and_then_arrives(&mail, &mozillas, &mail.section()).await;
        let mail = MailServer::start(mode);
        let by_another_name = mail.section().replace("@localhost:", "@127.0.0.2:");
        let by_another_name = by_another_name.replace("@127.0.0.1:", "@127.0.0.2:");
        waits_and_then_arrives(&mail, &by_another_name, &mail.section()).await;
    }
}

#[tokio::test]
async fn a_wrong_password_costs_no_message_its_life() {
    for mode in [Mode::StartTls, Mode::Tls] {
        let mail = MailServer::start(mode);
        let wrong = mail.section().replace(LOGIN, "gate%40example.org:wrong");
        waits_and_then_arrives(&mail, &wrong, &mail.section()).await;
    }
}

/// A server without STARTTLS gets neither a login nor a message.
#[tokio::test]
async fn nothing_is_said_in_the_clear() {
    let mail = MailServer::start(Mode::Plain);
    let port = mail.port;
    let wrong = format!("[mail]\ntransport = \"smtp://{LOGIN}@127.0.0.1:{port}\"");
    waits_and_then_arrives(&mail, &wrong, &mail.section()).await;
}

/// What one server says that is not a real one, and what we make of it.
async fn check(words: &'static [&'static str], expected: impl Fn(&Trouble) -> bool) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let mut stream = BufReader::new(socket);
            for said in words {
                if stream.write_all(said.as_bytes()).await.is_err() {
                    break;
                }
                let mut line = String::new();
                let heard = stream.read_line(&mut line).await;
                assert!(!line.starts_with("AUTH"), "in the clear: {line}");
                if heard.unwrap_or_default() == 0 {
                    break;
                }
            }
            std::future::pending::<()>().await;
        }
    });
    let server = SmtpServer {
        host: Host::parse("127.0.0.1").unwrap(),
        port,
        security: MailSecurity::StartTls,
        login: Some(MailLogin { user: USER.to_owned(), password: "secret".to_owned() }),
        roots: None,
    };
    let from = Email::parse("gate@example.org").unwrap();
    let mailer = Mailer::new(&Mail { transport: Transport::Smtp(server), from }).unwrap();
    let trouble = mailer.check().await.unwrap_err();
    assert!(expected(&trouble), "{words:?}: {trouble:?}");
}

const HELLO: &str = "220 mail.test\r\n";
const ABLE: &str = "250-mail.test\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n";

#[tokio::test(start_paused = true)]
async fn a_server_that_is_none_is_not_believed() {
    use portcullis_server::mail::smtp::DialError::{Injected, NoStartTls, Refused};
    let is = |wanted: fn(&Trouble) -> bool| wanted;
    let silent = is(|trouble| matches!(trouble, Trouble::Silent));
    check(&[""], silent).await;
    check(&["220-mail"], silent).await;
    check(&[HELLO, "250-mail.test\r\n"], silent).await;
    check(&[HELLO, ABLE, "220 go\r\n"], silent).await;
    let refused = is(|trouble| matches!(trouble, Trouble::Dial(Refused(_))));
    check(&["554 go away\r\n"], refused).await;
    check(&[HELLO, "502 what\r\n"], refused).await;
    check(&[HELLO, ABLE, "454 no TLS now\r\n"], refused).await;
    let unguarded = is(|trouble| matches!(trouble, Trouble::Dial(NoStartTls)));
    check(&[HELLO, "250-mail.test\r\n250 AUTH PLAIN\r\n"], unguarded).await;
    check(&[HELLO, "250 mail.test STARTTLS\r\n"], unguarded).await;
    let injected = is(|trouble| matches!(trouble, Trouble::Dial(Injected)));
    check(&[HELLO, ABLE, "220 go\r\n250 AUTH PLAIN\r\n"], injected).await;
}
