//! What is common or breached gets in by no way in which a password is set, and what is not gets in by each.

use std::time::Duration;

use http::Method;
use portcullis_breach::Common;
use portcullis_store::users;
use serde_json::json;

use super::service::Service;
use crate::first_run;
use crate::harness::client::{Answer, Client, send_form};
use crate::harness::letters::{letters, letters_so_far};
use crate::harness::people::{PASSWORD, STAFF, Z1, phc};
use crate::harness::{Setup, TestApp, on_each_database_with};

/// What the range service knows, and nobody else does.
const BREACHED: &str = "the wind in the willow tree";
const GOOD: &str = "a quiet harbour at dusk";

/// A way in which a password is set. Each begins anew, so that what was refused has used up nothing.
#[derive(Clone, Copy, Debug)]
enum Way {
    Create,
    CreatePage,
    Change,
    ChangeAsZ,
    ChangePage,
    ResetByCode,
    ResetByLink,
    ResetByPath,
    ResetPage,
}

impl Way {
    const ALL: [Self; 9] = [
        Self::Create,
        Self::CreatePage,
        Self::Change,
        Self::ChangeAsZ,
        Self::ChangePage,
        Self::ResetByCode,
        Self::ResetByLink,
        Self::ResetByPath,
        Self::ResetPage,
    ];

    fn is_page(self) -> bool {
        matches!(self, Self::CreatePage | Self::ChangePage | Self::ResetPage)
    }

    /// Sets the password.
    async fn set(self, server: &TestApp, people: &People, password: &str) -> Answer {
        let People { staff, own } = people;
        let change = "/api/auth/change-password";
        match self {
            Self::Create => {
                let body = json!({
                    "action": "create_user", "email": "new@example.com", "password": password,
                });
                staff.act(Method::POST, "/api/users/users", &body).await
            }
            Self::CreatePage => {
                let fields = [("email", "page@example.com"), ("password", password)];
                send_form(staff, "/-/admin/users/new", &fields).await
            }
            Self::Change => {
                let body = json!({"currentPassword": PASSWORD, "newPassword": password});
                own.act(Method::POST, change, &body).await
            }
            Self::ChangeAsZ => {
                let body = json!({
                    "current_password": PASSWORD, "new_password": password,
                    "confirm_password": password,
                });
                own.act(Method::POST, change, &body).await
            }
            Self::ChangePage => {
                let fields = [("current_password", PASSWORD), ("password", password)];
                send_form(own, "/-/account/password", &fields).await
            }
            Self::ResetByCode => {
                let token = token(server).await;
                let body = json!({"token": token, "newPassword": password});
                server.client().post("/api/auth/reset-password").json(&body).send().await
            }
            Self::ResetByLink => {
                let token = token(server).await;
                let body = json!({"action": "reset", "token": token, "password": password});
                server.client().post("/api/password-reset").json(&body).send().await
            }
            Self::ResetByPath => {
                let path = format!("/api/auth/reset-password/{}", token(server).await);
                let body = json!({"new_password": password, "confirm_password": password});
                server.client().post(&path).json(&body).send().await
            }
            Self::ResetPage => {
                let token = token(server).await;
                let fields = [("code", token.as_str()), ("password", password)];
                send_form(&server.client(), "/-/reset", &fields).await
            }
        }
    }
}

/// Who sets passwords.
struct People {
    staff: Client,
    own: Client,
}

/// Of a new letter. Another quarter of an hour begins for each.
async fn token(server: &TestApp) -> String {
    server.advance(Duration::from_mins(16));
    let before = letters_so_far(server, Z1.email).await.len();
    let asked = json!({"action": "request", "email": Z1.email});
    let answer = server.client().post("/api/password-reset").json(&asked).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    letters(server, Z1.email, before + 1).await.pop().unwrap().token()
}

/// Entries of the list that are long enough for the policy, spread over it, and what people make of them.
fn common() -> Vec<String> {
    let long: Vec<&str> = Common::passwords()
        .filter(|password| password.chars().count() >= 15)
        .filter(|password| !password.chars().all(char::is_numeric))
        .collect();
    assert!(long.len() > 20, "{long:?}");
    let spread = long.iter().step_by(long.len() / 4).map(|password| (*password).to_owned());
    spread.chain(["Password1Password1".to_owned()]).collect()
}

fn setup(service: &Service) -> Setup {
    let config = service.config(r#""list", "online""#);
    let more = "[limits]\nsensitive = \"off\"\nlogin = \"off\"\n";
    Setup::with(&format!("{config}{more}"))
}

#[tokio::test]
async fn common_and_breached_passwords_are_refused_at_every_way_in() {
    let service = Service::start(&[(BREACHED, 1_234)]).await;
    on_each_database_with(setup(&service), async |server| {
        server.add(&STAFF).await;
        let user = server.add(&Z1).await;
        for way in Way::ALL {
            let refused = async |people: &People, password: &str, code: &str, says: &str| {
                let answer = way.set(server, people, password).await;
                assert_eq!(answer.status, 400, "{way:?} {password}: {answer:?}");
                let text = answer.text();
                assert!(text.contains(says), "{way:?} {password}: {text}");
                assert!(!text.contains(password), "{way:?} {password}: {text}");
                assert!(way.is_page() || text.contains(code), "{way:?} {password}: {text}");
            };
            let people =
                People { staff: server.sign_in(&STAFF).await, own: server.sign_in(&Z1).await };
            for password in common() {
                refused(&people, &password, "password_too_common", "must not be").await;
            }
            let said = "has appeared in 1,234 data breaches";
            refused(&people, BREACHED, "password_breached", said).await;
            let answer = way.set(server, &people, GOOD).await;
            assert!(answer.status.as_u16() < 400, "{way:?}: {answer:?}");
            let mut tx = server.app.db.write().await.unwrap();
            let before = users::NewPassword::unseen(phc());
            users::set_password(&mut tx, user.id, &before, server.app.clock.now()).await.unwrap();
            tx.commit().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn nor_by_the_first_run_or_the_first_user() {
    let service = Service::start(&[(BREACHED, 1_234)]).await;
    on_each_database_with(setup(&service), async |server| {
        let code = first_run::new_code(server).await;
        for password in common().iter().map(String::as_str).chain([BREACHED]) {
            let answer = first_run::send(&server.client(), &code, &[("password", password)]).await;
            assert_eq!(answer.status, 400, "{password}: {answer:?}");
            assert!(!answer.text().contains(password), "{answer:?}");
        }
        let answer = first_run::send(&server.client(), &code, &[("password", GOOD)]).await;
        assert_eq!(answer.status, 303, "{answer:?}");
    })
    .await;
    let mut setup = setup(&service);
    setup.config.push_str("[sign_in]\nfirst_user = \"local\"\n");
    on_each_database_with(setup, async |server| {
        let create = async |password: &str| {
            let body = json!({"username": "founder", "password": password});
            server.client().post("/api/auth/create-initial-user").json(&body).send().await
        };
        for password in
            common().iter().map(String::as_str).chain([BREACHED, "founder founder 2026"])
        {
            let answer = create(password).await;
            assert_eq!(answer.status, 400, "{password}: {answer:?}");
            assert!(!answer.text().contains(password), "{answer:?}");
        }
        assert_eq!(create(GOOD).await.status, 201);
    })
    .await;
}
