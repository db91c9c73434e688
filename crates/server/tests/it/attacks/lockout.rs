//! The lock-out: ten wrong passwords in a row from one network lock that network out for fifteen
//! minutes; devices that signed in before stay allowed; a hundred in a row from anywhere switch
//! the password off until an administrator helps. And whose network counts.

use std::time::Duration;

use portcullis_store::users;
use serde_json::json;

use crate::harness::client::{Answer, Client};
use crate::harness::people::{PASSWORD, STAFF, TENANT};
use crate::harness::{Setup, TestApp, on_each_database, on_each_database_with};

const BEHIND_A_PROXY: &str = "[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\n";

fn with_lockout() -> Setup {
    Setup::with(&format!("{BEHIND_A_PROXY}[limits]\nlockout = \"10/15m\""))
}

/// One attempt from an address, as the proxy tells it.
async fn attempt(client: &Client, from: &str, name: &str, password: &str) -> Answer {
    let body = json!({"username": name, "password": password});
    client.post("/api/auth/login").header("x-forwarded-for", from).json(&body).send().await
}

async fn wrong(server: &TestApp, from: &str, name: &str) -> String {
    attempt(&server.client(), from, name, "wrong wrong wrong wrong").await.verdict()
}

async fn right(server: &TestApp, from: &str) -> Answer {
    attempt(&server.client(), from, "staff", PASSWORD).await
}

#[tokio::test]
async fn ten_wrong_in_a_row_lock_the_network_out() {
    on_each_database_with(with_lockout(), async |server| {
        server.add(&STAFF).await;
        server.add(&TENANT).await;
        let browser = server.client();
        assert_eq!(attempt(&browser, "203.0.113.7", "staff", PASSWORD).await.status, 201);
        for _ in 0..9 {
            assert_eq!(wrong(server, "203.0.113.7", "staff").await, "401 wrong_credentials");
        }
        assert_eq!(right(server, "203.0.113.7").await.status, 201, "control: nine are forgiven");
        for number in 0..10 {
            // Either name of the account, in any spelling, is the account.
            let name = ["staff", "STAFF", "staff@example.com", " staff "][number % 4];
            assert_eq!(wrong(server, "203.0.113.7", name).await, "401 wrong_credentials");
        }
        let locked = right(server, "203.0.113.7").await;
        assert_eq!(locked.verdict(), "429 locked_out");
        assert_eq!(locked.header("retry-after"), Some("900"));
        assert_eq!(server.events("authn_login_lock", 1).await.len(), 1);
        // Another network, another account, and a device that signed in before, are not.
        assert_eq!(right(server, "203.0.113.8").await.status, 201, "another network");
        let other = attempt(&server.client(), "203.0.113.7", "tenant", PASSWORD).await;
        assert_eq!(other.status, 201, "another account");
        let known = attempt(&browser, "203.0.113.7", "staff", PASSWORD).await;
        assert_eq!(known.status, 201, "a known device");
        // A success elsewhere does not open the lock, nor do attempts prolong it.
        server.advance(Duration::from_secs(899));
        assert_eq!(right(server, "203.0.113.7").await.verdict(), "429 locked_out");
        server.advance(Duration::from_secs(1));
        assert_eq!(right(server, "203.0.113.7").await.status, 201);
    })
    .await;
}

/// Nothing is left, until the time that `Retry-After` names; whatever the limit on sign-in would still
/// allow.
#[tokio::test]
async fn the_headers_of_a_lock_out_are_its_own() {
    let setup = Setup::with("[limits]\nlogin = \"50/60s\"\nlockout = \"3/15m\"");
    on_each_database_with(setup, async |server| {
        let signed_in = server.by_cookie(&STAFF).await;
        for number in 0..3 {
            let body = json!({"username": "staff", "password": "wrong wrong wrong"});
            let answer = server.client().post("/api/auth/login").json(&body).send().await;
            let left = (49 - number - 1).to_string();
            assert_eq!(answer.header("x-ratelimit-remaining"), Some(left.as_str()), "control");
        }
        server.advance(Duration::from_millis(1700));
        let body = json!({"username": "staff", "password": PASSWORD});
        let client = server.client();
        let by_script = client.post("/api/auth/login").json(&body).send().await;
        assert_eq!(by_script.verdict(), "429 locked_out");
        let body = json!({"email": STAFF.email, "password": PASSWORD});
        let by_phone = client.post("/api/security/mobile-auth").json(&body).send().await;
        let page = client.get("/-/sign-in").header("accept", "text/html").send().await.text();
        let (_, rest) = page.split_once("name=\"csrf_token\" value=\"").unwrap();
        let token = rest.split_once('"').unwrap().0;
        let form = [("csrf_token", token), ("username", "staff"), ("password", PASSWORD)];
        let form = client.post("/-/sign-in").header("sec-fetch-site", "same-origin").form(&form);
        let by_page = form.send().await;
        let now = server.app.clock.now().secs();
        for answer in [by_script, by_phone, by_page] {
            assert_eq!(answer.status, 429, "{answer:?}");
            assert_eq!(answer.header("retry-after"), Some("899"), "{answer:?}");
            let told = ["limit", "remaining", "reset"].map(|name| {
                answer.header(&format!("x-ratelimit-{name}")).unwrap().parse::<i64>().unwrap()
            });
            assert_eq!(told, [3, 0, now + 899], "{answer:?}");
        }
        // The device that signed in before has guesses of its own, at the current password as well.
        let new = "an entirely different phrase";
        let change = async |current: &str| {
            let body = json!({
                "current_password": current, "new_password": new, "confirm_password": new
            });
            signed_in.act(http::Method::POST, "/api/auth/change-password", &body).await
        };
        for _ in 0..3 {
            assert_eq!(change("wrong wrong wrong").await.status, 400);
        }
        let locked = change(PASSWORD).await;
        assert_eq!(locked.verdict(), "429 locked_out");
        assert_eq!(locked.header("x-ratelimit-remaining"), Some("0"));
        assert_eq!(locked.header("retry-after"), Some("900"));
    })
    .await;
}

#[tokio::test]
async fn a_device_cookie_is_no_key_for_somebody_else() {
    on_each_database_with(with_lockout(), async |server| {
        server.add(&STAFF).await;
        server.add(&TENANT).await;
        let thief = server.client();
        assert_eq!(attempt(&thief, "203.0.113.7", "tenant", PASSWORD).await.status, 201);
        let device = thief.cookie("portcullis_device").unwrap();
        let forged = device.replace(|digit: char| digit.is_ascii_digit(), "0");
        for number in 0..12 {
            let client = server.client();
            let cookie = [device.clone(), forged.clone(), format!("x{number}")][number % 3].clone();
            client.set_cookie("portcullis_device", &cookie);
            let answer = attempt(&client, "203.0.113.7", "staff", "wrong wrong wrong").await;
            let expected = if number < 10 { "401 wrong_credentials" } else { "429 locked_out" };
            assert_eq!(answer.verdict(), expected, "{number}");
        }
        // A device that guesses is locked out by itself.
        let owner = server.client();
        assert_eq!(attempt(&owner, "203.0.113.8", "staff", PASSWORD).await.status, 201);
        for _ in 0..10 {
            let answer = attempt(&owner, "203.0.113.8", "staff", "wrong wrong wrong").await;
            assert_eq!(answer.verdict(), "401 wrong_credentials");
        }
        let locked = attempt(&owner, "203.0.113.9", "staff", PASSWORD).await;
        assert_eq!(locked.verdict(), "429 locked_out", "wherever it goes");
        assert_eq!(right(server, "203.0.113.8").await.status, 201, "control: its network is not");
    })
    .await;
}

#[tokio::test]
async fn a_hundred_wrong_in_a_row_switch_the_password_off() {
    on_each_database_with(with_lockout(), async |server| {
        let user = server.add(&STAFF).await;
        let browser = server.client();
        assert_eq!(attempt(&browser, "198.51.100.1", "staff", PASSWORD).await.status, 201);
        for number in 0..99 {
            let from = format!("203.0.113.{}", number / 10);
            assert_eq!(wrong(server, &from, "staff").await, "401 wrong_credentials");
        }
        assert_eq!(right(server, "198.51.100.2").await.status, 201, "control: 99 are forgiven");
        for number in 0..100 {
            let from = format!("2001:db8:0:{}::1", number / 10);
            assert_eq!(wrong(server, &from, "staff").await, "401 wrong_credentials");
        }
        assert_eq!(server.events("authn_password_disabled", 1).await.len(), 1);
        // The answer does not tell; nor does a known device help.
        assert_eq!(right(server, "198.51.100.3").await.verdict(), "401 wrong_credentials");
        let known = attempt(&browser, "198.51.100.1", "staff", PASSWORD).await;
        assert_eq!(known.verdict(), "401 wrong_credentials");
        assert_eq!(browser.get("/api/auth/me").send().await.status, 200, "sessions live on");
        server.advance(Duration::from_hours(24));
        assert_eq!(right(server, "198.51.100.4").await.verdict(), "401 wrong_credentials");
        let mut tx = server.app.db.write().await.unwrap();
        assert!(users::unlock(&mut tx, user.id).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(right(server, "198.51.100.5").await.status, 201, "after `unlock`");
    })
    .await;
}

#[tokio::test]
async fn a_name_that_is_nobodys_is_locked_out_alike() {
    on_each_database_with(with_lockout(), async |server| {
        for _ in 0..10 {
            assert_eq!(wrong(server, "203.0.113.7", "nobody").await, "401 wrong_credentials");
        }
        assert_eq!(wrong(server, "203.0.113.7", "Nobody ").await, "429 locked_out");
        assert_eq!(wrong(server, "203.0.113.8", "nobody").await, "401 wrong_credentials");
    })
    .await;
}

#[tokio::test]
async fn whose_address_counts() {
    let limits = "[limits]\nlogin = \"3/60s\"\nrequests = \"40/60s\"\n";
    let attempts = async |server: &TestApp, address: fn(usize) -> String| {
        let mut verdicts = Vec::new();
        for number in 0..5 {
            verdicts.push(wrong(server, &address(number), "staff").await);
        }
        verdicts.iter().filter(|verdict| verdict.starts_with("401")).count()
    };
    let varied: fn(usize) -> String = |number| format!("203.0.113.{number}");
    // Nobody is trusted: the header of the client changes nothing.
    on_each_database_with(Setup::with(limits), async |server| {
        assert_eq!(attempts(server, varied).await, 3);
        let client = server.client();
        let mut admitted = 5;
        for number in 0..60 {
            let get = client.get("/api/csrf");
            let get = get.header("x-forwarded-for", &format!("198.51.100.{number}"));
            let get = get.header("forwarded", &format!("for=198.51.100.{number}"));
            let get = get.header("x-real-ip", &format!("198.51.100.{number}"));
            admitted += usize::from(get.send().await.status == 200);
        }
        assert_eq!(admitted, 40, "the limit of requests counts the peer");
    })
    .await;
    // A trusted proxy: each client has a counter; what stands left of it is the client's fancy.
    let trusting = Setup::with(&format!("{BEHIND_A_PROXY}{limits}"));
    on_each_database_with(trusting, async |server| {
        assert_eq!(attempts(server, varied).await, 5, "control");
        assert_eq!(attempts(server, |n| format!("192.0.2.{n}, 198.51.100.7")).await, 3);
        assert_eq!(attempts(server, |n| format!("2001:db8::{n}")).await, 3, "one /64");
    })
    .await;
}

#[tokio::test]
async fn nothing_is_locked_where_nobody_guesses() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        for _ in 0..12 {
            assert_eq!(wrong(server, "203.0.113.7", "staff").await, "401 wrong_credentials");
        }
        assert_eq!(right(server, "203.0.113.7").await.status, 201, "both limits are off here");
    })
    .await;
}
