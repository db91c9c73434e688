//! A proxy as a process of its own, which ends with the value.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;

use super::Front;

/// Debian keeps servers where the path of users does not lead.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The process and its files.
pub(super) struct Running {
    process: Child,
    directory: TempDir,
}

impl Running {
    /// Starts it, and waits until it accepts connections at `address`; or gives what it said.
    pub(super) async fn start(
        front: Front,
        recipe: &[(&'static str, String)],
        address: SocketAddr,
    ) -> Result<Self, String> {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in recipe {
            let text = text.replace("/etc/haproxy", directory.path().to_str().unwrap());
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        let mut command = command(front, directory.path());
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        command.env("PATH", PATH);
        let process = command.spawn().unwrap_or_else(|error| {
            panic!(
                "{} does not start ({error}). These tests need Debian's packages nginx, caddy \
                 and haproxy; scripts/test installs them",
                command.get_program().display()
            )
        });
        let mut running = Self { process, directory };
        running.wait_for(address).await?;
        Ok(running)
    }

    async fn wait_for(&mut self, address: SocketAddr) -> Result<(), String> {
        for _ in 0..400 {
            if let Some(status) = self.process.try_wait().unwrap() {
                return Err(format!("it ended with {status}:\n{}", self.log()));
            }
            if TcpStream::connect(address).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Err(format!("it does not listen on {address}:\n{}", self.log()))
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn command(front: Front, directory: &Path) -> Command {
    let path = directory.display();
    match front {
        Front::Gate => panic!("the gate is no proxy of others"),
        Front::Nginx | Front::GateBehindNginx => {
            std::fs::write(directory.join("nginx.conf"), nginx_main(directory)).unwrap();
            let mut command = Command::new("nginx");
            command.args(["-p", &path.to_string(), "-c", "nginx.conf", "-e", "stderr"]);
            command
        }
        Front::Caddy | Front::GateBehindCaddy => {
            let file = directory.join("Caddyfile");
            let site = std::fs::read_to_string(&file).unwrap();
            let options = "{\n\tadmin off\n\tdefault_bind 127.0.0.1\n}\n";
            std::fs::write(&file, format!("{options}{site}")).unwrap();
            let mut command = Command::new("caddy");
            command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
            command.env("HOME", directory).env("XDG_DATA_HOME", directory);
            command
        }
        Front::Haproxy => {
            let mut command = Command::new("haproxy");
            command.arg("-db").arg("-f").arg(directory.join("haproxy.cfg"));
            command
        }
    }
}

/// What Debian's main file does around the example: one process, and everything in our directory.
fn nginx_main(directory: &Path) -> String {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {}/{kind};\n", directory.display()))
        .concat();
    format!(
        "daemon off;\nmaster_process off;\npid {0}/pid;\nerror_log stderr;\nevents {{}}\n\
         http {{\naccess_log off;\n{temporary}include {0}/app.conf;\n}}\n",
        directory.display()
    )
}
