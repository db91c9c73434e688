//! `portcullis init`: from an empty folder to the first protected request, and everything that it
//! refuses.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use portcullis_store::Db;
use portcullis_store::audit::pending;
use serde_json::Value;

use super::{Ran, finish, program, run};
use crate::first_run;
use crate::harness::client::Client;
use crate::harness::database::{self, Database};
use crate::harness::upstream::Upstream;

const APPLICATION: &str = "http://127.0.0.1:1";

/// An empty folder, and a database that the environment names where it is not in the folder.
struct Folder {
    database: Database,
}

async fn in_each_folder(test: impl AsyncFn(&Folder)) {
    for kind in database::kinds() {
        let folder = Folder { database: Database::fresh(kind).await };
        test(&folder).await;
        folder.database.throw_away().await;
    }
}

impl Folder {
    fn path(&self, name: &str) -> PathBuf {
        self.database.directory().join(name)
    }

    fn command(&self, line: &str) -> std::process::Command {
        let mut command = program();
        command.args(line.split_whitespace()).current_dir(self.database.directory());
        command.env("PORTCULLIS__BREACH__SOURCES", "list");
        let url = self.database.url();
        if url.starts_with("postgres") {
            command.env("PORTCULLIS__DATABASE__URL", url);
        }
        command
    }

    fn run(&self, line: &str) -> Ran {
        finish(self.command(line), b"")
    }

    fn init(&self, more: &str) -> Ran {
        self.run(&format!("init --upstream {APPLICATION} {more}"))
    }

    /// What lies in the folder, sorted.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.database.directory()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The code in what `init --json` printed.
fn code(told: &Value) -> String {
    let link = told["link"].as_str().unwrap();
    link.split_once("#t=").unwrap().1.split('&').next().unwrap().to_owned()
}

#[tokio::test]
async fn an_empty_folder_becomes_a_gate() {
    in_each_folder(async |folder| {
        let told = folder.init("--json").assert(0).json();
        let keys: Vec<_> = told.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["config", "expires_at", "link", "next"]);
        assert_eq!(told["config"], "portcullis.toml");
        assert_eq!(told["next"], "portcullis serve --config portcullis.toml");
        let link = told["link"].as_str().unwrap();
        assert!(link.starts_with("http://127.0.0.1:8080/-/first-run#t="), "{link}");
        assert_eq!(code(&told).len(), 64);
        assert_eq!(folder.names(), ["portcullis-data", "portcullis.toml"]);
        assert_eq!(mode(&folder.path("portcullis-data")), 0o700);
        for private in ["portcullis.toml", "portcullis-data/secret"] {
            assert_eq!(mode(&folder.path(private)), 0o600, "{private}");
        }
        let checked = folder.run("config check --json --config portcullis.toml").assert(0).json();
        assert_eq!((&checked["ok"], &checked["rules"]), (&true.into(), &1.into()));
        let users = folder.run("user list --json --config portcullis.toml").assert(0).json();
        assert_eq!(users.as_array().map(Vec::len), Some(1));
        assert_eq!(
            (&users[0]["email"], &users[0]["role"]),
            (&"owner@localhost".into(), &"owner".into())
        );
    })
    .await;
}

#[tokio::test]
async fn people_are_told_what_to_type_next() {
    in_each_folder(async |folder| {
        let told = folder.init("--config gate.toml --email ada+x@example.com");
        let text = &told.assert(0).out;
        for part in [
            "Wrote gate.toml for http://127.0.0.1:1",
            "portcullis serve --config gate.toml",
            "/-/first-run#t=",
            "&e=ada%2Bx%40example.com",
            "portcullis init --config gate.toml",
        ] {
            assert!(text.contains(part), "{part}: {told:?}");
        }
        // The application may be started later.
        assert!(told.err.contains("Nothing answers at http://127.0.0.1:1 yet"), "{told:?}");
        let users = folder.run("user list --json --config gate.toml").assert(0).json();
        assert_eq!(users[0]["email"], "ada+x@example.com");
    })
    .await;
}

#[tokio::test]
async fn an_address_for_people_is_the_one_of_the_link() {
    in_each_folder(async |folder| {
        let told = folder.init("--public-url https://app.example.org --json").assert(0).json();
        let link = told["link"].as_str().unwrap();
        assert!(link.starts_with("https://app.example.org/-/first-run#t="), "{link}");
        folder.run("config check --config portcullis.toml").assert(0);
    })
    .await;
}

#[tokio::test]
async fn a_configuration_that_is_there_is_left_alone() {
    in_each_folder(async |folder| {
        let config = folder.path("portcullis.toml");
        fs::write(&config, "# mine").unwrap();
        let told = folder.init("");
        assert!(
            told.assert(1).err.contains("portcullis init --config portcullis.toml"),
            "{told:?}"
        );
        let told: Value = serde_json::from_str(&folder.init("--json").assert(1).err).unwrap();
        assert_eq!(told["code"], "config_exists");
        assert_eq!(fs::read_to_string(&config).unwrap(), "# mine");
        assert_eq!(folder.names(), ["portcullis.toml"]);
        // Neither is what leads nowhere.
        fs::remove_file(&config).unwrap();
        std::os::unix::fs::symlink("/nowhere/else", &config).unwrap();
        folder.init("").assert(1);
        fs::remove_file(&config).unwrap();
        folder.init("").assert(0);
    })
    .await;
}

#[tokio::test]
async fn a_new_link_takes_the_place_of_the_older() {
    in_each_folder(async |folder| {
        let first = folder.init("--json").assert(0).json();
        let text = fs::read(folder.path("portcullis.toml")).unwrap();
        let second = folder.run("init --json").assert(0).json();
        assert_ne!(code(&first), code(&second));
        assert_eq!((&first["config"], &first["next"]), (&second["config"], &second["next"]));
        assert_eq!(fs::read(folder.path("portcullis.toml")).unwrap(), text);
        // Without a configuration there is nothing to make a link for.
        folder.run("init --config other.toml").assert(2);
        // Once there is a password, there is no link any more.
        let line = "user set-password owner@localhost --password-stdin --config portcullis.toml";
        finish(folder.command(line), super::PASSWORD.as_bytes()).assert(0);
        let told: Value = serde_json::from_str(&folder.run("init --json").assert(1).err).unwrap();
        assert_eq!(told["code"], "owner_exists");
        let told = folder.init("--config other.toml");
        assert!(told.assert(1).err.contains("set-password"), "{told:?}");
        assert_eq!(folder.names(), ["portcullis-data", "portcullis.toml"]);
    })
    .await;
}

#[tokio::test]
async fn an_address_of_another_user_makes_no_owner() {
    in_each_folder(async |folder| {
        folder.init("--config first.toml").assert(0);
        let line = "user create --email ada@example.com --config first.toml";
        folder.run(line).assert(0);
        folder.run("user disable owner@localhost --config first.toml").assert(0);
        let told = folder.init("--email Ada@example.com --json");
        let told: Value = serde_json::from_str(&told.assert(1).err).unwrap();
        assert_eq!(told["code"], "email_taken");
        assert_eq!(folder.names(), ["first.toml", "portcullis-data"]);
        folder.init("--email eve@example.com").assert(0);
    })
    .await;
}

#[test]
fn a_wrong_address_says_what_is_accepted_as_the_configuration_does() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("portcullis.toml");
    let init = |arguments: &[&str]| {
        let mut command = program();
        command.current_dir(directory.path()).arg("init").args(arguments);
        finish(command, b"")
    };
    let accepted = |key: &str, value: &str| {
        let (section, name) = key.split_once('.').unwrap();
        fs::write(&config, format!("[{section}]\n{name} = {value:?}\n")).unwrap();
        let told = run(&config, "config check --json", b"").json();
        fs::remove_file(&config).unwrap();
        told["faults"][0]["accepted"].as_str().unwrap().to_owned()
    };
    for wrong in ["127.0.0.1:3000", "http://a.b/c", "ftp://a.b", "http://u:p@a.b", "http://a.b:0"] {
        let told = init(&["--upstream", wrong]);
        let sentence = accepted("gate.upstream", wrong);
        assert!(told.assert(2).err.contains(&sentence), "{wrong}: {told:?}");
    }
    let told = init(&["--upstream", APPLICATION, "--public-url", "https://a.b/c"]);
    assert!(told.assert(2).err.contains(&accepted("server.public_url", "https://a.b/c")));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    init(&["--upstream", APPLICATION]).assert(0);
}

#[test]
fn what_cannot_be_written_leaves_nothing_half_written() {
    let directory = tempfile::tempdir().unwrap();
    let init = |config: &str, environment: &[(&str, &str)]| {
        let mut command = program();
        command.current_dir(directory.path());
        command.args(["init", "--upstream", APPLICATION, "--config", config]);
        command.envs(environment.iter().copied());
        finish(command, b"")
    };
    let left = || fs::read_dir(directory.path()).unwrap().count();
    let told = init("missing/portcullis.toml", &[]);
    assert!(told.assert(3).err.contains("cannot write missing/portcullis.toml"), "{told:?}");
    init("/proc/portcullis.toml", &[]).assert(3);
    assert_eq!(left(), 0);
    // A data directory, a secret and a database that cannot be made; a fault in the environment.
    fs::write(directory.path().join("file"), "").unwrap();
    init("a.toml", &[("PORTCULLIS__SERVER__DATA_DIR", "file/inside")]).assert(3);
    let unreachable = "postgres://ada:hunter2@127.0.0.1:1/portcullis";
    let told = init("a.toml", &[("PORTCULLIS__DATABASE__URL", unreachable)]);
    assert!(!told.assert(3).err.contains("hunter2"), "{told:?}");
    init("a.toml", &[("PORTCULLIS__SERVER__LISTEN", "nowhere")]).assert(2);
    let names: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("toml") || name.contains("draft"))
        .collect();
    assert_eq!(names, [""; 0]);
    init("a.toml", &[]).assert(0);
}

/// A server of the real program, which ends with the test. Its log goes to a file.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_nothing_to_the_first_protected_request() {
    in_each_folder(async |folder| {
        let application = Upstream::start().await;
        let init = format!("init --upstream http://{} --json", application.address);
        let code = code(&folder.run(&init).assert(0).json());
        let log = folder.path("log");
        let mut command = folder.command("serve --json --config portcullis.toml");
        command.env("PORTCULLIS__SERVER__LISTEN", "127.0.0.1:0").env("RUST_LOG", "trace");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(fs::File::create(&log).unwrap());
        let mut serving = Serving(command.spawn().unwrap());
        let mut out = BufReader::new(serving.0.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let listening: Value = serde_json::from_str(&line).unwrap();
        let client = Client::new(listening["listening"].as_str().unwrap().parse().unwrap());

        let before = client.get("/").send().await;
        assert_eq!(before.verdict(), "401 credential_missing", "{before:?}");
        let done = first_run::send(&client, &code, &[]).await;
        assert_eq!(done.status, 303, "{done:?}");
        assert_eq!(client.get("/reports").send().await.status, 200);
        assert_eq!(application.last().headers["x-auth-email"], first_run::EMAIL);
        // A plain form of the application works as it is; one of another site does not.
        let form = [("title", "Boiler repair")];
        let own = client.post("/jobs").header("sec-fetch-site", "same-origin").form(&form);
        assert_eq!(own.send().await.status, 201);
        let foreign = client.post("/jobs").header("sec-fetch-site", "cross-site").form(&form);
        assert_eq!(foreign.send().await.verdict(), "403 csrf_origin");

        drop(serving);
        let log = fs::read_to_string(&log).unwrap();
        assert!(log.contains("TRACE") && log.contains(&application.address.to_string()), "{log}");
        let session = client.cookie("sessionid").unwrap();
        for secret in [code.as_str(), first_run::PASSWORD, &session] {
            assert!(!log.contains(secret), "in the log: {secret}");
        }
        let written = folder.database.everything_written().await;
        assert!(!written.windows(code.len()).any(|found| found == code.as_bytes()));
    })
    .await;
}

#[tokio::test]
async fn what_init_does_is_written_down() {
    in_each_folder(async |folder| {
        folder.init("").assert(0);
        folder.run("init").assert(0);
        let mut options = folder.database.options(None);
        if options.url.starts_with("sqlite:") {
            options.url =
                format!("sqlite:{}", folder.path("portcullis-data/portcullis.db").display());
        }
        let db = Db::open(&options).await.unwrap();
        let mut tx = db.read().await.unwrap();
        let told = pending::newest(&mut tx, 100).await.unwrap();
        let names: Vec<_> = told.iter().rev().map(|event| event.name.as_str()).collect();
        assert_eq!(names, ["user_created", "authn_link_created", "authn_link_created"]);
        assert!(told.iter().all(|event| event.context.subject == told[0].context.subject));
        drop(tx);
        db.close().await;
    })
    .await;
}
