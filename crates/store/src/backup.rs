//! The whole database as one file, the same for both databases: what PostgreSQL wrote SQLite reads,
//! and the other way round. Every table is found in the schema, so that a new one is in the backup
//! without anybody thinking of it. Not here: files, their names and when they are made.
//!
//! A backup is text in lines, each a JSON value:
//!
//! ```text
//! {"portcullis_backup":1,"schema":24,"program":"0.1.0","taken_at":1795309323000,"secret":"…"}
//! {"table":"roles","columns":[["id","int"],["name","text"],…]}
//! [1,"owner",…]
//! …
//! {"rows":{"counters":3,"roles":3,…}}
//! {"sha256":"…","seal":"…"}
//! ```
//!
//! The last line has the digest of all bytes before it, and a MAC of the digest under a key from the
//! secret, so that what was cut off, damaged or written by somebody else is refused before a line of it
//! is understood. `secret` tells which secret it belongs to, and nothing of it.

mod endings;
mod format;
mod order;
mod read;
mod state;
mod write;

use portcullis_domain::backup::BackupKey;
use portcullis_domain::time::Time;

pub use endings::{Ended, end_everything};
pub use format::Head;
pub use read::{Counts, Refusal, Sound, inspect, restore};
pub use state::{
    Good, State, claim, give_back, note_failure, note_good, note_restored, release, state,
};
pub use write::{Stopped, Written, write};

/// Tables whose rows mean nothing in another database, or later: who is running, mail that has long
/// gone out (with links that could still be used), one-time tokens of sessions that a restore ends, and
/// the keys that sign access tokens: a restore ends every token that they signed, and a key that was
/// withdrawn after the backup, because somebody had it, must not come back.
pub const LEFT_OUT: [&str; 4] = ["csrf_spent", "nodes", "outbox", "signing_keys"];

/// What a backup is made with.
pub struct About<'a> {
    /// Derived from the secret; tells which one it is. See [`crate::migrate::MigrateOptions`].
    pub seal_check: [u8; 32],
    pub key: &'a BackupKey,
    /// The version of the program.
    pub program: &'a str,
    pub now: Time,
}
