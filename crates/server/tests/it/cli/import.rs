//! `portcullis import users`: what a file leaves in the store, and each refusal beside a row that
//! is taken.

use portcullis_store::users::Password;
use serde_json::{Value, json};

use super::{Place, on_each_place};
use crate::harness::merge;

const HASH: &str = "$2b$04$abcdefghijklmnopqrstuumeEFg6zY3F9UMkjHzpfyE4WkVj6Z2cW";
/// What no output may hold.
const SECRETS: [&str; 6] =
    ["abcdefghijkl", "stuumeEFg6zY3F9", "hunter2", "$2b$", "quiet harbour", "password1"];

/// Writes a file and imports it; machines get one object, whatever the exit code is.
fn import(place: &Place, format: &str, content: &str, more: &str, code: i32) -> Value {
    let ran = place.run(&line(place, format, content, &format!("{more} --json")));
    assert_eq!(ran.code, code, "{ran:?}");
    for secret in SECRETS {
        assert!(!ran.out.contains(secret) && !ran.err.contains(secret), "{ran:?}");
    }
    serde_json::from_str(if ran.out.is_empty() { &ran.err } else { &ran.out }).unwrap()
}

fn line(place: &Place, format: &str, content: &str, more: &str) -> String {
    let file = place.directory().join(format);
    std::fs::write(&file, content).unwrap();
    format!("import users {} --format {format} {more}", file.display())
}

fn emails(place: &Place) -> Vec<String> {
    let listed = place.run("user list --json").assert(0).json();
    let listed = listed.as_array().unwrap().clone();
    listed.iter().map(|user| user["email"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_dry_run_says_the_same_and_writes_nothing() {
    on_each_place(async |place| {
        place.make_user("ada@example.com", "--username ada");
        let before = place.events().await;
        let file = format!(
            "email,username,role,active,password_hash\n\
             ada@example.com,other,,,{HASH}\nnew@example.com,ada,,,{HASH}\n\
             eve@example.com,eve,,,{HASH}\neve@example.com,,,,\nnobody,,,,{HASH}\n\
             tom@example.com,,nobody,,{HASH}\nkim@example.com,,,,{HASH}x\n\
             tim@example.com,,owner,no,\n"
        );
        let dry = import(place, "csv", &file, "--dry-run", 1);
        assert_eq!(emails(place), ["ada@example.com"]);
        assert_eq!(place.events().await, before);
        let wet = import(place, "csv", &file, "", 1);
        assert_eq!(emails(place), ["ada@example.com", "eve@example.com", "tim@example.com"]);
        assert_eq!((&dry["dry_run"], &wet["dry_run"]), (&json!(true), &json!(false)));
        for told in [&dry, &wet] {
            assert_eq!(told["created"], 2, "{told}");
            assert_eq!((&told["without_password"], &told["disabled"]), (&json!(1), &json!(1)));
            assert_eq!(told["skipped"], json!([{ "number": 2, "email": "ada@example.com" }]));
            let row = |number, email: Option<&str>, reason: &str| {
                json!({ "number": number, "email": email, "reason": reason })
            };
            let expected = json!([
                row(3, Some("new@example.com"), "username: It belongs to another user."),
                row(5, Some("eve@example.com"), "The file names this user before, in number 4."),
                row(6, None, "email: Enter a valid email address."),
                row(7, Some("tom@example.com"), "role: There is no role of this name."),
                row(8, Some("kim@example.com"), "The bcrypt hash is cut off or garbled."),
            ]);
            assert_eq!(told["refused"], expected);
        }
        let (eve, password) = place.user("eve@example.com").await.unwrap();
        assert_eq!(password.phc.unwrap().reveal(), HASH);
        assert_eq!(eve.account_type.name(), "Tenant");
    })
    .await;
}

#[tokio::test]
async fn a_file_without_faults_ends_with_0_also_the_second_time() {
    on_each_place(async |place| {
        let file = format!("email,password_hash\nada@example.com,{HASH}\n");
        let more = "--account-type staff --role OWNER";
        assert_eq!(import(place, "csv", &file, more, 0)["created"], 1);
        let again = import(place, "csv", &file, more, 0);
        assert_eq!((&again["created"], &again["skipped"][0]["number"]), (&json!(0), &json!(2)));
        let listed = place.run("user list --json").assert(0).json();
        assert_eq!((&listed[0]["account_type"], &listed[0]["role"]), (&json!("staff"), &json!("owner")));
        let event = r#"user_created 1 {"account_type":"Staff","origin":"import","role":"owner","status":"active"}"#;
        assert_eq!(place.events().await, [event]);
    })
    .await;
}

#[tokio::test]
async fn djangos_users_and_our_own_come_along() {
    on_each_place(async |place| {
        let fields = |email: &str, more: &str| {
            format!(
                r#"{{"model": "auth.user", "pk": 3, "fields": {{"email": "{email}", {more}, "last_login": null, "groups": []}}}}"#
            )
        };
        let dump = format!(
            "[{}, {}, {}]",
            fields("ada@example.com", r#""username": "ada", "is_superuser": true, "is_staff": true, "password": "scrypt$1024$seasalt$8$2$lJGQaUR3bJoAT1WNRuHNiocmGsSJHDhWklob0do9vlv3UNL9NLb5d+LPxFqSvglQ54G1KA8slG05ryUC84Z/ig==""#),
            fields("eve@example.com", r#""is_active": false, "password": "!unusable""#),
            fields("", r#""username": "root", "password": "md5$hunter2$hunter2""#),
        );
        let told = import(place, "django", &dump, "", 1);
        assert_eq!((&told["created"], &told["without_password"]), (&json!(2), &json!(1)));
        assert_eq!(told["refused"][0]["number"], 3);
        let listed = place.run("user list --json").assert(0).json();
        let said = |index: usize, key: &str| listed[index][key].as_str().unwrap().to_owned();
        assert_eq!((said(0, "account_type"), said(0, "role")), ("staff".into(), "user".into()));
        assert_eq!((said(1, "account_type"), said(1, "status")), ("tenant".into(), "disabled".into()));

        place.make_user("own@example.com", "");
        let (_, password) = place.user("own@example.com").await.unwrap();
        let phc = password.phc.unwrap().reveal().to_owned();
        let lines = json!({ "email": "moved@example.com", "branch": 4, "password_hash": phc });
        import(place, "portcullis", &lines.to_string(), "", 0);
        let (moved, password) = place.user("moved@example.com").await.unwrap();
        assert_eq!((moved.branch_id, password.phc.unwrap().reveal()), (4, phc.as_str()));
    })
    .await;
}

#[tokio::test]
async fn a_file_that_cannot_be_understood_changes_nothing() {
    on_each_place(async |place| {
        let refused = |content: &str, more: &str, code: &str, says: &str| {
            let told = import(place, "csv", content, more, 1);
            assert_eq!(told["code"], code, "{content}: {told}");
            assert!(told["error"].as_str().unwrap().contains(says), "{content}: {told}");
        };
        refused("email,colour\na@example.com,red\n", "", "import_refused", "\"colour\"");
        refused(&format!("a@example.com,{HASH}\n"), "", "import_refused", "must name the columns");
        refused("email\na@example.com\n", "--role nobody", "role_unknown", "\"nobody\"");
        place.run("import users nothing.csv --format csv").assert(3);
        place.run("import users nothing.csv --format xml").assert(2);
        place.run("import users nothing.csv").assert(2);
        assert!(emails(place).is_empty());
        import(place, "csv", "email\na@example.com\n", "", 0);
        assert_eq!(emails(place), ["a@example.com"]);
    })
    .await;
}

const PLAIN: &str = "email,first_name,password,password_hash\n\
    ada@example.com,Ada,a quiet harbour,\n\
    kim@example.com,Kim,quiet harbour,\n\
    tim@example.com,Tim,password1password1,\n\
    tom@example.com,Tom,tom@example.com,\n\
    eve@example.com,Eve,another quiet harbour,HASH\n\
    pat@example.com,Pat,HASH,\n\
    sam@example.com,Sam,,HASH\n";

#[tokio::test]
async fn plain_passwords_are_what_new_passwords_must_be() {
    on_each_place(async |place| {
        let file = PLAIN.replace("HASH", HASH);
        let dry = import(place, "csv", &file, "--dry-run", 1);
        assert!(emails(place).is_empty() && place.events().await.is_empty());
        let wet = import(place, "csv", &file, "", 1);
        assert_eq!(emails(place), ["ada@example.com", "sam@example.com"]);
        for told in [&dry, &wet] {
            let counts = (&told["created"], &told["without_password"], &told["deferred"]);
            assert_eq!(counts, (&json!(2), &json!(0), &json!(0)));
            let refused = told["refused"].as_array().unwrap();
            let reasons: Vec<String> =
                refused.iter().map(|row| format!("{} {}", row["number"], row["reason"])).collect();
            let expected = [
                "3 \"password: must have at least 15 characters.\"",
                "4 \"password: must not be one of the most common passwords.\"",
                "5 \"password: must not be made of your own name or address, or of the name of this service.\"",
                "6 \"It has a password and a password_hash: give one of them.\"",
                "7 \"password: It looks like a hash, which belongs in password_hash.\"",
            ];
            assert_eq!(reasons, expected);
        }
        let phc = |password: Password| password.phc.unwrap().reveal().to_owned();
        let (_, ada) = place.user("ada@example.com").await.unwrap();
        assert!(phc(ada).starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let (_, sam) = place.user("sam@example.com").await.unwrap();
        assert_eq!(phc(sam), HASH);
    })
    .await;
}

#[tokio::test]
async fn a_password_that_cannot_be_looked_up_is_counted() {
    on_each_place(async |place| {
        configure(place, "sources = [\"online\"]\nrange_url = \"http://127.0.0.1:9/range/\"");
        let line = "{\"email\":\"ada@example.com\",\"password\":\"a quiet harbour\"}\n{\"email\":\"eve@example.com\"}\n";
        let dry = place.run(&self::line(place, "portcullis", line, "--dry-run"));
        let told = "2 (without a password: 1, disabled: 0). Here already: 0. Refused: 0. \
                    1 password could not be looked up everywhere: it will be at a sign-in.\n";
        assert_eq!(dry.out, format!("Nothing was written. Users to be made: {told}"), "{dry:?}");
        assert_eq!(import(place, "portcullis", line, "", 0)["deferred"], 1);
    })
    .await;
}

/// More rows than the hasher has room for.
#[tokio::test]
async fn many_plain_passwords_wait_for_their_turn() {
    on_each_place(async |place| {
        let row = |number| format!("n{number}@example.com,a quiet harbour {number}\n");
        let file = "email,password\n".to_owned() + &(0..80).map(row).collect::<String>();
        assert_eq!(import(place, "csv", &file, "", 0)["created"], 80);
    })
    .await;
}

/// Whom it asks about breached passwords.
pub(super) fn configure(place: &Place, keys: &str) {
    let text = std::fs::read_to_string(&place.config).unwrap();
    std::fs::write(&place.config, merge(&text, &format!("[breach]\n{keys}\n"))).unwrap();
}

#[tokio::test]
async fn people_read_a_line_for_each_row_that_was_not_taken() {
    on_each_place(async |place| {
        place.make_user("ada@example.com", "");
        let file =
            "email,active\nada@example.com,\nbad,\ntom@example.com,perhaps\neve@example.com,\n";
        let ran = place.run(&line(place, "csv", file, "--dry-run"));
        assert_eq!(ran.code, 1);
        let expected = "line 2: ada@example.com is here already.\n\
                        line 3: email: Enter a valid email address.\n\
                        line 4: tom@example.com: active: Enter true or false.\n";
        assert_eq!(ran.err, expected);
        let expected = "Nothing was written. Users to be made: 1 (without a password: 1, \
                        disabled: 0). Here already: 1. Refused: 2.\n";
        assert_eq!(ran.out, expected);
    })
    .await;
}
