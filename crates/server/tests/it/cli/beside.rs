//! Commands beside a running server: what they change is what its next requests see, at the
//! latest after the revocation bound.

use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

use serde_json::json;

use super::{PASSWORD, Ran, run};
use crate::harness::people::{self, Person, Z1};
use crate::harness::{TestApp, on_each_database};

/// The default of `session.revocation_bound`, and a little.
const BOUND: Duration = Duration::from_millis(2100);

/// Runs a command on the database of a server, which goes on serving meanwhile. Its secret is
/// written down first, as it is where a server made its own.
pub(crate) async fn beside(server: &TestApp, line: &str, input: &str) -> Ran {
    let secret = server.data_dir.join("secret");
    let written =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&secret);
    if let Ok(mut file) = written {
        std::io::Write::write_all(&mut file, "07".repeat(32).as_bytes()).unwrap();
    }
    let config = server.data_dir.join("portcullis.toml");
    let (line, input) = (line.to_owned(), input.to_owned());
    tokio::task::spawn_blocking(move || run(&config, &line, input.as_bytes())).await.unwrap()
}

async fn status(server: &TestApp, client: &crate::harness::client::Client) -> u16 {
    server.advance(BOUND);
    client.get("/api/auth/me").send().await.status.as_u16()
}

#[tokio::test]
async fn a_user_who_was_just_made_signs_in() {
    on_each_database(async |server| {
        let line =
            "user create --email ada@example.com --username ada --role owner --password-stdin";
        beside(server, line, PASSWORD).await.assert(0);
        let client = server.client();
        let wrong = people::sign_in(&client, "ada", "not the right one").await;
        assert_eq!(wrong.status, 401, "{wrong:?}");
        let answer = people::sign_in(&client, "ada", PASSWORD).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(status(server, &client).await, 200);
    })
    .await;
}

#[tokio::test]
async fn what_is_signed_in_ends_with_the_account() {
    const OTHER: Person =
        Person { email: "eve@example.com", username: Some("eve"), role: "user", ..Z1 };
    on_each_database(async |server| {
        let cookie = server.by_cookie(&Z1).await;
        let bearer = server.mobile(&Z1).await;
        let other = server.by_cookie(&OTHER).await;
        for client in [&cookie, &bearer, &other] {
            assert_eq!(status(server, client).await, 200);
        }
        beside(server, &format!("user disable {}", Z1.email), "").await.assert(0);
        assert_eq!(status(server, &cookie).await, 401);
        assert_eq!(status(server, &bearer).await, 401);
        assert_eq!(status(server, &other).await, 200);
        let refused = people::sign_in(&server.client(), "Fredkiss3", people::PASSWORD).await;
        assert_ne!(refused.status, 201, "{refused:?}");

        beside(server, &format!("user enable {}", Z1.email), "").await.assert(0);
        assert_eq!(status(server, &cookie).await, 401);
        let again = server.sign_in(&Z1).await;
        assert_eq!(status(server, &again).await, 200);
    })
    .await;
}

#[tokio::test]
async fn a_new_password_ends_what_the_old_one_opened() {
    on_each_database(async |server| {
        let cookie = server.by_cookie(&Z1).await;
        assert_eq!(status(server, &cookie).await, 200);
        let line = format!("user set-password {} --password-stdin", Z1.email);
        beside(server, &line, PASSWORD).await.assert(0);
        assert_eq!(status(server, &cookie).await, 401);
        let client = server.client();
        let old = people::sign_in(&client, "Fredkiss3", people::PASSWORD).await;
        assert_eq!(old.status, 401, "{old:?}");
        let new = people::sign_in(&client, "Fredkiss3", PASSWORD).await;
        assert_eq!(new.status, 201, "{new:?}");
    })
    .await;
}

#[tokio::test]
async fn a_permission_counts_from_the_next_request() {
    on_each_database(async |server| {
        let line = "role create --name office --level 20 --permission api.jobs.*";
        beside(server, line, "").await.assert(0);
        let line =
            "user create --email ada@example.com --username ada --role office --password-stdin";
        beside(server, line, PASSWORD).await.assert(0);
        let client = server.client();
        let signed_in = people::sign_in(&client, "ada", PASSWORD).await;
        assert_eq!(signed_in.status, 201, "{signed_in:?}");
        let leads = async || {
            server.advance(BOUND);
            client.get("/api/leads").send().await.status.as_u16()
        };
        assert_eq!(leads().await, 403);
        beside(server, "role grant office api.leads.list", "").await.assert(0);
        assert_eq!(leads().await, 200);
        beside(server, "role revoke office api.leads.list", "").await.assert(0);
        assert_eq!(leads().await, 403);
        let told = client.get("/api/users/permissions").send().await.json();
        assert!(!told.to_string().contains("api.leads"), "{told}");
        assert_ne!(told, json!(null));
    })
    .await;
}
