//! The commands of `integrity` that work on the store of a configuration: the real program, without a server.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use portcullis_domain::integrity::CheckState;
use portcullis_domain::time::Time;
use portcullis_server::cli::open::{self, Opened};
use portcullis_store::integrity::checks::{self, Check};
use serde_json::Value;
use tempfile::TempDir;

pub(super) const PROGRAM: &str = env!("CARGO_BIN_EXE_portcullis");

/// A configuration with a root `app`, and room beside it.
pub(super) struct Site(TempDir);

impl Site {
    pub(super) fn new() -> Self {
        let site = Self::bare();
        let root = site.at("app");
        site.configure(&format!(
            "[[integrity.root]]\nname = \"app\"\npath = \"{}\"\n",
            root.display()
        ));
        site.put("app/index.php", "<?php\necho 1;\n");
        site.put("app/style.css", "a { }\n");
        site
    }

    /// One that watches nothing.
    pub(super) fn bare() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        site.configure("");
        site
    }

    pub(super) fn configure(&self, more: &str) {
        let data = self.at("data");
        let data = data.display();
        let text = format!("[server]\nlisten = \"127.0.0.1:0\"\ndata_dir = \"{data}\"\n{more}");
        fs::write(self.at("c.toml"), text).unwrap();
    }

    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    pub(super) fn put(&self, path: &str, text: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), text).unwrap();
    }

    pub(super) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(PROGRAM);
        command.env_clear().current_dir(self.0.path()).arg("integrity");
        command.args(line.split_whitespace());
        command
    }

    /// Runs `portcullis integrity` with words apart by spaces, on the configuration.
    #[track_caller]
    pub(super) fn ran(&self, line: &str, code: i32) -> Ran {
        self.ran_plainly(&format!("{line} --config c.toml"), code)
    }

    /// The same without the configuration.
    #[track_caller]
    pub(super) fn ran_plainly(&self, line: &str, code: i32) -> Ran {
        let ran = Ran(self.command(line).output().unwrap());
        assert_eq!(ran.0.status.code(), Some(code), "{line}: {} {}", ran.err(), ran.out());
        assert!(!ran.err().contains("panicked"), "{line}: {}", ran.err());
        ran
    }

    /// The paths of alerts below the root.
    pub(super) fn alerts(&self, more: &str) -> Vec<Value> {
        self.ran(&format!("alerts --json {more}"), 0).lines()
    }

    async fn store(&self) -> Opened {
        Box::pin(open::open(open::load(&self.at("c.toml")).unwrap())).await.unwrap()
    }
}

pub(super) struct Ran(Output);

impl Ran {
    pub(super) fn out(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    pub(super) fn err(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }

    pub(super) fn lines(&self) -> Vec<Value> {
        self.out().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The code of a refusal, as machines read it.
    pub(super) fn code(&self) -> String {
        let told: Value = serde_json::from_str(self.err().lines().last().unwrap()).unwrap();
        told["code"].as_str().unwrap().to_owned()
    }
}

#[test]
fn an_alert_is_found_judged_found_again_and_accepted() {
    let site = Site::new();
    let first = site.ran("scan", 0);
    assert!(first.out().contains("no difference was found"), "{}", first.out());
    site.put("app/index.php", "<?php\necho 2;\n");
    let second = site.ran("scan", 1);
    assert!(second.out().contains("modified") && second.out().contains("app/index.php"));
    let again = site.ran("scan --json", 1).lines();
    assert_eq!(
        (&again[0]["result"], &again[0]["alerts"]),
        (&"differences".into(), &serde_json::json!([]))
    );

    let [alert] = &site.alerts("")[..] else { panic!("{:?}", site.alerts("")) };
    assert_eq!((&alert["path"], &alert["status"]), (&"index.php".into(), &"new".into()));
    assert_eq!(alert["occurrences"], 2);
    let id = &alert["id"];
    let table = site.ran("alerts", 0).out();
    assert!(table.contains("Severity") && table.contains("app/index.php"), "{table}");
    assert_eq!(site.alerts("--status resolved").len(), 0);
    assert_eq!(site.alerts("--root other").len(), 0);
    let diff = site.ran(&format!("diff {id}"), 0).out();
    assert!(diff.contains("-echo 1;") && diff.contains("+echo 2;"), "{diff}");

    site.ran(&format!("resolve {id} --resolution reverted --note sure"), 0);
    assert_eq!(site.alerts("").len(), 0);
    assert_eq!(site.alerts("--status resolved")[0]["note"], "sure");
    let opened = site.ran("scan --json", 1).lines();
    assert_eq!(opened[0]["alerts"][0]["reopened"], true, "{opened:?}");
    assert_eq!(site.alerts("")[0]["reopened"], 1);

    site.ran(&format!("ignore {id} --days 1 --note noise"), 0);
    let ignored = site.ran("scan --json", 1).lines();
    assert_eq!(
        ignored[0]["alerts"],
        serde_json::json!([]),
        "it is of no interest, and still differs"
    );
    assert_eq!(site.alerts("--status ignored").len(), 1);

    site.ran(&format!("accept {id} --note release"), 0);
    site.ran("scan", 0);
    assert_eq!(site.alerts("").len(), 0);
    assert_eq!(site.alerts("--status all")[0]["resolution"], "accepted_into_baseline");
    let current = site.ran(&format!("diff {id} --current"), 0).out();
    assert!(!current.is_empty(), "a difference, or why there is none");
}

#[test]
fn a_baseline_is_recorded_and_taken_along() {
    let site = Site::new();
    site.ran("scan", 0);
    site.put("app/more.php", "<?php\n");
    site.ran("scan", 1);
    let recorded = site.ran("baseline --reason release --json", 0).lines();
    assert_eq!((&recorded[0]["number"], &recorded[0]["entries"]), (&2.into(), &4.into()));
    site.ran("scan", 0);
    let listed = &site.ran("baselines --json", 0).lines()[0];
    let states: Vec<&str> =
        listed.as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["active", "superseded"]);
    assert!(site.ran("baselines", 0).out().contains("release"));

    let key = site.ran("export --root app --to m --key-to k", 0).out();
    assert_eq!(fs::read_to_string(site.at("k")).unwrap(), key);
    site.ran_plainly("verify --manifest m --key k --root app", 0);
    let printed = site.ran("export --root app", 0);
    assert_eq!(printed.out(), fs::read_to_string(site.at("m")).unwrap());
    site.ran("export --root app --number 1 --to old", 0);
    site.ran_plainly("verify --manifest old --key k --root app", 1);
    let other = Site::new();
    other.ran("scan", 0);
    other.ran("export --root app --to m", 0);
    fs::copy(other.at("m"), site.at("other")).unwrap();
    site.ran_plainly("verify --manifest other --key k --root app", 4);
}

#[test]
fn what_cannot_be_done_is_said() {
    let site = Site::new();
    let check = |line: &str, exit: i32, code: &str| {
        let told = site.ran(&format!("{line} --json"), exit);
        assert_eq!(told.code(), code, "{line}");
        assert_eq!(told.out(), "", "{line}");
    };
    check("export --root app --to m", 1, "baseline_unknown");
    site.ran("scan", 0);
    site.put("app/style.css", "b { }\n");
    site.ran("scan", 1);
    check("baseline --root no --reason r", 1, "root_unknown");
    check("export --root app --number 7 --to m", 1, "baseline_unknown");
    check("diff 7", 1, "alert_unknown");
    let wrong = [
        "baseline",
        "alerts --status odd",
        "alerts --severity odd",
        "alerts --limit 0",
        "resolve",
        "resolve 1 --resolution accepted_into_baseline",
        "ignore 1 --days 0 --note n",
        "ignore 1 --days 367 --note n",
        "ignore 1 --days 1",
        "accept 1",
        "export",
    ];
    for line in wrong {
        site.ran(line, 2);
    }
    site.ran_plainly("scan", 2);
    site.ran_plainly("scan --config nowhere", 2);
    let of_two = site.ran("resolve 1 7 --json", 1).lines();
    assert_eq!(
        (&of_two[0]["result"], &of_two[1]["result"]),
        (&"changed".into(), &"unknown".into())
    );
    site.ran("resolve 1", 0);
    fs::rename(site.at("app"), site.at("gone")).unwrap();
    check("baseline --reason r", 3, "root_unreadable");
    assert_eq!(site.ran("scan --json", 3).lines()[0]["result"], "unverifiable");
    fs::rename(site.at("gone"), site.at("app")).unwrap();
    site.ran("scan", 1);
    let bare = Site::bare();
    assert_eq!(bare.ran("scan --json", 1).code(), "no_roots");
    assert_eq!(bare.ran("baseline --reason r --json", 1).code(), "no_roots");
}

/// B.12: a check that dies in the middle says nothing of files.
#[tokio::test]
async fn a_killed_check_is_interrupted_and_the_next_goes_on() {
    let site = Site::new();
    for number in 0..4_000 {
        site.put(&format!("app/many/{number}"), &number.to_string());
    }
    site.ran("scan", 0);
    let on = site.store().await;
    let killed = killed(&site, &on).await;
    // Nobody has heard of it for longer than a check may be silent.
    let long_ago = Time(on.clock.now().0 - 60_000);
    let mut tx = on.db.write().await.unwrap();
    assert!(
        checks::beat(&mut tx, killed.id, ("scan", "app"), &killed.counts, long_ago).await.unwrap()
    );
    tx.commit().await.unwrap();
    site.ran("scan", 0);
    let mut tx = on.db.read().await.unwrap();
    let ended = checks::by_id(&mut tx, killed.id).await.unwrap().unwrap();
    drop(tx);
    assert_eq!(ended.state, CheckState::Interrupted);
    assert_eq!(site.alerts("--status all").len(), 0, "nothing is taken for deleted");
    on.db.close().await;
}

/// Kills a check in the middle: the one that goes on in the store and nowhere else.
async fn killed(site: &Site, on: &Opened) -> Check {
    for _ in 0..20 {
        let mut child = site
            .command("scan --config c.toml")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while running(on).await.is_none() && child.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if let Some(check) = running(on).await {
            return check;
        }
    }
    panic!("every check was faster than the signal");
}

async fn running(on: &Opened) -> Option<Check> {
    checks::running(&mut on.db.read().await.unwrap()).await.unwrap()
}
