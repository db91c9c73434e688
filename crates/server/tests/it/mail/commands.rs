//! `portcullis mail` as operators run it.

use std::fs;

use serde_json::{Value, json};

use super::{LOGIN, MailServer, Mode};
use crate::cli::{Ran, run};

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new(section: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().display();
        let text = format!("[server]\ndata_dir = \"{data}\"\n{section}");
        fs::write(folder.path().join("portcullis.toml"), text).unwrap();
        Self { folder }
    }

    /// What the command says, which must end like this.
    fn run(&self, line: &str, code: i32) -> Ran {
        let ran = run(&self.folder.path().join("portcullis.toml"), line, b"");
        ran.assert(code);
        ran
    }
}

#[test]
fn a_test_message_says_what_came_of_it() {
    let mail = MailServer::start(Mode::StartTls);
    let place = Place::new(&mail.section());
    let sent = place.run("mail test --to ada@example.com --json", 0).json();
    assert_eq!(sent, json!({"sent": true, "answer": "250 2.0.0 taken"}));
    assert!(place.run("mail test --to ada@example.com", 0).out.contains("2.0.0 taken"));
    assert_eq!(mail.recipients(), ["ada@example.com", "ada@example.com"]);

    let refused = place.run("mail test --to nobody@example.com --json", 1);
    let told: Value = serde_json::from_str(&refused.err).unwrap();
    assert_eq!(told["code"], "mail_refused");
    assert!(told["error"].as_str().unwrap().contains("550 5.1.1 no such user"), "{told}");
    let late = place.run("mail test --to later-9@example.com --json", 1);
    assert!(late.err.contains("mail_not_now"), "{}", late.err);
    place.run("mail test --to nowhere", 2);

    let wrong = Place::new(&mail.section().replace(LOGIN, "gate%40example.org:Xq7wrongXq7"));
    let told = wrong.run("mail test --to ada@example.com", 3);
    assert!(told.err.contains("refuses the name or the password"), "{}", told.err);
    assert!(!told.err.contains("Xq7"), "{}", told.err);
    mail.stop();
    let told = place.run("mail test --to ada@example.com", 3);
    assert!(told.err.contains("no connection"), "{}", told.err);
    let told = place.run("mail test --to ada@example.com --json", 3);
    let told: Value = serde_json::from_str(&told.err).unwrap();
    assert_eq!(told["code"], "mail_down");
    assert!(told["error"].as_str().unwrap().contains("no connection"), "{told}");
}

#[test]
fn a_test_message_in_files_says_where_it_is() {
    let place = Place::new("");
    let sent = place.run("mail test --to ada@example.com --json", 0).json();
    assert_eq!(sent["answer"], "000001-ada@example.com.eml");
    let file = place.folder.path().join("outbox/000001-ada@example.com.eml");
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains("Mail of this sign-in reaches you."), "{text}");
    assert_eq!(place.run("mail list --json", 0).json(), json!([]));
}

#[test]
fn an_address_of_a_mail_server_may_stand_in_a_file_and_is_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("transport");
    let section = format!("[mail]\ntransport_file = \"{}\"", file.display());
    fs::write(&file, "smtp://gate:Xq7secretXq7@192.0.2.1?tls=none\n").unwrap();
    let told = Place::new(&section).run("mail list", 2);
    assert!(told.err.contains("tls=none would send passwords"), "{}", told.err);
    assert!(!told.err.contains("Xq7"));
    fs::write(&file, "smtp://gate:Xq7secretXq7@192.0.2.1\n").unwrap();
    Place::new(&section).run("config check", 0);
}
