//! What an index is made of, and what none is made of.

use std::fs;

use portcullis_breach::build::{NotBuilt, Options, build};
use portcullis_breach::{Index, Progress};

use crate::support::{Place, hash, lines, make, some};

#[test]
fn the_file_and_the_folder_give_the_same_bytes() {
    let passwords = some(5_000);
    let place = Place::new();
    make(&place.options(&place.text(&passwords))).unwrap();
    let of_text = fs::read(place.path("index")).unwrap();
    make(&place.options(&place.folder(&passwords))).unwrap();
    assert!(of_text == fs::read(place.path("index")).unwrap());
    assert_eq!(fs::read_dir(place.path("")).unwrap().count(), 3);
    let head = "portcullis breach index 1\nhash sha1\ndate 2025-11-20\nmin-count 1\nentries 5000\n";
    assert!(of_text.starts_with(head.as_bytes()));
}

#[test]
fn what_was_found_seldom_is_left_out() {
    let passwords = some(3_000);
    let place = Place::new();
    let options = Options { min_count: 20, ..place.options(&place.text(&passwords)) };
    let index = make(&options).unwrap();
    let kept = |count: u64| count >= 20;
    assert_eq!(
        index.head().entries,
        passwords.iter().filter(|(_, count)| kept(*count)).count() as u64
    );
    for (hash, count) in &passwords {
        assert_eq!(index.lookup(hash).unwrap().is_some(), kept(*count));
    }
    let (_, statistics) = Index::open_whole(&options.to, &Progress::default()).unwrap();
    assert_eq!(statistics.found_at_least(1).0, index.head().entries);
    assert_eq!(statistics.found_at_least(32).0, 0);
    assert_eq!(statistics.bytes, fs::metadata(&options.to).unwrap().len());
}

#[test]
fn two_that_share_sixty_bits_are_one() {
    let passwords = [(hash("21BD10123456789"), 2), (hash("21BD101234567891"), 7), (hash("3"), 1)];
    let index = Place::new().index(&passwords);
    assert_eq!(index.head().entries, 2);
    assert_eq!(index.lookup(&passwords[0].0).unwrap().unwrap().at_least(), 7);
}

#[test]
fn an_index_takes_the_place_of_an_older_one_when_it_is_whole() {
    let place = Place::new();
    let old = place.index(&some(10));
    let from = place.file("bad", &(lines(&some(20)) + "nothing\n"));
    assert!(build(&place.options(&from), &Progress::default()).is_err());
    assert_eq!(Index::open(&place.path("index")).unwrap().head(), old.head());
    let new = place.index(&some(20));
    assert_eq!(Index::open(&place.path("index")).unwrap().head(), new.head());
    // Whoever has the old one open goes on with it.
    assert!(old.lookup(&some(10)[0].0).unwrap().is_some());
}

#[test]
fn the_date_is_that_of_the_newest_file() {
    let place = Place::new();
    let set = |path: &std::path::Path, days: u64| {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_hours(24 * days);
        fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    };
    let folder = place.folder(&[(hash("00001"), 1), (hash("00002"), 1)]);
    set(&folder.join("00001.txt"), 20_000);
    set(&folder.join("00002.txt"), 10_000);
    let options = Options { date: None, ..place.options(&folder) };
    assert_eq!(make(&options).unwrap().head().date.to_string(), "2024-10-04");
}

#[test]
fn what_is_no_corpus_is_refused_with_a_sentence() {
    let check = |text: &str, sentence: &str| {
        let place = Place::new();
        let built = build(&place.options(&place.file("text", text)), &Progress::default());
        assert_eq!(built.map(|_| ()).unwrap_err().to_string(), sentence);
        assert!(!place.path("index").exists());
    };
    let good = lines(&[(hash("1"), 1), (hash("2"), 1)]);
    let (first, second) = good.split_at(good.len() / 2);
    let order =
        "line 2 is not behind the one before it: the file that is ordered by hash is needed";
    let form = "line 3 is not a hash, a colon and a count";
    check("", "no password in it was found so often");
    check(&good.replace(":1\r", ":0\r"), "no password in it was found so often");
    check(&format!("{second}{first}"), order);
    check(&format!("{first}{first}"), order);
    check(&format!("{good}\n"), form);
    check(&format!("{good}{}", &first[..20]), form);
    check(
        "8846F7EAEE8FB117AD06BDD830B7586C:1\n",
        "line 1 has an NTLM hash; the file with the SHA-1 hashes is needed",
    );
    check(&"x".repeat(9_000_000), "line 1 is longer than any line can be");
}

#[test]
fn a_folder_is_refused_with_the_name_of_the_file() {
    let check = |name: &str, text: &str, sentence: &str| {
        let place = Place::new();
        let folder = place.folder(&[(hash("00001"), 1)]);
        fs::write(folder.join("readme.txt"), "of no prefix, so nobody reads it").unwrap();
        fs::write(folder.join(name), text).unwrap();
        let built = build(&place.options(&folder), &Progress::default());
        assert_eq!(built.map(|_| ()).unwrap_err().to_string(), sentence);
    };
    let line = format!("{:0<35}:1", "");
    check("00002", "<html>", "file 00002: line 1 is not a hash, a colon and a count");
    check("0000a.txt", "", "file 0000a.txt: nothing stands there");
    check("00001", &line, "the folder has more than one file for the prefix 00001");
    check("00002.txt", &format!("{line}\n{line}"), "file 00002.txt: line 2 is there twice");
    let place = Place::new();
    fs::create_dir(place.path("empty")).unwrap();
    let built = build(&place.options(&place.path("empty")), &Progress::default());
    assert!(matches!(built, Err(NotBuilt::NoFiles)));
    let built = build(&place.options(&place.path("missing")), &Progress::default());
    assert!(matches!(built, Err(NotBuilt::From(_))));
}
