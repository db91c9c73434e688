//! A password beside a second factor may be shorter, and never stands alone: not where the factor is
//! switched off, not where it is reset, not where a link sets the password.

use std::time::Duration;

use http::Method;
use portcullis_domain::event::Context;
use portcullis_domain::role::Authority;
use portcullis_server::flows::roles::Acting;
use portcullis_server::flows::users::{self as flow, Change};
use serde_json::json;

use super::pages::press;
use super::{LATER, Owner, me};
use crate::harness::client::{Answer, Client};
use crate::harness::letters::{letters, letters_so_far};
use crate::harness::people::{PASSWORD, Person, TENANT, Z1};
use crate::harness::{Setup, TestApp, on_each_database, on_each_database_with};

/// Eight characters.
const SHORT: &str = "8 of any";
const SEVEN: &str = "7 of an";

/// Signs in as a browser's script, with a code if one is given.
async fn browser(server: &TestApp, person: &Person, password: &str, code: Option<&str>) -> Client {
    let client = server.client();
    let body = json!({"email": person.email, "password": password, "twoFactorCode": code});
    let answer = client.post("/api/auth/login").from_own_page().json(&body).send().await;
    assert_eq!(answer.status, 201, "{answer:?}");
    client
}

async fn change(client: &Client, old: &str, new: &str) -> Answer {
    let body = json!({"currentPassword": old, "newPassword": new});
    client.act(Method::POST, "/api/auth/change-password", &body).await
}

/// Somebody with a second factor and a short password, signed in.
async fn with_short(server: &TestApp) -> (Owner, Client) {
    let owner = Owner::new(server, &Z1).await;
    let client = browser(server, &Z1, PASSWORD, Some(&owner.code(server))).await;
    server.advance(LATER);
    assert_eq!(change(&client, PASSWORD, SHORT).await.status, 201);
    (owner, client)
}

#[tokio::test]
async fn it_may_be_shorter_beside_a_factor() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let alone = browser(server, &TENANT, PASSWORD, None).await;
        let refused = change(&alone, PASSWORD, SHORT).await;
        assert_eq!(refused.verdict(), "400 min_length");
        assert!(refused.text().contains("at least 15"), "{refused:?}");
        let page = alone.get("/-/account/password").send().await.text();
        assert!(page.contains("At least 15 characters"), "{page}");
        let fields = [("current_password", PASSWORD), ("password", SHORT)];
        let page = "/-/account/password";
        assert_eq!(press(&alone, page, page, &fields).await.status, 400);

        let owner = Owner::new(server, &Z1).await;
        let client = browser(server, &Z1, PASSWORD, Some(&owner.code(server))).await;
        let refused = change(&client, PASSWORD, SEVEN).await;
        assert!(refused.text().contains("at least 8"), "{refused:?}");
        let form = client.get(page).send().await.text();
        assert!(form.contains("At least 8 characters"), "{form}");
        assert_eq!(press(&client, page, page, &fields).await.status, 200);
        assert_eq!(change(&client, SHORT, PASSWORD).await.status, 201, "and longer again");
    })
    .await;
}

#[tokio::test]
async fn a_link_asks_for_as_much() {
    on_each_database(async |server| {
        Owner::new(server, &Z1).await;
        server.add(&TENANT).await;
        for (person, new, expected) in
            [(&TENANT, SHORT, 400), (&Z1, SEVEN, 400), (&Z1, SHORT, 200), (&TENANT, PASSWORD, 200)]
        {
            let before = letters_so_far(server, person.email).await.len();
            let ask = json!({"action": "request", "email": person.email});
            server.client().post("/api/password-reset").json(&ask).send().await;
            let token = letters(server, person.email, before + 1).await.pop().unwrap().token();
            let body = json!({"action": "reset", "token": token, "password": new});
            let answer = server.client().post("/api/password-reset").json(&body).send().await;
            assert_eq!(answer.status, expected, "{} {new}: {answer:?}", person.email);
            server.advance(Duration::from_mins(16));
        }
    })
    .await;
}

#[tokio::test]
async fn the_factor_stays_while_the_password_is_short() {
    on_each_database(async |server| {
        let (owner, client) = with_short(server).await;
        let off = async |body| client.act(Method::POST, "/api/two-factor/disable", &body).await;
        let refused = off(json!({"password": SHORT})).await;
        assert_eq!(refused.verdict(), "400 password_too_short");
        assert_eq!(
            off(json!({"code": owner.code(server)})).await.verdict(),
            "400 password_too_short"
        );
        let overview = "/-/account/second-factor";
        let fields = [("current_password", SHORT)];
        let page = press(&client, overview, "/-/account/second-factor/turn-off", &fields).await;
        assert!(page.text().contains("<code>password_too_short</code>"), "{}", page.text());
        // It is not told to whoever does not know it.
        assert_eq!(off(json!({"password": "another"})).await.verdict(), "401 wrong_password");
        assert_eq!(change(&client, SHORT, PASSWORD).await.status, 201);
        assert_eq!(off(json!({"password": PASSWORD})).await.status, 201, "control");
    })
    .await;
}

#[tokio::test]
async fn after_a_reset_of_the_factor_another_password_is_needed() {
    on_each_database(async |server| {
        let (_, client) = with_short(server).await;
        let user = server.add(&TENANT).await;
        let id = server.events("authn_factor_enabled", 1).await[0].context.subject.unwrap();
        assert_ne!(id, user.id);
        let (authority, context) = (Authority::operator(), Context::default());
        let acting = || Acting {
            db: &server.app.db,
            random: server.app.random,
            now: server.app.clock.now(),
            authority: &authority,
            context: &context,
        };
        let place = "http://127.0.0.1";
        assert_eq!(flow::reset_factor(&acting(), id, place).await.unwrap(), Change::Done);
        assert_eq!(me(&client).await, 401);
        let sign_in = async |password: &str| {
            let body = json!({"email": Z1.email, "password": password});
            server.client().post("/api/auth/login").json(&body).send().await.verdict()
        };
        assert_eq!(sign_in(SHORT).await, "401 wrong_credentials");
        // Forgiving wrong passwords does not open it.
        flow::unlock(&acting(), id).await.unwrap();
        assert_eq!(sign_in(SHORT).await, "401 wrong_credentials");
        let ask = json!({"action": "request", "email": Z1.email});
        let before = letters_so_far(server, Z1.email).await.len();
        server.client().post("/api/password-reset").json(&ask).send().await;
        let token = letters(server, Z1.email, before + 1).await.pop().unwrap().token();
        let body = json!({"action": "reset", "token": token, "password": PASSWORD});
        assert_eq!(
            server.client().post("/api/password-reset").json(&body).send().await.status,
            200
        );
        assert_eq!(sign_in(PASSWORD).await, "201", "control");
    })
    .await;
}

#[tokio::test]
async fn the_lengths_are_of_the_configuration() {
    let config = "[password]\nmin_length = 12\nmin_length_with_second_factor = 12";
    on_each_database_with(Setup::with(config), async |server| {
        let owner = Owner::new(server, &Z1).await;
        let client = browser(server, &Z1, PASSWORD, Some(&owner.code(server))).await;
        let refused = change(&client, PASSWORD, "eleven char").await;
        assert!(refused.text().contains("at least 12"), "{refused:?}");
        assert_eq!(change(&client, PASSWORD, "twelve chars").await.status, 201, "control");
    })
    .await;
}
