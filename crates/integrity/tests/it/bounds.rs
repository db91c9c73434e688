//! Trees that are gone or full of differences, and files with names elsewhere: what is said of them is
//! little, and says so.

use std::fs;

use portcullis_integrity::manifest::Manifest;
use portcullis_integrity::{
    Asked, Beginning, Change, Compared, Comparison, Content, Entry, Finding, Inode, Linked,
    MOST_ADDED, MOST_WORSE, MostGone, NamedElsewhere, Plan, Progress, Rules, Scope, Seen, Severity,
    Why, scan,
};
use tempfile::tempdir;

use super::{baseline, entries, plan, put};

fn compared(plan: &Plan, manifest: &[u8]) -> Compared {
    let lines = Manifest::open(manifest).unwrap().lines;
    let mut comparison = Comparison::begin(lines, &plan.root);
    scan(plan, &Progress::default(), |seen| comparison.seen(seen).unwrap()).unwrap();
    comparison.finish().unwrap()
}

/// A tree of `files`, of which `gone` are deleted: what is said of it.
fn check(files: u32, gone: u32, expected: Option<MostGone>) {
    let root = tempdir().unwrap();
    for number in 0..files {
        put(root.path(), &number.to_string(), number.to_string());
    }
    let before = baseline(&plan(root.path()));
    for number in 0..gone {
        fs::remove_file(root.path().join(number.to_string())).unwrap();
    }
    let found = compared(&plan(root.path()), &before);
    assert_eq!(found.most_gone, expected, "{gone} of {files}");
    assert_eq!(found.is_root_gone(), expected.is_some());
    assert_eq!(found.findings.len(), gone as usize, "{gone} of {files}");
    assert_eq!(found.unchanged, u64::from(files - gone));
}

#[test]
fn when_most_is_gone_that_is_said_once() {
    check(40, 0, None);
    check(40, 20, None);
    check(40, 21, Some(MostGone { gone: 21, of: 40 }));
    check(12, 9, None);
    check(12, 10, Some(MostGone { gone: 10, of: 12 }));
    check(3, 2, None);
}

/// As when a disk is not mounted.
#[test]
fn an_unmounted_root_is_one_alert() {
    check(3, 3, Some(MostGone { gone: 3, of: 3 }));
    check(0, 0, None);
}

#[test]
fn what_moved_is_not_gone() {
    let root = tempdir().unwrap();
    for number in 0..30 {
        put(root.path(), &format!("old/{number}"), format!("file {number}"));
    }
    let before = baseline(&plan(root.path()));
    fs::rename(root.path().join("old"), root.path().join("new")).unwrap();
    let found = compared(&plan(root.path()), &before);
    assert_eq!((found.most_gone, found.findings.len()), (None, 62));
}

fn folder(path: String) -> Entry {
    let (path, mode) = (path.into_bytes(), 0o755);
    Entry { path, content: Content::Folder, mode, owner: None, attributes: None }
}

fn is(entry: Entry) -> Seen {
    let (modified, changed) = (0, 0);
    let inode = Inode { device: 1, number: 1, links: 1, size: 0, modified, changed };
    Seen::Is(entry, inode, Beginning::default())
}

/// What is said of a tree to which so much was added, in which `z` has other rights, and `zz` is gone.
fn against(added: impl Iterator<Item = Seen>) -> Compared {
    let root = tempdir().unwrap();
    let known = [folder("y".into()), folder("z".into()), folder("zz".into())];
    let mut comparison = Comparison::begin(known.into_iter().map(Ok::<_, ()>), root.path());
    let changed = Entry { mode: 0o777, ..folder("z".into()) };
    for seen in added.chain([is(folder("y".into())), is(changed)]) {
        comparison.seen(seen).unwrap();
    }
    comparison.finish().unwrap()
}

/// Whoever adds very much hides nothing among it that the baseline tells of.
#[test]
fn only_what_was_added_is_kept_up_to_a_bound() {
    let check = |found: &Compared, kept: usize, unkept: usize| {
        let of = |change| found.findings.iter().filter(move |one| one.change() == change).count();
        assert_eq!(of(Change::Added) + of(Change::Unverifiable), kept);
        assert_eq!(found.unkept, u64::try_from(unkept).unwrap());
        assert_eq!(found.is_whole(), unkept == 0);
        assert_eq!((of(Change::Attributes), of(Change::Deleted), found.unchanged), (1, 1, 1));
    };
    let added = |count: usize| (0..count).map(|number| is(folder(format!("0/{number:06}"))));
    check(&against(added(5)), 5, 0);
    check(&against(added(MOST_ADDED)), MOST_ADDED, 0);
    check(&against(added(MOST_ADDED + 100)), MOST_ADDED, 100);
    let path = |number| format!("0/{number:06}").into_bytes();
    let unread =
        |number| Seen::Unverifiable { path: path(number), why: Why::Denied, outline: None };
    check(&against((0..MOST_ADDED + 100).map(unread)), MOST_ADDED, 100);
    // What is worse has room of its own, wherever it stands.
    let root = tempdir().unwrap();
    let none = std::iter::empty::<Result<Entry, ()>>();
    let mut comparison =
        Comparison::begin(none, root.path()).fearing(|finding| finding.path().ends_with(b"9"));
    for number in 0..200_000 {
        comparison.seen(is(folder(format!("{number:06}")))).unwrap();
    }
    let found = comparison.finish().unwrap();
    assert_eq!((found.findings.len(), found.unkept), (MOST_ADDED + MOST_WORSE, 90_000));
    assert_eq!(found.findings.last().unwrap().path(), b"111110");
    // Fewer, with paths that are as long as paths can be.
    let long = "x".repeat(4000);
    let long = (0..20_000).map(|number| is(folder(format!("{number:06}{long}"))));
    let found = against(long);
    assert!(found.findings.len() < 10_000 && !found.is_whole(), "{}", found.findings.len());
    assert_eq!(found.findings.last().unwrap().path(), b"zz");
}

/// A folder that somebody made so that nobody can look into it is told of as that, and what may have been
/// moved there is not taken to be gone.
#[test]
fn a_new_folder_that_nobody_can_list_is_told_of_as_that() {
    for (why, is_gone) in [(Why::TooMany, false), (Why::TooDeep, false), (Why::Denied, true)] {
        let root = tempdir().unwrap();
        let none = std::iter::empty::<Result<Entry, ()>>();
        let asked = Asked::of([b"shell.php".to_vec()]);
        let mut comparison = Comparison::begin(none, root.path()).asking(asked);
        for seen in [is(folder("new".into())), Seen::Closed { path: b"new".to_vec(), why }] {
            comparison.seen(seen).unwrap();
        }
        let found = comparison.finish().unwrap();
        let told: Vec<_> = found.findings.iter().map(Finding::change).collect();
        assert_eq!(told, [Change::Unverifiable], "{why:?}");
        let severity = Rules::default().judge(&found.findings[0], root.path()).severity;
        let is_high = severity >= Some(Severity::High);
        assert_eq!((is_high, found.good.len()), (!is_gone, usize::from(is_gone)), "{why:?}");
    }
}

#[test]
fn what_is_in_closed_folders_is_not_gone() {
    let root = tempdir().unwrap();
    let names = ["a", "a/b", "a/b/c", "a/d", "b", "b/c", "c"];
    let known = names.map(|name| Ok::<_, ()>(folder(name.to_owned())));
    let mut comparison = Comparison::begin(known.into_iter(), root.path());
    let closed = |path: &str| Seen::Closed { path: path.into(), why: Why::Denied };
    for seen in [is(folder("a".into())), closed("a/b"), is(folder("b".into())), closed("b")] {
        comparison.seen(seen).unwrap();
    }
    let found = comparison.finish().unwrap();
    let word = |finding: &Finding| {
        let path = String::from_utf8(finding.path().to_vec()).unwrap();
        format!("{} {path}", finding.change().as_str())
    };
    let told: Vec<_> = found.findings.iter().map(word).collect();
    let expected = [
        "unverifiable a/b",
        "unverifiable a/b/c",
        "deleted a/d",
        "unverifiable b",
        "unverifiable b/c",
        "deleted c",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_hard_link_from_outside_is_told() {
    let (root, outside) = (tempdir().unwrap(), tempdir().unwrap());
    for name in ["alone", "twice", "watched", "z"] {
        put(root.path(), name, name);
    }
    let link = |from: &str, to: std::path::PathBuf| {
        fs::hard_link(root.path().join(from), to).unwrap();
    };
    link("twice", root.path().join("twin"));
    let before = baseline(&plan(root.path()));
    let none = compared(&plan(root.path()), &before).named_elsewhere;
    assert_eq!(none, NamedElsewhere::default(), "control");
    link("watched", outside.path().join("way in"));
    link("twice", outside.path().join("third"));
    let found = compared(&plan(root.path()), &before).named_elsewhere;
    let file = |path: &str, names, seen| Linked { path: path.as_bytes().to_vec(), names, seen };
    assert_eq!(found.files, [file("twice", 3, 2), file("watched", 2, 1)]);
    // One more name below the root is a path that was added, and nothing else.
    link("z", root.path().join("zz"));
    let found = compared(&plan(root.path()), &before);
    assert_eq!((found.findings.len(), found.named_elsewhere.files.len()), (1, 2));
    // Of a part nobody can tell: the other names may be where nobody looked.
    let part = Plan { scope: Scope::of([b"twice".to_vec()]), ..plan(root.path()) };
    let entry = entries(&before).into_iter().find(|entry| entry.path == b"twice").unwrap();
    let mut comparison = Comparison::begin_part(std::iter::once(Ok::<_, ()>(entry)), root.path());
    scan(&part, &Progress::default(), |seen| comparison.seen(seen).unwrap()).unwrap();
    assert_eq!(comparison.finish().unwrap().named_elsewhere, NamedElsewhere::default());
}

/// Programs that replace a file give it a second name for a moment.
#[test]
fn a_name_that_is_gone_by_the_end_of_the_scan_is_not_told() {
    let (root, outside) = (tempdir().unwrap(), tempdir().unwrap());
    put(root.path(), "a", "a");
    put(root.path(), "b", "b");
    let before = baseline(&plan(root.path()));
    for name in ["a", "b"] {
        fs::hard_link(root.path().join(name), outside.path().join(name)).unwrap();
    }
    let lines = Manifest::open(&before[..]).unwrap().lines;
    let mut comparison = Comparison::begin(lines, root.path());
    scan(&plan(root.path()), &Progress::default(), |seen| comparison.seen(seen).unwrap()).unwrap();
    fs::remove_file(outside.path().join("a")).unwrap();
    let found = comparison.finish().unwrap().named_elsewhere.files;
    let paths: Vec<&[u8]> = found.iter().map(|file| &file.path[..]).collect();
    assert_eq!(paths, [b"b"]);
}
