//! What changes in a tree, and what is said of it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use portcullis_integrity::{
    Beginning, Content, Exclude, Finding, Is, Plan, Progress, Seen, Why, scan,
};
use tempfile::tempdir;

use super::{baseline, entries, findings, plan, put, seen, set_mode, told};

#[test]
fn every_kind_of_change_has_its_word() {
    let root = tempdir().unwrap();
    let root = root.path();
    for name in ["same", "edited", "gone", "shown", "b/here", "b-c", "typed"] {
        put(root, name, format!("content of {name}"));
    }
    symlink("same", root.join("link")).unwrap();
    let before = baseline(&plan(root));
    assert_eq!(told(&plan(root), &before), [""; 0], "control");

    put(root, "edited", "another one");
    put(root, "new", "new");
    fs::remove_file(root.join("gone")).unwrap();
    set_mode(root, "shown", 0o606);
    fs::rename(root.join("b/here"), root.join("there")).unwrap();
    fs::remove_file(root.join("typed")).unwrap();
    symlink("same", root.join("typed")).unwrap();
    fs::remove_file(root.join("link")).unwrap();
    symlink("/etc/passwd", root.join("link")).unwrap();
    let expected = [
        "deleted b/here ~ there",
        "modified edited",
        "deleted gone",
        "modified link",
        "added new",
        "attributes shown",
        "added there ~ b/here",
        "modified typed",
    ];
    assert_eq!(told(&plan(root), &before), expected);
}

#[test]
fn of_several_with_one_content_nobody_says_which_moved() {
    let root = tempdir().unwrap();
    let root = root.path();
    put(root, "one", "twins");
    put(root, "two", "twins");
    put(root, "empty", "");
    let before = baseline(&plan(root));
    for (from, to) in [("one", "three"), ("two", "four"), ("empty", "void")] {
        fs::rename(root.join(from), root.join(to)).unwrap();
    }
    let found = findings(&plan(root), &before);
    assert_eq!(found.len(), 6);
    assert!(found.iter().all(|finding| finding.moved.is_none()), "{found:?}");
}

#[test]
fn an_owner_that_the_baseline_does_not_tell_is_not_asked_for() {
    let root = tempdir().unwrap();
    put(root.path(), "a", "a");
    let before = String::from_utf8(baseline(&plan(root.path()))).unwrap();
    let uid = rustix::process::getuid().as_raw();
    let gid = rustix::process::getgid().as_raw();
    let line = before.lines().last().unwrap();
    let built = line.replacen(&format!(" {uid} {gid} "), " - - ", 1);
    assert_ne!(line, built);
    let entry = portcullis_integrity::Entry::parse(&built).unwrap();
    let mut body = portcullis_integrity::manifest::Body::new(Vec::new());
    body.push(&entry).unwrap();
    let (lines, head) = body.finish("app", 1, None);
    let mut manifest = Vec::new();
    portcullis_integrity::manifest::write(&mut manifest, &head, &mut &lines[..]).unwrap();
    assert_eq!(told(&plan(root.path()), &manifest), [""; 0]);
    set_mode(root.path(), "a", 0o600);
    assert_eq!(told(&plan(root.path()), &manifest), ["attributes a"], "control");
}

#[test]
fn names_are_bytes() {
    let root = tempdir().unwrap();
    let long = [b'n'; 255];
    let names: [&[u8]; 9] = [
        b"line\nfeed",
        b"\xe9",
        &long,
        "\u{202e}gpj.exe".as_bytes(),
        b".hidden",
        b"-rf",
        b"=cmd",
        b" ",
        b"back\\slash",
    ];
    for name in names {
        fs::write(root.path().join(OsStr::from_bytes(name)), name).unwrap();
    }
    let before = baseline(&plan(root.path()));
    let mut found: Vec<Vec<u8>> = entries(&before).into_iter().map(|entry| entry.path).collect();
    let mut expected = names.map(<[u8]>::to_vec).to_vec();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(told(&plan(root.path()), &before), [""; 0]);
    fs::write(root.path().join(OsStr::from_bytes(b"\xe9")), "other").unwrap();
    assert_eq!(told(&plan(root.path()), &before), ["modified \\xe9"]);
}

#[test]
fn what_is_passed_over_is_not_seen_and_what_the_baseline_has_of_it_is_told() {
    let root = tempdir().unwrap();
    for name in ["code/a.php", "cache/b", "cache/deep/c", "code/cache/d", "x.log", "code/y.log"] {
        put(root.path(), name, name);
    }
    let all = baseline(&plan(root.path()));
    let exclude = Exclude::parse(["cache/", "*.log"]).unwrap();
    let narrowed = Plan { exclude, ..plan(root.path()) };
    let paths: Vec<String> = seen(&narrowed)
        .iter()
        .map(|seen| String::from_utf8(seen.path().to_vec()).unwrap())
        .collect();
    let expected = ["code", "code/a.php", "code/cache", "code/cache/d", "code/y.log"];
    assert_eq!(paths, expected);
    let unseen = ["cache", "cache/b", "cache/deep", "cache/deep/c", "x.log"];
    let unseen = unseen.map(|path| format!("unverifiable {path} (unseen)"));
    assert_eq!(told(&narrowed, &all), unseen);
    assert!(Exclude::parse(["a[", "b"]).is_err());
}

/// Whoever gives a folder the name of a file that is passed over hides nothing in it.
#[test]
fn a_folder_is_passed_over_only_by_a_pattern_for_folders() {
    let root = tempdir().unwrap();
    set_mode(root.path(), "", 0o755);
    for name in ["app.pid", "x.pid/shell.php", "x.pid/y.pid", "cache/a/b", "var/cache/c"] {
        put(root.path(), name, name);
    }
    let check = |patterns: &[&str], passed_over: &[&str]| {
        let exclude = Exclude::parse(patterns.iter().copied()).unwrap();
        let narrowed = Plan { exclude, ..plan(root.path()) };
        let seen = |plan: &Plan| -> Vec<String> {
            let text = |seen: Seen| String::from_utf8(seen.path().to_vec()).unwrap();
            seen(plan).into_iter().map(text).collect()
        };
        let (all, some) = (seen(&plan(root.path())), seen(&narrowed));
        let missing: Vec<&String> = all.iter().filter(|path| !some.contains(path)).collect();
        assert_eq!(missing, passed_over, "{patterns:?}");
        let covered = |path: &&String| narrowed.covers(path.as_bytes());
        assert_eq!(all.iter().filter(covered).count(), some.len(), "{patterns:?}");
        // What changes in it is told of.
        let before = baseline(&narrowed);
        put(root.path(), "x.pid/shell.php", "evil");
        let is_seen = !passed_over.contains(&"x.pid/shell.php");
        let expected: &[&str] = if is_seen { &["modified x.pid/shell.php"] } else { &[] };
        assert_eq!(told(&narrowed, &before), expected, "{patterns:?}");
        put(root.path(), "x.pid/shell.php", "x.pid/shell.php");
        // Of a folder that cannot be looked into something is said.
        let finding = |is| Finding { was: None, is, moved: None, begins: Beginning::default() };
        let (path, why) = (b"x.pid".to_vec(), Why::Denied);
        let closed = finding(Is::Unverifiable { path, why, outline: None });
        assert_eq!(narrowed.tells_of(&closed), !patterns.contains(&"x.pid/"), "{patterns:?}");
        let there = entries(&baseline(&plan(root.path())));
        let there = there.into_iter().find(|entry| entry.path == b"x.pid").unwrap();
        let is_told = !passed_over.contains(&"x.pid");
        assert_eq!(narrowed.tells_of(&finding(Is::There(there))), is_told, "{patterns:?}");
    };
    check(&["*.pid"], &["app.pid", "x.pid"]);
    check(&["x.pid"], &["x.pid"]);
    check(&["**/*.pid"], &["app.pid", "x.pid", "x.pid/y.pid"]);
    check(&["x.pid/**"], &["x.pid/shell.php", "x.pid/y.pid"]);
    check(&["x.pid/"], &["x.pid", "x.pid/shell.php", "x.pid/y.pid"]);
    check(&["cache"], &["cache"]);
    check(&["cache/**"], &["cache/a", "cache/a/b"]);
    check(&["**/cache/"], &["cache", "cache/a", "cache/a/b", "var/cache", "var/cache/c"]);
    check(&["cache/*"], &["cache/a"]);
}

#[test]
fn hard_links_are_read_once_and_seen_twice() {
    let root = tempdir().unwrap();
    put(root.path(), "one", vec![7; 100_000]);
    fs::hard_link(root.path().join("one"), root.path().join("two")).unwrap();
    let threads = std::num::NonZero::new(1).unwrap();
    let (progress, mut found) = (Progress::default(), Vec::new());
    let plan = Plan { threads, ..plan(root.path()) };
    scan(&plan, &progress, |seen| found.push(seen)).unwrap();
    assert_eq!((progress.bytes(), progress.names()), (100_000, 2));
    let of = |seen: &Seen| match seen {
        Seen::Is(entry, inode, _) => (entry.content.clone(), inode.links),
        other @ (Seen::Unverifiable { .. } | Seen::Closed { .. }) => panic!("{other:?}"),
    };
    assert_eq!(of(&found[0]), of(&found[1]));
    assert_eq!(of(&found[0]).1, 2);
}

#[test]
fn folders_come_right_before_what_is_in_them_however_large_they_are() {
    let root = tempdir().unwrap();
    for number in 0..3000 {
        put(root.path(), &format!("many/{number}"), number.to_string());
        if number % 10 == 0 {
            put(root.path(), &format!("some/{number}/deep/file"), number.to_string());
        }
    }
    let before = baseline(&plan(root.path()));
    assert_eq!(entries(&before).len(), 3000 + 300 * 3 + 2);
    put(root.path(), "many/1500", "other");
    put(root.path(), "some/2990/deep/file", "other");
    let expected = ["modified many/1500", "modified some/2990/deep/file"];
    assert_eq!(told(&plan(root.path()), &before), expected);
}

#[test]
fn a_scan_is_stopped() {
    let root = tempdir().unwrap();
    for number in 0..500 {
        put(root.path(), &number.to_string(), "x");
    }
    let progress = Progress::default();
    let stopped = scan(&plan(root.path()), &progress, |_| progress.stop());
    assert_eq!(stopped, Err(portcullis_integrity::NotScanned::Stopped));
}

#[test]
fn types_and_content_are_seen() {
    let root = tempdir().unwrap();
    put(root.path(), "file", "abc");
    fs::create_dir(root.path().join("folder")).unwrap();
    symlink("nowhere \n", root.path().join("link")).unwrap();
    let words: Vec<String> = seen(&plan(root.path()))
        .into_iter()
        .map(|seen| match seen {
            Seen::Is(entry, ..) => format!("{} {}", entry.content.word(), entry.content),
            other @ (Seen::Unverifiable { .. } | Seen::Closed { .. }) => panic!("{other:?}"),
        })
        .collect();
    let abc = "3:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(words, [&format!("file {abc}"), "folder -", "link nowhere\\x20\\x0a"]);
    let is_gone = |is: &Is| matches!(is, Is::Gone);
    let nothing = findings(&plan(root.path()), &baseline(&plan(root.path())));
    assert!(!nothing.iter().any(|finding| is_gone(&finding.is)));
    assert!(Content::Folder.is_like(&Content::Folder));
}
