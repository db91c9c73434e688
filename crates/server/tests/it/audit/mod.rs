//! The audit log: that everything that happens gets its place, that it is signed, and that what was
//! done to it is found.

mod beside;
mod bundles;
mod erasing;
mod retention;
mod sealing;
mod signing;
mod verifying;
mod writing;

use portcullis_domain::audit::entry::Entry;
use portcullis_domain::audit::tree::{CompactRange, leaf_hash};
use portcullis_store::audit::{log, tree};

use crate::harness::TestApp;

/// The entries as they are stored, checked to be one after the other and canonical, and the root over
/// their bytes.
async fn entries(server: &TestApp) -> (Vec<Entry>, CompactRange) {
    // The start is written down beside the first requests.
    server.events("sys_startup", 1).await;
    server.app.audit.settle(server.app.clock.now()).await.unwrap();
    let mut tx = server.app.db.read().await.unwrap();
    let tree = tree::read(&mut tx).await.unwrap().unwrap();
    let leaves = log::leaves(&mut tx, 0, tree.size).await.unwrap();
    let mut range = CompactRange::new();
    let mut entries = Vec::new();
    for (index, leaf) in (0..).zip(leaves) {
        let entry = Entry::parse(&leaf).unwrap_or_else(|| panic!("entry {index}"));
        assert_eq!(entry.index, index);
        range.push(leaf_hash(&leaf));
        entries.push(entry);
    }
    assert_eq!(range.size(), tree.size, "no entry is missing");
    (entries, range)
}
