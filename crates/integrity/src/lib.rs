//! What the files are: what is below a root, read safely and in order; baselines as text; how the one
//! differs from the other.
//!
//! It knows no database and no HTTP, and imports none of our other crates. Who is told of a difference,
//! and remembering it, are for others.

mod asked;
mod beginning;
mod compare;
pub mod diff;
mod digest;
mod entry;
mod glob;
mod gone;
mod links;
mod look;
pub mod manifest;
mod outline;
mod pace;
pub mod path;
mod power;
mod queue;
mod quick;
mod read;
mod scan;
mod scope;
mod severity;
mod walk;
mod watch;

pub use asked::Asked;
pub use beginning::Beginning;
pub use compare::{
    Change, Compared, Comparison, Finding, Is, MOST_ADDED, MOST_WORSE, MostGone, NotAChange,
};
pub use digest::{Digest, NotADigest};
pub use entry::{Content, Entry, NotAnEntry, Owner};
pub use gone::is_gone;
pub use links::{Linked, NamedElsewhere};
pub use look::{Inode, Seen, Why, look_at_root};
pub use outline::{Outline, State, Type};
pub use pace::Limits;
pub use quick::{Coverage, FileSystems, Quick, Unused, WITHIN};
pub use read::read_whole;
pub use scan::{Exclude, NotAPattern, NotScanned, Plan, Progress, scan, scan_quickly};
pub use scope::Scope;
pub use severity::{CustomRule, NotARule, NotASeverity, RuleFault, Rules, Severity, Verdict};
pub use watch::{Batch, Budget, Ended, NotWatched, Stop, Uncovered, Watch};
