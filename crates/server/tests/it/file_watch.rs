//! Files that are watched: what changes is an alert at once, on a server with its jobs and the machine's
//! clock.

use std::fs;
use std::time::{Duration, Instant};

use portcullis_domain::event::Context;
use portcullis_domain::integrity::Cause;
use portcullis_domain::integrity::alert::{Kind, Status};
use portcullis_domain::time::Time;
use portcullis_integrity::{Scope, Uncovered};
use portcullis_server::file_watch;
use portcullis_server::flows::integrity::check::{self, Begun};
use portcullis_server::flows::integrity::glance::{Glanced, Kept, glance};
use portcullis_server::flows::integrity::{Monitor, unwatched};
use portcullis_store::integrity::{self as rows, alerts, baselines, checks};
use tempfile::TempDir;

use super::harness::{Setup, TestApp, database};

/// Nothing takes that long, on a machine that does other things too.
const ENOUGH: Duration = Duration::from_secs(40);

/// What is known of the root: its alerts as kind, path and status.
type Alert = (Kind, String, Status);

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["app.php", "lib/a.php", "lib/deep/b.php", "cache/x"] {
            let file = folder.path().join("root").join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "before").unwrap();
        }
        Self { folder }
    }

    fn root(&self) -> std::path::PathBuf {
        self.folder.path().join("root")
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.root().join(name), text).unwrap();
    }

    /// A server that watches it, once it has a baseline.
    async fn served(&self, more: &str) -> TestApp {
        let setup = Setup { is_served: true, ..self.setup(more) };
        let server = TestApp::start(database::kinds()[0], &setup).await;
        self.with_baseline(&server).await;
        server
    }

    async fn with_baseline(&self, server: &TestApp) {
        let has_one = async |server: &TestApp| {
            let mut tx = server.app.db.read().await.unwrap();
            baselines::active(&mut tx, "app").await.unwrap().is_some()
        };
        until(server, "a baseline", has_one).await;
    }

    fn setup(&self, more: &str) -> Setup {
        let root = self.root();
        Setup::with(&format!(
            "[integrity]\n{more}\n[[integrity.root]]\nname = \"app\"\npath = \"{}\"\n\
             exclude = [\"cache/\"]\n",
            root.display()
        ))
    }
}

async fn until(server: &TestApp, what: &str, is_so: impl AsyncFn(&TestApp) -> bool) -> Duration {
    let begun = now();
    while begun.elapsed() < ENOUGH {
        if is_so(server).await {
            return begun.elapsed();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}: not in time; {:?}", known(server).await);
}

async fn known(server: &TestApp) -> Vec<Alert> {
    let mut tx = server.app.db.read().await.unwrap();
    let all = alerts::Filter::default();
    let known = alerts::list(&mut tx, &all, alerts::Order::Oldest, 10_000, 0).await.unwrap();
    let text = |path: Vec<u8>| String::from_utf8(path).unwrap();
    let told = known.into_iter().map(|alert| (alert.about, alert.status));
    told.map(|(about, status)| (about.kind, text(about.path), status)).collect()
}

/// How long it takes until there is such an alert.
async fn alerted(server: &TestApp, kind: Kind, path: &str, status: Status) -> Duration {
    let wanted: Alert = (kind, path.to_owned(), status);
    let what = format!("{wanted:?}");
    until(server, &what, async |server| known(server).await.contains(&wanted)).await
}

/// B.8: that not everything was heard of is written down, and is no alert.
#[tokio::test]
async fn that_more_changed_than_is_heard_of_is_an_event() {
    let place = Place::new();
    let server = TestApp::start(database::kinds()[0], &place.setup("watch = false")).await;
    let context = Context::default();
    let monitor = Monitor::of(&server.app, &context);
    unwatched::overflowed(&monitor, &server.app.config.integrity.roots[0]).await.unwrap();
    let event = server.events("fim_watch_overflow", 1).await.remove(0);
    assert_eq!(event.detail["root"], "app");
    assert_eq!(known(&server).await, []);
    server.finish().await;
}

#[tokio::test]
async fn a_single_change_under_watch_is_an_alert_in_less_than_a_second() {
    let place = Place::new();
    let server = place.served("").await;
    place.put("lib/deep/b.php", "after");
    place.put("cache/x", "after");
    let took = alerted(&server, Kind::Modified, "lib/deep/b.php", Status::New).await;
    assert!(took < Duration::from_secs(1), "{took:?}");

    // What nobody did by hand ends the alert that it made.
    place.put("lib/deep/b.php", "before");
    alerted(&server, Kind::Modified, "lib/deep/b.php", Status::Resolved).await;
    fs::remove_file(place.root().join("lib/a.php")).unwrap();
    alerted(&server, Kind::Deleted, "lib/a.php", Status::New).await;
    fs::create_dir_all(place.root().join("new/deep")).unwrap();
    place.put("new/deep/c.php", "x");
    alerted(&server, Kind::Added, "new/deep/c.php", Status::New).await;
    assert!(known(&server).await.iter().all(|(_, path, _)| !path.contains("cache")));

    let mut tx = server.app.db.read().await.unwrap();
    let checks = checks::list(&mut tx, 10).await.unwrap();
    drop(tx);
    assert_eq!(checks.len(), 1, "a look at what changed is no check");
    server.finish().await;
}

#[tokio::test]
async fn the_whole_is_looked_at_after_the_watch_was_set() {
    let place = Place::new();
    let server = place.served("").await;
    until(&server, "a look", async |server| looked_at(server).await.is_some()).await;
    assert_eq!(known(&server).await, []);
    server.finish().await;
}

#[tokio::test]
async fn a_root_that_is_gone_is_told_of_and_watched_again_when_it_is_back() {
    let place = Place::new();
    let server = place.served("").await;
    let (root, away) = (place.root(), place.folder.path().join("away"));
    fs::rename(&root, &away).unwrap();
    alerted(&server, Kind::RootUnavailable, "", Status::New).await;
    fs::rename(&away, &root).unwrap();
    alerted(&server, Kind::RootUnavailable, "", Status::Resolved).await;
    place.put("app.php", "after");
    alerted(&server, Kind::Modified, "app.php", Status::New).await;
    server.finish().await;
}

/// Who may write to the folder is told of at once, and nothing below it is read for that.
#[tokio::test]
async fn rights_of_the_root_itself_are_heard_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let set_mode = |mode| {
        fs::set_permissions(place.root(), fs::Permissions::from_mode(mode)).unwrap();
    };
    set_mode(0o755);
    let server = place.served("schedule = \"off\"").await;
    place.put("app.php", "armed");
    alerted(&server, Kind::Modified, "app.php", Status::New).await;
    set_mode(0o777);
    alerted(&server, Kind::Attributes, "", Status::New).await;
    set_mode(0o755);
    alerted(&server, Kind::Attributes, "", Status::Resolved).await;
    server.finish().await;
}

#[tokio::test]
async fn without_a_watch_nothing_is_heard_of() {
    let place = Place::new();
    let server = place.served("watch = false").await;
    place.put("app.php", "after");
    // The time that a watch has, twice.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(known(&server).await, []);
    server.finish().await;
}

#[tokio::test]
async fn watching_ends_with_the_server() {
    let place = Place::new();
    let server = TestApp::start(database::kinds()[0], &place.setup("")).await;
    let app = server.app.clone();
    app.spawn(file_watch::run(app.clone()));
    place.with_baseline(&server).await;
    place.put("app.php", "after");
    alerted(&server, Kind::Modified, "app.php", Status::New).await;
    drop(app);
    let begun = now();
    server.finish().await;
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_is_not_watched_is_an_alert_until_it_is() {
    let place = Place::new();
    for kind in database::kinds() {
        for (schedule, severity) in [("1h", "low"), ("off", "high")] {
            let setup = place.setup(&format!("schedule = \"{schedule}\""));
            let server = TestApp::start(kind, &setup).await;
            check_uncovered(&server, severity).await;
            server.finish().await;
        }
    }
}

#[tokio::test]
async fn a_look_does_not_end_what_was_seen_after_it_began() {
    let place = Place::new();
    for kind in database::kinds() {
        let server = TestApp::start(kind, &place.setup("")).await;
        let context = Context::default();
        checked(&server).await;
        let early = server.second_node(&place.setup("")).await;
        server.advance(Duration::from_secs(10));
        place.put("app.php", "after");
        let (monitor, mut kept) = (Monitor::of(&server.app, &context), Kept::default());
        let (root, stopping) = (&server.app.config.integrity.roots[0], &server.app.stopping);
        let scope = Scope::of([b"app.php".to_vec()]);
        let glanced = glance(&monitor, root, &scope, &mut kept, stopping).await.unwrap();
        let Glanced::Done(told) = glanced else { panic!("{glanced:?}") };
        assert_eq!(told.len(), 1);

        place.put("app.php", "before");
        let app = |status| vec![(Kind::Modified, "app.php".to_owned(), status)];
        checked(&early).await;
        assert_eq!(known(&server).await, app(Status::New), "it began ten seconds ago");
        early.advance(Duration::from_secs(10));
        checked(&early).await;
        assert_eq!(known(&server).await, app(Status::Resolved), "control");
        early.finish().await;
        server.finish().await;
    }
}

#[tokio::test]
async fn a_look_at_a_part_says_nothing_of_the_rest() {
    let place = Place::new();
    for kind in database::kinds() {
        let server = TestApp::start(kind, &place.setup("")).await;
        let context = Context::default();
        for _ in 0..2 {
            checked(&server).await;
        }
        server.advance(Duration::from_secs(1));
        for name in ["app.php", "lib/a.php"] {
            place.put(name, "after");
        }
        let monitor = Monitor::of(&server.app, &context);
        let (root, stopping) = (&server.app.config.integrity.roots[0], &server.app.stopping);
        let mut kept = Kept::default();
        let mut look = async |paths: &[&str]| {
            let scope = Scope::of(paths.iter().map(|path| path.as_bytes().to_vec()));
            let glanced = glance(&monitor, root, &scope, &mut kept, stopping).await.unwrap();
            assert!(matches!(glanced, Glanced::Done(_)), "{glanced:?}");
            let mut known = known(&server).await;
            known.sort_by(|(_, one, _), (_, other, _)| one.cmp(other));
            known.into_iter().map(|(_, path, status)| (path, status)).collect::<Vec<_>>()
        };
        let (app, lib) = ("app.php".to_owned(), "lib/a.php".to_owned());
        let looked_at = looked_at(&server).await;
        assert_eq!(look(&["app.php"]).await, [(app.clone(), Status::New)]);
        let both = [(app.clone(), Status::New), (lib.clone(), Status::New)];
        assert_eq!(look(&["lib"]).await, both);
        for name in ["app.php", "lib/a.php"] {
            place.put(name, "before");
        }
        let one = [(app.clone(), Status::New), (lib.clone(), Status::Resolved)];
        assert_eq!(look(&["lib/a.php"]).await, one);
        assert_eq!(looked_at, self::looked_at(&server).await, "that is of the whole alone");

        fs::remove_dir_all(place.root().join("lib")).unwrap();
        let gone = look(&["lib"]).await;
        assert!(gone.contains(&("lib/deep/b.php".to_owned(), Status::New)), "{gone:?}");
        server.finish().await;
        for name in ["lib/a.php", "lib/deep/b.php"] {
            fs::create_dir_all(place.root().join("lib/deep")).unwrap();
            place.put(name, "before");
        }
    }
}

/// Checks, with a check.
async fn checked(server: &TestApp) {
    let context = Context::default();
    let monitor = Monitor::of(&server.app, &context);
    let begun = check::begin(&monitor, Cause::Request).await.unwrap();
    let Begun::Started(id) = begun else { panic!("{begun:?}") };
    check::run(&monitor, id, &server.app.stopping).await;
}

/// When the whole was looked at.
async fn looked_at(server: &TestApp) -> Option<Time> {
    let mut tx = server.app.db.read().await.unwrap();
    rows::by_name(&mut tx, "app").await.unwrap().unwrap().looked_at
}

async fn check_uncovered(server: &TestApp, severity: &str) {
    let context = Context::default();
    let monitor = Monitor::of(&server.app, &context);
    let root = &server.app.config.integrity.roots[0];
    let missing = Uncovered { folders: 812, named: vec![b"lib/\xe9".to_vec()] };
    let told = unwatched::uncovered(&monitor, root, &missing).await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].severity.as_str(), severity);
    let again = unwatched::uncovered(&monitor, root, &missing).await.unwrap();
    assert_eq!(again, [], "it is told once");

    let unwatched = |status| vec![(Kind::Unwatched, String::new(), status)];
    for _ in 0..2 {
        checked(server).await;
    }
    assert_eq!(known(server).await, unwatched(Status::New), "a check does not end it");
    let mut tx = server.app.db.read().await.unwrap();
    let alert = alerts::by_id(&mut tx, told[0].id).await.unwrap().unwrap();
    drop(tx);
    assert!(alert.about.details.contains("812 folders"), "{}", alert.about.details);
    assert!(alert.about.details.contains("lib/\\xe9"), "{}", alert.about.details);
    unwatched::covered(&monitor, root).await.unwrap();
    unwatched::covered(&monitor, root).await.unwrap();
    assert_eq!(known(server).await, unwatched(Status::Resolved));
    assert_eq!(server.events("fim_alert_reverted", 1).await.len(), 1);
}

#[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
fn now() -> Instant {
    Instant::now()
}
