//! The real program in a process of its own: for tests that measure it, or that need more
//! descriptors than one process has. Not for what a server inside the test can show.

use std::io::{BufRead as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

use tempfile::TempDir;

use super::OF_THIS_MACHINE_ALONE;
use super::client::Client;
use super::people::{self, PASSWORD};

/// A serving program; it ends when this is dropped.
pub(crate) struct Program {
    pub(crate) address: SocketAddr,
    /// Its configuration file.
    pub(crate) config: PathBuf,
    child: Child,
    /// Thrown away with the last process over it; `None` where it is somebody else's.
    directory: Option<Arc<TempDir>>,
}

impl Program {
    /// Serves with this TOML beside a port and a directory of its own, with as many descriptors as
    /// the machine allows.
    pub(crate) fn serve(config: &str) -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let file = write_config(directory.path(), config);
        Self::start(file, Some(directory))
    }

    /// The same in a directory that outlives it.
    pub(crate) fn serve_in(directory: &Path, config: &str) -> Self {
        Self::start(write_config(directory, config), None)
    }

    /// Another process over the same database, on a port of its own.
    pub(crate) fn second(&self) -> Self {
        Self::start(self.config.clone(), self.directory.clone())
    }

    fn start(config: PathBuf, directory: Option<Arc<TempDir>>) -> Self {
        let mut child = Command::new("sh")
            .args(["-c", "ulimit -n $(ulimit -H -n); exec \"$0\" serve --json --config \"$1\""])
            .arg(env!("CARGO_BIN_EXE_portcullis"))
            .arg(&config)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: serde_json::Value = serde_json::from_str(&line).expect("it does not serve");
        let address = told["listening"].as_str().unwrap().parse().unwrap();
        Self { address, config, child, directory }
    }

    /// Makes a user whose password is everybody's.
    pub(crate) fn make_user(&self, name: &str, role: &str, account_type: &str) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .args(["user", "create", "--email", &format!("{name}@example.com"), "--username", name])
            .args(["--role", role, "--account-type", account_type, "--password-stdin", "--config"])
            .arg(&self.config)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.as_mut().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// Signs somebody in by username.
    pub(crate) async fn signed_in(&self, name: &str) -> Client {
        let client = Client::new(self.address);
        let answer = people::sign_in(&client, name, PASSWORD).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        client
    }

    /// Kills it where it stands.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Serves again on what it left behind, at another port.
    pub(crate) fn start_again(&mut self) {
        *self = self.second();
    }

    /// Sends it a signal, such as STOP.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().unwrap();
        assert!(sent.success(), "kill -s {name}: {sent}");
    }

    /// Bytes of it that are in memory.
    pub(crate) fn resident(&self) -> usize {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id())).unwrap();
        statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn write_config(directory: &Path, config: &str) -> PathBuf {
    let file = directory.join("portcullis.toml");
    let data = directory.display();
    let text = format!(
        "{OF_THIS_MACHINE_ALONE}[server]\nlisten = \"127.0.0.1:0\"\ndata_dir = \"{data}\"\n{config}"
    );
    std::fs::write(&file, text).unwrap();
    file
}
