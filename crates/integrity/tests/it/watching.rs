//! A watch over a root: what happens in it, and where the watch says to look.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use portcullis_integrity::{Batch, Budget, Ended, Exclude, Plan, Scope, Stop, Watch};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::tempdir;

use super::{baseline, plan, put, seen, set_mode, told};

/// Nothing takes that long, on a machine that does other things too.
const ENOUGH: Duration = Duration::from_secs(20);

fn arm(root: &Path) -> Watch {
    arm_with(root, &[], usize::MAX)
}

fn arm_with(root: &Path, exclude: &[&str], most: usize) -> Watch {
    let exclude = Exclude::parse(exclude.iter().copied()).unwrap();
    Watch::arm(root, &exclude, &Budget::of(most)).unwrap()
}

/// The next batch, which has to come.
fn next(watch: &mut Watch) -> Batch {
    let stop = Stop::new().unwrap();
    let (done, is_done) = channel::<()>();
    let stopper = stop.clone();
    let guard = thread::spawn(move || {
        if is_done.recv_timeout(ENOUGH) == Err(RecvTimeoutError::Timeout) {
            stopper.stop();
        }
    });
    let batch = watch.next(&stop).expect("a batch in time");
    drop(done);
    guard.join().unwrap();
    batch
}

/// Where a watch says to look, until it has said so of all these paths; what else it names is in it too.
fn dirty_until(watch: &mut Watch, paths: &[&str]) -> Vec<Scope> {
    let mut all: Vec<Scope> = Vec::new();
    let is_told = |all: &[Scope], path: &str| all.iter().any(|scope| scope.covers(path.as_bytes()));
    while !paths.iter().all(|path| is_told(&all, path)) {
        let batch = next(watch);
        assert!(!batch.root_gone && !batch.overflowed, "{batch:?}");
        all.push(batch.dirty);
    }
    all
}

/// That nothing but these is told of.
fn only(watch: &mut Watch, paths: &[&str]) {
    let dirty = dirty_until(watch, paths);
    let expected = Scope::of(paths.iter().map(|path| path.as_bytes().to_vec()));
    assert_eq!(dirty, [expected]);
}

#[test]
fn a_single_change_becomes_a_batch_in_less_than_a_second() {
    let root = tempdir().unwrap();
    let root = root.path();
    for name in ["edited", "deep/er/shown", "gone", "from"] {
        put(root, name, "before");
    }
    let mut watch = arm(root);
    let mut check = |change: &dyn Fn(), paths: &[&str]| {
        let begun = now();
        change();
        only(&mut watch, paths);
        assert!(begun.elapsed() < Duration::from_secs(1), "{paths:?}: {:?}", begun.elapsed());
    };
    check(&|| fs::write(root.join("edited"), "after").unwrap(), &["edited"]);
    check(&|| set_mode(root, "deep/er/shown", 0o600), &["deep/er/shown"]);
    check(&|| fs::remove_file(root.join("gone")).unwrap(), &["gone"]);
    check(&|| fs::rename(root.join("from"), root.join("deep/to")).unwrap(), &["deep/to", "from"]);
    check(&|| symlink("/etc/passwd", root.join("deep/link")).unwrap(), &["deep/link"]);
    check(&|| fs::hard_link(root.join("edited"), root.join("twin")).unwrap(), &["twin"]);
    check(&|| set_mode(root, "deep", 0o700), &["deep"]);
}

/// Whoever touches the root has nobody read all that is in it.
#[test]
fn what_is_done_to_the_root_itself_is_no_change_of_what_is_in_it() {
    let root = tempdir().unwrap();
    fs::write(root.path().join("a"), "x").unwrap();
    let mut watch = arm(root.path());
    set_mode(root.path(), "", 0o750);
    let batch = next(&mut watch);
    assert_eq!((batch.dirty, batch.root_gone), (Scope::of([]), false));
    set_mode(root.path(), "a", 0o600);
    assert_eq!(next(&mut watch).dirty, Scope::of([b"a".to_vec()]), "control");
}

#[test]
fn a_burst_is_one_batch_and_one_without_an_end_is_given_in_parts() {
    let root = tempdir().unwrap();
    put(root.path(), "log", "");
    let mut watch = arm(root.path());
    for number in 0..50 {
        put(root.path(), &format!("{number}"), "x");
    }
    let batch = next(&mut watch);
    assert!((0..50).all(|number| batch.dirty.covers(number.to_string().as_bytes())));

    let (done, is_done) = channel::<()>();
    let log = root.path().join("log");
    let busy = thread::spawn(move || {
        for number in 0_u64.. {
            fs::write(&log, number.to_string()).unwrap();
            let wait = is_done.recv_timeout(Duration::from_millis(5));
            if wait == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    });
    for _ in 0..3 {
        only(&mut watch, &["log"]);
    }
    drop(done);
    busy.join().unwrap();
}

#[test]
fn overflow_forced_with_50_k_creates_all_found_after_rescan() {
    let root = tempdir().unwrap();
    put(root.path(), "a", "a");
    let mut watch = arm(root.path());
    for number in 0..50_000 {
        fs::File::create(root.path().join(format!("{number:05}"))).unwrap();
    }
    // The word of this one was lost with the others: it is found when the folders are walked again.
    put(root.path(), "late/in/it", "x");
    let batch = next(&mut watch);
    assert!(batch.overflowed && batch.dirty.is_everything(), "{batch:?}");
    let found = seen(&Plan { scope: batch.dirty, ..plan(root.path()) });
    assert_eq!(found.len(), 50_000 + 1 + 3);
    assert!(found.iter().any(|seen| seen.path() == b"late/in/it"));
    assert_eq!(watch.watched(), 3);
    put(root.path(), "late/in/it", "y");
    only(&mut watch, &["late/in/it"]);
}

#[test]
fn what_an_overflow_kept_of_what_is_gone_is_forgotten() {
    let root = tempdir().unwrap();
    for number in 0..20 {
        put(root.path(), &format!("old/{number}/x"), "x");
    }
    put(root.path(), "here/x", "x");
    let mut watch = arm(root.path());
    for number in 0..20_000 {
        fs::File::create(root.path().join(format!("here/{number}"))).unwrap();
    }
    let elsewhere = tempdir().unwrap();
    fs::rename(root.path().join("old"), elsewhere.path().join("old")).unwrap();
    fs::rename(root.path().join("here"), root.path().join("there")).unwrap();
    assert!(next(&mut watch).overflowed);
    assert_eq!(watch.watched(), 2, "the root and there");
    fs::write(elsewhere.path().join("old/1/x"), "y").unwrap();
    put(root.path(), "there/x", "y");
    only(&mut watch, &["there/x"]);
}

/// Whoever moves a large tree to and fro, so that it would be watched anew each time, keeps nothing that is
/// done beside it from being told.
#[test]
fn a_large_tree_moved_to_and_fro_hides_nothing_beside_it() {
    let root = tempdir().unwrap();
    let (big, other) = (root.path().join("big"), root.path().join("other"));
    for number in 0..2_000 {
        fs::create_dir_all(big.join(number.to_string())).unwrap();
    }
    let mut watch = arm(root.path());
    // In one burst, and as told as if it were minutes of them.
    for _ in 0..200 {
        fs::rename(&big, &other).unwrap();
        fs::rename(&other, &big).unwrap();
    }
    put(root.path(), "shell.php", "x");
    let begun = now();
    let all = dirty_until(&mut watch, &["shell.php", "big"]);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!((all.len(), watch.watched()), (1, 2_002));
    put(root.path(), "big/7/x", "control");
    only(&mut watch, &["big/7/x"]);
}

#[test]
fn folders_made_in_one_go_are_all_watched() {
    let root = tempdir().unwrap();
    let mut watch = arm(root.path());
    let before = baseline(&plan(root.path()));
    for number in 0..30 {
        put(root.path(), &format!("{number}/a/b/c/d/file"), "x");
    }
    let last = (0..30).map(|number| number.to_string()).collect::<Vec<_>>();
    let names: Vec<&str> = last.iter().map(String::as_str).collect();
    let dirty = dirty_until(&mut watch, &names);
    let mut found: Vec<String> = dirty
        .into_iter()
        .flat_map(|scope| told(&Plan { scope, ..plan(root.path()) }, &before))
        .collect();
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 30 * 6);
    assert_eq!(watch.watched(), 1 + 30 * 5);
    for number in [0, 7, 29] {
        put(root.path(), &format!("{number}/a/b/c/d/file"), "y");
        only(&mut watch, &[&format!("{number}/a/b/c/d/file")]);
    }
}

#[test]
fn a_file_in_a_new_folder_is_told_of() {
    let root = tempdir().unwrap();
    let mut watch = arm(root.path());
    fs::create_dir(root.path().join("new")).unwrap();
    only(&mut watch, &["new"]);
    put(root.path(), "new/file", "x");
    only(&mut watch, &["new/file"]);
}

#[test]
fn a_tree_that_is_moved_in_is_told_of_and_watched() {
    let (root, elsewhere) = (tempdir().unwrap(), tempdir().unwrap());
    put(elsewhere.path(), "tree/a/b/file", "x");
    let mut watch = arm(root.path());
    fs::rename(elsewhere.path().join("tree"), root.path().join("tree")).unwrap();
    only(&mut watch, &["tree"]);
    put(root.path(), "tree/a/b/file", "y");
    only(&mut watch, &["tree/a/b/file"]);
    assert_eq!(watch.watched(), 4);
    fs::rename(root.path().join("tree"), elsewhere.path().join("tree")).unwrap();
    only(&mut watch, &["tree"]);
    assert_eq!(watch.watched(), 1, "what was moved out is nobody's any more");
    put(elsewhere.path(), "tree/a/b/file", "z");
    put(root.path(), "other", "z");
    only(&mut watch, &["other"]);
}

#[test]
fn what_is_in_a_folder_that_was_moved_has_its_new_path() {
    let root = tempdir().unwrap();
    put(root.path(), "from/a/file", "x");
    put(root.path(), "from-else/file", "x");
    let mut watch = arm(root.path());
    fs::rename(root.path().join("from"), root.path().join("to")).unwrap();
    only(&mut watch, &["from", "to"]);
    put(root.path(), "to/a/file", "y");
    only(&mut watch, &["to/a/file"]);
    put(root.path(), "from-else/file", "y");
    only(&mut watch, &["from-else/file"]);

    let (one, other) = (root.path().join("to"), root.path().join("from-else"));
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
    only(&mut watch, &["from-else", "to"]);
    put(root.path(), "from-else/a/file", "z");
    only(&mut watch, &["from-else/a/file"]);
    put(root.path(), "to/file", "z");
    only(&mut watch, &["to/file"]);
    assert_eq!(watch.watched(), 4);

    fs::remove_dir_all(root.path().join("to")).unwrap();
    put(root.path(), "to/again/file", "z");
    dirty_until(&mut watch, &["to/again"]);
    put(root.path(), "to/again/file", "zz");
    only(&mut watch, &["to/again/file"]);
    assert_eq!(watch.watched(), 5);
}

#[test]
fn a_folder_that_is_passed_over_is_not_watched() {
    let root = tempdir().unwrap();
    for name in ["cache/deep/a", "code/a", "code/x.log"] {
        put(root.path(), name, "x");
    }
    let mut watch = arm_with(root.path(), &["cache/", "**/*.log", "new/"], usize::MAX);
    assert_eq!(watch.watched(), 2);
    for name in ["cache/deep/a", "cache/b", "code/x.log", "new/one", "code/a"] {
        put(root.path(), name, "y");
    }
    only(&mut watch, &["code/a"]);
    assert_eq!((watch.watched(), watch.uncovered()), (2, None));
    // A name that files have hides no folder.
    fs::create_dir(root.path().join("code/y.log")).unwrap();
    only(&mut watch, &["code/y.log"]);
    put(root.path(), "code/y.log/shell", "y");
    only(&mut watch, &["code/y.log/shell"]);
}

#[test]
fn a_limit_that_is_too_small_leaves_folders_uncovered_and_names_them() {
    let root = tempdir().unwrap();
    for name in ["a/x", "b/c/d/x", "b/e/x", "f/x"] {
        put(root.path(), name, "x");
    }
    let budget = Budget::of(3);
    let none = Exclude::default();
    let mut watch = Watch::arm(root.path(), &none, &budget).unwrap();
    let uncovered = watch.uncovered().unwrap();
    assert_eq!(watch.watched(), 3);
    assert_eq!(uncovered.named, [&b"b/c"[..], b"b/e", b"f"]);
    assert_eq!(uncovered.folders, 4, "d is one too");
    put(root.path(), "f/x", "y");
    put(root.path(), "b/x", "y");
    only(&mut watch, &["b/x"]);
    fs::create_dir(root.path().join("g")).unwrap();
    only(&mut watch, &["g"]);
    assert_eq!(watch.uncovered().unwrap().folders, 5);

    let other = tempdir().unwrap();
    let second = Watch::arm(other.path(), &none, &budget).unwrap();
    assert_eq!(second.uncovered().unwrap().named, [b""], "one budget is for all roots");
    drop((watch, second));
    let third = Watch::arm(other.path(), &none, &budget).unwrap();
    assert_eq!(third.uncovered(), None, "and what is given back is there again");
}

#[test]
fn room_that_is_made_in_a_root_is_used_in_it() {
    let root = tempdir().unwrap();
    for name in ["a/x", "b/x"] {
        put(root.path(), name, "x");
    }
    let mut watch = arm_with(root.path(), &[], 3);
    assert_eq!(watch.uncovered(), None);
    fs::remove_dir_all(root.path().join("a")).unwrap();
    fs::create_dir(root.path().join("c")).unwrap();
    only(&mut watch, &["a", "c"]);
    assert_eq!((watch.watched(), watch.uncovered()), (3, None));
}

#[test]
fn a_link_to_a_folder_is_never_watched_through() {
    let (root, elsewhere) = (tempdir().unwrap(), tempdir().unwrap());
    put(elsewhere.path(), "secret/file", "x");
    put(root.path(), "a/file", "x");
    symlink(elsewhere.path(), root.path().join("link")).unwrap();
    let mut watch = arm(root.path());
    assert_eq!(watch.watched(), 2);
    fs::rename(root.path().join("a"), root.path().join("b")).unwrap();
    symlink(elsewhere.path().join("secret"), root.path().join("a")).unwrap();
    only(&mut watch, &["a", "b"]);
    assert_eq!(watch.watched(), 2);
    put(elsewhere.path(), "secret/file", "y");
    put(elsewhere.path(), "secret/new/file", "y");
    put(root.path(), "b/file", "y");
    only(&mut watch, &["b/file"]);
}

#[test]
fn a_folder_swapped_for_a_link_while_it_is_watched_never_leads_out() {
    let (root, elsewhere) = (tempdir().unwrap(), tempdir().unwrap());
    for number in 0..40 {
        put(elsewhere.path(), &format!("{number}/x"), "x");
        put(root.path(), &format!("swap/{number}/x"), "x");
    }
    symlink(elsewhere.path(), root.path().join("link")).unwrap();
    let (done, is_done) = channel::<()>();
    let (one, other) = (root.path().join("swap"), root.path().join("link"));
    let swapping = thread::spawn(move || {
        while is_done.recv_timeout(Duration::ZERO) == Err(RecvTimeoutError::Timeout) {
            renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).unwrap();
        }
    });
    for _ in 0..200 {
        assert!(arm(root.path()).watched() <= 1 + 41 * 2);
    }
    let mut watch = arm(root.path());
    drop(done);
    swapping.join().unwrap();
    put(root.path(), "end", "x");
    dirty_until(&mut watch, &["end"]);
    assert_eq!(watch.watched(), 1 + 41);
    for number in 0..40 {
        put(elsewhere.path(), &format!("{number}/x"), "y");
    }
    put(root.path(), "end", "y");
    only(&mut watch, &["end"]);
}

#[test]
fn names_of_bytes_are_told_of() {
    let root = tempdir().unwrap();
    let bytes = |name: &[u8]| root.path().join(OsStr::from_bytes(name));
    fs::create_dir(bytes(b"f\xe9\n")).unwrap();
    let mut watch = arm(root.path());
    fs::write(bytes(b"f\xe9\n/\xff \\"), "x").unwrap();
    assert_eq!(next(&mut watch).dirty, Scope::of([b"f\xe9\n/\xff \\".to_vec()]));
    fs::create_dir(bytes(b"\xe9")).unwrap();
    assert_eq!(next(&mut watch).dirty, Scope::of([b"\xe9".to_vec()]));
    fs::write(bytes(b"\xe9/=cmd"), "x").unwrap();
    assert_eq!(next(&mut watch).dirty, Scope::of([b"\xe9/=cmd".to_vec()]));
}

#[test]
fn a_root_that_is_gone_is_told_of() {
    type Act = fn(&Path);
    let acts: [(&str, Act); 5] = [
        ("moved", |at| fs::rename(at.join("root"), at.join("moved")).unwrap()),
        ("deleted", |at| fs::remove_dir_all(at.join("root")).unwrap()),
        ("a folder above it moved", |at| {
            let above = at.parent().unwrap();
            fs::rename(at, above.join("moved")).unwrap();
            fs::create_dir_all(at.join("root")).unwrap();
        }),
        ("another one under its name", |at| {
            fs::rename(at.join("root"), at.join("moved")).unwrap();
            fs::create_dir(at.join("root")).unwrap();
        }),
        ("its link leads elsewhere", |at| {
            fs::create_dir(at.join("other")).unwrap();
            symlink("other", at.join("next")).unwrap();
            fs::rename(at.join("next"), at.join("link")).unwrap();
        }),
    ];
    for (name, act) in acts {
        let place = tempdir().unwrap();
        let at = place.path().join("above");
        put(&at, "root/a/file", "x");
        symlink("root", at.join("link")).unwrap();
        let root = if name.contains("link") { at.join("link") } else { at.join("root") };
        let mut watch = arm(&root);
        put(&root, "a/file", "y");
        only(&mut watch, &["a/file"]);
        act(&at);
        let gone = loop {
            let batch = next(&mut watch);
            if batch.root_gone {
                break batch;
            }
        };
        assert!(gone.dirty.is_everything(), "{name}");
    }
    let nothing = Watch::arm(Path::new("/nowhere"), &Exclude::default(), &Budget::of(9));
    assert!(nothing.unwrap_err().to_string().contains("cannot be opened"));
}

#[test]
fn stop_ends_it_at_once() {
    let root = tempdir().unwrap();
    let mut watch = arm(root.path());
    let stop = Stop::new().unwrap();
    let stopper = stop.clone();
    let begun = now();
    let waiting = thread::spawn(move || (watch.next(&stop), watch.next(&stop)));
    stopper.stop();
    let ended = waiting.join().unwrap();
    assert_eq!(ended, (Err(Ended::Stopped), Err(Ended::Stopped)));
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
}

#[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
fn now() -> Instant {
    Instant::now()
}
