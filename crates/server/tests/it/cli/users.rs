//! `portcullis user`: each act with what it leaves in the store, and each refusal beside a control.

use std::time::Duration;

use portcullis_domain::account::{AccountStatus, AccountType};
use portcullis_domain::audit::note::SigningKey;
use portcullis_domain::password::{self, Memory, Params, Verdict};
use portcullis_domain::totp::Step;
use portcullis_store::factors::{self, NewFactor};
use portcullis_store::users as accounts;
use serde_json::{Value, json};

use super::import::configure;
use super::{PASSWORD, Place, on_each_place};
use crate::breach::offline::write_signed;

async fn verdict(place: &Place, email: &str, text: &str) -> Verdict {
    let (_, stored) = place.user(email).await.unwrap();
    let phc = stored.phc.unwrap();
    password::verify(&Params::default(), &mut Memory::default(), phc.reveal(), text)
}

#[tokio::test]
async fn a_user_is_made_with_everything() {
    on_each_place(async |place| {
        let line = "user create --email Ada@Example.com --username ada --first-name Ada \
                    --last-name Lovelace --phone 07700000001 --branch 3 --account-type landlord \
                    --role OWNER --password-stdin";
        let made = place.run_with(line, &format!("{PASSWORD}\r\nnot this\n"));
        let made = made.assert(0).json();
        let (user, stored) = place.user("ada@example.com").await.unwrap();
        assert_eq!(made, json!({ "id": user.id, "uuid": user.uuid }));
        assert_eq!(user.email.as_str(), "Ada@example.com");
        assert_eq!(user.username.map(|name| name.as_str().to_owned()).as_deref(), Some("ada"));
        assert_eq!((user.first_name.as_str(), user.last_name.as_str()), ("Ada", "Lovelace"));
        assert_eq!((user.phone.as_deref(), user.branch_id), (Some("07700000001"), 3));
        assert_eq!(user.account_type, AccountType::Landlord);
        assert!(!stored.disabled && stored.failures == 0);
        assert_eq!(verdict(place, "ada@example.com", PASSWORD).await, Verdict::Match);
        let event = r#"{"account_type":"Landlord","role":"owner"}"#;
        assert_eq!(place.events().await, [format!("user_created {} {event}", user.id)]);
        let listed = place.run("user list --json").assert(0).json();
        assert_eq!((&listed[0]["id"], &listed[0]["breach_status"]), (&made["id"], &json!("clear")));
        let shown = place.run("user list").assert(0).out.clone();
        assert!(shown.contains("Password") && shown.contains(" clear "), "{shown}");
    })
    .await;
}

#[tokio::test]
async fn a_user_is_staff_with_the_least_role_unless_told() {
    on_each_place(async |place| {
        let made = place.run("user create --email ada@example.com");
        assert!(made.assert(0).err.contains("no password"), "{made:?}");
        assert!(made.json()["id"].is_i64(), "{made:?}");
        let (user, stored) = place.user("ada@example.com").await.unwrap();
        assert_eq!((user.account_type, user.branch_id), (AccountType::Staff, 1));
        assert!(stored.phc.is_none());
        let listed = place.run("user list --json").assert(0).json();
        assert_eq!(listed[0]["role"], "user");
        assert_eq!(listed[0]["breach_status"], Value::Null);
        // Machines get the result alone.
        let made = place.run("user create --email eve@example.com --json");
        assert_eq!(made.assert(0).err, "");
    })
    .await;
}

#[tokio::test]
async fn what_is_taken_or_unknown_makes_no_user() {
    on_each_place(async |place| {
        place.make_user("ada@example.com", "--username ada");
        let refused = |line: &str, code: &str| {
            let ran = place.run(&format!("user create {line} --json"));
            let told: Value = serde_json::from_str(&ran.assert(1).err).unwrap();
            assert_eq!(told["code"], code, "{line}: {told}");
        };
        refused("--email ADA@example.com", "email_taken");
        refused("--email eve@example.com --username Ada", "username_taken");
        for address in ["ada@example.com", "nobody@example.com"] {
            let line = format!("--email eve@example.com --username {address}");
            refused(&line, "username_is_address");
        }
        refused("--email eve@example.com --role nobody", "role_unknown");
        assert!(place.user("eve@example.com").await.is_none());
        assert_eq!(place.events().await.len(), 1);
        let own = "user create --email eve@example.com --username EVE@example.com";
        place.run(own).assert(0);
    })
    .await;
}

#[tokio::test]
async fn a_password_is_long_enough_or_refused() {
    on_each_place(async |place| {
        let line = "user create --email ada@example.com --password-stdin";
        let refused = |input: &[u8], says: &str| {
            let ran = super::run(&place.config, line, input);
            assert!(ran.assert(1).err.contains(says), "{input:?}: {ran:?}");
        };
        refused(b"", "No password came");
        refused(b"\n", "No password came");
        refused(b"\na long enough password", "No password came");
        refused(b"fourteen chars\n", "at least 15 characters");
        refused("x".repeat(1025).as_bytes(), "at most 1024 bytes");
        refused("x".repeat(3_000_000).as_bytes(), "at most 1024 bytes");
        refused(&[0xff; 20], "not UTF-8");
        assert!(!place.directory().join("secret").exists(), "it was refused before anything");
        place.run_with(line, "fifteen chars!!\n").assert(0);
        assert_eq!(verdict(place, "ada@example.com", "fifteen chars!!").await, Verdict::Match);
    })
    .await;
}

#[tokio::test]
async fn an_account_is_closed_and_opened() {
    on_each_place(async |place| {
        place.make_user("ada@example.com", "");
        place.make_user("eve@example.com", "");
        let check = async |line: &str, changed: bool, status: AccountStatus, epoch: i64| {
            let told = place.run(&format!("user {line} --json")).assert(0).json();
            assert_eq!(told["changed"], changed, "{line}: {told}");
            assert_eq!(told["email"], "ada@example.com");
            let (user, _) = place.user("ada@example.com").await.unwrap();
            assert_eq!((user.status, user.epoch), (status, epoch), "{line}");
        };
        let (active, disabled) = (AccountStatus::Active, AccountStatus::Disabled);
        check("enable ada@example.com", false, active, 0).await;
        check("disable ADA@example.com", true, disabled, 1).await;
        check("disable ada@example.com", false, disabled, 1).await;
        check("enable ada@example.com", true, active, 1).await;
        let (other, _) = place.user("eve@example.com").await.unwrap();
        assert_eq!((other.status, other.epoch), (active, 0));
        assert_eq!(
            place.events().await.get(2..).unwrap_or_default(),
            [
                r#"user_updated 1 {"field":"status","sessions":0,"value":"disabled"}"#,
                r#"user_updated 1 {"field":"status","value":"active"}"#,
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn a_new_password_replaces_the_old_one() {
    on_each_place(async |place| {
        place.make_user("ada@example.com", "");
        spoil(place).await;
        let line = "user set-password ada@example.com --password-stdin";
        place.run_with(line, "too short").assert(1);
        assert_eq!(verdict(place, "ada@example.com", PASSWORD).await, Verdict::Match);
        let told = place.run_with(line, "another long password");
        assert!(told.assert(0).out.contains("has a new password"), "{told:?}");
        assert_eq!(verdict(place, "ada@example.com", PASSWORD).await, Verdict::Mismatch);
        let now = verdict(place, "ada@example.com", "another long password").await;
        assert_eq!(now, Verdict::Match);
        let (user, stored) = place.user("ada@example.com").await.unwrap();
        assert_eq!((user.epoch, stored.failures, stored.disabled), (1, 0, false));
        let event = r#"authn_password_change 1 {"by":"operator"}"#;
        assert!(place.events().await.contains(&event.to_owned()));
    })
    .await;
}

#[tokio::test]
async fn unlocking_forgives_wrong_passwords() {
    on_each_place(async |place| {
        place.make_user("ada@example.com", "");
        let line = "user unlock ada@example.com --json";
        assert_eq!(place.run(line).assert(0).json()["changed"], false);
        spoil(place).await;
        assert_eq!(place.run(line).assert(0).json()["changed"], true);
        let (user, stored) = place.user("ada@example.com").await.unwrap();
        assert_eq!((user.epoch, stored.failures, stored.disabled), (0, 0, false));
        assert_eq!(verdict(place, "ada@example.com", PASSWORD).await, Verdict::Match);
        assert!(place.events().await.contains(&"user_unlocked 1 {}".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn a_lost_second_factor_is_taken_away_once() {
    on_each_place(async |place| {
        place.make_user("ada@example.com", "");
        let line = "user reset-2fa ada@example.com --json";
        assert_eq!(place.run(line).assert(0).json()["changed"], false);
        let (user, _) = place.user("ada@example.com").await.unwrap();
        let (db, now) = (place.store().await, user.created_at);
        let mut tx = db.write().await.unwrap();
        let new = NewFactor {
            begun_by: "somebody",
            id: "factor",
            user: user.id,
            secret: b"sealed",
            backup_codes: &[],
            expires_at: now.plus(Duration::from_mins(1)),
        };
        assert!(factors::begin(&mut tx, &new, now).await.unwrap());
        assert!(factors::enable(&mut tx, "factor", Step(1), now).await.unwrap());
        tx.commit().await.unwrap();
        db.close().await;
        for changed in [true, false] {
            assert_eq!(place.run(line).assert(0).json()["changed"], changed);
        }
        let (user, _) = place.user("ada@example.com").await.unwrap();
        assert_eq!(user.epoch, 1, "what was signed in is over");
        let event = r#"authn_factor_removed 1 {"by":"operator","sessions":0}"#;
        assert!(place.events().await.contains(&event.to_owned()));
    })
    .await;
}

/// A wrong password, and no sign-in by password any more.
async fn spoil(place: &Place) {
    let (user, _) = place.user("ada@example.com").await.unwrap();
    let db = place.store().await;
    let mut tx = db.write().await.unwrap();
    accounts::password_failed(&mut tx, user.id).await.unwrap();
    accounts::disable_password(&mut tx, user.id).await.unwrap();
    tx.commit().await.unwrap();
    db.close().await;
}

#[tokio::test]
async fn a_user_who_does_not_exist_is_refused() {
    on_each_place(async |place| {
        place.make_user("ada@example.com", "");
        let before = place.events().await;
        for command in ["disable", "enable", "unlock", "reset-2fa", "set-password --password-stdin"]
        {
            let ran = place.run_with(&format!("user {command} eve@example.com --json"), PASSWORD);
            let told: Value = serde_json::from_str(&ran.assert(1).err).unwrap();
            assert_eq!(told["code"], "user_unknown", "{command}");
        }
        assert_eq!(place.events().await, before);
    })
    .await;
}

/// The index must be signed here, which a command has to read all of first.
#[tokio::test]
async fn common_and_breached_passwords_are_refused_by_commands() {
    on_each_place(async |place| {
        let (folder, breached) = (place.directory(), "the wind in the willow tree");
        let key = SigningKey::from_seed("ours", &[7; 32]).unwrap();
        write_signed(&folder, breached, 2_900, "2025-01-31", Some(&key));
        let index = folder.join("index");
        let keys = format!(
            "sources = [\"list\", \"offline\"]\noffline_index = \"{}\"\nindex_key = \"{}\"",
            index.display(),
            key.verifier()
        );
        configure(place, &keys);
        place.make_user("ada@example.com", "");
        let create = "user create --email tom@example.com --password-stdin --json";
        let set = "user set-password ada@example.com --password-stdin --json";
        for (password, why) in [(breached, "2,816"), ("passwordpassword", "common")] {
            for command in [create, set] {
                let ran = place.run_with(command, password);
                assert!(ran.assert(1).err.contains(why), "{command}: {ran:?}");
            }
            let file = folder.join("file");
            std::fs::write(&file, format!("email,password\neve@example.com,{password}\n")).unwrap();
            let import = format!("import users --format csv {} --json", file.display());
            let told: Value = serde_json::from_str(&place.run(&import).out).unwrap();
            assert!(told["refused"][0]["reason"].as_str().unwrap().contains(why), "{told}");
        }
        assert!(place.user("tom@example.com").await.is_none());
        assert!(place.user("eve@example.com").await.is_none());
        for command in [create, set] {
            let ran = place.run_with(command, PASSWORD);
            assert_eq!(ran.assert(0).err, "", "control: everybody was asked");
        }
    })
    .await;
}

#[tokio::test]
async fn every_user_is_listed() {
    on_each_place(async |place| {
        assert_eq!(place.run("user list --json").assert(0).json(), json!([]));
        place.make_user("ada@example.com", "--username ada --first-name Ada --role owner");
        place.make_user("tom@example.com", "--account-type tenant");
        place.run("user disable tom@example.com").assert(0);
        let listed = place.run("user list --json").assert(0).json();
        let (ada, _) = place.user("ada@example.com").await.unwrap();
        let expected = json!({
            "id": 1, "uuid": ada.uuid, "email": "ada@example.com", "username": "ada",
            "first_name": "Ada", "last_name": "", "phone": null, "branch_id": 1,
            "account_type": "staff", "role": "owner", "status": "active",
            "breach_status": "clear", "created_at": ada.created_at.iso(),
        });
        assert_eq!(listed[0], expected);
        assert_eq!(
            (&listed[1]["status"], &listed[1]["username"]),
            (&json!("disabled"), &json!(null))
        );
        let table = place.run("user list").assert(0).out.clone();
        let line = table.lines().find(|line| line.contains("tom@example.com")).unwrap();
        let cells: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(
            cells.get(1..6).unwrap(),
            ["2", "tom@example.com", "tenant", "user", "disabled"]
        );
    })
    .await;
}
