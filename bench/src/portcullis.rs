//! Portcullis as the thing measured: a configuration with the limits and the log of requests off, this
//! machine as a trusted proxy and everything else at its defaults (SQLite with `synchronous = FULL`),
//! one user, and the ways to start and to sign in.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::AsyncWriteExt as _;

use crate::http::{Answer, Connection, request};
use crate::process::{Server, pinned};

pub(crate) const EMAIL: &str = "bench@example.com";
const PASSWORD: &str = "a long password for the benchmark";
pub(crate) const JSON: &str = "content-type: application/json\r\n";
/// Who is signed in: the smallest of our own answers that needs a check.
pub(crate) const ME: &str = "/api/auth/me";
/// The limit of an API key that never meets it.
const OFTEN: &str = "1000000000/1h";
/// Gives a CSRF token.
pub(crate) const CSRF_TOKEN: &str = "/api/security/csrf-token";

/// A binary, a configuration, and the cores to run on.
#[derive(Clone)]
pub(crate) struct Portcullis {
    binary: PathBuf,
    config: String,
    cores: String,
}

/// What a signed-in client sends along: whole header lines.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) cookie: String,
    pub(crate) bearer: String,
}

impl Portcullis {
    /// Writes a configuration with its data in this folder.
    pub(crate) fn configured(
        binary: &Path,
        folder: &Path,
        cores: &str,
        upstream: SocketAddr,
    ) -> Result<Self> {
        let config = folder.join("portcullis.toml");
        std::fs::write(&config, configuration(folder, upstream))?;
        let config = config.to_str().context("a folder that is not UTF-8")?.to_owned();
        Ok(Self { binary: binary.to_owned(), config, cores: cores.to_owned() })
    }

    /// The same with more keys of `[breach]`, in a configuration that is kept in this folder under this name;
    /// over the same data.
    pub(crate) fn with(&self, folder: &Path, name: &str, more: &str) -> Result<Self> {
        let config = folder.join(format!("{name}.toml"));
        std::fs::write(&config, std::fs::read_to_string(&self.config)? + more)?;
        let config = config.to_str().context("a folder that is not UTF-8")?.to_owned();
        Ok(Self { config, ..self.clone() })
    }

    /// The same on other cores.
    pub(crate) fn on(&self, cores: &str) -> Self {
        Self { cores: cores.to_owned(), ..self.clone() }
    }

    /// Starts it and waits for the first 200 of `/readyz`. Also gives the time from start to there.
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
    pub(crate) async fn start(&self) -> Result<(Server, Duration)> {
        let started = Instant::now();
        let arguments = ["serve", "--config", &self.config, "--json"];
        let server = Server::start(&self.cores, &self.binary, &arguments).await?;
        while started.elapsed() < Duration::from_secs(10) {
            if ready(server.address).await.unwrap_or(false) {
                return Ok((server, started.elapsed()));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        bail!("not ready within ten seconds")
    }

    /// Makes the user, and with him the database.
    pub(crate) async fn make_user(&self) -> Result<()> {
        let mut child = pinned(&self.cores, &self.binary)
            .args(["user", "create", "--config", &self.config, "--email", EMAIL])
            .args(["--username", "bench", "--account-type", "staff", "--role", "owner"])
            .arg("--password-stdin")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        let mut input = child.stdin.take().context("no input")?;
        input.write_all(PASSWORD.as_bytes()).await?;
        drop(input);
        ensure!(child.wait().await?.success(), "`portcullis user create` failed");
        Ok(())
    }

    /// Makes an API key of the user that may be used as often as it is measured, and gives it.
    pub(crate) async fn make_key(&self) -> Result<String> {
        let output = pinned(&self.cores, &self.binary)
            .args(["key", "create", "--config", &self.config, "--user", EMAIL, "--name", "bench"])
            .args(["--limit", OFTEN, "--json"])
            .output()
            .await?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let made: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let key = made.get("key").and_then(serde_json::Value::as_str);
        Ok(key.context("no key was printed")?.to_owned())
    }
}

/// The request of a sign-in.
pub(crate) fn sign_in_request() -> Vec<u8> {
    request("POST", "/api/auth/login", JSON, &password())
}

/// Signs in once for the cookie, and once as a mobile client for the token.
pub(crate) async fn sign_in(address: SocketAddr) -> Result<Credentials> {
    let mut connection = Connection::open(address).await?;
    let answer = connection.ask(&sign_in_request()).await?;
    let cookies = answer.headers.iter().filter(|(name, _)| name == "set-cookie");
    let mut pairs = cookies.filter_map(|(_, cookie)| cookie.split(';').next());
    let session = pairs.find(|pair| pair.starts_with("sessionid="));
    let session = session.with_context(|| told("the sign-in gave no cookie", &answer))?;

    let body = password();
    let asked = request("POST", "/api/security/mobile-auth", JSON, &body);
    let answer = connection.ask(&asked).await?;
    let value: serde_json::Value = serde_json::from_slice(&answer.body)?;
    let token = value.pointer("/data/token").and_then(serde_json::Value::as_str);
    let token = token.with_context(|| told("mobile-auth gave no token", &answer))?;
    Ok(Credentials {
        cookie: format!("cookie: {session}\r\n"),
        bearer: format!("authorization: Bearer {token}\r\n"),
    })
}

/// An access token of a sign-in by e-mail address.
pub(crate) async fn access_token(address: SocketAddr) -> Result<String> {
    let answer = Connection::open(address).await?.ask(&sign_in_request()).await?;
    let value: serde_json::Value = serde_json::from_slice(&answer.body)?;
    let token = value.get("accessToken").and_then(serde_json::Value::as_str);
    Ok(token.with_context(|| told("the sign-in gave no access token", &answer))?.to_owned())
}

/// A one-time token of the session.
pub(crate) async fn csrf_token(connection: &mut Connection, who: &Credentials) -> Result<String> {
    let answer = connection.ask(&request("GET", CSRF_TOKEN, &who.cookie, "")).await?;
    let value: serde_json::Value = serde_json::from_slice(&answer.body)?;
    let token = value.pointer("/data/token").and_then(serde_json::Value::as_str);
    Ok(token.with_context(|| told("no CSRF token", &answer))?.to_owned())
}

fn password() -> String {
    serde_json::json!({ "email": EMAIL, "password": PASSWORD }).to_string()
}

async fn ready(address: SocketAddr) -> Result<bool> {
    let mut connection = Connection::open(address).await?;
    Ok(connection.ask(&request("GET", "/readyz", "", "")).await?.status == 200)
}

fn told(what: &str, answer: &Answer) -> String {
    format!("{what}: {}", answer.text())
}

/// Nothing of it asks anybody outside the machine. The last section is `[breach]`.
fn configuration(folder: &Path, upstream: SocketAddr) -> String {
    let data = folder.join("data");
    let data = data.display();
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\ndata_dir = '{data}'\n\
         trusted_proxies = [\"127.0.0.1/32\"]\n\n\
         [limits]\nlogin = \"off\"\nrequests = \"off\"\nlockout = \"off\"\n\n\
         [log]\nrequests = \"off\"\n\n\
         [gate]\nupstream = \"http://{upstream}\"\n\n\
         [[gate.rule]]\nid = \"all\"\npath = \"/\"\nallow = \"signed_in\"\n\n\
         [breach]\nsources = [\"list\", \"offline\"]\n"
    )
}
