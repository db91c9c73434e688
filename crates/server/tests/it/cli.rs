//! The command line as people and scripts use it: the real program on a fresh database of each
//! kind, and a look into the store afterwards.

mod activity;
pub(crate) mod beside;
mod config;
mod import;
mod init;
mod limits;
mod report;
mod revoking;
mod roles;
mod signing_key;
mod start;
mod users;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use portcullis_domain::text::Email;
use portcullis_store::Db;
use portcullis_store::audit::pending;
use portcullis_store::events::StoredEvent;
use portcullis_store::users::{self as accounts, Password, User};
use serde_json::Value;

use crate::harness::OF_THIS_MACHINE_ALONE;
use crate::harness::database::{self, Database};

pub(crate) const PASSWORD: &str = "a long enough password";

/// An empty database, and a configuration that names it.
pub(crate) struct Place {
    database: Database,
    config: PathBuf,
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the test on each kind of database.
pub(crate) async fn on_each_place(test: impl AsyncFn(&Place)) {
    for kind in database::kinds() {
        let place = Place::new(Database::fresh(kind).await);
        test(&place).await;
        place.database.throw_away().await;
    }
}

impl Place {
    pub(crate) fn new(database: Database) -> Self {
        let (directory, url) = (database.directory(), database.url());
        let config = directory.join("portcullis.toml");
        let data = directory.display();
        let text = format!(
            "server.data_dir = \"{data}\"\ndatabase.url = \"{url}\"\n{OF_THIS_MACHINE_ALONE}"
        );
        std::fs::write(&config, text).unwrap();
        Self { database, config }
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.database.directory()
    }

    /// Runs a command of this place: words apart by spaces, without input.
    pub(crate) fn run(&self, line: &str) -> Ran {
        self.run_with(line, "")
    }

    fn run_with(&self, line: &str, input: &str) -> Ran {
        run(&self.config, line, input.as_bytes())
    }

    /// Makes a user with [`PASSWORD`].
    pub(crate) fn make_user(&self, email: &str, more: &str) {
        let line = format!("user create --email {email} --password-stdin {more}");
        self.run_with(&line, PASSWORD).assert(0);
    }

    pub(crate) async fn store(&self) -> Db {
        Db::open(&self.database.options(None)).await.unwrap()
    }

    async fn user(&self, email: &str) -> Option<(User, Password)> {
        let db = self.store().await;
        let mut tx = db.read().await.unwrap();
        let user = accounts::by_email(&mut tx, &Email::parse(email).unwrap()).await.unwrap();
        let mut found = None;
        if let Some(user) = user {
            let password = accounts::password(&mut tx, user.id).await.unwrap().unwrap();
            found = Some((user, password));
        }
        drop(tx);
        db.close().await;
        found
    }

    /// Every event: its name, its subject and its detail, sorted. The operator is nobody.
    pub(crate) async fn events(&self) -> Vec<String> {
        let db = self.store().await;
        let mut tx = db.read().await.unwrap();
        let mut told = Vec::new();
        for event in pending::newest(&mut tx, 1000).await.unwrap() {
            let event = StoredEvent::from(event);
            assert_eq!(event.context.actor, None, "{event:?}");
            let subject = event.context.subject.map_or("-".to_owned(), |id| id.to_string());
            told.push(format!("{} {subject} {}", event.name, event.detail));
        }
        drop(tx);
        db.close().await;
        told.sort();
        told
    }
}

impl Ran {
    /// Panics with what was printed unless the exit code is this one. A command that did not do
    /// its work says why, and prints no result.
    #[track_caller]
    pub(crate) fn assert(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{self:?}");
        if code != 0 {
            assert!(!self.err.trim().is_empty() && self.out.is_empty(), "{self:?}");
        }
        self
    }

    /// The result as JSON, on one line.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.out.trim_end().lines().count(), 1, "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs a command with this configuration: words apart by spaces. The environment is empty, so
/// that no key is overridden there.
pub(crate) fn run(config: &Path, line: &str, input: &[u8]) -> Ran {
    let mut command = program();
    command.args(line.split_whitespace()).arg("--config").arg(config);
    finish(command, input)
}

/// The program under test.
fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.env_clear();
    command
}

fn finish(mut command: Command, input: &[u8]) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A program that needs no input may be gone by now.
    drop(child.stdin.take().unwrap().write_all(input));
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}
