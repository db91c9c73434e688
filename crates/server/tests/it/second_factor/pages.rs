//! The pages of one's own second factor: set up, shown, renewed and switched off without scripts.

use std::time::Duration;

use serde_json::json;

use super::{LATER, Owner, code_at, give, login, me, ticket};
use crate::harness::client::{Answer, Client, send_form};
use crate::harness::letters::letters;
use crate::harness::people::{PASSWORD, STAFF, Z1};
use crate::harness::{TestApp, on_each_database};

const OVERVIEW: &str = "/-/account/second-factor";
const SET_UP: &str = "/-/account/second-factor/set-up";
const ENABLE: &str = "/-/account/second-factor/enable";
const RENEW: &str = "/-/account/second-factor/backup-codes";
const TURN_OFF: &str = "/-/account/second-factor/turn-off";

#[tokio::test]
async fn somebody_sets_it_up_and_is_asked_for_it() {
    on_each_database(async |server| {
        let client = server.by_cookie(&Z1).await;
        let account = client.get("/-/account").send().await.text();
        assert!(account.contains("href=\"/-/account/second-factor\">Set it up"), "{account}");
        let begun = press(&client, OVERVIEW, SET_UP, &[]).await;
        assert_eq!(begun.status, 200, "{begun:?}");
        let (page, secret) = (begun.text(), shown_key(&begun));
        assert!(page.contains("<svg xmlns") && page.contains("otpauth://totp/"), "{page}");
        assert!(!page.contains("<script"), "{page}");

        // A wrong code changes nothing. The key is not shown again: a copied cookie would see it.
        let wrong = send(&client, &begun, ENABLE, &[("code", "000000")]).await;
        assert_eq!(wrong.status, 400, "{wrong:?}");
        assert!(wrong.text().contains("<code>second_factor_wrong</code>"), "{}", wrong.text());
        assert!(!wrong.text().contains("otpauth") && !wrong.text().contains("class=\"secret\""));
        assert_eq!(login(&server.client(), &Z1, None).await.status, 201, "control: not on yet");

        let code = code_at(&secret, server.app.clock.now());
        let before = client.cookie("sessionid").unwrap();
        let done = send(&client, &wrong, ENABLE, &[("code", &code)]).await;
        assert_eq!(done.status, 200, "{done:?}");
        assert_ne!(client.cookie("sessionid").unwrap(), before);
        let codes = shown_codes(&done);
        assert_eq!(codes.len(), 10, "{codes:?}");
        assert!(!done.text().contains(&secret), "the key is shown before, and not again");
        assert_eq!(done.header("cache-control"), Some("no-store"));
        assert_eq!(me(&client).await, 200, "goes on here");

        let asked = ticket(&login(&server.client(), &Z1, None).await);
        assert_eq!(give(&server.client(), &asked, &codes[3]).await.status, 201);
        let overview = client.get(OVERVIEW).send().await.text();
        assert!(overview.contains("<dd>9 left</dd>"), "{overview}");
        assert!(codes.iter().all(|code| !overview.contains(code.as_str())));
        let again = press(&client, OVERVIEW, SET_UP, &[]).await;
        assert_eq!((again.status.as_u16(), again.header("location")), (303, Some(OVERVIEW)));
    })
    .await;
}

/// Whoever began it completes it: another session of its owner may be somebody else's.
#[tokio::test]
async fn what_one_session_began_is_not_there_for_another() {
    on_each_database(async |server| {
        let client = server.by_cookie(&Z1).await;
        let other = server.client();
        let body = json!({"email": Z1.email, "password": PASSWORD});
        let answer = other.post("/api/auth/login").from_own_page().json(&body).send().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let begun = press(&client, OVERVIEW, SET_UP, &[]).await;
        let (secret, now) = (shown_key(&begun), server.app.clock.now());
        let code = code_at(&secret, now);
        let refused = press(&other, OVERVIEW, ENABLE, &[("code", &code)]).await;
        assert!(refused.text().contains("<code>second_factor_not_begun</code>"), "{refused:?}");
        assert!(!refused.text().contains(&secret[..8]));
        assert_eq!(send(&client, &begun, ENABLE, &[("code", &code)]).await.status, 200, "control");

        // Begun anew elsewhere: the first one's code completes nothing, and shows nothing.
        let third = server.by_cookie(&STAFF).await;
        let fourth = server.client();
        let body = json!({"email": STAFF.email, "password": PASSWORD});
        fourth.post("/api/auth/login").from_own_page().json(&body).send().await;
        let begun = press(&third, OVERVIEW, SET_UP, &[]).await;
        let code = code_at(&shown_key(&begun), now);
        let theirs = shown_key(&press(&fourth, OVERVIEW, SET_UP, &[]).await);
        let refused = send(&third, &begun, ENABLE, &[("code", &code)]).await;
        assert!(refused.text().contains("<code>second_factor_not_begun</code>"), "{refused:?}");
        assert!(!refused.text().contains(&theirs[..8]));
    })
    .await;
}

#[tokio::test]
async fn what_was_begun_is_over_after_ten_minutes() {
    on_each_database(async |server| {
        let client = server.by_cookie(&Z1).await;
        let begun = press(&client, OVERVIEW, SET_UP, &[]).await;
        let code = |server: &TestApp| code_at(&shown_key(&begun), server.app.clock.now());
        server.advance(Duration::from_mins(10));
        let late = send(&client, &begun, ENABLE, &[("code", &code(server))]).await;
        assert_eq!(late.status, 404, "{late:?}");
        assert!(late.text().contains("<code>second_factor_not_begun</code>"), "{}", late.text());
        let begun = press(&client, OVERVIEW, SET_UP, &[]).await;
        server.advance(Duration::from_mins(10) - Duration::from_secs(1));
        // The sign-in is still fresh: it began 20 minutes ago, but was proved in between.
        let code = code_at(&shown_key(&begun), server.app.clock.now());
        let asked = send(&client, &begun, ENABLE, &[("code", &code)]).await;
        assert_eq!(asked.header("location"), Some(CONFIRM), "a fresh sign-in is asked for");
        send_form(&client, CONFIRM, &[("current_password", PASSWORD), ("next", OVERVIEW)]).await;
        let again = press(&client, OVERVIEW, SET_UP, &[]).await;
        let code = code_at(&shown_key(&again), server.app.clock.now());
        let control = send(&client, &again, ENABLE, &[("code", &code)]).await;
        assert_eq!(control.status, 200, "{control:?}");
    })
    .await;
}

/// Where somebody proves again who they are, on the way to these pages.
const CONFIRM: &str = "/-/confirm?next=%2F-%2Faccount%2Fsecond-factor";

#[tokio::test]
async fn what_changes_a_factor_asks_for_a_fresh_sign_in() {
    on_each_database(async |server| {
        let client = server.by_cookie(&Z1).await;
        server.advance(Duration::from_mins(15));
        for path in [SET_UP, ENABLE, RENEW] {
            let asked = press(&client, OVERVIEW, path, &[("code", "123456")]).await;
            let asked = (asked.status.as_u16(), asked.header("location").map(ToOwned::to_owned));
            assert_eq!(asked, (303, Some(CONFIRM.to_owned())), "{path}");
        }
        let proved = [("current_password", PASSWORD), ("next", OVERVIEW)];
        assert_eq!(send_form(&client, CONFIRM, &proved).await.header("location"), Some(OVERVIEW));
        assert_eq!(press(&client, OVERVIEW, SET_UP, &[]).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn new_backup_codes_take_the_place_of_all_earlier_ones() {
    on_each_database(async |server| {
        let (owner, client) = owner_with_browser(server).await;
        let other = server.client();
        assert_eq!(login(&other, &Z1, Some(&owner.code(server))).await.status, 201);
        assert_eq!(me(&other).await, 200, "control");
        let renewed = press(&client, OVERVIEW, RENEW, &[]).await;
        let codes = shown_codes(&renewed);
        assert!(codes.len() == 10 && codes.iter().all(|code| !owner.backup_codes.contains(code)));
        assert_eq!((me(&client).await, me(&other).await), (200, 401));
        let sign_in = async |code: &str| login(&server.client(), &Z1, Some(code)).await.verdict();
        assert_eq!(sign_in(&owner.backup_codes[1]).await, "401 second_factor_wrong");
        assert_eq!(sign_in(&codes[0]).await, "201");
    })
    .await;
}

#[tokio::test]
async fn the_password_switches_it_off() {
    on_each_database(async |server| {
        let (_, client) = owner_with_browser(server).await;
        // The password is the proof: nobody is led away to give it twice.
        server.advance(Duration::from_mins(15));
        for (given, status, word) in [("", 400, "invalid"), ("not it", 401, "wrong_password")] {
            let refused = press(&client, OVERVIEW, TURN_OFF, &[("current_password", given)]).await;
            assert_eq!(refused.status, status, "{refused:?}");
            assert!(refused.text().contains(&format!("<code>{word}</code>")), "{word}");
        }
        ticket(&login(&server.client(), &Z1, None).await);
        let off = press(&client, OVERVIEW, TURN_OFF, &[("current_password", PASSWORD)]).await;
        assert_eq!((off.status.as_u16(), off.header("location")), (303, Some(OVERVIEW)));
        assert_eq!(me(&client).await, 200);
        assert_eq!(login(&server.client(), &Z1, None).await.status, 201);
        let letters = letters(server, Z1.email, 2).await;
        assert!(letters.iter().any(|letter| letter.subject.contains("switched off")));
        let page = client.get(OVERVIEW).send().await.text();
        assert!(page.contains("Set it up") && !page.contains("Switch it off"), "{page}");
        let again = press(&client, OVERVIEW, RENEW, &[]).await;
        assert_eq!(again.header("location"), Some(CONFIRM), "what is not there is not renewed");
    })
    .await;
}

/// Somebody with a second factor who is signed in in a browser, too.
async fn owner_with_browser(server: &TestApp) -> (Owner, Client) {
    let owner = Owner::new(server, &Z1).await;
    let client = server.client();
    let body = json!({
        "email": Z1.email, "password": PASSWORD, "twoFactorCode": owner.code(server),
    });
    let answer = client.post("/api/auth/login").from_own_page().json(&body).send().await;
    assert_eq!(answer.status, 201, "{answer:?}");
    server.advance(LATER);
    (owner, client)
}

/// Looks at a page, and sends one of its forms.
pub(super) async fn press(
    client: &Client,
    page: &str,
    path: &str,
    fields: &[(&str, &str)],
) -> Answer {
    let page = client.get(page).header("accept", "text/html").send().await;
    assert_eq!(page.status, 200, "{page:?}");
    send(client, &page, path, fields).await
}

/// Sends a form of a page.
pub(super) async fn send(
    client: &Client,
    page: &Answer,
    path: &str,
    fields: &[(&str, &str)],
) -> Answer {
    let text = page.text();
    let (_, rest) = text.rsplit_once("name=\"csrf_token\" value=\"").unwrap();
    let token = rest.split_once('"').unwrap().0;
    let fields: Vec<_> = [("csrf_token", token)].iter().chain(fields).copied().collect();
    let sent = client.post(path).header("sec-fetch-site", "same-origin");
    sent.header("accept", "text/html").form(&fields).send().await
}

pub(super) fn shown_key(page: &Answer) -> String {
    let text = page.text();
    let (_, rest) = text.split_once("<code class=\"secret\">").unwrap();
    rest.split_once('<').unwrap().0.replace(' ', "")
}

pub(super) fn shown_codes(page: &Answer) -> Vec<String> {
    let text = page.text();
    let codes = text.split("<li><code>").skip(1);
    codes.map(|rest| rest.split_once('<').unwrap().0.to_owned()).collect()
}
