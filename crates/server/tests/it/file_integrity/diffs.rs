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
        fs::write(&file, "one\nagain\nthree\n").unwrap();
        assert_eq!(diff(staff, "page.txt", "").await, found);
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
    })
    .await;
}
