//! What every command on the store begins with: the secret, the database, and several of them at
//! once.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use super::{finish, on_each_place, program, run};

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn the_first_command_makes_the_secret() {
    on_each_place(async |place| {
        let secret = place.directory().join("secret");
        place.run("role list").assert(0);
        let text = fs::read_to_string(&secret).unwrap();
        assert_eq!((mode(&secret), text.len()), (0o600, 65));
        let told = place.run("role list");
        assert!(!told.assert(0).out.contains(text.trim()));
        assert_eq!(fs::read_to_string(&secret).unwrap(), text);
    })
    .await;
}

#[tokio::test]
async fn a_secret_that_others_can_read_is_refused() {
    on_each_place(async |place| {
        let secret = place.directory().join("secret");
        place.run("role list").assert(0);
        let text = fs::read_to_string(&secret).unwrap();
        for wrong in [0o644, 0o640, 0o660, 0o602] {
            fs::set_permissions(&secret, Permissions::from_mode(wrong)).unwrap();
            let told = place.run("role list");
            let advice = format!("chmod 600 {}", secret.display());
            assert!(told.assert(3).err.contains(&advice), "{told:?}");
            assert!(!told.err.contains(text.trim()));
        }
        fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
        place.run("role list").assert(0);
    })
    .await;
}

#[tokio::test]
async fn a_database_of_another_secret_is_refused() {
    on_each_place(async |place| {
        let secret = place.directory().join("secret");
        place.make_user("ada@example.com", "");
        let text = fs::read_to_string(&secret).unwrap();
        fs::remove_file(&secret).unwrap();
        let told = place.run("user list");
        assert!(told.assert(3).err.contains("another secret"), "{told:?}");
        fs::write(&secret, text).unwrap();
        place.run("user list").assert(0);
    })
    .await;
}

#[tokio::test]
async fn commands_that_start_at_once_agree() {
    const COUNT: usize = 8;
    on_each_place(async |place| {
        let config = &place.config;
        let make = |number: usize| {
            run(config, &format!("user create --email user{number}@example.com"), b"")
        };
        let ran: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..COUNT).map(|number| scope.spawn(move || make(number))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let mut ids: Vec<i64> =
            ran.iter().map(|ran| ran.assert(0).json()["id"].as_i64().unwrap()).collect();
        ids.sort_unstable();
        let expected: Vec<_> = (1..).take(COUNT).collect();
        assert_eq!(ids, expected);
        let listed = place.run("user list --json").assert(0).json();
        assert_eq!(listed.as_array().map(Vec::len), Some(COUNT));
        let roles = place.run("role list --json").assert(0).json();
        assert_eq!(roles.as_array().map(Vec::len), Some(3));
    })
    .await;
}

#[test]
fn a_database_that_cannot_be_reached_has_its_own_exit_code() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("portcullis.toml");
    let data = directory.path().display();
    let text = format!("[server]\ndata_dir = \"{data}\"\n[database]\nurl = \"{{}}\"\n");
    let url = "postgres://ada:hunter2@127.0.0.1:1/portcullis";
    fs::write(&config, text.replace("{}", url)).unwrap();
    let told = run(&config, "user list", b"");
    assert!(told.assert(3).err.contains("portcullis at 127.0.0.1"), "{told:?}");
    assert!(!told.err.contains("hunter2"), "{told:?}");
    // A file with a name that means something in a URL is reached.
    fs::write(&config, text.replace("{}", "sqlite:100%25 sure.db")).unwrap();
    run(&config, "user list", b"").assert(0);
    assert!(directory.path().join("100%25 sure.db").exists());
}

#[test]
fn directories_are_made_for_their_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("portcullis.toml");
    let data = directory.path().join("some/where");
    fs::write(&config, format!("[server]\ndata_dir = \"{}\"\n", data.display())).unwrap();
    run(&config, "role list", b"").assert(0);
    assert_eq!((mode(&data), mode(&data.join("portcullis.db"))), (0o700, 0o600));
    let blocked = config.join("inside");
    fs::write(&config, format!("[server]\ndata_dir = \"{}\"\n", blocked.display())).unwrap();
    assert!(run(&config, "role list", b"").assert(3).err.contains("cannot be made"));
}

#[test]
fn a_reader_that_went_away_is_no_failure() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("portcullis.toml");
    fs::write(&config, format!("[server]\ndata_dir = \"{}\"\n", directory.path().display()))
        .unwrap();
    let mut command = program();
    command.args(["role", "list", "--config"]).arg(&config);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stdout(writer).stderr(Stdio::null());
    let status = command.status().unwrap();
    assert_eq!(status.code(), Some(0));
    command.stdout(fs::File::options().write(true).open("/dev/full").unwrap());
    assert_eq!(command.status().unwrap().code(), Some(3));
    let mut control = program();
    control.args(["role", "list", "--config"]).arg(&config);
    finish(control, b"").assert(0);
}
