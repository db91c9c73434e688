//! A66: the second factor stands in every way in. Links of the mail are in `magic_link/factor`.

use portcullis_domain::text::Email;
use portcullis_domain::time::Time;
use portcullis_domain::totp::Step;
use portcullis_store::factors::{self, NewFactor};
use portcullis_store::users;
use serde_json::{Value, json};

use super::{LATER, Owner, assert_gives_nothing, give, login, me, sign_in, ticket};
use crate::harness::client::{Answer, Client};
use crate::harness::letters::letters;
use crate::harness::people::{PASSWORD, STAFF, Z1};
use crate::harness::{TestApp, on_each_database};

const MOBILE: &str = "/api/security/mobile-auth";

/// Every form of API: nothing without it, all with it at once, all with it afterwards.
#[tokio::test]
async fn a66_every_form_of_sign_in_asks() {
    on_each_database(async |server| {
        let owner = Owner::new(server, &Z1).await;
        let username = || json!({"username": Z1.username});
        let email = || json!({"email": Z1.email});
        let mobile = || json!({"email": Z1.email, "platform": "ios", "device_type": "iPhone"});
        let check =
            async |path: &str, name: &dyn Fn() -> Value, expected: u16, credential: &str| {
                ticket(&sign_in(&server.client(), path, name(), None).await);
                let wrong = owner.wrong(server);
                let wrong = sign_in(&server.client(), path, name(), Some(&wrong)).await;
                assert_eq!(wrong.verdict(), "401 second_factor_wrong", "{path}");
                assert_gives_nothing(&wrong);
                let code = owner.code(server);
                let at_once = sign_in(&server.client(), path, name(), Some(&code)).await;
                assert_eq!(at_once.status.as_u16(), expected, "{path}: {at_once:?}");
                server.advance(LATER);

                let client = server.client();
                let ticket = ticket(&sign_in(&client, path, name(), None).await);
                let wrong = give(&client, &ticket, &owner.wrong(server)).await;
                assert_eq!(wrong.verdict(), "401 second_factor_wrong", "{path}");
                assert_gives_nothing(&wrong);
                let finished = give(&client, &ticket, &owner.code(server)).await;
                assert_eq!(finished.status.as_u16(), expected, "{path}: {finished:?}");
                let (now, then) = (finished.json(), at_once.json());
                let credential = now.pointer(credential).and_then(Value::as_str);
                let bearer = server.client().bearer(credential.unwrap());
                assert_eq!(me(&bearer).await, 200, "{path}");
                let keys =
                    |body: &Value| body.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
                assert_eq!(keys(&now), keys(&then), "it answers as the sign-in would have");
                server.advance(LATER);
            };
        check("/api/auth/login", &username, 201, "/accessToken").await;
        check("/api/auth/login", &email, 201, "/token").await;
        check(MOBILE, &mobile, 200, "/data/token").await;
    })
    .await;
}

/// The seed's exchange of a bearer for a session token: a bearer that passed, and one that died.
#[tokio::test]
async fn a66_a_mobile_token_is_exchanged_only_if_it_began_with_the_factor() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let name = || json!({"email": Z1.email});
        let early = sign_in(&server.client(), MOBILE, name(), None).await.json();
        let early = early["data"]["token"].as_str().unwrap().to_owned();
        let exchange = async |token: &str| {
            let body = json!({"action": "validate_token", "token": token});
            server.client().bearer(token).post(MOBILE).json(&body).send().await
        };
        let control = exchange(&early).await;
        assert_eq!(control.status, 200, "{control:?}");
        let child = control.json()["session_token"].as_str().unwrap().to_owned();
        let owner = enrolled(server).await;
        assert_eq!(exchange(&early).await.status, 401);
        assert_eq!(me(&server.client().bearer(&child)).await, 401);
        let late = sign_in(&server.client(), MOBILE, name(), Some(&owner.code(server))).await;
        let late = late.json()["data"]["token"].as_str().unwrap().to_owned();
        assert_eq!(exchange(&late).await.status, 200, "control");
    })
    .await;
}

/// A browser that stays signed in: one that began with the factor comes back, one before does not.
#[tokio::test]
async fn a66_a_remembered_browser_comes_back_only_if_it_began_with_the_factor() {
    on_each_database(async |server| {
        let owner = Owner::new(server, &Z1).await;
        let client = server.client();
        let body = json!({"email": Z1.email, "password": PASSWORD, "remember": true});
        let asked = client.post("/api/auth/login").from_own_page().json(&body).send().await;
        let finished = give(&client, &ticket(&asked), &owner.code(server)).await;
        assert_eq!(finished.status, 201, "{finished:?}");
        let back = server.client();
        back.set_cookie("remember", &client.cookie("remember").unwrap());
        assert_eq!(me(&back).await, 200, "control");

        let now = server.app.clock.now().plus(LATER);
        begun_again_at(server, now).await;
        let late = server.client();
        late.set_cookie("remember", &back.cookie("remember").unwrap());
        assert_eq!(me(&late).await, 401, "it began before the factor that there is");
    })
    .await;
}

/// A new password, whoever set it, signs nobody in past the factor, and takes none away.
#[tokio::test]
async fn a66_a_new_password_leaves_the_factor_as_it_is() {
    on_each_database(async |server| {
        let owner = Owner::new(server, &Z1).await;
        let client = server.client();
        let post = async |path: &str, body| client.post(path).json(&body).send().await;
        let asked = post("/api/auth/forgot-password", json!({"email": Z1.email})).await;
        assert!(asked.status.is_success(), "{asked:?}");
        let mails = letters(server, Z1.email, 2).await;
        let code = mails.iter().rev().find_map(|letter| letter.code.clone()).unwrap();
        let body = json!({"email": Z1.email, "code": code});
        let token = post("/api/auth/verify-reset-code", body).await.json()["token"].clone();
        let new = "a password that is quite new";
        let body = json!({"token": token, "newPassword": new});
        let answer = post("/api/auth/reset-password", body).await;
        assert!(answer.status.is_success(), "{answer:?}");
        assert_eq!(me(&client).await, 401, "a reset signs nobody in");
        let body = json!({"email": Z1.email, "password": new});
        let asked = client.post("/api/auth/login").json(&body).send().await;
        let finished = give(&client, &ticket(&asked), &owner.code(server)).await;
        assert_eq!(finished.status, 201, "control: {finished:?}");
    })
    .await;
}

/// The page: a second form, which works without scripts.
#[tokio::test]
async fn a66_the_page_asks_in_a_second_form() {
    on_each_database(async |server| {
        let owner = Owner::new(server, &Z1).await;
        let client = server.client();
        let asked = submit(&client, "/-/sign-in", &form_of(&client).await).await;
        assert_eq!(asked.status, 401, "{asked:?}");
        assert!(asked.set_cookie("sessionid").is_none(), "{asked:?}");
        let page = asked.text();
        let ticket = value_of(&page, "ticket");
        let fields = |code: &str| {
            let token = value_of(&page, "csrf_token");
            vec![
                ("csrf_token".to_owned(), token),
                ("ticket".to_owned(), ticket.clone()),
                ("next".to_owned(), "/".to_owned()),
                ("code".to_owned(), code.to_owned()),
            ]
        };
        let wrong = submit(&client, "/-/second-factor", &fields(&owner.wrong(server))).await;
        assert_eq!(wrong.status, 401, "{wrong:?}");
        assert!(wrong.text().contains("not right"), "{}", wrong.text());
        assert_eq!(me(&client).await, 401);
        let done = submit(&client, "/-/second-factor", &fields(&owner.code(server))).await;
        assert_eq!(done.status, 303, "{done:?}");
        assert_eq!(me(&client).await, 200);
    })
    .await;
}

/// Puts the factor in place as if it had been switched on at a moment, by something that forgot to end
/// what was signed in.
async fn begun_again_at(server: &TestApp, now: Time) {
    let mut tx = server.app.db.write().await.unwrap();
    let email = Email::parse(Z1.email).unwrap();
    let user = users::by_email(&mut tx, &email).await.unwrap().unwrap();
    let factor = factors::active(&mut tx, user.id).await.unwrap().unwrap();
    assert!(factors::remove(&mut tx, user.id).await.unwrap());
    let new = NewFactor {
        begun_by: "somebody",
        id: &factor.id,
        user: user.id,
        secret: &factor.secret,
        backup_codes: &[],
        expires_at: now.plus(LATER),
    };
    assert!(factors::begin(&mut tx, &new, now).await.unwrap());
    assert!(factors::enable(&mut tx, &factor.id, Step(0), now).await.unwrap());
    tx.commit().await.unwrap();
}

/// The factor of somebody who has an account already.
async fn enrolled(server: &TestApp) -> Owner {
    let token = login(&server.client(), &Z1, None).await.json()["accessToken"].clone();
    let program = server.client().bearer(token.as_str().unwrap());
    let begun = program.post("/api/two-factor/setup").send().await.json();
    let secret = begun["secret"].as_str().unwrap().to_owned();
    let owner = Owner { secret, backup_codes: Vec::new(), program };
    let verify = owner.program.post("/api/two-factor/verify-setup");
    let done = verify.json(&json!({"code": owner.code(server)})).send().await;
    assert_eq!(done.status, 201, "{done:?}");
    server.advance(LATER);
    owner
}

async fn form_of(client: &Client) -> Vec<(String, String)> {
    let page = client.get("/-/sign-in").send().await.text();
    vec![
        ("csrf_token".to_owned(), value_of(&page, "csrf_token")),
        ("username".to_owned(), Z1.email.to_owned()),
        ("password".to_owned(), PASSWORD.to_owned()),
        ("next".to_owned(), "/".to_owned()),
    ]
}

async fn submit(client: &Client, path: &str, fields: &[(String, String)]) -> Answer {
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let sending = client.post(path).header("sec-fetch-site", "same-origin");
    sending.header("sec-fetch-mode", "navigate").form(&fields).send().await
}

/// The value of a hidden field.
fn value_of(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

/// Lists of sessions say which began with the factor, and reports count what failed by it.
#[tokio::test]
async fn lists_and_reports_tell_of_it() {
    on_each_database(async |server| {
        let owner = Owner::new(server, &Z1).await;
        let client = server.client();
        let body = json!({
            "email": Z1.email, "password": PASSWORD, "twoFactorCode": owner.code(server),
        });
        client.post("/api/auth/login").from_own_page().json(&body).send().await;
        let told = |list: &Value, email: &str| -> Vec<bool> {
            let list = list.as_array().unwrap_or_else(|| panic!("{list}"));
            let of = list.iter().filter(|one| one["email"] == email);
            of.map(|one| one["second_factor"].as_bool().unwrap()).collect()
        };
        let own = client.get("/api/account/sessions").send().await.json();
        // The one that set it up, and the one that gave it.
        assert_eq!(told(&own, Z1.email), [true, true], "{own}");
        let page = client.get("/-/account").send().await.text();
        assert!(page.contains("; with second factor"), "{page}");
        let staff = server.by_cookie(&STAFF).await;
        let all = staff.get("/api/security/sessions?action=list").send().await.json();
        assert_eq!(told(&all["data"], Z1.email), [true, true], "{all}");
        assert_eq!(told(&all["data"], STAFF.email), [false], "control: {all}");
        let page = staff.get("/-/admin/sessions").send().await.text();
        assert_eq!(page.matches(", second factor</span>").count(), 2, "{page}");

        let failed = async || server.events("authn_login_fail", 0).await.len();
        assert_eq!(failed().await, 0, "control");
        let wrong = login(&server.client(), &Z1, Some(&owner.wrong(server))).await;
        assert_eq!(wrong.verdict(), "401 second_factor_wrong");
        let asked = ticket(&login(&server.client(), &Z1, None).await);
        give(&server.client(), &asked, &owner.wrong(server)).await;
        let events = server.events("authn_login_fail", 2).await;
        let reasons: Vec<_> = events.iter().map(|event| event.detail["reason"].clone()).collect();
        assert_eq!(reasons, ["wrong_second_factor", "wrong_second_factor"]);
    })
    .await;
}
