//! What is handed on: bundles that ours and somebody else's program accept, and refuse once anything in
//! them was touched; and proofs that stand by themselves.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::verifying::{anchor, history};
use crate::cli::{Ran, run};
use crate::harness::{TestApp, on_each_database};

/// A command beside a server.
async fn command(server: &TestApp, line: &str) -> Ran {
    server.write_secret();
    let config = server.data_dir.join("portcullis.toml");
    let line = line.to_owned();
    tokio::task::spawn_blocking(move || run(&config, &line, b"")).await.unwrap()
}

/// A command that knows no server.
async fn offline(line: String) -> Ran {
    let parts = line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let ran = tokio::task::spawn_blocking(move || {
        std::process::Command::new(env!("CARGO_BIN_EXE_portcullis")).args(parts).output().unwrap()
    });
    let ran = ran.await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: ran.status.code().unwrap(), out: text(ran.stdout), err: text(ran.stderr) }
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"))
}

async fn key(server: &TestApp) -> String {
    let status = command(server, "audit status --json").await;
    json(&status)["key"].as_str().unwrap().to_owned()
}

/// A whole bundle, the key of its log, and how many entries it has.
async fn exported(server: &TestApp, more: &str) -> (PathBuf, String, u64) {
    let file = server.data_dir.join("bundle.tar");
    let line = format!("audit export --json --out {}{more}", file.display());
    let ran = command(server, &line).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    (file, key(server).await, json(&ran)["size"].as_u64().unwrap())
}

/// What our own verification says of a bundle: the exit code, and the kinds of what it found.
async fn ours(file: &Path, key: &str, more: &str) -> (i32, Vec<String>) {
    let file = file.display();
    let ran = offline(format!("audit verify --json --bundle {file} --key {key}{more}")).await;
    if ran.code == 3 {
        return (3, Vec::new());
    }
    let kinds = json(&ran)["kinds"].as_object().unwrap().keys().cloned().collect();
    (ran.code, kinds)
}

type Files = BTreeMap<String, Vec<u8>>;

/// The same bundle after somebody has touched its files.
fn repacked(bundle: &Path, touch: impl FnOnce(&mut Files)) -> PathBuf {
    let mut files = Files::new();
    let mut archive = tar::Archive::new(std::fs::File::open(bundle).unwrap());
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        files.insert(entry.path().unwrap().to_str().unwrap().to_owned(), bytes);
    }
    touch(&mut files);
    let to = bundle.with_file_name("touched.tar");
    let mut builder = tar::Builder::new(std::fs::File::create(&to).unwrap());
    for (path, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, path, bytes.as_slice()).unwrap();
    }
    builder.finish().unwrap();
    to
}

/// Another byte in a file, where these bytes first stand in it.
fn replace(files: &mut Files, path: &str, from: &str, to: &str) {
    let bytes = files.get_mut(path).unwrap_or_else(|| panic!("no {path}"));
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    bytes.splice(at..at + from.len(), to.bytes());
}

/// Takes the third entry out of a bundle of entries.
fn take_third_out(bytes: &mut Vec<u8>) {
    let length =
        |bytes: &[u8], at: usize| 2 + usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
    let first = length(bytes, 0);
    let second = first + length(bytes, first);
    let third = second + length(bytes, second);
    bytes.drain(second..third);
}

/// What is done to a bundle.
type Tampering<'a> = &'a dyn Fn(&mut Files);

#[tokio::test]
async fn a_bundle_is_accepted_and_a_touched_one_refused_by_us_and_by_somebody_else() {
    on_each_database(async |server| {
        history(server).await;
        let (bundle, key, size) = exported(server, "").await;
        let audited = auditor::audit(&bundle, &key).unwrap();
        assert_eq!(audited.size, size);
        assert_eq!(ours(&bundle, &key, "").await, (0, vec![]));
        let same = repacked(&bundle, |_| ());
        assert_eq!(auditor::audit(&same, &key).unwrap(), audited, "the same files, packed again");
        assert_eq!(ours(&same, &key, "").await, (0, vec![]));

        let last = format!("tile/entries/002.p/{}", size - 512);
        let cases: [(&str, i32, &str, Tampering<'_>); 9] = [
            ("a byte of an entry", 1, "altered", &|files| {
                replace(files, "tile/entries/000", "success", "succesS");
            }),
            ("a byte of the last entries", 1, "altered", &|files| {
                replace(files, &last, "success", "succesS");
            }),
            ("a byte of a tile", 1, "tile_altered", &|files| {
                files.get_mut("tile/0/001").unwrap()[70] ^= 1;
            }),
            ("a byte of the tile above", 1, "tile_altered", &|files| {
                files.get_mut("tile/1/000.p/2").unwrap()[5] ^= 1;
            }),
            ("an entry taken out", 1, "missing", &|files| {
                take_third_out(files.get_mut("tile/entries/001").unwrap());
            }),
            ("a file of entries taken out", 1, "missing", &|files| {
                files.remove("tile/entries/001");
            }),
            ("a tile taken out", 1, "tile_missing", &|files| {
                files.remove("tile/0/001");
            }),
            ("another size in the checkpoint", 4, "bad_signature", &|files| {
                replace(files, "checkpoint", &format!("\n{size}\n"), &format!("\n{}\n", size - 1));
            }),
            ("another signature", 4, "bad_signature", &|files| {
                let note = files.get_mut("checkpoint").unwrap();
                let at = note.len() - 20;
                note[at] = if note[at] == b'A' { b'B' } else { b'A' };
            }),
        ];
        for (what, code, kind, touch) in cases {
            let touched = repacked(&bundle, touch);
            assert!(auditor::audit(&touched, &key).is_err(), "{what}: the other program");
            let (exit, kinds) = ours(&touched, &key, "").await;
            assert_eq!(exit, code, "{what}: {kinds:?}");
            assert!(kinds.contains(&kind.to_owned()), "{what}: {kinds:?}");
        }
        let whole = std::fs::read(&bundle).unwrap();
        let cut = bundle.with_file_name("cut.tar");
        std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
        assert!(auditor::audit(&cut, &key).is_err());
        assert_ne!(ours(&cut, &key, "").await.0, 0);
    })
    .await;
}

#[tokio::test]
async fn personal_data_in_a_bundle_is_held_against_the_entries_or_left_out() {
    on_each_database(async |server| {
        history(server).await;
        let (bundle, key, _) = exported(server, "").await;
        let cases: [(&str, &str, Tampering<'_>); 3] = [
            ("altered", "personal_altered", &|files| {
                replace(files, "personal/000", "192.0.2.7", "192.0.2.8");
            }),
            ("taken out", "personal_missing", &|files| drop(files.remove("personal/000"))),
            ("moved", "personal_stray", &|files| {
                replace(files, "personal/000", "\"i\":21,", "\"i\":22,");
            }),
        ];
        for (what, kind, touch) in cases {
            let (code, kinds) = ours(&repacked(&bundle, touch), &key, "").await;
            assert_eq!(code, 1, "{what}");
            assert!(kinds.contains(&kind.to_owned()), "{what}: {kinds:?}");
        }
        let without_entries = repacked(&bundle, |files| drop(files.remove("tile/entries/000")));
        let found = ours(&without_entries, &key, "").await;
        assert_eq!(found, (1, vec!["missing".to_owned()]), "what belonged to them is no fault");
        let (without, key, size) = exported(server, " --without-personal").await;
        assert_eq!(ours(&without, &key, "").await, (0, vec![]));
        assert_eq!(auditor::audit(&without, &key).unwrap().size, size);
        let bytes = std::fs::read(&without).unwrap();
        assert!(!bytes.windows(9).any(|bytes| bytes == b"192.0.2.7"));
        server.events("audit_exported", 2).await;
    })
    .await;
}

#[tokio::test]
async fn a_part_of_the_log_is_proven_as_well() {
    on_each_database(async |server| {
        history(server).await;
        let (bundle, key, _) = exported(server, " --from 300 --to 310").await;
        assert_eq!(ours(&bundle, &key, "").await, (0, vec![]));
        let touched = repacked(&bundle, |files| {
            replace(files, "tile/entries/001", "success", "succesS");
        });
        assert_eq!(ours(&touched, &key, "").await, (1, vec!["altered".to_owned()]));
        let outside = command(server, "audit export --out x.tar --from 300 --to 99999").await;
        assert_eq!(outside.code, 1, "{outside:?}");
    })
    .await;
}

#[tokio::test]
async fn a_bundle_is_held_against_the_key_and_the_anchor_of_whoever_checks_it() {
    on_each_database(async |server| {
        history(server).await;
        let older = server.data_dir.join("older");
        std::fs::write(&older, anchor(server)).unwrap();
        let (bundle, key, _) = exported(server, "").await;
        let newer = server.data_dir.join("newer");
        std::fs::write(&newer, anchor(server)).unwrap();
        let with = |file: &Path| format!(" --anchor {}", file.display());
        assert_eq!(ours(&bundle, &key, &with(&older)).await, (0, vec![]));

        let earlier = server.data_dir.join("earlier.tar");
        std::fs::rename(&bundle, &earlier).unwrap();
        let (_, _, _) = exported(server, "").await;
        std::fs::write(&newer, anchor(server)).unwrap();
        let truncated = (1, vec!["truncated".to_owned()]);
        assert_eq!(ours(&earlier, &key, &with(&newer)).await, truncated);

        let stranger = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        assert_eq!(ours(&earlier, stranger, "").await.0, 4);
        let bundle = earlier.display();
        assert_eq!(offline(format!("audit verify --bundle {bundle}")).await.code, 2);
        assert_eq!(offline(format!("audit verify --bundle {bundle} --key x")).await.code, 2);
        assert_eq!(offline(format!("audit verify --bundle {bundle}.no --key {key}")).await.code, 3);
        let file = server.data_dir.join("vkey");
        std::fs::write(&file, format!("{key}\n")).unwrap();
        let by_file = format!("audit verify --bundle {bundle} --key {}", file.display());
        assert_eq!(offline(by_file).await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn proofs_are_checked_without_the_log() {
    on_each_database(async |server| {
        history(server).await;
        let key = key(server).await;
        let file = server.data_dir.join("entry.tlog-proof");
        let ran = command(server, &format!("audit prove 21 --out {}", file.display())).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        let check = async |key: &str, more: &str| {
            offline(format!("audit verify --proof {} --key {key}{more}", file.display())).await.code
        };
        assert_eq!(check(&key, "").await, 0);
        let other = server.data_dir.join("other");
        std::fs::write(&other, "{}").unwrap();
        assert_eq!(check(&key, &format!(" --entry {}", other.display())).await, 1);
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replacen("index 21", "index 22", 1)).unwrap();
        assert_eq!(check(&key, "").await, 1);
        let printed = command(server, "audit prove 21 --json").await;
        assert_eq!(json(&printed)["entry"]["i"], 21);
        assert_eq!(command(server, "audit prove 99999").await.code, 1);

        let ran =
            command(server, &format!("audit prove --from 100 --out {}", file.display())).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(check(&key, "").await, 0);
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replacen("\n100\n", "\n101\n", 1)).unwrap();
        assert_eq!(check(&key, "").await, 4);
        let unsigned = command(server, "audit prove --from 101").await;
        assert_eq!(unsigned.code, 1);
        assert!(unsigned.err.contains("100 and 256"), "{unsigned:?}");
    })
    .await;
}

#[tokio::test]
async fn the_command_says_how_the_log_stands() {
    on_each_database(async |server| {
        history(server).await;
        let never = command(server, "audit status --json").await;
        assert_eq!(json(&never)["verified"], Value::Null);
        let verified = command(server, "audit verify").await;
        assert_eq!(verified.code, 0, "{verified:?}");
        assert!(verified.out.contains("in order"), "{verified:?}");
        let status = json(&command(server, "audit status --json").await);
        assert_eq!(status["verified"]["faults"], 0, "{status}");
        assert_eq!(status["checkpoint"]["size"], 500, "{status}");
    })
    .await;
}
