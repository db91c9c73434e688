//! The root itself: its rights and its owner, where a baseline tells of them.

use std::os::unix::fs::chown;
use std::path::Path;

use portcullis_integrity::manifest::{Body, Manifest, write};
use portcullis_integrity::{
    Asked, Comparison, Entry, Exclude, Owner, Plan, Progress, Rules, Scope, look_at_root, scan,
};
use tempfile::tempdir;

use super::{baseline, entries, plan, put, set_mode};

/// A manifest that tells of the root itself, as it is changed.
fn with_root(root: &Path, change: impl FnOnce(Entry) -> Entry) -> Vec<u8> {
    let mut body = Body::new(Vec::new());
    body.push(&change(look_at_root(root).unwrap())).unwrap();
    for entry in entries(&baseline(&plan(root))) {
        body.push(&entry).unwrap();
    }
    let (lines, head) = body.finish("app", 1, None);
    let mut manifest = Vec::new();
    write(&mut manifest, &head, &mut &lines[..]).unwrap();
    manifest
}

/// Change, path and rule of each finding, and whether the root is as it ought to be.
fn told(root: &Path, manifest: &[u8]) -> (Vec<String>, bool) {
    let lines = Manifest::open(manifest).unwrap().lines;
    let asked = Asked::of([Vec::new()]);
    let mut comparison = Comparison::begin(lines, root).asking(asked);
    scan(&plan(root), &Progress::default(), |seen| comparison.seen(seen).unwrap()).unwrap();
    let compared = comparison.finish().unwrap();
    let rules = Rules::default();
    let word = |finding: &portcullis_integrity::Finding| {
        let rule = rules.judge(finding, root).rule;
        format!(
            "{} {:?} {rule}",
            finding.change().as_str(),
            String::from_utf8_lossy(finding.path())
        )
    };
    let findings = compared.findings.iter().map(word).collect();
    (findings, compared.good.contains(&Vec::new()))
}

#[test]
fn the_root_itself_is_held_against_a_baseline_that_tells_of_it() {
    let root = tempdir().unwrap();
    let root = root.path();
    put(root, "a", "a");
    set_mode(root, "", 0o755);
    let (before, without) = (with_root(root, |entry| entry), baseline(&plan(root)));
    assert!(String::from_utf8_lossy(&before).contains(" - - .\n"));
    assert_eq!(told(root, &before), (vec![], true), "control");
    set_mode(root, "", 0o777);
    assert_eq!(told(root, &before), (vec!["attributes \"\" writable".to_owned()], false));
    assert_eq!(told(root, &without), (vec![], false), "nothing is known of it");
    set_mode(root, "", 0o711);
    assert_eq!(told(root, &before), (vec!["attributes \"\" rights".to_owned()], false));
    set_mode(root, "", 0o755);
    let other = with_root(root, |entry| Entry { owner: Some(Owner { uid: 7, gid: 7 }), ..entry });
    assert_eq!(told(root, &other), (vec!["attributes \"\" owner".to_owned()], false));
    let built = with_root(root, |entry| Entry { owner: None, ..entry });
    assert_eq!(
        told(root, &built),
        (vec![], true),
        "an owner that it does not tell is not asked for"
    );
    if chown(root, Some(65_534), None).is_ok() {
        assert_eq!(told(root, &before), (vec!["attributes \"\" owner".to_owned()], false));
        assert_eq!(told(root, &built), (vec![], true));
    }
}

/// It is one look, whatever else is looked at.
#[test]
fn the_root_itself_is_looked_at_with_every_part() {
    let root = tempdir().unwrap();
    put(root.path(), "a", "a");
    let before = with_root(root.path(), |entry| Entry { mode: 0o1777, ..entry });
    let part = Plan { scope: Scope::of([]), ..plan(root.path()) };
    let lines = Manifest::open(&before[..]).unwrap().lines;
    let lines = lines.map(Result::unwrap).filter(|entry| part.covers(&entry.path));
    let mut comparison = Comparison::begin_part(lines.map(Ok::<_, ()>), root.path());
    scan(&part, &Progress::default(), |seen| comparison.seen(seen).unwrap()).unwrap();
    let found = comparison.finish().unwrap().findings;
    assert_eq!((found.len(), found[0].path()), (1, &b""[..]));
}

/// That it is there says nothing of what ought to be in it.
#[test]
fn a_root_with_nothing_in_it_is_gone_all_the_same() {
    let root = tempdir().unwrap();
    put(root.path(), "a", "a");
    let before = with_root(root.path(), |entry| entry);
    std::fs::remove_file(root.path().join("a")).unwrap();
    let mut comparison = Comparison::begin(Manifest::open(&before[..]).unwrap().lines, root.path());
    scan(&plan(root.path()), &Progress::default(), |seen| comparison.seen(seen).unwrap()).unwrap();
    assert!(comparison.finish().unwrap().is_root_gone());
}

#[test]
fn one_pattern_alone_passes_over_the_root_itself() {
    let check = |patterns: &[&str], expected: bool| {
        let exclude = Exclude::parse(patterns.iter().copied()).unwrap();
        assert_eq!(exclude.covers(b""), expected, "{patterns:?}");
        let root = Path::new("/srv/app");
        assert_eq!(Plan { exclude, ..plan(root) }.covers(b""), !expected, "{patterns:?}");
    };
    check(&["."], true);
    check(&["log/**", "."], true);
    for pattern in ["*", "**", ".*", "**/.*", "?", ""] {
        check(&[pattern], false);
    }
    assert!(!Exclude::parse(["."]).unwrap().covers(b".env"));
    assert!(Exclude::default().and_root().covers(b""));
}
