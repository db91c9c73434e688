//! The program itself, serving in a process of its own, with what it wrote to its log; and one
//! visit to it that carries a secret wherever a secret can stand.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::harness::client::Client;
use crate::harness::upstream::Upstream;
use crate::harness::{OF_THIS_MACHINE_ALONE, merge};

/// A process that serves. It ends with this.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) metrics: Option<SocketAddr>,
    pub(crate) upstream: Upstream,
    child: Child,
    directory: TempDir,
}

/// The visitor's password, and those that somebody guessed.
const PASSWORD: &str = "canary password of ada";

/// How long a process may take to begin or to end.
const PATIENCE: Duration = Duration::from_secs(30);

impl Served {
    /// Starts it, with this TOML beside the usual and these variables in its environment.
    pub(crate) async fn start(config: &str, environment: &[(&str, &str)]) -> Self {
        let (directory, upstream) = (tempfile::tempdir().unwrap(), Upstream::start().await);
        let file = write_config(directory.path(), &upstream, config);
        make_user(&file).await;
        let log = File::create(directory.path().join("log")).unwrap();
        let mut command = program(&["serve", "--json"], &file);
        command.envs(environment.iter().copied()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
        let told: Value = serde_json::from_str(&line.unwrap_or_default()).unwrap_or_else(|_| {
            panic!("{}", fs::read_to_string(directory.path().join("log")).unwrap())
        });
        let address = |key: &str| told[key].as_str().map(|text| text.parse().unwrap());
        let (listening, metrics) = (address("listening").unwrap(), address("metrics"));
        Self { address: listening, metrics, upstream, child, directory }
    }

    /// Tries to start it, and gives its exit code and what it said.
    pub(crate) async fn fail(config: &str) -> (i32, String) {
        let (directory, upstream) = (tempfile::tempdir().unwrap(), Upstream::start().await);
        let file = write_config(directory.path(), &upstream, config);
        let ran = program(&["serve"], &file).output();
        let ran = tokio::time::timeout(PATIENCE, ran).await.unwrap().unwrap();
        (ran.status.code().unwrap(), String::from_utf8(ran.stderr).unwrap())
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// Asks it to stop, as a supervisor does, and waits until it has. Its exit code.
    pub(crate) async fn stop(&mut self) -> i32 {
        let id = self.child.id().unwrap().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status().await.unwrap();
        assert!(asked.success());
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await.unwrap();
        ended.unwrap().code().unwrap()
    }

    /// Everything that it has written to its log.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    /// Signs the visitor in.
    pub(crate) async fn signed_in(&self) -> Client {
        let client = self.client();
        let form = json!({"username": "ada", "password": PASSWORD});
        let answer = client.post("/api/auth/login").json(&form).send().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        client
    }

    /// Every file that it has written, its log among them, one after the other.
    pub(crate) fn written(&self) -> Vec<u8> {
        let files = fs::read_dir(self.directory.path()).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.is_file()).flat_map(|path| fs::read(path).unwrap()).collect()
    }

    /// Signs in and out, guesses, and sends a secret wherever one can stand. How many requests that
    /// were, and every secret of them.
    pub(crate) async fn visit(&self) -> (usize, Vec<String>) {
        let hex = "0ddba11cafe5eed5".repeat(4);
        let mut secrets: Vec<String> =
            ["canary", PASSWORD, &hex, "Y2FuYXJ5"].map(str::to_owned).into();
        let client = self.client();
        let sign_in = |name: &str, password: &str| json!({"username": name, "password": password});
        let guess =
            client.post("/api/auth/login").json(&sign_in("ada", "canary guess")).send().await;
        assert_eq!(guess.status, 401, "{guess:?}");
        let answer = client.post("/api/auth/login").json(&sign_in("ada", PASSWORD)).send().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let csrf = client.fetch_csrf().await;
        let posted =
            client.post("/jobs/7").header("x-csrf-token", &csrf).json(&json!({})).send().await;
        assert_eq!(posted.status, 201, "{posted:?}");
        secrets.extend([client.cookie("sessionid").unwrap(), csrf]);

        let stranger = self.client();
        let bearer = stranger.bearer(&hex).get(&format!("/api/auth/me?token={hex}")).send().await;
        assert_eq!(bearer.status, 401, "{bearer:?}");
        let jwt = stranger.bearer(&format!("{hex}.Y2FuYXJ5.{hex}")).get("/jobs").send().await;
        assert_eq!(jwt.status, 401, "{jwt:?}");
        let magic = format!("/-/magic/{hex}?t={hex}");
        assert_eq!(stranger.get(&magic).send().await.status, 404);
        let reset = format!("/public/reset/{hex}//{hex}?canary={hex}");
        assert_eq!(stranger.get(&reset).send().await.verdict(), "400 ambiguous_path");
        let basic = stranger.get("/jobs").header("authorization", "Basic Y2FuYXJ5OmNhbmFyeQ==");
        assert_eq!(basic.send().await.status, 401);
        let forged =
            client.post("/jobs/8").header("x-csrf-token", &hex).json(&json!({})).send().await;
        assert_eq!(forged.status, 403, "{forged:?}");
        let host = stranger.get("/jobs").header("host", "canary.example").send().await;
        assert_eq!(host.verdict(), "421 unknown_host");
        let open = stranger.get(&format!("/public/{hex}?canary")).header("cookie", "a=canary");
        assert_eq!(open.send().await.status, 200);
        (12, secrets)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        drop(self.child.start_kill());
    }
}

fn write_config(directory: &Path, upstream: &Upstream, more: &str) -> PathBuf {
    let (file, data, upstream) =
        (directory.join("portcullis.toml"), directory.display(), upstream.address);
    let text = format!(
        "gate.upstream = \"http://{upstream}\"\ngate.rule = [\n\
         {{ id = \"open\", path = \"/public\", allow = \"anyone\" }},\n\
         {{ id = \"jobs\", path = \"/jobs\", allow = \"signed_in\" }} ]\n\
         server.data_dir = \"{data}\"\nserver.listen = \"127.0.0.1:0\"\n{OF_THIS_MACHINE_ALONE}"
    );
    fs::write(&file, merge(&text, more)).unwrap();
    file
}

async fn make_user(config: &Path) {
    let arguments = ["user", "create", "--email", "ada@example.com", "--username", "ada"];
    let mut command = program(&arguments, config);
    command.args(["--account-type", "staff", "--role", "owner"]);
    command.arg("--password-stdin").stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut input, PASSWORD.as_bytes()).await.unwrap();
    drop(input);
    assert!(child.wait().await.unwrap().success());
}

fn program(arguments: &[&str], config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.args(arguments).arg("--config").arg(config).env_clear().kill_on_drop(true);
    command
}
