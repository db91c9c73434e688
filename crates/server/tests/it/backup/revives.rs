//! What was ended after a backup was made stays ended when it is restored, and what lived ends too. The
//! control is the same file put in without that: there the thief is in again.

use std::path::Path;
use std::time::Duration;

use http::Method;
use portcullis_domain::id::UserId;
use portcullis_domain::secret::{Keys, MasterSecret};
use portcullis_server::flows::backup::restore::{self, Restored, Restoring};
use portcullis_server::flows::backup::verify;
use portcullis_store::{Db, users};
use serde_json::json;

use super::{made_in, said, unwatched};
use crate::harness::client::Client;
use crate::harness::database::{self, Database, Kind};
use crate::harness::letters::letters;
use crate::harness::people::{self, PASSWORD, STAFF, Z1};
use crate::harness::revoking::terminate;
use crate::harness::{Setup, TestApp};
use crate::second_factor::{self, Owner, give, login};

const ME: &str = "/api/auth/me";

/// What somebody holds who is signed in, in each way there is: its header, and its value.
struct Held([(&'static str, String); 4]);

impl Held {
    async fn by(server: &TestApp) -> Self {
        let cookie = server.sign_in(&Z1).await.cookie("sessionid").unwrap();
        let remember = server.remembered(&Z1).await.cookie("remember").unwrap();
        let token = server.login_by_email(&Z1).await.json();
        let access = token["accessToken"].as_str().unwrap_or_else(|| panic!("{token}"));
        Self([
            ("cookie", format!("sessionid={cookie}")),
            ("authorization", format!("Bearer {}", server.mobile_token(&Z1).await)),
            ("authorization", format!("Bearer {access}")),
            ("cookie", format!("remember={remember}")),
        ])
    }

    /// The answer to each at this server.
    async fn at(&self, server: &TestApp) -> [String; 4] {
        let mut verdicts = [const { String::new() }; 4];
        for (verdict, (header, value)) in verdicts.iter_mut().zip(&self.0) {
            *verdict = client(server).get(ME).header(header, value).send().await.verdict();
        }
        verdicts
    }

    /// A client with the cookie of the session.
    fn in_a_browser(&self, server: &TestApp) -> Client {
        let client = client(server);
        client.set_cookie("sessionid", self.0[0].1.strip_prefix("sessionid=").unwrap());
        client
    }
}

/// Somebody who types the public address.
fn client(server: &TestApp) -> Client {
    server.client().naming(server.app.public_url.to_string().trim_start_matches("http://"))
}

/// A server over what a backup holds: restored as it is done, or just put in.
async fn over(kind: Kind, file: &Path, of: &TestApp, how: How) -> (TestApp, Option<Restored>) {
    let database = Database::fresh(kind).await;
    let db = Db::open(&database.options(None)).await.unwrap();
    let (keys, now) = (&of.app.keys, of.app.clock.now());
    let restored = match how {
        How::Restored => {
            let to = Restoring { db: &db, keys, random: of.app.random, now };
            Some(restore::restore(to, file, &mut unwatched).await.unwrap())
        }
        How::PutIn => {
            verify::verify(&db, keys, file, now, &mut unwatched).await.unwrap();
            None
        }
    };
    db.close().await;
    // At the address of the first, or what that one signed is not good for this one anyway.
    let setup = Setup::with(&format!("[server]\npublic_url = \"http://{}\"", of.address));
    let server = TestApp::start_on(kind, database, &setup).await;
    server.advance(now.since(server.app.clock.now()));
    (server, restored)
}

#[derive(Clone, Copy)]
enum How {
    Restored,
    PutIn,
}

#[tokio::test]
async fn nothing_that_was_signed_in_is_good_after_a_restore() {
    for kind in database::kinds() {
        let server = TestApp::start(kind, &Setup::default()).await;
        let staff = server.by_cookie(&STAFF).await;
        server.add(&Z1).await;
        let (revoked, living) = (Held::by(&server).await, Held::by(&server).await);
        // What brings a browser back can do so once, so it is not tried before.
        assert_eq!(living.at(&server).await[..3], ["200"; 3], "control: before");
        let file = made_in(&server, &server.data_dir).await;

        server.advance(Duration::from_secs(1));
        let handle = server.handle_of(&revoked.in_a_browser(&server)).await;
        assert_eq!(terminate(&staff, &handle).await.status, 200);
        let ended = "401 session_ended";
        assert_eq!(revoked.at(&server).await, [ended, "200", "200", "200"], "control: ended");

        for target in database::kinds() {
            let (unsafe_one, _) = over(target, &file, &server, How::PutIn).await;
            // The keys that sign access tokens are in no backup.
            let revived = ["200", "200", "401 access_token_invalid", "200"];
            assert_eq!(revoked.at(&unsafe_one).await, revived, "control: it would be in again");
            unsafe_one.finish().await;

            let (restored, told) = over(target, &file, &server, How::Restored).await;
            for held in [&revoked, &living] {
                for verdict in held.at(&restored).await {
                    assert!(verdict.starts_with("401 "), "{verdict}");
                }
            }
            assert_eq!(living.at(&restored).await[0], ended);
            let answer = people::sign_in(&client(&restored), "Fredkiss3", PASSWORD).await;
            assert_eq!(answer.status, 201, "control: the password: {answer:?}");
            let told = told.unwrap().ended;
            assert!(told.sessions >= 8, "{told:?}");
            let event = &restored.events("backup_restored", 1).await[0];
            assert_eq!(event.detail["sessions"], told.sessions);
            restored.finish().await;
        }
        server.finish().await;
    }
}

/// What is signed for an epoch and kept by nobody, as what a browser vouches for: the epoch of a restored
/// account is none that was ever in use, however often it is restored.
#[tokio::test]
async fn no_epoch_comes_round_again() {
    let server = TestApp::start(Kind::Sqlite, &Setup::default()).await;
    let user = server.add(&Z1).await.id;
    let file = made_in(&server, &server.data_dir).await;
    let mut seen = vec![epoch(&server, user).await];
    for _ in 0..2 {
        let mut tx = server.app.db.write().await.unwrap();
        users::bump_epoch(&mut tx, user).await.unwrap();
        tx.commit().await.unwrap();
        seen.push(epoch(&server, user).await);
    }
    for _ in 0..2 {
        server.advance(Duration::from_secs(1));
        let (restored, _) = over(Kind::Sqlite, &file, &server, How::Restored).await;
        let now = epoch(&restored, user).await;
        assert!(!seen.contains(&now), "{now} among {seen:?}");
        seen.push(now);
        restored.finish().await;
    }
    server.finish().await;
}

async fn epoch(of: &TestApp, user: UserId) -> i64 {
    let mut tx = of.app.db.read().await.unwrap();
    users::by_id(&mut tx, user).await.unwrap().unwrap().epoch
}

#[tokio::test]
async fn a_link_for_a_new_password_is_over() {
    for kind in database::kinds() {
        let server = TestApp::start(kind, &Setup::default()).await;
        server.add(&Z1).await;
        let asked = json!({"action": "request", "email": Z1.email});
        let answer = server.client().post("/api/password-reset").json(&asked).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let token = letters(&server, Z1.email, 1).await.pop().unwrap().token();
        let file = made_in(&server, &server.data_dir).await;
        let body = json!({"action": "reset", "token": token, "password": "another good phrase"});

        let (restored, told) = over(kind, &file, &server, How::Restored).await;
        assert_eq!(told.unwrap().ended.one_time, 1);
        let answer = client(&restored).post("/api/password-reset").json(&body).send().await;
        assert_eq!(answer.status, 400, "{answer:?}");
        restored.finish().await;
        let (control, _) = over(kind, &file, &server, How::PutIn).await;
        let answer = client(&control).post("/api/password-reset").json(&body).send().await;
        assert_eq!(answer.status, 200, "control: {answer:?}");
        control.finish().await;
        server.finish().await;
    }
}

/// Used before or after the backup, a code for a lost phone signs nobody in; the app's do.
#[tokio::test]
async fn no_backup_code_is_good_again() {
    for kind in database::kinds() {
        let server = TestApp::start(kind, &Setup::default()).await;
        let owner = Owner::new(&server, &Z1).await;
        let ticket = second_factor::ticket(&login(&server.client(), &Z1, None).await);
        let file = made_in(&server, &server.data_dir).await;
        let used_since = &owner.backup_codes[0];
        assert_eq!(login(&server.client(), &Z1, Some(used_since)).await.status, 201);

        let (restored, _) = over(kind, &file, &server, How::Restored).await;
        restored.advance(Duration::from_mins(2));
        let refused = login(&client(&restored), &Z1, Some(used_since)).await;
        assert_eq!(refused.verdict(), "401 second_factor_wrong");
        let refused = give(&client(&restored), &ticket, &owner.code(&restored)).await;
        assert_eq!(refused.verdict(), "401 second_factor_over");
        let code = owner.code(&restored);
        assert_eq!(login(&client(&restored), &Z1, Some(&code)).await.status, 201);
        restored.finish().await;
        let (control, _) = over(kind, &file, &server, How::PutIn).await;
        assert_eq!(login(&client(&control), &Z1, Some(used_since)).await.status, 201);
        control.finish().await;
        server.finish().await;
    }
}

/// Whoever changed the log before the backup was made, and has it sealed by the server itself.
#[tokio::test]
async fn a_log_that_was_changed_is_found_when_its_backup_is_tried() {
    let server = TestApp::start(Kind::Sqlite, &Setup::default()).await;
    server.by_cookie(&Z1).await;
    let now = server.app.clock.now();
    server.app.audit.settle(now).await.unwrap();
    let file = made_in(&server, &server.data_dir).await;
    let kinds = found_of_log(&server, &file).await;
    assert!(kinds.is_empty(), "control: {kinds:?}");

    let text = std::fs::read_to_string(&file).unwrap();
    let (before, rows) = text.split_once("{\"table\":\"audit_log\"").unwrap();
    let end = rows.find("\"]\n").unwrap();
    let (start, digit) = (end - 20, &rows[end - 20..end - 19]);
    let other = if digit == "3" { "4" } else { "3" };
    let changed = format!("{}{other}{}", &rows[..start], &rows[start + 1..]);
    let body = format!("{before}{{\"table\":\"audit_log\"{changed}");
    let body = &body[..=body.trim_end().rfind('\n').unwrap()];
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body.as_bytes());
    let digest: [u8; 32] = digest.as_ref().try_into().unwrap();
    let (sha256, seal) = (hex::encode(digest), hex::encode(server.app.keys.backup.seal(&digest)));
    let sealed = format!("{body}{{\"sha256\":\"{sha256}\",\"seal\":\"{seal}\"}}\n");
    std::fs::write(&file, sealed).unwrap();
    let kinds = found_of_log(&server, &file).await;
    assert!(kinds.contains(&"altered"), "{kinds:?}");
    server.finish().await;
}

/// What is wrong with the audit log in a backup.
async fn found_of_log(server: &TestApp, file: &Path) -> Vec<&'static str> {
    let database = Database::fresh(Kind::Sqlite).await;
    let db = Db::open(&database.options(None)).await.unwrap();
    let (keys, now) = (&server.app.keys, server.app.clock.now());
    let verified = verify::verify(&db, keys, file, now, &mut unwatched).await.unwrap();
    db.close().await;
    verified.log.unwrap().faults.kinds().keys().copied().collect()
}

#[tokio::test]
async fn another_secret_is_refused_with_the_sentence_of_a_start() {
    let server = TestApp::start(Kind::Sqlite, &Setup::default()).await;
    let file = made_in(&server, &server.data_dir).await;
    let keys = Keys::derive(&MasterSecret::from_random([8; 32])).unwrap();
    let database = Database::fresh(Kind::Sqlite).await;
    let db = Db::open(&database.options(None)).await.unwrap();
    let now = server.app.clock.now();
    let refused = verify::verify(&db, &keys, &file, now, &mut unwatched).await;
    assert_eq!(
        said(refused),
        "the database belongs to another secret: give the secret file that it was made with \
         (server.secret_file)"
    );
    let good = verify::verify(&db, &server.app.keys, &file, now, &mut unwatched).await;
    assert!(good.is_ok_and(|good| good.log.is_none_or(|log| log.faults.is_clean())), "control");
    db.close().await;
    server.finish().await;
}

/// Whether a key was revoked after the backup nobody knows, so each waits until somebody says that it is
/// still wanted. What was revoked before stays so.
#[tokio::test]
async fn keys_wait_after_a_restore_and_revoked_ones_are_not_good_again() {
    for kind in database::kinds() {
        let server = TestApp::start(kind, &Setup::default()).await;
        server.add(&Z1).await;
        let owner = server.mobile(&Z1).await;
        let mut keys = Vec::new();
        for name in ["before", "after", "kept"] {
            let made =
                owner.act(Method::POST, "/api/api-keys", &json!({"name": name})).await.json();
            let text = |member: &str| made[member].as_str().unwrap().to_owned();
            keys.push((text("id"), text("key")));
        }
        let revoke = async |key: &(String, String)| {
            let path = format!("/api/api-keys/{}/revoke", key.0);
            assert_eq!(owner.act(Method::POST, &path, &json!({})).await.status, 201);
        };
        let verdict = async |server: &TestApp, key: &(String, String)| {
            client(server).get("/").header("x-api-key", &key.1).send().await.verdict()
        };
        revoke(&keys[0]).await;
        let file = made_in(&server, &server.data_dir).await;
        revoke(&keys[1]).await;
        let (unsafe_one, _) = over(kind, &file, &server, How::PutIn).await;
        assert_eq!(verdict(&unsafe_one, &keys[1]).await, "200", "control: it would be good again");
        unsafe_one.finish().await;
        let (restored, told) = over(kind, &file, &server, How::Restored).await;
        assert_eq!(told.unwrap().ended.keys, 2);
        for key in &keys {
            assert_eq!(verdict(&restored, key).await, "401 key_revoked");
        }
        let again = client(&restored);
        people::sign_in(&again, "Fredkiss3", PASSWORD).await;
        let resume = async |key: &(String, String)| {
            let path = format!("/api/api-keys/{}", key.0);
            again.act(Method::PATCH, &path, &json!({"status": "ACTIVE"})).await.verdict()
        };
        assert_eq!(resume(&keys[2]).await, "200");
        assert_eq!(verdict(&restored, &keys[2]).await, "200");
        assert_eq!(resume(&keys[0]).await, "409 key_revoked");
        restored.finish().await;
        server.finish().await;
    }
}
