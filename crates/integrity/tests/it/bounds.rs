//! Trees that are gone or full of differences, and files with names elsewhere: what is said of them is
//! little, and says so.

use std::fs;

use portcullis_integrity::manifest::Manifest;
use portcullis_integrity::{
    Change, Compared, Comparison, Content, Entry, Linked, MOST_FINDINGS, MostGone, Plan, Progress,
    scan,
};
use tempfile::tempdir;

use super::{baseline, plan, put};

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

/// Against a baseline of so many folders, of which there are none.
fn against(gone: usize, root: &std::path::Path) -> Compared {
    let entry = |number| Entry {
        path: format!("gone{number:06}").into_bytes(),
        content: Content::Folder,
        mode: 0o755,
        owner: None,
        attributes: None,
    };
    let many = (0..gone).map(|number| Ok::<_, ()>(entry(number)));
    let mut comparison = Comparison::begin(many, root);
    scan(&plan(root), &Progress::default(), |seen| comparison.seen(seen).unwrap()).unwrap();
    comparison.finish().unwrap()
}

#[test]
fn findings_are_kept_up_to_a_bound_and_counted_beyond() {
    let root = tempdir().unwrap();
    for name in ["a", "b", "x", "y", "z"] {
        put(root.path(), name, "new");
    }
    let gone = MOST_FINDINGS + 100;
    let found = against(gone, root.path());
    let count = u64::try_from(gone).unwrap();
    assert_eq!(found.most_gone, Some(MostGone { gone: count, of: count }));
    // Of those that were added, two came before what is gone, and the others found the room full.
    let is_added = |found: &Compared| {
        found.findings.iter().filter(|finding| finding.change() == Change::Added).count()
    };
    assert_eq!((is_added(&found), found.findings.len(), found.unkept), (2, MOST_FINDINGS, 105));
    assert!(!found.is_whole());
    let few = against(5, root.path());
    assert_eq!((is_added(&few), few.findings.len(), few.unkept), (5, 10, 0), "control");
    assert_eq!(few.most_gone, None);
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
    assert_eq!(none, portcullis_integrity::NamedElsewhere::default(), "control");
    link("watched", outside.path().join("way in"));
    link("twice", outside.path().join("third"));
    let found = compared(&plan(root.path()), &before).named_elsewhere;
    let file = |path: &str, names, seen| Linked { path: path.as_bytes().to_vec(), names, seen };
    assert_eq!(found.files, [file("twice", 3, 2), file("watched", 2, 1)]);
    // One more name below the root is a path that was added, and nothing else.
    link("z", root.path().join("zz"));
    let found = compared(&plan(root.path()), &before);
    assert_eq!((found.findings.len(), found.named_elsewhere.files.len()), (1, 2));
}
