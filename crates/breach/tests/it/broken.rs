//! Files that are no index, or were one.

use std::fs;
use std::os::unix::fs::FileExt as _;

use portcullis_breach::{Index, NotAnIndex, Progress, Unread};

use crate::support::{Place, some};

/// Bytes before the buckets.
const HEAD: usize = 4096;

/// What is said of an index to which something was done.
fn check(spoil: impl Fn(&mut Vec<u8>), at_open: bool, sentence: &str) {
    let place = Place::new();
    drop(place.index(&some(5_000)));
    let path = place.path("index");
    let mut bytes = fs::read(&path).unwrap();
    assert!(Index::open_whole(&path, &Progress::default()).is_ok());
    spoil(&mut bytes);
    fs::write(&path, bytes).unwrap();
    let opened = Index::open(&path).map(drop).map_err(|fault| fault.to_string());
    let whole = Index::open_whole(&path, &Progress::default()).map(drop);
    assert_eq!(whole.unwrap_err().to_string(), sentence);
    assert_eq!(opened, if at_open { Err(sentence.to_owned()) } else { Ok(()) });
}

#[test]
fn what_is_no_index_is_refused_with_a_sentence() {
    check(Vec::clear, true, "is no index of breached passwords");
    let foreign = b"SQLite format 3\0";
    check(|bytes| bytes[..16].copy_from_slice(foreign), true, "is no index of breached passwords");
    check(|bytes| bytes[24] = b'2', true, "is an index of a form that this version does not know");
    check(|bytes| bytes.truncate(90), true, "is damaged: its head cannot be read");
    check(|bytes| bytes[28] ^= 1, true, "is damaged: its head cannot be read");
}

#[test]
fn what_is_not_whole_is_refused_with_a_sentence() {
    let expected = HEAD + 5_000 * 6 + (1 << 20) * 8 + 4;
    for length in [HEAD, HEAD + 1_000, expected - 1] {
        let sentence = format!("is not whole: it has {length} bytes of {expected}");
        check(|bytes| bytes.truncate(length), true, &sentence);
    }
    let sentence =
        format!("is damaged: it has {} bytes, and {expected} would be right", expected + 1);
    check(|bytes| bytes.push(0), true, &sentence);
}

#[test]
fn what_is_out_of_order_is_refused_with_a_sentence() {
    let table = HEAD + 5_000 * 6 + (1 << 20) * 4;
    let falls = |bytes: &mut Vec<u8>| bytes[table + 4 * 500_000 + 3] = 0xFF;
    check(falls, true, "is damaged: its table is out of order");
    // It still rises, but the first entry stands in the bucket before its own.
    let before = some(5_000)[0].0.prefix().number() - 1;
    let moved = |bytes: &mut Vec<u8>| bytes[table + 4 * (before as usize + 1)] = 1;
    let sentence =
        format!("is damaged: what stands below {before:05X} is not what was written there");
    check(moved, false, &sentence);
}

#[test]
fn what_was_changed_is_refused_with_a_sentence() {
    let of_first = some(5_000)[0].0.prefix();
    let empty_before = of_first.number() as usize;
    let entry = HEAD + empty_before * 4;
    let sentence = format!(
        "is damaged: what stands below {} is not what was written there",
        of_first.digits()
    );
    for byte in 0..10 {
        check(|bytes| bytes[entry + byte] ^= 0x10, false, &sentence);
    }
    let digest = "is damaged: it is not what its head was made for";
    let other_digit = |bytes: &mut Vec<u8>| {
        let at = bytes.windows(7).position(|text| text == b"sha256 ").unwrap() + 7;
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
    };
    check(other_digit, false, digest);
}

/// What nobody looked at as a whole gives no wrong answer either.
#[test]
fn an_answer_rests_on_no_damaged_part() {
    let place = Place::new();
    let passwords = some(5_000);
    let index = place.index(&passwords);
    let (first, last) = (passwords[0].0, passwords[4_999].0);
    let entry = HEAD + first.prefix().number() as usize * 4;
    let file = fs::File::options().write(true).open(place.path("index")).unwrap();
    file.write_all_at(&[0xFF], entry as u64).unwrap();
    assert!(matches!(index.lookup(&first), Err(Unread::Damaged)));
    assert!(index.lookup(&last).unwrap().is_some());
    // Nor does it end the process when somebody cuts the file off.
    file.set_len(entry as u64).unwrap();
    assert!(matches!(index.lookup(&last), Err(Unread::Read(_))));
}

#[test]
fn what_is_no_file_is_refused_with_a_sentence() {
    let place = Place::new();
    let folder = Index::open(&place.path("")).map(drop).unwrap_err();
    assert!(matches!(folder, NotAnIndex::NotAFile));
    let pipe = Index::open(std::path::Path::new("/dev/null")).map(drop).unwrap_err();
    assert!(matches!(pipe, NotAnIndex::NotAFile));
    let missing = Index::open(&place.path("missing")).map(drop).unwrap_err();
    assert!(matches!(missing, NotAnIndex::Read(_)));
}
