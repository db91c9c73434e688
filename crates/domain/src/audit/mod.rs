//! The audit log as mathematics: the tree, its tiles and proofs, and the notes that sign it. Each
//! is a published format, so that somebody else's program can check what ours wrote. Not here: what
//! is stored, and when something is signed.

pub mod checkpoint;
pub mod note;
pub mod proof;
pub mod tile;
pub mod tiles;
pub mod tree;
