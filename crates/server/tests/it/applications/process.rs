//! The process of an application: started on a free port, ended when dropped. What it needs beside
//! its own code is installed by `scripts/with-apps`.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// What every application prints before its address.
const LISTENING: &str = "Listening at: http://";

/// A running application, and the folder that it writes to.
pub(super) struct Process {
    pub(super) address: SocketAddr,
    child: Child,
    folder: TempDir,
}

impl Process {
    /// Starts it in a folder of its own, and waits until it listens.
    pub(super) async fn start(mut command: Command, folder: TempDir) -> Self {
        let log = File::create(folder.path().join("log")).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log).stdin(Stdio::null());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        for _ in 0..1200 {
            if let Some(address) = address(&read(&folder)) {
                return Self { address, child, folder };
            }
            if child.try_wait().unwrap().is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        // Nothing is left behind; whether there was something to kill does not matter.
        drop(child.kill());
        panic!("the application did not start: {command:?}\n{}", read(&folder));
    }

    /// What it has printed so far.
    pub(super) fn log(&self) -> String {
        read(&self.folder)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // By a signal that it can hear, so that it takes the processes of its own along.
        let end = format!("kill -INT {}", self.child.id());
        drop(Command::new("sh").args(["-c", &end]).status());
        drop(self.child.wait());
    }
}

/// A file or folder that `scripts/with-apps` installs.
#[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the product")]
pub(crate) fn installed(name: &str) -> PathBuf {
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/apps");
    let folder = std::env::var_os("TEST_APPS").map_or_else(usual, PathBuf::from);
    let path = folder.join(name);
    let advice = "Run scripts/with-apps once; scripts/test and scripts/check do.";
    assert!(path.exists(), "{} is missing, which this test needs. {advice}", path.display());
    path
}

fn read(folder: &TempDir) -> String {
    fs::read_to_string(folder.path().join("log")).unwrap()
}

fn address(log: &str) -> Option<SocketAddr> {
    let (_, rest) = log.split_once(LISTENING)?;
    // Only a line that is whole.
    let (line, _) = rest.split_once('\n')?;
    line.split(' ').next()?.parse().ok()
}
