//! What a browser vouches for in which its owner signed in before, and what ends it.

use std::time::Duration;

use portcullis_domain::event::Context;
use portcullis_domain::id::UserId;
use portcullis_server::flows::places;
use portcullis_store::users;
use serde_json::json;

use super::{
    AWAY, ELSEWHERE, HOME, another, at_home, by_browser, by_program, code, id_of_z1, mails, setup,
    ticket, verify,
};
use crate::harness::client::Client;
use crate::harness::factors;
use crate::harness::people::{PASSWORD, Z1};
use crate::harness::{TestApp, on_each_database_with};

const DEVICE: &str = "portcullis_device";

/// A browser with the device cookie of another.
fn with_cookie(server: &TestApp, cookie: &str) -> Client {
    let client = server.client();
    client.set_cookie(DEVICE, cookie);
    client
}

#[tokio::test]
async fn a_known_browser_gets_in_and_its_owner_is_told_once_a_place() {
    on_each_database_with(setup(), async |server| {
        server.add(&Z1).await;
        let client = server.client();
        assert_eq!(by_browser(&client, HOME, PASSWORD).await.status, 201);
        let at_home = client.cookie(DEVICE).unwrap();
        for (from, letters) in [(AWAY, 1), (AWAY, 1), (HOME, 1), (ELSEWHERE, 2)] {
            // What it was given away from home is good for no less and no longer.
            let answer = by_browser(&client, from, PASSWORD).await;
            assert_eq!(answer.status, 201, "{from}: {answer:?}");
            let mails = mails(server).await;
            assert_eq!(mails.len(), letters, "{from}");
            assert!(mails.iter().all(|mail| mail.contains("Subject: New sign-in")), "{mails:?}");
        }
        assert_eq!(by_browser(&with_cookie(server, &at_home), AWAY, PASSWORD).await.status, 201);
        let stranger = by_browser(&server.client(), AWAY, PASSWORD).await;
        assert_eq!(stranger.verdict(), "401 new_place", "told is not confirmed");
    })
    .await;
}

/// Whoever has the password gets in as a program does, and no further.
#[tokio::test]
async fn a_place_that_was_only_told_of_vouches_for_no_other() {
    on_each_database_with(setup(), async |server| {
        at_home(server).await;
        let program = server.client();
        let body = json!({"email": Z1.email, "password": PASSWORD});
        for _ in 0..2 {
            let sending = program.post("/api/auth/login").header("x-forwarded-for", AWAY);
            assert_eq!(sending.json(&body).send().await.status, 201);
            let browser = with_cookie(server, &program.cookie(DEVICE).unwrap());
            for from in [AWAY, ELSEWHERE] {
                let answer = by_browser(&browser, from, PASSWORD).await;
                assert_eq!(answer.verdict(), "401 new_place", "{from}");
            }
        }
        mails(server).await;
        server.advance(Duration::from_hours(1));
        let known = server.client();
        let ticket = ticket(&by_browser(&known, AWAY, PASSWORD).await);
        assert_eq!(verify(&known, AWAY, &ticket, &code(server).await).await.status, 201);
        let answer = by_browser(&known, ELSEWHERE, PASSWORD).await;
        assert_eq!(answer.status, 201, "the control: with the code it does: {answer:?}");
        // The marks of before this rule, which are the first half of ours, keep lock-outs away alone.
        let old = known.cookie(DEVICE).unwrap()[..64].to_owned();
        let old = by_browser(&with_cookie(server, &old), "203.0.112.1", PASSWORD).await;
        assert_eq!(old.verdict(), "401 new_place");
    })
    .await;
}

#[tokio::test]
async fn a_browser_is_believed_for_half_a_year_and_until_the_account_is_made_safe() {
    type Act = fn(&TestApp, UserId) -> futures_util::future::LocalBoxFuture<'_, ()>;
    let acts: [(&str, Act); 4] = [
        ("time", |server, _| Box::pin(async { server.advance(Duration::from_hours(180 * 24)) })),
        ("a new epoch", |server, id| {
            Box::pin(async move {
                let mut tx = server.app.db.write().await.unwrap();
                users::bump_epoch(&mut tx, id).await.unwrap();
                tx.commit().await.unwrap();
            })
        }),
        ("a place taken back", |server, id| {
            Box::pin(async move {
                let mut tx = server.app.db.write().await.unwrap();
                let place = portcullis_store::places::list(&mut tx, id).await.unwrap().remove(0);
                drop(tx);
                let (app, context) = (&server.app, Context::default());
                places::remove(app, id, &place.id, &context).await.unwrap();
            })
        }),
        ("places forgotten", |server, id| {
            Box::pin(async move {
                let mut tx = server.app.db.write().await.unwrap();
                portcullis_store::places::forget(&mut tx, id).await.unwrap();
                tx.commit().await.unwrap();
                // Otherwise the next place is the first, whoever comes.
                assert_eq!(by_program(server, HOME).await.status, 201);
            })
        }),
    ];
    for (what, act) in acts {
        on_each_database_with(setup(), async |server| {
            server.add(&Z1).await;
            let client = server.client();
            assert_eq!(by_browser(&client, HOME, PASSWORD).await.status, 201);
            server.advance(Duration::from_hours(179 * 24));
            let cookie = client.cookie(DEVICE).unwrap();
            let control = by_browser(&with_cookie(server, &cookie), AWAY, PASSWORD).await;
            assert_eq!(control.status, 201, "before {what}: {control:?}");
            let id = id_of_z1(server).await;
            act(server, id).await;
            let answer = by_browser(&with_cookie(server, &cookie), ELSEWHERE, PASSWORD).await;
            assert_eq!(answer.verdict(), "401 new_place", "{what}");
        })
        .await;
    }
}

/// A trusted device spares its owner the second factor, and not the question about the place.
#[tokio::test]
async fn a_trusted_browser_at_a_new_place_is_asked_and_then_let_in() {
    on_each_database_with(setup(), async |server| {
        at_home(server).await;
        let user = id_of_z1(server).await;
        let key = factors::enable(server, user, "factor").await;
        let browser = server.client();
        let asked = by_browser(&browser, HOME, PASSWORD).await;
        let ticket_of_factor = asked.json()["ticket"].clone();
        let code_now = factors::code(server, &key);
        let body = json!({"ticket": ticket_of_factor, "code": code_now, "trustDevice": true});
        let sending = browser.post("/api/auth/second-factor").from_own_page();
        let answer = sending.header("x-forwarded-for", HOME).json(&body).send().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let trusted = browser.cookie("portcullis_trusted").unwrap();

        // The mail with the code is the newest.
        server.advance(Duration::from_mins(1));
        let away = server.client();
        away.set_cookie("portcullis_trusted", &trusted);
        let asked = ticket(&by_browser(&away, AWAY, PASSWORD).await);
        let wrong = verify(&away, AWAY, &asked, &another(&code(server).await)).await;
        assert_eq!(wrong.status, 401);
        let answer = verify(&away, AWAY, &asked, &code(server).await).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(away.get("/api/auth/me").send().await.status, 200);
        let stranger = by_browser(&server.client(), AWAY, PASSWORD).await;
        assert_eq!(stranger.verdict(), "401 second_factor_needed", "control");
    })
    .await;
}
