//! The commands, as people and scripts use them: a backup beside a running server, tried, and restored
//! on another machine; and everything that is refused, with what is to be done.

use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use portcullis_domain::role::Level;
use portcullis_domain::secret::{Keys, MasterSecret};
use portcullis_domain::text::Name;
use portcullis_domain::time::Time;
use portcullis_server::doctor::Status;
use portcullis_server::flows::audit::When;
use portcullis_store::migrate::{self, MigrateOptions};
use portcullis_store::roles::{self, NewRole};
use portcullis_store::scratch;

use super::{files, made_in};
use crate::cli::{PASSWORD, Place, Ran, on_each_place};
use crate::harness::database::{self, Database};
use crate::harness::people::{STAFF, Z1};
use crate::harness::{Setup, TestApp};

/// Another machine: an empty database of this kind, with the secret of the first unless it is another.
async fn another(kind: database::Kind, secret: Option<&[u8]>) -> Place {
    let place = Place::new(Database::fresh(kind).await);
    if let Some(secret) = secret {
        write_secret(&place, secret);
    }
    place
}

fn write_secret(place: &Place, secret: &[u8]) {
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(secret_file(place));
    std::io::Write::write_all(&mut file.unwrap(), secret).unwrap();
}

fn secret_file(place: &Place) -> PathBuf {
    place.directory().join("secret")
}

fn secret_of(place: &Place) -> Vec<u8> {
    std::fs::read(secret_file(place)).unwrap()
}

fn backup(place: &Place, name: &str) -> PathBuf {
    let file = place.directory().join(name);
    place.run(&format!("backup create --out {} --json", file.display())).assert(0);
    file
}

fn users(place: &Place) -> String {
    place.run("user list --json").assert(0).out.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_made_tried_and_restored_on_either_database() {
    on_each_place(async |place| {
        place.make_user("ada@example.com", "--role owner");
        let before = users(place);
        let file = place.directory().join("first.backup");
        let told = place.run(&format!("backup create --out {} --json", file.display()));
        let told = told.assert(0).json();
        assert_eq!(told["file"], file.to_str().unwrap());
        assert_eq!(told["bytes"], std::fs::metadata(&file).unwrap().len());
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);

        let verified = place.run(&format!("backup verify {} --json", file.display()));
        let verified = verified.assert(0).json();
        assert_eq!(verified["rows"]["users"], 1);
        assert_eq!(verified["taken_at"], told["taken_at"]);
        for kind in database::kinds() {
            let target = another(kind, Some(&secret_of(place))).await;
            let restored = target.run(&format!("backup restore {} --json", file.display()));
            assert_eq!(restored.assert(0).json()["rows"], told["rows"]);
            assert_eq!(users(&target), before);
            let events = target.events().await;
            assert!(events.iter().any(|event| event.starts_with("backup_restored ")), "{events:?}");
        }
    })
    .await;
}

/// The spelling that other people's scripts know.
#[tokio::test(flavor = "multi_thread")]
async fn a_directory_keeps_them_by_their_moment() {
    on_each_place(async |place| {
        place.make_user("ada@example.com", "--role owner");
        let shelf = place.directory().join("shelf");
        std::fs::create_dir(&shelf).unwrap();
        std::fs::write(shelf.join("zzz.backup"), "somebody else's").unwrap();
        place.run(&format!("backup --to {}", shelf.display())).assert(0);
        place.make_user("eve@example.com", "--role user");
        place.run(&format!("backup create --to {}", shelf.display())).assert(0);
        assert_eq!(files(&shelf).len(), 3, "{:?}", files(&shelf));
        let target = another(database::Kind::Sqlite, Some(&secret_of(place))).await;
        target.run(&format!("restore --from {}", shelf.display())).assert(0);
        assert!(users(&target).contains("eve@example.com"));
        let empty = place.directory().join("nothing");
        std::fs::create_dir(&empty).unwrap();
        let target = another(database::Kind::Sqlite, Some(&secret_of(place))).await;
        let ran = target.run(&format!("restore --from {}", empty.display()));
        assert!(ran.assert(3).err.contains("holds no backup"), "{ran:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_is_not_in_it() {
    on_each_place(async |place| {
        place.make_user("ada@example.com", "--role owner");
        let file = std::fs::read(backup(place, "a.backup")).unwrap();
        let text = String::from_utf8(secret_of(place)).unwrap();
        let bytes = hex::decode(text.trim()).unwrap();
        let holds = |part: &[u8]| file.windows(part.len()).any(|window| window == part);
        assert!(!holds(text.trim().as_bytes()) && !holds(&bytes) && !holds(PASSWORD.as_bytes()));
        assert!(holds(b"ada@example.com"), "control");
    })
    .await;
}

/// Refused with this exit code, for this reason.
#[track_caller]
fn refused(ran: &Ran, code: i32, reason: &str) {
    ran.assert(code);
    assert!(ran.err.contains(reason), "{reason}: {ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_restored_is_refused_and_nothing_is_changed() {
    on_each_place(async |place| {
        place.make_user("ada@example.com", "--role owner");
        let file = backup(place, "good.backup");
        let good = std::fs::read(&file).unwrap();
        let kind = database::Kind::Sqlite;
        let bad = place.directory().join("bad.backup");
        let restore =
            |place: &Place, file: &Path| place.run(&format!("backup restore {}", file.display()));
        let mut flipped = good.clone();
        let middle = good.len() / 2;
        flipped[middle] = if good[middle] == b'x' { b'y' } else { b'x' };
        let cases: [(&[u8], &str); 4] = [
            (&good[..good.len() - 100], "is cut off"),
            (&flipped, "is damaged"),
            (b"PK and so on", "is no backup of Portcullis"),
            (b"{\"portcullis_backup\":7}\n", "take a newer program"),
        ];
        for (bytes, reason) in cases {
            std::fs::write(&bad, bytes).unwrap();
            let target = another(kind, Some(&secret_of(place))).await;
            refused(&restore(&target, &bad), 1, reason);
            refused(&place.run(&format!("backup verify {}", bad.display())), 1, reason);
            // Nothing is there: it takes the good one.
            restore(&target, &file).assert(0);
            assert_eq!(users(&target), users(place));
        }
        let target = another(kind, Some("08".repeat(32).as_bytes())).await;
        refused(&restore(&target, &file), 1, "the database belongs to another secret");
        let target = another(kind, None).await;
        refused(&restore(&target, &file), 1, "There is no secret file");
        assert!(!secret_file(&target).exists());
        let target = another(kind, Some(&secret_of(place))).await;
        refused(&restore(&target, Path::new("/nowhere/at/all")), 3, "cannot be read");
        refused(&restore(&target, Path::new("/dev/null")), 1, "is no backup of Portcullis");

        let before = users(place);
        refused(&restore(place, &file), 1, "is not empty");
        assert_eq!(users(place), before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_without_the_secret_wrote_has_an_exit_code_of_its_own() {
    let place = another(database::Kind::Sqlite, None).await;
    place.make_user("ada@example.com", "--role owner");
    let file = std::fs::read_to_string(backup(&place, "good.backup")).unwrap();
    let (body, last) = file.trim_end().rsplit_once('\n').unwrap();
    let forged = format!("{body}\n").replace("ada@example.com", "eve@example.com");
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, forged.as_bytes());
    let seal = last.split_once("\"seal\"").unwrap().1;
    let last = format!("{{\"sha256\":\"{}\",\"seal\"{seal}", hex::encode(digest));
    let bad = place.directory().join("bad.backup");
    std::fs::write(&bad, format!("{forged}{last}\n")).unwrap();
    let ran = place.run(&format!("backup verify {}", bad.display()));
    refused(&ran, 4, "was changed by somebody without the secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_backup_cannot_be_written_there_is_none_and_it_is_noted() {
    on_each_place(async |place| {
        place.make_user("ada@example.com", "--role owner");
        let file = backup(place, "a.backup");
        let before = std::fs::read(&file).unwrap();
        let create = |out: &str| place.run(&format!("backup create --out {out}"));
        refused(&create(file.to_str().unwrap()), 1, "is there already");
        assert_eq!(std::fs::read(&file).unwrap(), before);
        refused(&create("/nowhere/at/all/b.backup"), 3, "cannot be written");
        refused(&create("/proc/b.backup"), 3, "cannot be written");
        let left: Vec<String> =
            files(&place.directory()).into_iter().filter(|name| name.contains("backup")).collect();
        assert_eq!(left, ["a.backup"], "no draft is left behind");
        let events = place.events().await;
        let failed = events.iter().filter(|event| event.starts_with("backup_failed ")).count();
        assert_eq!(failed, 2, "that a name is taken is no failure: {events:?}");
        assert!(events.iter().any(|event| event.starts_with("backup_created ")), "{events:?}");
        refused(&place.run("backup create"), 2, "--out");
        refused(&place.run("backup"), 2, "--to");
    })
    .await;
}

/// A disk without room, as a limit on the size of files.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_leaves_nothing_behind() {
    let place = another(database::Kind::Sqlite, None).await;
    place.make_user("ada@example.com", "--role owner");
    let db = place.store().await;
    let mut tx = db.write().await.unwrap();
    for number in 0..3000_u32 {
        let now = Time(1);
        let text = portcullis_domain::event::Text::clip(&"x".repeat(200));
        let event = portcullis_domain::event::Event::PlaceAsked { network: text };
        let id = format!("0190-{number:08}");
        let nobody = portcullis_domain::event::Context::default();
        portcullis_store::events::append(&mut tx, &event, &nobody, &id, now).await.unwrap();
    }
    tx.commit().await.unwrap();
    db.close().await;
    let file = place.directory().join("a.backup");
    let create = |limit: &str| {
        let script = format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_portcullis")]);
        command.args(["backup", "create", "--out"]).arg(&file);
        command.arg("--config").arg(place.directory().join("portcullis.toml"));
        let output = command.output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    // In blocks of half a kibibyte.
    let (code, err) = create("1000");
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("cannot be written"), "{err}");
    let names = files(&place.directory());
    assert!(!names.iter().any(|name| name.contains("backup")), "{names:?}");
    let events = place.events().await;
    assert!(events.iter().any(|event| event.contains("\"reason\":\"full\"")), "{events:?}");
    let (code, err) = create("unlimited");
    assert_eq!(code, 0, "control: {err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_says_when_the_last_one_was() {
    on_each_place(async |place| {
        place.make_user("ada@example.com", "--role owner");
        let found = || {
            let checks = place.run("doctor --json").out;
            let checks: serde_json::Value = serde_json::from_str(&checks).unwrap();
            let of_backup = |check: &&serde_json::Value| check["id"] == "backup";
            let check = checks.as_array().unwrap().iter().find(of_backup).unwrap().clone();
            (check["status"].as_str().unwrap().to_owned(), check["detail"].clone())
        };
        assert_eq!(found(), ("warning".to_owned(), "there never was one".into()));
        backup(place, "mine.backup");
        let (status, detail) = found();
        assert_eq!(status, Status::Ok.word());
        assert!(detail.as_str().unwrap().contains("mine.backup"), "{detail}");
        let taken = place.directory().join("mine.backup");
        refused(
            &place.run(&format!("backup create --out {}", taken.display())),
            1,
            "is there already",
        );
        assert_eq!(found(), (status, detail), "a name that is taken changes nothing");
        place.run("backup create --out /nowhere/at/all").assert(3);
        let (status, detail) = found();
        assert_eq!(status, "fault", "{detail}");
        assert!(detail.as_str().unwrap().contains("unwritable"), "{detail}");
    })
    .await;
}

/// What was signed after the backup is not forgotten: somebody has to say that the older log is meant.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_behind_what_was_signed_is_told_and_accepted_by_name() {
    let server = TestApp::start(database::Kind::Sqlite, &Setup::default()).await;
    let sign = async || {
        let now = server.app.clock.now();
        server.app.audit.settle(now).await.unwrap();
        server.app.audit.checkpoint(now, When::Now).await.unwrap();
    };
    server.by_cookie(&STAFF).await;
    sign().await;
    let file = made_in(&server, &server.data_dir).await;
    server.by_cookie(&Z1).await;
    sign().await;
    let target = another(database::Kind::Sqlite, Some("07".repeat(32).as_bytes())).await;
    let anchor = "audit/checkpoint";
    std::fs::create_dir(target.directory().join("audit")).unwrap();
    std::fs::copy(server.data_dir.join(anchor), target.directory().join(anchor)).unwrap();
    let ran = target.run(&format!("backup restore {}", file.display()));
    assert!(ran.assert(0).out.contains("Until you run portcullis audit accept"), "{ran:?}");
    assert_eq!(target.run("audit verify").code, 1, "control");
    target.run("audit accept").assert(0);
    target.run("audit verify").assert(0);

    let without = another(database::Kind::Sqlite, Some("07".repeat(32).as_bytes())).await;
    let ran = without.run(&format!("backup restore {}", file.display()));
    assert!(!ran.assert(0).out.contains("audit accept"), "control: {ran:?}");
    server.finish().await;
}

/// A newer program makes a backup of what an older one left, and leaves it as it is.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_database_is_backed_up_before_anything_brings_it_forward() {
    const OLD: i64 = 20;
    for kind in database::kinds() {
        let place = another(kind, Some("07".repeat(32).as_bytes())).await;
        let keys = Keys::derive(&MasterSecret::from_random([7; 32])).unwrap();
        let options = MigrateOptions { seal_check: keys.seal_check(), now: Time(1) };
        let db = place.store().await;
        scratch::make_older(&db, OLD, &options).await.unwrap();
        let mut tx = db.write().await.unwrap();
        let (name, level) = (Name::parse("clerk").unwrap(), Level::new(20).unwrap());
        roles::insert(&mut tx, &NewRole { name, level }, Time(1)).await.unwrap();
        tx.commit().await.unwrap();

        let file = backup(&place, "old.backup");
        let found = migrate::inspect(&db, &keys.seal_check()).await.unwrap().version;
        assert_eq!(found, OLD, "it was brought forward");
        db.close().await;
        let verified = place.run(&format!("backup verify {} --json", file.display()));
        assert_eq!(verified.assert(0).json()["schema"], OLD);
        let target = another(database::Kind::Sqlite, Some(&secret_of(&place))).await;
        target.run(&format!("backup restore {}", file.display())).assert(0);
        assert!(target.run("role list").assert(0).out.contains("clerk"));
    }
}
