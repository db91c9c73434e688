//! `portcullis session terminate`, `user blacklist` and `unblacklist`, beside a running server and
//! alone: what they end, and how long they take.

#![expect(clippy::disallowed_methods, reason = "it measures by the machine's clock")]

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::beside::beside;
use super::on_each_place;
use crate::harness::people::{self, TENANT, Z1};
use crate::harness::{Setup, on_each_database, on_each_database_with};

/// The default of `session.revocation_bound`.
const BOUND: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_session_is_ended_by_its_name() {
    on_each_database_with(Setup::served(), async |server| {
        let ended = server.by_cookie(&Z1).await;
        let kept = server.sign_in(&Z1).await;
        let status = async |client: &crate::harness::client::Client| {
            client.get("/api/auth/me").send().await.status.as_u16()
        };
        assert_eq!((status(&ended).await, status(&kept).await), (200, 200), "control");
        let handle = server.handle_of(&ended).await;
        let line = format!("session terminate {handle} --json");
        let since = Instant::now();
        let told = beside(server, &line, "").await.assert(0).json();
        assert!(since.elapsed() >= BOUND, "a server runs: {:?}", since.elapsed());
        assert_eq!(told, json!({ "session_id": handle }));
        // At once, without a moment's patience.
        assert_eq!((status(&ended).await, status(&kept).await), (401, 200));
        let again = beside(server, &line, "").await;
        let told: Value = serde_json::from_str(&again.assert(1).err).unwrap();
        assert_eq!(told["code"], "session_unknown");
    })
    .await;
}

#[tokio::test]
async fn who_is_signed_in_is_listed() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let first = server.by_cookie(&Z1).await;
        server.advance(Duration::from_secs(1));
        let second = server.client();
        let body = json!({"email": TENANT.email, "password": people::PASSWORD});
        let login = second.post("/api/auth/login").header("user-agent", "a \u{9b}31m\tb");
        assert_eq!(login.json(&body).send().await.status, 201);
        let [first, second] = [&first, &second].map(|client| server.handle_of(client));
        let (first, second) = (first.await, second.await);

        let all = beside(server, "session list --json", "").await.assert(0).json();
        let names: Vec<_> = all.as_array().unwrap().iter().map(|row| &row["session_id"]).collect();
        assert_eq!(names, [&json!(second), &json!(first)], "{all}");
        assert_eq!((&all[1]["email"], &all[1]["kind"]), (&json!(Z1.email), &json!("username")));
        let line = format!("session list --user {} --json", Z1.email);
        let own = beside(server, &line, "").await.assert(0).json();
        assert_eq!((own.as_array().unwrap().len(), &own[0]["session_id"]), (1, &json!(first)));
        let cut = beside(server, "session list --limit 1", "").await;
        assert!(cut.assert(0).err.contains("The newest of 2"), "{cut:?}");
        assert!(cut.out.contains(&second) && !cut.out.contains(&first), "{cut:?}");
        let table = beside(server, "session list", "").await;
        let table = &table.assert(0).out;
        assert!(table.contains(&first) && table.contains(&second), "{table}");
        assert!(table.chars().all(|c| c == '\n' || !c.is_control()), "{table:?}");

        beside(server, &format!("session terminate {first}"), "").await.assert(0);
        let own = beside(server, &line, "").await.assert(0).json();
        assert_eq!(own, json!([]));
        let unknown = beside(server, "session list --user nobody@example.com --json", "").await;
        let told: Value = serde_json::from_str(&unknown.assert(1).err).unwrap();
        assert_eq!(told["code"], "user_unknown");
    })
    .await;
}

#[tokio::test]
async fn who_is_kept_out_is_out_until_he_is_let_in() {
    on_each_database(async |server| {
        let cookie = server.by_cookie(&Z1).await;
        let email = Z1.email;
        let line = format!("user blacklist {email} --reason Left --json");
        let told = beside(server, &line, "").await.assert(0).json();
        assert_eq!((&told["changed"], &told["sessions"]), (&json!(true), &json!(1)), "{told}");
        server.advance(BOUND);
        assert_eq!(cookie.get("/api/auth/me").send().await.status, 401);
        let refused = people::sign_in(&server.client(), "Fredkiss3", people::PASSWORD).await;
        assert_eq!(refused.verdict(), "403 account_blacklisted");
        let again = beside(server, &format!("user blacklist {email} --reason Gone"), "").await;
        assert!(again.assert(0).out.contains("already"), "{again:?}");

        let line = format!("user unblacklist {email} --json");
        assert_eq!(beside(server, &line, "").await.assert(0).json()["changed"], true);
        assert_eq!(beside(server, &line, "").await.assert(0).json()["changed"], false);
        server.sign_in(&Z1).await;
        server.advance(BOUND);
        assert_eq!(cookie.get("/api/auth/me").send().await.status, 401, "the old session");
    })
    .await;
}

#[tokio::test]
async fn where_no_server_runs_nobody_is_waited_for() {
    on_each_place(async |place| {
        place.make_user("ada@example.com", "");
        let since = Instant::now();
        place.run("user blacklist ada@example.com --reason x").assert(0);
        assert!(since.elapsed() < BOUND, "{:?}", since.elapsed());
        for unknown in
            ["user blacklist eve@example.com --reason x", "user unblacklist eve@example.com"]
        {
            let ran = place.run(&format!("{unknown} --json"));
            let told: Value = serde_json::from_str(&ran.assert(1).err).unwrap();
            assert_eq!(told["code"], "user_unknown", "{unknown}");
        }
        let events = place.events().await;
        let told = r#"{"reason":"x","sessions":0}"#;
        assert!(events.iter().any(|event| event.ends_with(told)), "{events:?}");
    })
    .await;
}
