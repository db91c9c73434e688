//! Second factors that were lost, and who takes them away: by API, from the page, within his level.

use serde_json::json;

use super::*;
use crate::harness::factors::with_factor;
use crate::harness::letters::letters;
use crate::harness::on_each_database;
use crate::harness::people::{PASSWORD, Person};

#[tokio::test]
async fn a_lost_factor_is_taken_away_with_all_that_began_under_it() {
    on_each_database(async |server| {
        make_roles(server).await;
        let manager = server.by_cookie(&MANAGER).await;
        let (user, key) = with_factor(server, &CLERK).await;
        let code = crate::harness::factors::code(server, &key);
        let body = json!({"email": CLERK.email, "password": PASSWORD, "twoFactorCode": code});
        let answer = server.client().post("/api/auth/login").json(&body).send().await;
        let before = server.client().bearer(answer.json()["accessToken"].as_str().unwrap());
        assert_eq!(before.get("/api/auth/me").send().await.status, 200, "control");
        assert_eq!(login(server, &CLERK).await.verdict(), "401 second_factor_needed", "control");

        let reset = json!({"action": "reset_2fa", "uuid": user.uuid});
        let done = manager.act(Method::POST, USERS, &reset).await;
        assert_eq!(done.status, 200, "{done:?}");
        assert_eq!(login(server, &CLERK).await.status, 201);
        assert_eq!(before.get("/api/auth/me").send().await.status, 401);
        let event = &server.events("authn_factor_removed", 1).await[0];
        assert_eq!(event.detail, json!({"by": "administrator", "sessions": 1}));
        assert_eq!(event.context.subject, Some(user.id));
        assert_eq!(
            letters(server, CLERK.email, 1).await[0].subject,
            "Your second factor was reset"
        );

        let again = manager.act(Method::POST, USERS, &reset).await;
        assert_eq!(again.status, 200, "there is none to take away");
        assert_eq!(server.events("authn_factor_removed", 1).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn nobody_resets_above_his_level_nor_what_he_lacks_nor_his_own() {
    on_each_database(async |server| {
        make_roles(server).await;
        let manager = server.by_cookie(&MANAGER).await;
        let own = manager.get("/api/users/profile").send().await.json();
        let own = own["data"]["uuid"].as_str().unwrap_or_default().to_owned();
        for person in [&CHIEF, &PEER] {
            let (user, _) = with_factor(server, person).await;
            let reset = json!({"action": "reset_2fa", "uuid": user.uuid});
            let refused = manager.act(Method::POST, USERS, &reset).await;
            assert_eq!(refused.status, 403, "{refused:?}");
            assert_eq!(login(server, person).await.verdict(), "401 second_factor_needed");
        }
        let reset = json!({"action": "reset_2fa", "uuid": own});
        assert_ne!(manager.act(Method::POST, USERS, &reset).await.status, 200);
    })
    .await;
}

async fn login(server: &TestApp, person: &Person) -> Answer {
    let body = json!({"email": person.email, "password": PASSWORD});
    server.client().post("/api/auth/login").json(&body).send().await
}
