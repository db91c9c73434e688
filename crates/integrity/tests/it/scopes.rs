//! A scan of a part of a root sees what a scan of the whole sees of that part.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use portcullis_integrity::manifest::Manifest;
use portcullis_integrity::{Comparison, Exclude, Finding, Plan, Progress, Scope, Seen, scan};
use proptest::collection::vec;
use proptest::prelude::*;
use tempfile::tempdir;

use super::{baseline, plan, seen};

/// Few names, so that they meet; some are no text, some begin like others.
const NAMES: [&[u8]; 6] = [b"a", b"b", b"a-b", b"a.b", b"\xe9", b"c"];

/// What is put under a path; a folder that stands in its way is taken away first.
#[derive(Clone, Debug)]
enum Put {
    File(u8),
    Folder,
    Link,
    Nothing,
}

fn a_path() -> impl Strategy<Value = Vec<u8>> {
    let name = proptest::sample::select(&NAMES[..]);
    vec(name, 1..4).prop_map(|names| names.join(&b'/'))
}

fn puts() -> impl Strategy<Value = BTreeMap<Vec<u8>, Put>> {
    let put = prop_oneof![
        4 => (0_u8..3).prop_map(Put::File),
        2 => Just(Put::Folder),
        1 => Just(Put::Link),
        2 => Just(Put::Nothing),
    ];
    proptest::collection::btree_map(a_path(), put, 0..24)
}

fn make(root: &Path, puts: &BTreeMap<Vec<u8>, Put>) {
    for (path, put) in puts {
        let at = root.join(OsStr::from_bytes(path));
        if fs::create_dir_all(at.parent().unwrap()).is_err() {
            // A file stands where a folder would have to: it stays.
            continue;
        }
        if fs::remove_file(&at).is_err() && !matches!(put, Put::Folder) {
            fs::remove_dir_all(&at).unwrap_or_default();
        }
        match put {
            Put::File(content) => fs::write(at, [*content; 3]).unwrap(),
            Put::Folder => fs::create_dir_all(at).unwrap(),
            Put::Link => symlink("a", at).unwrap(),
            Put::Nothing => {}
        }
    }
}

/// How what a plan covers differs from a baseline of the whole.
fn compared(plan: &Plan, manifest: &[u8]) -> Vec<Finding> {
    let lines = Manifest::open(manifest).unwrap().lines;
    let covered = lines.filter(|line| line.as_ref().map_or(true, |entry| plan.covers(&entry.path)));
    let is_whole = plan.scope.is_everything();
    let begin = if is_whole { Comparison::begin } else { Comparison::begin_part };
    let mut comparison = begin(covered, &plan.root);
    scan(plan, &Progress::default(), |seen| comparison.seen(seen).unwrap()).unwrap();
    // Where something moved from or to may be outside of a part.
    let compared = comparison.finish().unwrap();
    assert!(is_whole || !compared.is_root_gone(), "a part says nothing of the root");
    compared.findings.into_iter().map(|finding| Finding { moved: None, ..finding }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_part_is_seen_as_in_the_whole(
        before in puts(),
        after in puts(),
        scoped in vec(a_path(), 0..5),
        passed_over in any::<bool>(),
    ) {
        let root = tempdir().unwrap();
        let exclude = Exclude::parse(passed_over.then_some("a/b")).unwrap();
        let whole = Plan { exclude, ..plan(root.path()) };
        let part = Plan { scope: Scope::of(scoped), ..whole.clone() };
        make(root.path(), &before);
        let manifest = baseline(&whole);
        make(root.path(), &after);

        let expected: Vec<Seen> =
            seen(&whole).into_iter().filter(|seen| part.covers(seen.path())).collect();
        prop_assert_eq!(seen(&part), expected);

        let mut expected = compared(&whole, &manifest);
        expected.retain(|finding| part.covers(finding.path()));
        prop_assert_eq!(compared(&part, &manifest), expected);
    }
}
