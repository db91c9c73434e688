//! The last owner who can sign in stays one, whatever way is tried; and whoever was signed out in the
//! meantime does nothing any more.

use portcullis_domain::account::AccountStatus;
use portcullis_domain::administration::Refusal;
use portcullis_domain::event::{Context, EndReason};
use portcullis_domain::id::{SessionHandle, UserId};
use portcullis_domain::revocation::Reach;
use portcullis_domain::role::Authority;
use portcullis_server::flows::administration::{Desk, Halt};
use portcullis_server::flows::roles::Acting;
use portcullis_server::flows::terminate::{Terminate, terminate};
use portcullis_store::{Tx, blacklist as rows, sessions, users};
use serde_json::json;

use super::*;
use crate::harness::on_each_database;
use crate::harness::people::{STAFF, TENANT};
use crate::harness::revoking::{SESSIONS, blacklist, let_in};

const SECOND: Person = staff("second@example.com", "second", "owner");
/// As high as an owner, and none.
const WARDEN: Person = staff("warden@example.com", "warden", "warden");

async fn by_warden(server: &TestApp) -> Client {
    let keys = ["api.users.users.manage", "api.security.sessions.*"];
    make_role(server, "warden", 100, &keys).await;
    server.by_cookie(&WARDEN).await
}

/// Writes to the store past everybody.
async fn write(server: &TestApp, change: impl AsyncFnOnce(&mut Tx)) {
    let mut tx = server.app.db.write().await.unwrap();
    change(&mut tx).await;
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn who_cannot_sign_in_is_no_other_owner() {
    on_each_database(async |server| {
        make_roles(server).await;
        let me = server.add(&STAFF).await.uuid;
        let owner = server.sign_in(&STAFF).await;
        let other = server.add(&SECOND).await.id;
        let now = server.app.clock.now();
        let clerk = role_id(server, "clerk").await.0;
        let step_down = on("update_role", &me, &json!({"role_id": clerk}));
        let refused = async |why: &str| {
            let answer = post(&owner, USERS, &step_down).await;
            assert_eq!(answer.verdict(), "409 last_owner", "{why}");
        };
        write(server, async |tx| {
            users::disable_password(tx, other).await.unwrap();
        })
        .await;
        refused("no password that works").await;
        write(server, async |tx| {
            users::unlock(tx, other).await.unwrap();
            rows::add(tx, other, None, None, now).await.unwrap().unwrap();
        })
        .await;
        refused("kept out").await;
        write(server, async |tx| {
            rows::remove(tx, other).await.unwrap();
            users::set_account_type(tx, other, AccountType::Agent, now).await.unwrap();
        })
        .await;
        refused("not of the staff").await;
        write(server, async |tx| {
            users::set_account_type(tx, other, AccountType::Staff, now).await.unwrap();
            users::set_status(tx, other, AccountStatus::Disabled, now).await.unwrap();
        })
        .await;
        refused("closed").await;
        let bare = json!({"action": "create_user", "email": "bare@example.com", "account_type_id": 1,
            "role_id": role_id(server, "owner").await.0});
        assert_eq!(post(&owner, USERS, &bare).await.status, 200);
        refused("without a password").await;
        write(server, async |tx| {
            users::set_status(tx, other, AccountStatus::Active, now).await.unwrap();
        })
        .await;
        assert_eq!(post(&owner, USERS, &step_down).await.status, 200, "control");
    })
    .await;
}

#[tokio::test]
async fn the_last_owner_is_neither_kept_out_nor_made_something_else() {
    on_each_database(async |server| {
        let warden = by_warden(server).await;
        let owner = server.add(&STAFF).await;
        let retype = on("update", &owner.uuid, &json!({"account_type_id": 2}));
        let keep = on("add_to_blacklist", &owner.uuid, &json!({"reason": "x"}));
        assert_eq!(blacklist(&warden, owner.id.0).await.verdict(), "409 last_owner");
        assert_eq!(post(&warden, USERS, &keep).await.verdict(), "409 last_owner");
        assert_eq!(post(&warden, USERS, &retype).await.verdict(), "409 last_owner");
        let page = warden.get("/-/admin/blacklist").send().await.text();
        let (_, rest) = page.split_once("name=\"csrf_token\" value=\"").unwrap();
        let (token, _) = rest.split_once('"').unwrap();
        let fields = [("email", STAFF.email), ("reason", "x"), ("csrf_token", token)];
        let shown = warden.post("/-/admin/blacklist").from_own_page().form(&fields).send().await;
        assert_eq!(shown.status, 400, "{shown:?}");
        assert!(shown.text().contains("There must be one open account with the role owner"));
        assert!(is_in(&server.sign_in(&STAFF).await).await);

        server.add(&SECOND).await;
        assert_eq!(post(&warden, USERS, &retype).await.status, 200, "control");
        let back = on("update", &owner.uuid, &json!({"account_type_id": 1}));
        assert_eq!(post(&warden, USERS, &back).await.status, 200);
        assert_eq!(blacklist(&warden, owner.id.0).await.status, 200, "control");
        assert_eq!(let_in(&warden, owner.id.0).await.status, 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_owners_who_keep_each_other_out_leave_one() {
    on_each_database(async |server| {
        let owners = [STAFF, SECOND];
        let ids = [server.add(&owners[0]).await.id, server.add(&owners[1]).await.id];
        for _ in 0..5 {
            let clients = [server.sign_in(&owners[0]).await, server.sign_in(&owners[1]).await];
            // Fetched before the race: whoever has lost it fetches none any more.
            let tokens = [clients[0].fetch_csrf().await, clients[1].fetch_csrf().await];
            let keep_out = async |from: usize, whom: usize| {
                let fields = json!({
                    "action": "blacklist_add", "user_id": ids[whom], "reason": "x",
                });
                let post = clients[from].post(SESSIONS).header("x-csrf-token", &tokens[from]);
                post.json(&fields).send().await
            };
            let (first, second) = tokio::join!(keep_out(0, 1), keep_out(1, 0));
            let done = [&first, &second].iter().filter(|answer| answer.status == 200).count();
            assert_eq!(done, 1, "{first:?} {second:?}");
            write(server, async |tx| {
                let listed = [rows::remove(tx, ids[0]).await, rows::remove(tx, ids[1]).await];
                assert_eq!(listed.into_iter().filter(|was| *was.as_ref().unwrap()).count(), 1);
            })
            .await;
        }
    })
    .await;
}

/// The door has let him in; then it is over.
#[tokio::test]
async fn who_was_signed_out_since_the_door_does_nothing() {
    on_each_database(async |server| {
        let now = server.app.clock.now();
        let actor = server.add(&STAFF).await.id;
        server.add(&SECOND).await;
        let other = server.by_cookie(&TENANT).await;
        let other = SessionHandle::parse(&server.handle_of(&other).await).unwrap();
        for end in [End::Session, End::Epoch, End::Blacklist, End::Account] {
            let handle = server.handle_of(&server.sign_in(&STAFF).await).await;
            let context =
                Context { actor: Some(actor), session: Some(handle.clone()), ..Context::default() };
            assert!(Desk::open(&server.app, &context).await.is_ok(), "control: {end:?}");
            write(server, async |tx| finish(tx, end, actor, &handle).await).await;
            let halt = Desk::open(&server.app, &context).await.err();
            assert!(matches!(halt, Some(Halt::Refused(Refusal::SignedOut))), "{end:?}: {halt:?}");
            let authority = Authority::operator();
            let (db, random) = (&server.app.db, server.app.random);
            let acting = Acting { db, random, now, authority: &authority, context: &context };
            let ended = terminate(&acting, Reach::Everybody, &other).await.unwrap();
            assert!(matches!(ended, Terminate::Refused(_)), "{end:?}: {ended:?}");
            write(server, async |tx| {
                rows::remove(tx, actor).await.unwrap();
                users::set_status(tx, actor, AccountStatus::Active, now).await.unwrap();
            })
            .await;
        }
        let handle = server.handle_of(&server.sign_in(&STAFF).await).await;
        let context = Context { actor: Some(actor), session: Some(handle), ..Context::default() };
        let authority = Authority::operator();
        let (db, random) = (&server.app.db, server.app.random);
        let acting = Acting { db, random, now, authority: &authority, context: &context };
        assert_eq!(
            terminate(&acting, Reach::Everybody, &other).await.unwrap(),
            Terminate::Done,
            "control"
        );
    })
    .await;
}

#[tokio::test]
async fn there_is_an_end_to_roles_and_to_what_one_permits() {
    on_each_database(async |server| {
        let owner = server.by_cookie(&STAFF).await;
        let keys = |count: usize| (0..count).map(|n| format!("api.k{n}.x")).collect::<Vec<_>>();
        let create = |name: &str, keys: &[String]| {
            json!({"action": "create_role", "name": name, "level": 5, "permissions": keys})
        };
        let role = |name: String| json!({"name": name, "level": 5, "permissions": []});
        let import = |roles: Vec<Value>| json!({"action": "import_roles", "roles": roles});
        assert_eq!(post(&owner, ROLES, &create("wide", &keys(501))).await.verdict(), "400 invalid");
        assert_eq!(post(&owner, ROLES, &create("wide", &keys(500))).await.status, 200, "control");
        let wide = role_id(server, "wide").await.0;
        for (count, status) in [(501, 400), (500, 200)] {
            let set = json!({"action": "set_permissions", "role_id": wide, "permissions": keys(count)});
            assert_eq!(post(&owner, ROLES, &set).await.status, status, "{count}");
        }
        let too_wide = json!({"name": "w", "level": 5, "permissions": keys(501)});
        let answer = post(&owner, ROLES, &import(vec![too_wide])).await;
        assert_eq!(answer.verdict(), "400 invalid");
        let long = import((0..500).map(|n| role(format!("{n}{}", "x".repeat(1000)))).collect());
        let answer = post(&owner, ROLES, &long).await;
        assert_eq!(answer.verdict(), "400 invalid");
        assert!(answer.text().len() < 20_000, "{}", answer.text().len());

        let many = |count: usize| (0..count).map(|n| role(format!("role {n}"))).collect();
        assert_eq!(post(&owner, ROLES, &import(many(501))).await.verdict(), "400 invalid");
        // Four are there: the built-in ones and the wide one.
        let answer = post(&owner, ROLES, &import(many(497))).await;
        assert_eq!(answer.verdict(), "400 invalid");
        assert_eq!(answer.json()["error"], "There may be at most 500 roles.");
        assert_eq!(post(&owner, ROLES, &import(many(496))).await.status, 200, "control");
        let answer = post(&owner, ROLES, &create("more", &[])).await;
        assert_eq!(answer.verdict(), "400 invalid", "{answer:?}");
        assert_eq!(owner.get("/-/admin/roles").send().await.status, 200);
    })
    .await;
}

/// What is stored from before is shown so that it does no harm.
#[tokio::test]
async fn what_turns_text_around_is_neither_taken_nor_shown() {
    on_each_database(async |server| {
        make_roles(server).await;
        let owner = server.by_cookie(&STAFF).await;
        let clerk = server.add(&CLERK).await;
        for (name, status) in [("a\u{202e}b", 400), ("a\u{200b}b", 400), ("a\u{200c}b", 200)] {
            let body = on("update", &clerk.uuid, &json!({"first_name": name}));
            assert_eq!(post(&owner, USERS, &body).await.status, status, "{name:?}");
            let body = json!({"action": "create_role", "name": name, "level": 5});
            assert_eq!(post(&owner, ROLES, &body).await.status, status, "{name:?}");
        }
        write(server, async |tx| {
            let profile = users::Profile {
                first_name: Name::stored("o\u{202e}dlo").unwrap(),
                last_name: Name::default(),
                phone: None,
                branch_id: 1,
            };
            let now = server.app.clock.now();
            assert!(users::set_profile(tx, clerk.id, &profile, now).await.unwrap());
            let old = Name::stored("r\u{202e}elor").unwrap();
            let level = Level::new(3).unwrap();
            portcullis_store::roles::insert(tx, &NewRole { name: old, level }, now).await.unwrap();
        })
        .await;
        let _clerk = server.sign_in(&CLERK).await;
        for path in ["/-/admin/sessions", "/-/admin/users", "/-/admin/roles"] {
            let page = owner.get(path).send().await;
            assert_eq!(page.status, 200, "{path}");
            assert!(!page.text().contains('\u{202e}'), "{path}");
            assert!(page.text().contains('\u{fffd}'), "{path}");
        }
        let page = owner.get(&format!("/-/admin/user?uuid={}", clerk.uuid)).send().await.text();
        let choice = page.split("<option").find(|line| line.contains("elor")).unwrap();
        assert!(choice.contains("r\u{fffd}elor"), "{choice}");
        assert_eq!(user(&owner, &clerk.uuid).await["first_name"], "o\u{202e}dlo");
    })
    .await;
}

#[derive(Clone, Copy, Debug)]
enum End {
    Session,
    Epoch,
    Blacklist,
    Account,
}

async fn finish(tx: &mut Tx, end: End, user: UserId, handle: &str) {
    let handle = SessionHandle::parse(handle).unwrap();
    let session = sessions::by_handle(tx, &handle).await.unwrap().unwrap();
    let now = session.created_at;
    match end {
        End::Session => {
            assert!(sessions::end(tx, &session.id, EndReason::Terminated, now).await.unwrap());
        }
        End::Epoch => drop(users::bump_epoch(tx, user).await.unwrap()),
        End::Blacklist => drop(rows::add(tx, user, None, None, now).await.unwrap().unwrap()),
        End::Account => {
            assert!(users::set_status(tx, user, AccountStatus::Disabled, now).await.unwrap());
        }
    }
}
