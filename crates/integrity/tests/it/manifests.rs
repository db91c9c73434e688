//! Manifests: strict reading, and that the head is of these lines and no others.

use portcullis_integrity::manifest::{Body, Fault, Head, Manifest, write_signed};
use portcullis_integrity::{Content, Digest, Entry, Owner, path};
use proptest::prelude::*;

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn manifest(lines: &str, entries: usize, signatures: &str) -> String {
    let digest = Digest::of_reader(lines.as_bytes()).unwrap();
    let head = format!(
        "portcullis manifest 1\nroot app\nnumber 3\nprevious {EMPTY}\nentries {entries}\nsha256 {digest}\n"
    );
    let signatures = match signatures {
        "" => String::new(),
        some => format!("{some}\n"),
    };
    format!("{head}\n{signatures}{lines}")
}

fn line(path: &str) -> String {
    format!("file 0644 0 0 - 0:{EMPTY} {path}\n")
}

fn read(text: &str) -> Result<usize, String> {
    let told = |fault: Fault| fault.to_string();
    let manifest = Manifest::open(text.as_bytes()).map_err(told)?;
    let entries: Result<Vec<_>, _> = manifest.lines.collect();
    entries.map(|entries| entries.len()).map_err(told)
}

#[test]
fn a_manifest_is_read_with_signatures_and_without() {
    let lines = [line("a"), line("a/b"), line("a-b")].concat();
    assert_eq!(read(&manifest(&lines, 3, "")), Ok(3));
    let signed = manifest(&lines, 3, "\u{2014} one AAAA\n\u{2014} two BBBB\n");
    assert_eq!(read(&signed), Ok(3));
    let opened = Manifest::open(signed.as_bytes()).unwrap();
    assert_eq!(opened.head.number, 3);
    let note = signed.split_once("\nfile").unwrap().0.strip_suffix('\n').unwrap().to_owned() + "\n";
    assert_eq!(opened.note, note);
    let mut again = Vec::new();
    write_signed(&mut again, &note, &mut lines.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(again).unwrap(), signed);
    assert_eq!(read(&manifest("", 0, "")), Ok(0));
}

#[test]
fn what_was_passed_over_stands_in_the_head() {
    let with = |lines: &str| {
        let number = manifest("", 0, "");
        number.replacen("\nentries", &format!("\n{lines}entries"), 1)
    };
    let good = with("exclude *.log\nexclude a\\x20b/**\n");
    let opened = Manifest::open(good.as_bytes()).unwrap();
    assert_eq!(opened.head.exclude, ["*.log", "a b/**"]);
    assert_eq!(Head::parse(&opened.head.to_string()), Some(opened.head));
    let check = |lines: &str| assert!(Manifest::open(with(lines).as_bytes()).is_err(), "{lines}");
    check("exclude b\nexclude a\n");
    check("exclude a\nexclude a\n");
    check("exclude a b\n");
    check("exclude [\n");
    check("exclude \\xe9\n");
    check("exclude\n");
    check("include a\n");
    check(&format!("exclude {}\n", "a".repeat(60_000)).repeat(2));
}

#[test]
fn anything_else_is_refused() {
    let lines = [line("a"), line("b")].concat();
    let good = manifest(&lines, 2, "");
    assert_eq!(read(&good), Ok(2), "control");
    let check = |text: &str, fault: &str| assert_eq!(read(text), Err(fault.to_owned()), "{text}");
    let digest = "the lines are not those that the head was made for";
    check(&good.replacen("entries 2", "entries 3", 1), digest);
    check(&good.replacen("0644", "0666", 1), digest);
    check(&good.replacen(&line("b"), "", 1), digest);
    check(&format!("{good}{}", line("c")), digest);
    let order = |line| format!("line {line} is out of order or there twice");
    check(&manifest(&[line("b"), line("a")].concat(), 2, ""), &order(9));
    check(&manifest(&[line("a"), line("a")].concat(), 2, ""), &order(9));
    check(&manifest(&[line("a-b"), line("a/b")].concat(), 2, ""), &order(9));
    let bad = |line| format!("line {line} is not that of a manifest");
    check(&manifest(&line("../a"), 1, ""), &bad(8));
    check(&manifest(&line("/a"), 1, ""), &bad(8));
    check(&manifest("no entry\n", 1, ""), &bad(8));
    check(&manifest("\n", 1, ""), &bad(8));
    check(good.trim_end(), &bad(9));
    check(&good.replacen("manifest 1", "manifest 2", 1), &bad(7));
    check(&good.replacen("root app", "root ../app", 1), &bad(7));
    check(&good.replacen("number 3", "number 03", 1), &bad(7));
    check(&good.replacen("previous", "before", 1), &bad(7));
    check(&good.replacen("root app\n", "root app\nroot app\n", 1), &bad(8));
    check("", &bad(1));
    check(&"x".repeat(100_000), &bad(1));
    let many = "\u{2014} one AAAA\n".repeat(17);
    check(&manifest(&lines, 2, &many), &bad(24));
    check(&good.replacen("file", "\u{e9}", 1).replacen('\u{e9}', "\u{fffd}", 1), &bad(8));
    let mut bytes = good.into_bytes();
    let at = bytes.len() - 2;
    bytes[at] = 0xe9;
    let lines = Manifest::open(&bytes[..]).unwrap().lines;
    assert!(lines.collect::<Result<Vec<_>, _>>().is_err());
}

/// A line that nobody would read again is not written.
#[test]
fn what_is_written_is_no_longer_than_what_is_read() {
    let entry = |path: usize, target: usize| Entry {
        path: vec![0xe9; path],
        content: Content::Link { target: vec![0xe9; target] },
        mode: 0o777,
        owner: Some(Owner { uid: u32::MAX, gid: u32::MAX }),
        attributes: Some(EMPTY.parse().unwrap()),
    };
    let check = |path: usize, target: usize, is_written: bool| {
        let mut body = Body::new(Vec::new());
        let pushed = body.push(&entry(path, target));
        assert_eq!(pushed.is_ok(), is_written, "{path} {target}: {pushed:?}");
        let (lines, head) = body.finish("app", 1, None);
        let mut text = Vec::new();
        portcullis_integrity::manifest::write(&mut text, &head, &mut &lines[..]).unwrap();
        let read: Result<Vec<Entry>, _> = Manifest::open(&text[..]).unwrap().lines.collect();
        assert_eq!(read.unwrap().len(), usize::from(is_written), "{path} {target}");
    };
    check(4096, 4096, true);
    check(17_000, 1, false);
    check(1, 17_000, false);
    // The longest there is, and one more: each byte is written as four.
    let rest = entry(1, 1).to_string().len() - 4 + 1;
    let most = (64 * 1024 - rest) / 4;
    check(most, 1, true);
    check(most + 1, 1, false);
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_again(names in prop::collection::btree_set(prop::collection::vec(any::<u8>(), 1..20), 0..30)) {
        let mut paths: Vec<Vec<u8>> =
            names.into_iter().filter(|name| path::is_below(name)).collect();
        paths.sort_by(|one, other| path::order(one, other));
        let entry = |path: &Vec<u8>| Entry {
            path: path.clone(),
            content: Content::Link { target: path.clone() },
            mode: 0o777,
            owner: None,
            attributes: None,
        };
        let entries: Vec<Entry> = paths.iter().map(entry).collect();
        let mut body = Body::new(Vec::new());
        for entry in &entries {
            body.push(entry).unwrap();
        }
        let (lines, head) = body.finish("app", 1, None);
        prop_assert_eq!(Head::parse(&head.to_string()), Some(head.clone()));
        let mut text = Vec::new();
        portcullis_integrity::manifest::write(&mut text, &head, &mut &lines[..]).unwrap();
        let read: Result<Vec<Entry>, _> = Manifest::open(&text[..]).unwrap().lines.collect();
        prop_assert_eq!(read.unwrap(), entries);
    }
}
