//! Starting and stopping: what is ready when, and that nobody is cut off.

use std::path::Path;
use std::time::Duration;

use portcullis_integrity::Digest;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::people::Z1;
use crate::harness::{PROGRAM, Setup, on_each_database, on_each_database_with, spawn};

#[tokio::test]
async fn alive_and_ready() {
    on_each_database(async |server| {
        let client = server.client();
        assert_eq!(client.get("/healthz").send().await.json()["status"], "ok");
        assert_eq!(client.get("/readyz").send().await.json()["status"], "ready");
        // Whoever asks by address, as load balancers do, is answered here and nowhere else.
        let by_address = client.get("/healthz").header("host", "10.0.0.7").send().await;
        assert_eq!(by_address.status, 200);
        let other = client.get("/-/sign-in").header("host", "10.0.0.7").send().await;
        assert_eq!(other.verdict(), "421 unknown_host");
        server.app.stopping.cancel();
        assert_eq!(client.get("/readyz").send().await.verdict(), "503 stopping");
        assert_eq!(client.get("/healthz").send().await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_start_names_the_program_by_what_is_in_its_file() {
    on_each_database(async |server| {
        let started = server.events("sys_startup", 1).await.remove(0);
        let digest = Digest::of_file(Path::new(PROGRAM)).unwrap().to_string();
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(started.detail, json!({"version": version, "binary_sha256": digest}));
    })
    .await;
}

#[tokio::test]
async fn a_database_that_is_down_is_not_ready_and_lets_nobody_in() {
    on_each_database(async |server| {
        let client = server.by_cookie(&Z1).await;
        assert_eq!(client.get("/api/auth/me").send().await.status, 200);
        server.app.db.close().await;
        assert_eq!(client.get("/readyz").send().await.verdict(), "503 store_unavailable");
        assert_eq!(client.get("/healthz").send().await.status, 200);
        // What was read within the bound may still be used; after it, 503 and never 200.
        server.advance(server.app.config.session.revocation_bound);
        let answer = client.get("/api/auth/me").send().await;
        assert_eq!(answer.verdict(), "503 store_unavailable");
        assert_eq!(answer.header("retry-after"), Some("2"));
    })
    .await;
}

#[tokio::test]
async fn requests_in_flight_finish_when_the_server_stops() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = listener.local_addr().unwrap();
    let (arrived, has_arrived) = tokio::sync::oneshot::channel();
    let (finish, may_finish) = tokio::sync::oneshot::channel::<()>();
    spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut head = [0; 4096];
        assert!(socket.read(&mut head).await.unwrap() > 0);
        arrived.send(()).unwrap();
        may_finish.await.unwrap();
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone";
        socket.write_all(answer).await.unwrap();
    });
    let config = format!("[gate]\nupstream = \"http://{upstream}\"");
    let server = crate::harness::TestApp::start(
        crate::harness::database::Kind::Sqlite,
        &Setup::with(&config),
    )
    .await;
    let client = server.client();
    let request = client.get("/public/slow").send();
    let stop = async {
        has_arrived.await.unwrap();
        server.ask_to_stop();
        // New connections are turned away while the old request is still being answered.
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(TcpStream::connect(server.address).await.is_err());
        finish.send(()).unwrap();
    };
    let (answer, ()) = tokio::join!(request, stop);
    assert_eq!(answer.text(), "done");
}

#[tokio::test]
async fn families_can_be_switched_off() {
    let setup = Setup::with("[gate]\nfamilies = [\"p\"]");
    on_each_database_with(setup, async |server| {
        let client = server.by_bearer(&Z1).await;
        assert_eq!(client.get("/api/security/csrf-token").send().await.status, 200);
        // The path of a family that is off belongs to the application.
        assert_eq!(client.get("/api/csrf").send().await.json()["upstream"], true);
        assert_eq!(server.upstream.last().target, "/api/csrf");
    })
    .await;
    let setup = Setup::with("[gate]\nfamilies = []\ndefault = \"deny\"");
    on_each_database_with(setup, async |server| {
        let login = server.client().post("/api/auth/login").send().await;
        assert_eq!(login.verdict(), "401 credential_missing", "the gate's, not ours: {login:?}");
        assert_eq!(server.client().get("/-/sign-in").send().await.status, 200);
    })
    .await;
}
