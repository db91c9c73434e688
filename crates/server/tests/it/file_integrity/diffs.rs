//! TP33 and A79: what a file and the good one differ in.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use super::{check, number, on_each, on_each_with};
use crate::harness::client::Client;

async fn diff(staff: &Client, path: &str, more: &str) -> Value {
    let id = number(staff, path).await;
    let answer = staff.get(&format!("/api/security/file-diff?alert_id={id}{more}")).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["data"].clone()
}

#[tokio::test]
async fn tp33_three_lines_added_and_one_removed() {
    on_each(async |server, staff, root| {
        let file = root.join("page.txt");
        fs::write(&file, "one\ntwo\nthree\n").unwrap();
        check(staff).await;
        fs::write(&file, "one\n2\n2a\n2b\nthree\n").unwrap();
        check(staff).await;
        // The difference is that of the moment: whoever changes the file back changes nothing of it.
        let found = diff(staff, "page.txt", "").await;
        assert_eq!(found["current_differs"], false);
        fs::write(&file, "one\nagain\nthree\n").unwrap();
        let later = diff(staff, "page.txt", "").await;
        assert_eq!(later["current_differs"], true, "B.7.2");
        let of_it = |shown: &Value, key: &str| shown[key].clone();
        for key in ["diff", "lines_added", "lines_removed", "before", "after", "file_path"] {
            assert_eq!(of_it(&later, key), of_it(&found, key), "{key}");
        }
        assert_eq!((&found["lines_added"], &found["lines_removed"]), (&json!(3), &json!(1)));
        assert_eq!(found["file_path"], file.to_str().unwrap());
        assert_eq!(found["diff_unavailable_reason"], Value::Null);
        assert_eq!(found["truncated"], false);
        let text = found["diff"].as_str().unwrap();
        for part in ["--- a/page.txt\n", "+++ b/page.txt\n", "@@ ", "-two\n", "+2a\n", " one\n"] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
        let current = diff(staff, "page.txt", "&version=current").await;
        assert!(current["diff"].as_str().unwrap().contains("+again\n"), "{current}");
        assert!(!server.events("fim_diff_viewed", 3).await.is_empty());
    })
    .await;
}

/// Whoever puts very much before what he did hides it from nobody without a word.
#[tokio::test]
async fn a_difference_that_is_cut_off_says_so() {
    on_each(async |_, staff, root| {
        let file = root.join("page.txt");
        fs::write(&file, "one\n").unwrap();
        check(staff).await;
        fs::write(&file, format!("{}evil()\n", "x\n".repeat(20_000))).unwrap();
        check(staff).await;
        for version in ["", "&version=current"] {
            let found = diff(staff, "page.txt", version).await;
            assert_eq!(found["truncated"], true, "{version}");
            let text = found["diff"].as_str().unwrap();
            assert!(text.ends_with("\n[15002 more lines]\n"), "{version}");
        }
    })
    .await;
}

/// A79: the secret file shows no value, and neither does the database or the folder of copies.
#[tokio::test]
async fn a79_env_diff_never_stores_or_prints_the_value() {
    on_each(async |server, staff, root| {
        fs::write(root.join(".env"), "PASSWORD=hunter2hunter2\n").unwrap();
        fs::write(root.join("app.ini"), "name = x\npassword = hunter2hunter2\n").unwrap();
        check(staff).await;
        fs::write(root.join(".env"), "PASSWORD=geheim99geheim99\nA=1\n").unwrap();
        fs::write(root.join("app.ini"), "name = x\npassword = geheim99geheim99\n").unwrap();
        check(staff).await;
        let secret = diff(staff, ".env", "").await;
        assert_eq!(secret["diff_unavailable_reason"], "nodiff", "no copy of it is kept");
        let masked = diff(staff, "app.ini", "").await;
        let text = masked["diff"].as_str().unwrap();
        assert!(text.contains("password = ") && text.contains("@@ "), "{text}");
        for shown in [secret.to_string(), masked.to_string()] {
            assert!(!shown.contains("hunter2") && !shown.contains("geheim99"), "{shown}");
        }
        let copies = server.data_dir.join("integrity/copies");
        let mut files = Vec::new();
        let mut folders = vec![copies];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let path = entry.path();
                if path.is_dir() { folders.push(path) } else { files.push(fs::read(path).unwrap()) }
            }
        }
        assert!(files.len() >= 3, "control: there are copies");
        let has =
            |bytes: &[u8]| bytes.windows(7).any(|part| part == b"hunter2" || part == b"echo 1;");
        assert!(!files.iter().any(|file| has(file)), "what is kept is sealed");
    })
    .await;
}

/// A79: what is no text, or not to be read, has no difference, and says why.
#[tokio::test]
async fn a79_what_cannot_be_shown_says_why() {
    on_each_with("max_hash_bytes = \"1MiB\"\ndiff_max_bytes = \"1KiB\"", async |_, staff, root| {
        for name in ["bin.txt", "large.txt", "link.txt", "pipe.txt"] {
            fs::write(root.join(name), "good\n").unwrap();
        }
        check(staff).await;
        fs::write(root.join("bin.txt"), b"\x00\x01\x02").unwrap();
        fs::write(root.join("large.txt"), "x".repeat(5000)).unwrap();
        for name in ["link.txt", "pipe.txt"] {
            fs::remove_file(root.join(name)).unwrap();
        }
        symlink("/etc/passwd", root.join("link.txt")).unwrap();
        super::pipe(&root.join("pipe.txt"));
        let huge = fs::File::create(root.join("huge.bin")).unwrap();
        huge.set_len(5 << 30).unwrap();
        check(staff).await;
        for (path, reason) in [
            ("bin.txt", "binary"),
            ("large.txt", "too_large"),
            ("link.txt", "not_a_file"),
            ("pipe.txt", "not_a_file"),
            ("huge.bin", "too_large"),
        ] {
            let found = diff(staff, path, "").await;
            assert_eq!(found["diff_unavailable_reason"], reason, "{path}");
            assert_eq!(found["diff"], "", "{path}");
        }
        fs::remove_file(root.join("huge.bin")).unwrap();
    })
    .await;
}

/// B.12: quota full → explicit reason, and an alert that says so.
#[tokio::test]
async fn quota_full_says_so() {
    on_each_with("copies = \"1\"", async |_, staff, root| {
        check(staff).await;
        fs::write(root.join("style.css"), "b { }\n").unwrap();
        check(staff).await;
        assert_eq!(diff(staff, "style.css", "").await["diff_unavailable_reason"], "not_stored");
        fs::write(root.join("one.txt"), "1\n").unwrap();
        check(staff).await;
        assert!(diff(staff, "one.txt", "").await["diff_unavailable_reason"].is_null(), "control");
        fs::write(root.join("two.txt"), "2\n").unwrap();
        check(staff).await;
        assert_eq!(diff(staff, "two.txt", "").await["diff_unavailable_reason"], "quota");
        let kinds = super::told(staff, "?change_type=copies_full").await;
        assert_eq!(kinds.len(), 1, "{kinds:?}");

        // What matters least makes room for what matters most.
        fs::write(root.join("shell.php"), "<?php\n").unwrap();
        check(staff).await;
        assert!(diff(staff, "shell.php", "").await["diff_unavailable_reason"].is_null());
        assert_eq!(diff(staff, "one.txt", "").await["diff_unavailable_reason"], "quota");
        fs::write(root.join("more.php"), "<?php\n").unwrap();
        check(staff).await;
        assert_eq!(diff(staff, "more.php", "").await["diff_unavailable_reason"], "quota");
        assert!(diff(staff, "shell.php", "").await["diff_unavailable_reason"].is_null());
    })
    .await;
}

/// A file of secrets is one under another name, too.
#[tokio::test]
async fn a_secret_that_was_renamed_is_not_shown() {
    on_each(async |_, staff, root| {
        let old = root.join("credentials");
        fs::write(&old, "d41d8cd98f00b204e9800998\n").unwrap();
        check(staff).await;
        fs::rename(&old, root.join("a.txt")).unwrap();
        fs::write(root.join("b.txt"), "hello\n").unwrap();
        check(staff).await;
        for version in ["", "&version=current"] {
            let found = diff(staff, "a.txt", version).await;
            assert_eq!(found["diff_unavailable_reason"], "nodiff", "{version}: {found}");
            assert_eq!(found["diff"], "", "{version}: {found}");
            let control = diff(staff, "b.txt", version).await;
            assert!(control["diff"].as_str().unwrap().contains("+hello"), "{version}: {control}");
        }
    })
    .await;
}

/// B.7.2: whether something else is there by now, whatever became of the file.
#[tokio::test]
async fn whether_something_else_is_there_by_now_is_told() {
    on_each_with("max_hash_bytes = \"1MiB\"", async |_, staff, root| {
        check(staff).await;
        fs::write(root.join("a.txt"), "a\n").unwrap();
        fs::write(root.join("b.txt"), "b\n").unwrap();
        fs::create_dir(root.join("c.txt")).unwrap();
        symlink("a.txt", root.join("d.txt")).unwrap();
        fs::remove_file(root.join("style.css")).unwrap();
        fs::File::create(root.join("e.txt")).unwrap().set_len(2 << 20).unwrap();
        check(staff).await;
        let differs = async |path: &str| diff(staff, path, "").await["current_differs"].clone();
        for path in ["a.txt", "b.txt", "c.txt", "d.txt", "style.css"] {
            assert_eq!(differs(path).await, json!(false), "control: {path}");
        }
        assert_eq!(differs("e.txt").await, Value::Null, "nobody knows what was there");
        fs::write(root.join("a.txt"), "b\n").unwrap();
        fs::remove_file(root.join("b.txt")).unwrap();
        fs::write(root.join("c.txt/x"), "x").unwrap();
        fs::remove_file(root.join("d.txt")).unwrap();
        symlink("b.txt", root.join("d.txt")).unwrap();
        fs::write(root.join("style.css"), "a { }\n").unwrap();
        for (path, expected) in [
            ("a.txt", true),
            ("b.txt", true),
            ("c.txt", false),
            ("d.txt", true),
            ("style.css", true),
        ] {
            assert_eq!(differs(path).await, json!(expected), "{path}");
        }
    })
    .await;
}

/// B.7.6: of what has no lines, what can be said of both sides.
#[tokio::test]
async fn of_what_is_no_text_size_digest_and_kind_are_told() {
    on_each(async |_, staff, root| {
        let elf = |size: usize| [b"\x7fELF\0".to_vec(), vec![0; size]].concat();
        fs::write(root.join("tool"), elf(7)).unwrap();
        check(staff).await;
        fs::write(root.join("tool"), elf(8)).unwrap();
        check(staff).await;
        let digest =
            |bytes: &[u8]| portcullis_integrity::Digest::of_reader(bytes).unwrap().to_string();
        let found = diff(staff, "tool", "").await;
        assert!(!found["diff_unavailable_reason"].is_null(), "{found}");
        for (side, bytes) in [("before", elf(7)), ("after", elf(8))] {
            let expected = json!({"type": "file", "size": bytes.len(), "sha256": digest(&bytes)});
            assert_eq!(found[side], expected, "{side}");
        }
        assert_eq!(found["looks_like"], "an ELF program");
        fs::write(root.join("tool"), "#!/bin/sh\n").unwrap();
        let later = diff(staff, "tool", "").await;
        assert_eq!((&later["looks_like"], &later["current_differs"]), (&Value::Null, &json!(true)));
    })
    .await;
}
