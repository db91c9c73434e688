//! What is known of a difference beside its entry: how a file begins, and what it is that could not be read.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;

use portcullis_integrity::{Finding, Is, Plan, Rules, Type, Why};
use rustix::fs::{XattrFlags, setxattr};
use rustix::io::Errno;
use tempfile::{TempDir, tempdir, tempdir_in};

use super::{as_nobody, baseline, findings, plan, put, set_mode, told};

#[test]
fn what_differs_comes_with_how_it_begins() {
    let root = tempdir().unwrap();
    for name in ["edited", "same"] {
        put(root.path(), name, "#!/bin/sh\n");
    }
    let before = baseline(&plan(root.path()));
    put(root.path(), "edited", "#!/bin/sh\n# another line\n");
    put(root.path(), "empty", "");
    put(root.path(), "large", [vec![1; 20], vec![2; 300_000]].concat());
    put(root.path(), "linked", "<?php\n");
    fs::hard_link(root.path().join("linked"), root.path().join("linked too")).unwrap();
    fs::create_dir(root.path().join("folder")).unwrap();
    File::create(root.path().join("sparse")).unwrap().set_len(200_000).unwrap();
    let check = |path: &str, expected: &[u8]| {
        let found = findings(&plan(root.path()), &before);
        let of_path = found.iter().find(|finding| finding.path() == path.as_bytes());
        assert_eq!(of_path.unwrap().begins.bytes(), expected, "{path}");
    };
    check("edited", b"#!/bin/sh\n# anot");
    check("empty", b"");
    check("folder", b"");
    check("large", &[1; 16]);
    check("linked", b"<?php\n");
    check("linked too", b"<?php\n");
    check("sparse", &[0; 16]);
}

/// What cannot be read is known by its rights, its owner, and by when it changed.
#[test]
fn what_cannot_be_read_keeps_what_is_known_of_it() {
    let root = tempdir().unwrap();
    let plan = Plan { max_bytes: 10, ..plan(root.path()) };
    let before = baseline(&plan);
    put(root.path(), "large", "more than ten bytes");
    put(root.path(), "small", "small");
    set_mode(root.path(), "large", 0o4711);
    let known = || {
        let found = findings(&plan, &before);
        assert_eq!(found.len(), 2, "{found:?}");
        let Is::Unverifiable { why: Why::TooLarge, outline: Some(outline), .. } = found[0].is
        else {
            panic!("{found:?}");
        };
        (outline, Rules::default().judge(&found[0], root.path()).rule.to_owned())
    };
    let file = root.path().join("large");
    let (first, rule) = known();
    let stat = fs::metadata(&file).unwrap();
    assert_eq!(rule, "set_id");
    assert_eq!((first.kind, first.mode, first.number), (Type::File, 0o4711, stat.ino()));
    assert_eq!((first.owner.uid, first.owner.gid), (stat.uid(), stat.gid()));
    assert_eq!(first.state.map(|state| state.size), Some(19));
    assert_eq!(known().0, first, "control");
    // The same size, and the time set back: the time of the change tells.
    let modified = stat.modified().unwrap();
    fs::write(&file, "MORE than ten bytes").unwrap();
    File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
    set_mode(root.path(), "large", 0o4711);
    let (second, _) = known();
    assert_eq!(second.state.map(|state| state.modified), first.state.map(|state| state.modified));
    assert_ne!(second.to_string(), first.to_string());
}

/// As somebody who may not read it.
#[test]
fn what_may_not_be_read_keeps_what_is_known_of_it() {
    let root = tempdir().unwrap();
    set_mode(root.path(), "", 0o755);
    let before = baseline(&plan(root.path()));
    put(root.path(), "run", "#!/bin/sh\n");
    set_mode(root.path(), "run", 0o4311);
    fs::create_dir(root.path().join("shut")).unwrap();
    set_mode(root.path(), "shut", 0o000);
    let judged = as_nobody(|| {
        let (found, rules) = (findings(&plan(root.path()), &before), Rules::default());
        let word = |finding: &Finding| {
            let Is::Unverifiable { why: Why::Denied, outline: Some(outline), .. } = finding.is
            else {
                return format!("{finding:?}");
            };
            let verdict = rules.judge(finding, root.path());
            format!("{} {:04o} {}", outline.kind.as_str(), outline.mode, verdict.rule)
        };
        found.iter().map(word).collect::<Vec<_>>()
    });
    set_mode(root.path(), "shut", 0o700);
    assert_eq!(judged, ["file 4311 set_id", "folder 0000 unverifiable_code"]);
}

/// An access control list that lets so many users read, as the system keeps it.
fn access(users: u32) -> Vec<u8> {
    let entry = |tag: u16, rights: u16, id: u32| {
        [&tag.to_le_bytes()[..], &rights.to_le_bytes(), &id.to_le_bytes()].concat()
    };
    let mut list = 2_u32.to_le_bytes().to_vec();
    list.extend(entry(0x01, 6, u32::MAX));
    list.extend((0..users).flat_map(|user| entry(0x02, 4, 1_000 + user)));
    list.extend(
        [(0x04, 4), (0x10, 4), (0x20, 0)].map(|(tag, may)| entry(tag, may, u32::MAX)).concat(),
    );
    list
}

/// A folder in which lists may be long: not every file system has room for them.
fn with_long_lists() -> TempDir {
    let places = [tempdir(), tempdir_in("/dev/shm")];
    let takes = |place: &TempDir| {
        put(place.path(), "a", "a");
        let list = access(700);
        let name = "system.posix_acl_access";
        let set = setxattr(place.path().join("a"), name, &list, XattrFlags::empty());
        assert!(matches!(set, Ok(()) | Err(Errno::NOSPC | Errno::NOTSUP)), "{set:?}");
        set.is_ok()
    };
    let place = places.into_iter().flatten().find(takes);
    place.expect("a file system with long access control lists, as that of /dev/shm is")
}

#[test]
fn a_long_access_control_list_is_read_whole() {
    let root = with_long_lists();
    let set = |users| {
        let (file, list) = (root.path().join("a"), access(users));
        setxattr(file, "system.posix_acl_access", &list, XattrFlags::empty()).unwrap();
        list.len()
    };
    assert_eq!(set(700), 5_636);
    let before = baseline(&plan(root.path()));
    assert_eq!(told(&plan(root.path()), &before), [""; 0], "control");
    // One more at the end of it.
    set(701);
    assert_eq!(told(&plan(root.path()), &before), ["attributes a"]);
    assert_eq!(set(8_000), 64_036);
    assert_eq!(told(&plan(root.path()), &before), ["attributes a"]);
}
