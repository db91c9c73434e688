//! What the files are: digests of files on this machine.
//!
//! It knows no database and no HTTP, and imports none of our other crates. Judging what a
//! difference means, and remembering it, are for others.

mod digest;

pub use digest::{Digest, NotADigest};
