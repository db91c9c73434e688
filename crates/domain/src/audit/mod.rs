//! The audit log: what is written of an event for good, the tree over it with its tiles and proofs, and
//! the notes that sign it. Each is a published format, so that somebody else's program can check what
//! ours wrote. Not here: which events there are ([`crate::event`]), what is stored, and when something
//! is signed.

pub mod checkpoint;
pub mod count;
pub mod disclosure;
pub mod entries;
pub mod entry;
pub mod fault;
pub mod growth;
pub mod judge;
pub mod note;
pub mod pending;
pub mod personal;
pub mod proof;
pub mod proof_file;
pub mod tile;
pub mod tiles;
pub mod tree;
