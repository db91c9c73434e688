//! Breached passwords offline: one file that holds the hashes of all of them, how it is made, looked into
//! and verified; and what the range service says, as text.
//!
//! It knows no database and no HTTP, and imports none of our other crates. Asking the service, and what
//! becomes of a password that is found, are for others.

mod bucket;
pub mod build;
mod common;
mod count;
mod hash;
mod head;
mod index;
mod line;
mod progress;
mod range;
mod table;
mod verify;
mod write;

pub use common::{Common, DATE as COMMON_DATE};
pub use count::Count;
pub use hash::{Prefix, Sha1};
pub use head::{Digest, Head};
pub use index::{Found, Index, NotAnIndex, Unread};
pub use line::BadLine;
pub use progress::Progress;
pub use range::{NotARange, Range, Suffix};
pub use verify::{Damage, Statistics};
pub use write::Disorder;
