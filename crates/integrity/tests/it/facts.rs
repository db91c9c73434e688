//! What is known of a difference beside its entry: how a file begins.

use std::fs::{self, File};

use tempfile::tempdir;

use super::{baseline, findings, plan, put};

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
