//! Devices that are trusted: there a sign-in is not asked for the second factor. Each proves itself by a
//! secret of ours; what it tells of itself is for people to read. Not here: browsers that stay signed
//! in (`remember`), which need no password, and those that are only known (`device`).

use std::time::Duration;

/// How long a device is trusted (contract S8). It never moves.
pub const LIFE: Duration = Duration::from_hours(30 * 24);
/// How many of a user's are trusted at once: one more takes the place of the oldest.
pub const MOST: i64 = 20;
/// The longest that a device may tell of itself, in characters.
pub const MAX_FINGERPRINT: usize = 255;
