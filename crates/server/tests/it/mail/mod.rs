//! Mail through a real mail server: aiosmtpd, which `scripts/with-apps` installs, with TLS and logins
//! as others have them. What a message looks like is tested where it is made.

mod commands;
mod delivery;
mod way;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use portcullis_domain::text::Email;
use portcullis_domain::time::Time;
use portcullis_server::mail::{self, Letter, Link};
use portcullis_store::outbox::{self, Listed};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::applications::installed;
use crate::harness::{Setup, TestApp, database};

/// Of our login, with everything that must be encoded in an address.
const USER: &str = "gate@example.org";
const PASSWORD: &str = "p@ss:/%#wörd";
const LOGIN: &str = "gate%40example.org:p%40ss%3A%2F%25%23w%C3%B6rd";

/// How the server wants to be spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Plain,
    StartTls,
    Tls,
}

/// A mail server that keeps what it takes, and may be stopped and started again.
struct MailServer {
    mode: Mode,
    folder: TempDir,
    port: u16,
    running: Mutex<Option<Child>>,
}

impl MailServer {
    fn start(mode: Mode) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
        fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let mut server = Self { mode, folder, port: 0, running: Mutex::default() };
        server.port = server.run();
        server
    }

    /// On the port that it had.
    fn start_again(&self) {
        assert_eq!(self.run(), self.port);
    }

    fn run(&self) -> u16 {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let with_tls = |name| if self.mode == Mode::Plain { String::new() } else { path(name) };
        let (mode, user) = match self.mode {
            Mode::Plain => ("plain", ""),
            Mode::StartTls => ("starttls", USER),
            Mode::Tls => ("tls", USER),
        };
        let settings = json!({
            "kept": path("kept"),
            "cert": with_tls("cert.pem"),
            "key": with_tls("key.pem"),
            "mode": mode,
            "user": user,
            "password": PASSWORD,
            "port": self.port,
        });
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/mail/server.py");
        let mut child = Command::new(installed("mail/bin/python"))
            .arg(script)
            .arg(settings.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).expect("the mail server did not start");
        *self.running.lock().unwrap() = Some(child);
        told["port"].as_u64().unwrap().try_into().unwrap()
    }

    fn stop(&self) {
        let Some(mut child) = self.running.lock().unwrap().take() else { return };
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn certificate(&self) -> String {
        self.folder.path().join("cert.pem").display().to_string()
    }

    /// What it has taken so far, in this order.
    fn kept(&self) -> Vec<Value> {
        let lines = fs::read_to_string(self.folder.path().join("kept")).unwrap_or_default();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// To whom the messages went that it has taken.
    fn recipients(&self) -> Vec<String> {
        let mut all: Vec<_> =
            self.kept().iter().map(|mail| mail["to"][0].as_str().unwrap().to_owned()).collect();
        all.sort();
        all
    }

    /// Waits until it has taken so many.
    async fn until(&self, count: usize) {
        for _ in 0..400 {
            if self.kept().len() >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("only {} of {count} messages arrived", self.kept().len());
    }

    /// The section `[mail]` that leads here.
    fn section(&self) -> String {
        let port = self.port;
        let (transport, tls_ca) = match self.mode {
            Mode::Plain => (format!("smtp://127.0.0.1:{port}?tls=none"), String::new()),
            Mode::StartTls => (format!("smtp://{LOGIN}@127.0.0.1:{port}"), self.tls_ca()),
            Mode::Tls => (format!("smtps://{LOGIN}@localhost:{port}"), self.tls_ca()),
        };
        let from = "gate@example.org";
        format!("[mail]\ntransport = \"{transport}\"\nfrom = \"{from}\"\n{tls_ca}")
    }

    fn tls_ca(&self) -> String {
        format!("tls_ca = \"{}\"\n", self.certificate())
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs a test on each database with a mail server of its own.
async fn with_mail(mode: Mode, config: &str, test: impl AsyncFn(&TestApp, &MailServer)) {
    for kind in database::kinds() {
        let mail = MailServer::start(mode);
        let setup = Setup::with(&format!("{}\n{config}", mail.section()));
        let server = TestApp::start(kind, &setup).await;
        test(&server, &mail).await;
        server.finish().await;
    }
}

/// Queues a letter that asks for nothing.
async fn queue(server: &TestApp, to: &str) {
    queue_letter(server, to, &letter("Something happened.")).await;
}

async fn queue_letter(server: &TestApp, to: &str, letter: &Letter) {
    let mut tx = server.app.db.write().await.unwrap();
    let to = Email::parse(to).unwrap();
    mail::send(&server.app, &mut tx, &to, letter, server.app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
}

fn letter(what: &str) -> Letter {
    Letter {
        subject: "Grüße vom Tor",
        paragraphs: vec![what.to_owned(), "Nothing needs to be done.".to_owned()],
        link: None,
        code: None,
        until: None,
        cap: None,
    }
}

/// A letter with secrets in it, worth something until then.
fn secret_letter(until: Time) -> Letter {
    let url = "https://gate.example/-/reset#t=Xq7linkXq7".to_owned();
    let link = Some(Link { label: "Set a new password", url });
    Letter { link, code: Some("907351".to_owned()), until: Some(until), ..letter("You asked.") }
}

async fn deliver(server: &TestApp) {
    mail::deliver_due(&server.app).await.unwrap();
}

/// How far each message is, the newest first.
async fn list(server: &TestApp) -> Vec<Listed> {
    let mut tx = server.app.db.read().await.unwrap();
    outbox::list(&mut tx, 1000).await.unwrap()
}

/// Whether the server says that it cannot send, on `/readyz` too: there as long as its clock is that
/// of its database, which no test moves on PostgreSQL.
async fn is_down(server: &TestApp) -> bool {
    let is_down = server.app.mailer.condition.down_since().is_some();
    let answer = server.client().get("/readyz").send().await;
    if answer.status == 200 {
        let expected = if is_down { json!(["mail_down"]) } else { Value::Null };
        assert_eq!(answer.json()["warnings"], expected);
    } else {
        assert_eq!(answer.json()["code"], "clock_differs");
    }
    is_down
}
