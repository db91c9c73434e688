//! Users who were imported with the hash of another system: they sign in with the password that
//! they had there, and from then on have a hash of ours. Those who came with a plain password have it at once.
//!
//! The hashes were made by Python's bcrypt 5.0.0, Django 5.2.19 and argon2-cffi 25.1.0.

use std::io::Cursor;
use std::time::Duration;

use portcullis_domain::account::AccountType;
use portcullis_domain::event::Context;
use portcullis_domain::role::Authority;
use portcullis_domain::text::Email;
use portcullis_server::flows::import_users::{self, Format, Mode, Options, Origin, Outcome};
use portcullis_server::flows::import_users::{Passwords, Report};
use portcullis_server::flows::new_password::Judge;
use portcullis_server::flows::roles::Acting;
use portcullis_store::users as stored;
use serde_json::json;

use crate::harness::client::Answer;
use crate::harness::{TestApp, on_each_database};

/// The letter as some keyboards send it: two code points, which nobody may join before hashing.
const PASSWORD: &str = "cafe\u{301} au lait";

const PEOPLE: &str = "email,active,password_hash
bcrypt@example.com,,$2b$04$abcdefghijklmnopqrstuu.oMTCQjdCbYvSW3IQEvGWmdb6wOIFXe
django@example.com,,pbkdf2_sha256$1000$seasalt$HWdWINvbQIZJrnAOOKV+qObiBOySCBT9kdJm3vTrzoc=
argon2@example.com,,\"$argon2id$v=19$m=64,t=2,p=2$c29tZXNhbHRzb21lc2FsdA$g/mCfkRLyFid9ZocWskdSIdABPirZ356KtVgd/MSNc4\"
closed@example.com,no,$2b$04$abcdefghijklmnopqrstuu.oMTCQjdCbYvSW3IQEvGWmdb6wOIFXe
nothing@example.com,,
";

async fn import(server: &TestApp) {
    let report = import_file(server, PEOPLE).await;
    assert_eq!((report.created, report.refused), (5, Vec::new()));
}

async fn import_file(server: &TestApp, file: &'static str) -> Report {
    let (authority, context) = (Authority::operator(), Context::default());
    let (db, random, now) = (&server.app.db, server.app.random, server.app.clock.now());
    let acting = Acting { db, random, now, authority: &authority, context: &context };
    let options = Options {
        mode: Mode::Write,
        origin: Origin::Elsewhere,
        role: "user".to_owned(),
        account_type: AccountType::Tenant,
    };
    let passwords = Passwords { judge: Judge::of(&server.app), hasher: server.app.hasher.clone() };
    let rows = import_users::rows(Format::Csv, Cursor::new(file)).unwrap();
    let outcome = import_users::import(&acting, &passwords, &options, rows, |_| {}).await.unwrap();
    let Outcome::Read(report) = outcome else { panic!("{outcome:?}") };
    report
}

async fn sign_in(server: &TestApp, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    server.client().post("/api/auth/login").json(&body).send().await
}

async fn hash(server: &TestApp, email: &str) -> String {
    let mut tx = server.app.db.read().await.unwrap();
    let email = Email::parse(email).unwrap();
    let user = stored::by_email(&mut tx, &email).await.unwrap().unwrap();
    let password = stored::password(&mut tx, user.id).await.unwrap().unwrap();
    password.phc.unwrap().reveal().to_owned()
}

/// The hash once it is another than this one, which happens after the answer.
async fn hash_after(server: &TestApp, email: &str, before: &str) -> String {
    for _ in 0..200 {
        let now = hash(server, email).await;
        if now != before {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{email} was not rehashed");
}

#[tokio::test]
async fn the_first_right_password_replaces_the_hash() {
    on_each_database(async |server| {
        import(server).await;
        for email in ["bcrypt@example.com", "django@example.com", "argon2@example.com"] {
            let foreign = hash(server, email).await;
            assert!(!foreign.starts_with("$argon2id$"), "{email}");
            for wrong in ["cafe au lait", "caf\u{e9} au lait", ""] {
                let refused = sign_in(server, email, wrong).await;
                assert!(matches!(refused.status.as_u16(), 400 | 401), "{email}: {refused:?}");
            }
            assert_eq!(hash(server, email).await, foreign, "{email}: wrong passwords");
            assert_eq!(sign_in(server, email, PASSWORD).await.status, 201, "{email}");
            let ours = hash_after(server, email, &foreign).await;
            assert!(ours.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{email}");
            // From now on both spellings of the letter are one.
            assert_eq!(sign_in(server, email, PASSWORD).await.status, 201, "{email}");
            assert_eq!(sign_in(server, email, "caf\u{e9} au lait").await.status, 201, "{email}");
            let wrong = sign_in(server, email, "cafe au lait").await;
            assert_eq!(wrong.verdict(), "401 wrong_credentials", "{email}");
            assert_eq!(hash(server, email).await, ours, "{email}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_closed_account_is_told_of_after_the_right_password_only() {
    on_each_database(async |server| {
        import(server).await;
        let wrong = sign_in(server, "closed@example.com", "wrong").await;
        assert_eq!(wrong.verdict(), "401 wrong_credentials");
        let right = sign_in(server, "closed@example.com", PASSWORD).await;
        assert_eq!(right.verdict(), "403 account_disabled");
        let nothing = sign_in(server, "nothing@example.com", PASSWORD).await;
        assert_eq!(nothing.verdict(), "401 wrong_credentials");
        assert_eq!(sign_in(server, "bcrypt@example.com", PASSWORD).await.status, 201, "control");
    })
    .await;
}

/// The new hash goes in only where the one that was checked still is.
#[tokio::test]
async fn a_password_that_was_changed_meanwhile_stays() {
    on_each_database(async |server| {
        import(server).await;
        let email = Email::parse("bcrypt@example.com").unwrap();
        let mut tx = server.app.db.write().await.unwrap();
        let user = stored::by_email(&mut tx, &email).await.unwrap().unwrap();
        let seen = stored::password(&mut tx, user.id).await.unwrap().unwrap().phc.unwrap();
        let now = server.app.clock.now();
        assert!(
            stored::set_password(&mut tx, user.id, &stored::NewPassword::unseen("changed"), now)
                .await
                .unwrap()
        );
        assert!(!stored::rehash(&mut tx, user.id, &seen, "late").await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(hash(server, "bcrypt@example.com").await, "changed");
    })
    .await;
}

#[tokio::test]
async fn a_plain_password_is_the_password() {
    const FILE: &str = "email,password\n\
        ada@example.com,cafe\u{301} au lait\u{2026} please\neve@example.com,cafe\n";
    on_each_database(async |server| {
        let report = import_file(server, FILE).await;
        assert_eq!((report.created, report.refused.len()), (1, 1));
        for spelling in ["cafe\u{301} au lait\u{2026} please", "caf\u{e9} au lait\u{2026} please"] {
            assert_eq!(sign_in(server, "ada@example.com", spelling).await.status, 201);
        }
        let wrong = sign_in(server, "ada@example.com", "cafe au lait\u{2026} please").await;
        assert_eq!(wrong.verdict(), "401 wrong_credentials");
        let refused = sign_in(server, "eve@example.com", "cafe").await;
        assert_eq!(refused.verdict(), "401 wrong_credentials");
    })
    .await;
}
