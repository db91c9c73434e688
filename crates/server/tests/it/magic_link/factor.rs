//! A66: a link stands for the password, and never for the second factor.

use std::time::Duration;

use portcullis_domain::backup_code::BackupCode;
use portcullis_domain::totp::{Step, TotpSecret};
use portcullis_store::factors::{self, NewFactor};
use serde_json::json;

use super::{asked_by_program, asked_in, follow, me, post, post_in_browser, send_form, verify_in};
use crate::harness::people::{Person, Z1};
use crate::harness::{TestApp, on_each_database};

const FINISH: &str = "/api/auth/second-factor";

/// Somebody with a second factor, and its backup codes.
async fn with_factor(server: &TestApp, person: &Person) -> [String; 3] {
    let (user, now, id) = (server.add(person).await.id, server.app.clock.now(), "factor");
    let keys = &server.app.keys;
    let codes = [1, 2, 3].map(|byte| BackupCode::from_random([byte; 5]));
    let macs = codes.each_ref().map(|code| keys.credential.backup_code_mac(id, code));
    let secret = TotpSecret::from_random([7; 20]);
    let new = NewFactor {
        begun_by: "somebody",
        id,
        user,
        secret: &keys.factor.seal((user, id), &secret, [1; 12]).unwrap(),
        backup_codes: &macs,
        expires_at: now.plus(Duration::from_mins(1)),
    };
    let mut tx = server.app.db.write().await.unwrap();
    assert!(factors::begin(&mut tx, &new, now).await.unwrap());
    assert!(factors::enable(&mut tx, id, Step(0), now).await.unwrap());
    tx.commit().await.unwrap();
    codes.each_ref().map(BackupCode::reveal)
}

#[tokio::test]
async fn a66_a_second_factor_is_asked_for_after_a_link() {
    on_each_database(async |server| {
        let codes = with_factor(server, &Z1).await;
        let (program, browser, page) = (server.client(), server.client(), server.client());
        let token = asked_by_program(server, &Z1).await;
        let asked_here = asked_in(server, &browser, &Z1).await;
        assert_eq!(follow(&program, &token).await.verdict(), "400 link_used", "control: replaced");
        let stopped = verify_in(&browser, &asked_here).await;
        let token = asked_by_program(server, &Z1).await;
        let stopped_program = follow(&program, &token).await;
        for (client, stopped, code) in
            [(&browser, stopped, &codes[0]), (&program, stopped_program, &codes[1])]
        {
            assert_eq!(stopped.verdict(), "401 second_factor_needed");
            let body = stopped.json();
            assert_eq!(body["requiresTwoFactor"], true);
            for key in ["access_token", "accessToken", "token", "csrf_token"] {
                assert!(body.get(key).is_none(), "{key}: {body}");
            }
            assert!(stopped.set_cookie("sessionid").is_none());
            assert_eq!(me(client).await, 401);
            let ticket = body["ticket"].as_str().unwrap();
            let wrong = post(client, FINISH, &json!({"ticket": ticket, "code": "000000"})).await;
            assert_eq!(wrong.status, 401, "{wrong:?}");
            let right = json!({"ticket": ticket, "code": code});
            let done = post_in_browser(client, FINISH, &right).await;
            assert_eq!(done.status, 201, "{done:?}");
            assert_eq!(me(client).await, 200);
        }
        // On the page, too.
        server.advance(16 * super::MINUTE);
        let token = asked_in(server, &page, &Z1).await;
        let form = send_form(&page, "/-/magic", &[("code", &token)]).await;
        assert_eq!(form.status, 401);
        assert!(form.text().contains("action=\"/-/second-factor\""), "{}", form.text());
        assert!(form.set_cookie("sessionid").is_none());
        assert_eq!(me(&page).await, 401);
    })
    .await;
}
