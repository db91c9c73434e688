//! One file read whole: what is read, and what nobody gets to read that way.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use portcullis_integrity::{Digest, Why, is_gone, read_whole};
use rustix::fs::{CWD, Mode, mkfifoat};
use tempfile::tempdir;

use super::put;

#[test]
fn what_is_not_a_file_below_the_root_is_not_read() {
    let (root, outside) = (tempdir().unwrap(), tempdir().unwrap());
    let root = root.path();
    put(root, "a/b", "content");
    put(root, "empty", "");
    put(outside.path(), "secret", "secret");
    symlink("a/b", root.join("link")).unwrap();
    symlink(outside.path(), root.join("out")).unwrap();
    symlink("a", root.join("in")).unwrap();
    mkfifoat(CWD, root.join("pipe"), Mode::RUSR | Mode::WUSR).unwrap();

    let check = |path: &str, expected: Result<&str, Why>| {
        let read = read_whole(root, path.as_bytes(), 7).map(|(bytes, digest)| {
            assert_eq!(digest, Digest::of_reader(&bytes[..]).unwrap());
            String::from_utf8(bytes).unwrap()
        });
        assert_eq!(read.as_deref().map_err(|why| *why), expected, "{path}");
    };
    check("a/b", Ok("content"));
    check("empty", Ok(""));
    let not = ["link", "out/secret", "in/b", "pipe", "a", "a/b/c", "missing", "x/missing"];
    for path in not.into_iter().chain(["", "/etc/passwd", "../x", "a/../a/b", "a//b", "a\0b"]) {
        check(path, Err(Why::Unreadable));
    }
    for (path, expected) in
        [("missing", true), ("x/missing", true), ("a/b/c", true), ("a/b", false)]
    {
        assert_eq!(is_gone(root, path.as_bytes()), expected, "{path}");
    }
    // What is mounted on a folder hides what is in it.
    assert!(
        !is_gone(Path::new("/"), b"proc/no such name") && is_gone(Path::new("/"), b"no such name")
    );
    assert!(!is_gone(root, b"link") && !is_gone(root, b"../x") && !is_gone(root, b""));
    fs::write(root.join("a/b"), "content!").unwrap();
    check("a/b", Err(Why::TooLarge));
}

#[test]
fn the_root_may_be_a_link() {
    let (root, other) = (tempdir().unwrap(), tempdir().unwrap());
    put(root.path(), "a", "x");
    symlink(root.path(), other.path().join("root")).unwrap();
    assert_eq!(read_whole(&other.path().join("root"), b"a", 9).unwrap().0, b"x");
    assert_eq!(read_whole(&other.path().join("none"), b"a", 9).unwrap_err(), Why::Unreadable);
}
