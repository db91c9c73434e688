//! `portcullis doctor` as people run it: against a server alone, against real proxies with the
//! handbook's examples, and against examples that are broken on purpose, each fault found by name.

mod breach;
mod warned;

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use portcullis_domain::backup::file_name;
use portcullis_domain::probe::{LIFE, ProbeId, Ticket};
use portcullis_domain::secret::{Keys, MasterSecret};
use portcullis_store::backup::{self, Good};
use serde_json::Value;

use super::running::Running;
use super::{Front, free_address, recipe};
use crate::harness::client::Client;
use crate::harness::people::STAFF;
use crate::harness::{Setup, TestApp, database};

/// A server with something in front of it, to be looked at.
struct Patient {
    front: Front,
    server: TestApp,
    address: SocketAddr,
    /// Where the proxy finds the application: nobody is there but `doctor`.
    application: SocketAddr,
    _proxy: Option<Running>,
}

/// What `doctor` said.
#[derive(Debug)]
struct Told {
    code: i32,
    checks: Vec<Value>,
    err: String,
}

const TRUSTED: &str = "trusted_proxies = [\"127.0.0.1\"]";

impl Patient {
    /// With the example as it is.
    async fn healthy(front: Front) -> Self {
        Self::with(front, TRUSTED, str::to_owned).await
    }

    /// With another `[server]` section, and the example's first file changed.
    async fn with(front: Front, section: &str, change: impl Fn(&str) -> String) -> Self {
        let kind = database::kinds()[0];
        let mut fault = String::new();
        // Between asking for a free port and listening on it, somebody else may take it.
        for _ in 0..3 {
            let (address, application) = (free_address(), free_place());
            let public = if front == Front::Gate {
                String::new()
            } else {
                format!("public_url = \"http://{address}\"")
            };
            let config = format!("[server]\n{public}\n{section}\n");
            let setup = Setup { config, ..Setup::served() };
            let server = TestApp::start(kind, &setup).await;
            server.write_secret();
            write_secret(&server);
            note_backup(&server).await;
            if front == Front::Gate {
                let address = server.address;
                return Self { front, server, address, application, _proxy: None };
            }
            let mut recipe = recipe::of(front, address, server.address, application);
            recipe[0].1 = change(&recipe[0].1);
            match Running::start(front, &recipe, address).await {
                Ok(proxy) => {
                    return Self { front, server, address, application, _proxy: Some(proxy) };
                }
                Err(log) => fault = log,
            }
            server.finish().await;
        }
        panic!("{front:?} does not run: {fault}");
    }

    /// Has it looked at from outside.
    async fn look(&self, more: &str, input: &str) -> Told {
        let proxy = kind(self.front).map_or(String::new(), |kind| format!("--proxy {kind}"));
        self.run(&format!("--url http://{} {proxy} {more}", self.address), input).await
    }

    /// The same in the place of the application.
    async fn look_inside(&self) -> Told {
        self.look(&format!("--stand-in {}", self.application), "").await
    }

    async fn run(&self, line: &str, input: &str) -> Told {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command.args(["doctor", "--json", "--config"]);
        command.arg(self.server.data_dir.join("portcullis.toml")).args(line.split_whitespace());
        command.env_clear().env("PORTCULLIS__SERVER__LISTEN", self.server.address.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let input = input.to_owned();
        // The server under test runs on this thread.
        let ran = tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().unwrap();
            drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
            child.wait_with_output().unwrap()
        });
        let output = ran.await.unwrap();
        let checks = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let err = String::from_utf8(output.stderr).unwrap();
        Told { code: output.status.code().unwrap(), checks, err }
    }
}

/// A place for an application that nobody else takes meanwhile: what the other tests open and call is
/// at 127.0.0.1.
fn free_place() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.2:0").unwrap().local_addr().unwrap()
}

/// What `serve` would have made: the secret of every server under test as a file, in a directory of
/// its own.
fn write_secret(server: &TestApp) {
    let file = server.data_dir.join("secret");
    std::fs::write(&file, "07".repeat(32)).unwrap();
    set_mode(&file, 0o600);
    set_mode(&server.data_dir, 0o700);
}

/// A good backup of now, as whoever looks after the server has one.
async fn note_backup(server: &TestApp) {
    let now = server.app.clock.now();
    let mut tx = server.app.db.write().await.unwrap();
    let good = Good { at: now, file: file_name(now), bytes: 1 };
    backup::note_good(&mut tx, &good).await.unwrap();
    tx.commit().await.unwrap();
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn kind(front: Front) -> Option<&'static str> {
    match front {
        Front::Nginx => Some("nginx"),
        Front::Caddy => Some("caddy"),
        Front::Haproxy => Some("haproxy"),
        Front::Gate | Front::GateBehindNginx | Front::GateBehindCaddy => None,
    }
}

impl Told {
    /// Everything that is not in order, as `status id`.
    fn findings(&self) -> Vec<String> {
        let word = |check: &Value, name: &str| check[name].as_str().unwrap().to_owned();
        let found = self.checks.iter().filter(|check| check["status"] != "ok");
        found.map(|check| format!("{} {}", word(check, "status"), word(check, "id"))).collect()
    }

    #[track_caller]
    fn check(&self, id: &str) -> &Value {
        let found = self.checks.iter().find(|check| check["id"] == id);
        found.unwrap_or_else(|| panic!("no {id}: {self:#?}"))
    }

    #[track_caller]
    fn assert_clean(&self, but: &[&str]) -> &Self {
        let bad: Vec<_> = self.checks.iter().filter(|check| check["status"] != "ok").collect();
        assert_eq!(self.findings(), but, "{bad:#?} {}", self.err);
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{self:#?}");
        self
    }

    /// A fault of this name, which says this and what to do.
    #[track_caller]
    fn assert_fault(&self, id: &str, detail: &str, advice: &str) -> &Self {
        assert_eq!(self.code, 1, "{self:#?}");
        let check = self.check(id);
        assert_eq!(check["status"], "fault", "{check}");
        for (key, text) in [("detail", detail), ("advice", advice)] {
            assert!(check[key].as_str().unwrap().contains(text), "{check}");
        }
        self
    }
}

#[tokio::test]
async fn a_server_alone_is_looked_at() {
    let patient = Patient::with(Front::Gate, "", str::to_owned).await;
    let told = patient.run("", "").await;
    told.assert_clean(&[]);
    for id in ["config", "data_dir", "secret", "database", "server", "upstream", "mail", "proxies"]
    {
        told.check(id);
    }
    assert_eq!(told.check("warnings")["detail"], "the running server warns of nothing");
    let told = patient.look("", "").await;
    told.assert_clean(&[]);
    assert!(told.check("decision")["detail"].as_str().unwrap().contains("credential_missing"));
    // 54 tricks, and each says what became of it.
    let tricks = |check: &&Value| check["id"].as_str().unwrap().starts_with("trick.");
    assert_eq!(told.checks.iter().filter(tricks).count(), 54);
    patient.server.finish().await;
}

#[tokio::test]
async fn what_is_wrong_with_an_installation_is_found() {
    let patient = Patient::with(Front::Gate, "", str::to_owned).await;
    let data = patient.server.data_dir.clone();
    let secret = data.join("secret");
    set_mode(&data, 0o755);
    let told = patient.run("", "").await;
    assert_eq!((told.code, told.findings()), (1, vec!["warning data_dir".to_owned()]), "{told:?}");
    set_mode(&data, 0o700);
    set_mode(&secret, 0o644);
    patient.run("", "").await.assert_fault("secret", "mode 0644", "chmod 600");
    set_mode(&secret, 0o600);
    // Another secret than the database's and the running server's.
    std::fs::write(&secret, "08".repeat(32)).unwrap();
    let told = patient.run("", "").await;
    told.assert_fault("database", "another secret", "secret file");
    told.assert_fault("server", "does not know this secret", "restart");
    std::fs::write(&secret, "07".repeat(32)).unwrap();
    patient.run("", "").await.assert_clean(&[]);
    // Nobody there.
    let gone = patient.run("", "").await.code;
    patient.server.ask_to_stop();
    let mut told = patient.run("", "").await;
    for _ in 0..100 {
        if told.code == 3 {
            break;
        }
        told = patient.run("", "").await;
    }
    assert_eq!((gone, told.code), (0, 3), "{told:?}");
    assert_eq!(told.check("server")["status"], "unreachable", "{told:?}");
    std::fs::write(data.join("portcullis.toml"), "[server]\nlisten = 1\nnothing = 2\n").unwrap();
    let told = patient.run("", "").await;
    assert_eq!((told.code, told.checks.len()), (2, 2), "{told:?}");
    patient.server.finish().await;
}

/// Certificate files of this life in days, and a configuration that names them.
fn tls(directory: &Path, days: i64) -> String {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut params = rcgen::CertificateParams::new(names).unwrap();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let day = |day: i64| {
        let seconds = i64::try_from(now).unwrap() + day * 86_400;
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(seconds).unwrap())
    };
    (params.not_before, params.not_after) = (day(-30), day(days));
    let key = rcgen::KeyPair::generate().unwrap();
    let cert = params.self_signed(&key).unwrap();
    std::fs::write(directory.join("cert.pem"), cert.pem()).unwrap();
    std::fs::write(directory.join("key.pem"), key.serialize_pem()).unwrap();
    let shown = directory.display();
    format!("tls_cert = \"{shown}/cert.pem\"\ntls_key = \"{shown}/key.pem\"")
}

#[tokio::test]
async fn a_gate_that_speaks_tls_is_looked_at_and_its_certificate_too() {
    let directory = tempfile::tempdir().unwrap();
    let section = tls(directory.path(), 90);
    let patient = Patient::with(Front::Gate, &section, str::to_owned).await;
    let url = format!("--url https://{}", patient.address);
    let told = patient.run(&format!("{url} --insecure"), "").await;
    told.assert_clean(&["not_checked certificate"]);
    told.check("tls_cert");
    // Nobody vouches for this certificate.
    let told = patient.run(&url, "").await;
    assert_eq!((told.code, told.findings()), (3, vec!["unreachable proxy".to_owned()]), "{told:?}");
    tls(directory.path(), 5);
    let told = patient.run("", "").await;
    assert_eq!((told.code, told.findings()), (1, vec!["warning tls_cert".to_owned()]), "{told:?}");
    tls(directory.path(), -5);
    patient.run("", "").await.assert_fault("tls_cert", "was good until", "renew");
    std::fs::write(directory.path().join("key.pem"), "nothing").unwrap();
    patient.run("", "").await.assert_fault("tls_cert", "no private key", "name a certificate");
    patient.server.finish().await;
}

#[tokio::test]
async fn the_examples_of_the_handbook_are_in_order() {
    for front in [Front::GateBehindNginx, Front::GateBehindCaddy] {
        let patient = Patient::healthy(front).await;
        patient.look("", "").await.assert_clean(&[]);
        patient.server.finish().await;
    }
    for front in [Front::Nginx, Front::Caddy, Front::Haproxy] {
        let patient = Patient::healthy(front).await;
        let unseen = ["not_checked identity", "not_checked websocket"];
        patient.look("", "").await.assert_clean(&unseen);
        let told = patient.look_inside().await;
        told.assert_clean(&[]);
        assert!(told.check("identity")["detail"].as_str().unwrap().contains("/public"));
        // With the token of somebody who may pass, the closed path is looked at, too.
        patient.server.add(&STAFF).await;
        let client = Client::new(patient.address);
        let given = serde_json::json!({
            "email": STAFF.email, "password": crate::harness::people::PASSWORD
        });
        let given = client.post("/api/security/mobile-auth").json(&given).send().await;
        let token = given.json()["data"]["token"].as_str().unwrap().to_owned();
        let stand_in = format!("--stand-in {} --token-stdin --path /admin", patient.application);
        let told = patient.look(&stand_in, &token).await;
        told.assert_clean(&[]);
        let says = |check: &Value| check["detail"].as_str().unwrap().contains("who calls /admin");
        assert!(told.checks.iter().any(says), "{told:#?}");
        patient.server.finish().await;
    }
}

/// The example of nginx, broken in one place: what is found, and what it says.
async fn broken(
    section: &str,
    change: impl Fn(&str) -> String,
    (id, detail, advice): (&str, &str, &str),
) {
    let patient = Patient::with(Front::Nginx, section, change).await;
    patient.look_inside().await.assert_fault(id, detail, advice);
    patient.server.finish().await;
}

/// Replaces what must be there.
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replace(from, to)
}

#[tokio::test]
async fn an_nginx_that_does_not_say_the_method_is_found() {
    let line = "proxy_set_header X-Original-Method $request_method;";
    let expected = ("target", "the header X-Original-Method is missing", "handbook");
    broken(TRUSTED, |text| replaced(text, line, ""), expected).await;
}

#[tokio::test]
async fn an_nginx_that_nobody_trusts_is_found() {
    let expected =
        ("trusted_proxies", "127.0.0.1 asks", "server.trusted_proxies = [\"127.0.0.1\"]");
    broken("", str::to_owned, expected).await;
}

#[tokio::test]
async fn an_nginx_that_lets_clients_say_who_they_are_is_found() {
    let line = "proxy_set_header X-Auth-User $auth_user;";
    let expected = ("identity", "reaches the application: x-auth-user", "remove these");
    broken(TRUSTED, |text| replaced(text, line, ""), expected).await;
}

#[tokio::test]
async fn an_nginx_that_rewrites_the_path_is_found() {
    let change = |text: &str| {
        let said = "X-Original-URL $scheme://$http_host$request_uri";
        replaced(text, said, "X-Original-URL $scheme://$http_host$uri$is_args$args")
    };
    let expected = ("trick.empty_segment", "DIFFERENT: //", "CVE-2025-71399");
    broken(TRUSTED, change, expected).await;
}

#[tokio::test]
async fn an_nginx_that_lets_everybody_ask_is_found() {
    let change = |text: &str| {
        let open = "location /forward-auth { proxy_pass http://portcullis; }\n    # The question.";
        replaced(text, "# The question.", open)
    };
    let expected = ("auth_endpoint", "anybody can ask /forward-auth/nginx", "404");
    broken(TRUSTED, change, expected).await;
}

#[tokio::test]
async fn an_nginx_that_loses_the_redirect_is_found() {
    let line = "if ($gate_sign_in) { return 302 $gate_sign_in; }";
    let expected = ("sign_in_redirect", "gets 401 and no way to sign in", "X-Auth-Sign-In");
    broken(TRUSTED, |text| replaced(text, line, ""), expected).await;
}

#[tokio::test]
async fn an_nginx_that_loses_cookies_is_found() {
    let change = |text: &str| {
        let line = "proxy_set_header X-Original-Method";
        replaced(text, line, &format!("proxy_set_header Cookie \"\";\n        {line}"))
    };
    broken(TRUSTED, change, ("cookies", "arrives 0 times", "hand on Cookie")).await;
}

#[tokio::test]
async fn an_nginx_that_leaves_our_paths_to_the_application_is_found() {
    let change = |text: &str| replaced(text, "^/(-/|logout$", "^/(logout$");
    broken(TRUSTED, change, ("sign_in_page", "/-/sign-in answers", "/-/")).await;
}

#[tokio::test]
async fn an_nginx_that_believes_every_address_is_found() {
    let change = |text: &str| {
        replaced(text, "X-Forwarded-For $remote_addr", "X-Forwarded-For $http_x_forwarded_for")
    };
    broken(TRUSTED, change, ("client_address", "choose an address", "X-Forwarded-For")).await;
}

#[tokio::test]
async fn an_nginx_that_rewrites_the_path_before_the_gate_is_found() {
    // With a path behind the address, nginx hands on what it made of the path.
    let change = |text: &str| {
        let after = ";\n        proxy_http_version";
        replaced(text, after, &format!("/{after}"))
    };
    let patient = Patient::with(Front::GateBehindNginx, TRUSTED, change).await;
    let told = patient.look("", "").await;
    assert_eq!(told.code, 1, "{told:?}");
    let check = told.check("trick.empty_segment");
    assert_eq!(check["status"], "warning", "{check}");
    assert!(check["detail"].as_str().unwrap().contains("the proxy rewrites it: //"), "{check}");
    patient.server.finish().await;
}

/// In front of the gate, too.
#[tokio::test]
async fn a_caddy_that_lets_everybody_ask_nobody_is_found() {
    let patient = Patient::with(Front::GateBehindCaddy, "", str::to_owned).await;
    let told = patient.look("", "").await;
    told.assert_fault("trusted_proxies", "shares its limits", "server.trusted_proxies");
    // Looked at as what it is not.
    let line = format!("--url http://{} --proxy caddy", patient.address);
    patient.run(&line, "").await.assert_fault("proxy", "leads to the gate itself", "--proxy");
    patient.server.finish().await;
}

#[tokio::test]
async fn only_a_genuine_ticket_shows_anything() {
    let server = TestApp::start(database::kinds()[0], &Setup::default()).await;
    let client = server.client();
    let now = server.app.clock.now();
    let keys = |byte| Keys::derive(&MasterSecret::from_random([byte; 32])).unwrap().probe;
    let (ours, foreign) = (keys(7), keys(8));
    let ticket =
        |number: u8, life| Ticket { id: ProbeId::from_random([number; 16]), until: now.plus(life) };
    let look = async |pass: &str| {
        let answer = client.get("/-/probe").header("x-portcullis-probe", pass).send().await;
        let seen = if answer.status == 200 { answer.json()["seen"].clone() } else { Value::Null };
        (answer.status.as_u16(), seen)
    };
    let send = async |mark: &str| {
        let get = client
            .get("/admin?q=1")
            .header("user-agent", mark)
            .header("cookie", "sessionid=s3cret");
        assert_eq!(get.send().await.status, 401);
    };
    let good = ticket(1, LIFE);
    send(&ours.mark(&good)).await;
    let (status, seen) = look(&ours.pass(&good)).await;
    assert_eq!((status, seen.as_array().unwrap().len()), (200, 1), "control");
    assert_eq!(seen[0]["judged"]["target"], "/admin?q=1");
    assert_eq!((&seen[0]["rule"], &seen[0]["cookies"][0]), (&"admin".into(), &"sessionid".into()));
    assert!(!seen.to_string().contains("s3cret"), "{seen}");

    // A forged mark leaves no trace, and a mark is no pass.
    send(&foreign.mark(&ticket(2, LIFE))).await;
    assert_eq!(look(&ours.pass(&ticket(2, LIFE))).await, (200, Value::Array(Vec::new())));
    assert_eq!(look(&foreign.pass(&good)).await.0, 404);
    assert_eq!(look(ours.mark(&good).trim_start_matches("portcullis-doctor/")).await.0, 404);
    assert_eq!(look("").await.0, 404);
    assert_eq!(client.get("/-/probe").send().await.verdict(), "404 not_found");

    // What is outdated shows nothing, and what was seen is forgotten.
    server.advance(LIFE + Duration::from_millis(1));
    assert_eq!(look(&ours.pass(&good)).await.0, 404);
    send(&ours.mark(&good)).await;
    let later = Ticket { id: good.id, until: server.app.clock.now().plus(LIFE) };
    let (_, seen) = look(&ours.pass(&later)).await;
    assert_eq!(seen.as_array().unwrap().len(), 1, "only the first");
    server.advance(LIFE);
    let later = Ticket { id: good.id, until: server.app.clock.now().plus(LIFE) };
    assert_eq!(look(&ours.pass(&later)).await, (200, Value::Array(Vec::new())));

    // Memory is bounded: the oldest goes.
    let until = server.app.clock.now().plus(LIFE);
    for number in 0..65 {
        send(&ours.mark(&Ticket { id: ProbeId::from_random([number; 16]), until })).await;
    }
    let count = async |number: u8| {
        let pass = ours.pass(&Ticket { id: ProbeId::from_random([number; 16]), until });
        look(&pass).await.1.as_array().unwrap().len()
    };
    assert_eq!((count(0).await, count(1).await, count(64).await), (0, 1, 1));
    server.finish().await;
}
