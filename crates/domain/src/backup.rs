//! Backups as files: how one is proved to be ours, what those that the server makes are called, which
//! of them are too many, and how old the last one may be. Not here: what stands in them.

use std::time::Duration;

use aws_lc_rs::hmac;

use crate::secret::leading;
use crate::time::Time;

/// How long after it failed a backup is tried again.
pub const TRIED_AGAIN: Duration = Duration::from_mins(15);
/// How long one server may take for a backup before another takes its turn.
pub const LEASE: Duration = Duration::from_hours(1);

/// The key that seals backups: whoever can write where they lie cannot make one that is restored.
#[derive(Clone)]
pub struct BackupKey(hmac::Key);

impl BackupKey {
    pub(crate) fn new(key: hmac::Key) -> Self {
        Self(key)
    }

    /// The seal of a file with this digest.
    pub fn seal(&self, digest: &[u8; 32]) -> [u8; 32] {
        leading(&hmac::sign(&self.0, digest))
    }

    /// Whether this is the seal of a file with this digest.
    pub fn verify(&self, digest: &[u8; 32], seal: &[u8; 32]) -> bool {
        hmac::verify(&self.0, digest, seal).is_ok()
    }
}

/// What a backup of this moment is called: names of later ones sort behind it.
pub fn file_name(now: Time) -> String {
    let second = now.iso().replace(['-', ':', 'Z'], "");
    format!("{PREFIX}{second}.{:03}Z{SUFFIX}", now.0.rem_euclid(1000))
}

/// Those of the names that [`file_name`] gave, but for the newest `keep` of them.
pub fn superseded(names: impl IntoIterator<Item = String>, keep: usize) -> Vec<String> {
    let mut ours: Vec<String> = names.into_iter().filter(|name| is_ours(name)).collect();
    ours.sort_unstable();
    ours.truncate(ours.len().saturating_sub(keep));
    ours
}

/// Whether a name is one that [`file_name`] gives. What somebody named by hand is nobody's to delete.
pub fn is_ours(name: &str) -> bool {
    let moment = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX));
    moment.is_some_and(|moment| {
        moment.len() == MOMENT.len()
            && moment.bytes().zip(MOMENT.bytes()).all(|(found, wanted)| match wanted {
                b'0' => found.is_ascii_digit(),
                sign => found == sign,
            })
    })
}

const PREFIX: &str = "portcullis-";
const SUFFIX: &str = ".backup";
const MOMENT: &str = "00000000T000000.000Z";

/// How old the last good backup may be: what two turns of the schedule allow, or a week where there is
/// none.
pub fn stale_after(every: Option<Duration>) -> Duration {
    const WITHOUT_SCHEDULE: Duration = Duration::from_hours(7 * 24);
    every.map_or(WITHOUT_SCHEDULE, |every| every.saturating_mul(2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{Keys, MasterSecret};

    #[test]
    fn a_seal_is_of_one_file_and_one_secret() {
        let key = |byte| Keys::derive(&MasterSecret::from_random([byte; 32])).unwrap().backup;
        let seal = key(1).seal(&[7; 32]);
        assert!(key(1).verify(&[7; 32], &seal));
        assert!(!key(2).verify(&[7; 32], &seal));
        assert!(!key(1).verify(&[8; 32], &seal));
        assert!(!key(1).verify(&[7; 32], &[0; 32]));
    }

    #[test]
    fn names_tell_the_moment_and_sort_by_it() {
        let at = |millis| file_name(Time(millis));
        assert_eq!(at(1_795_309_323_007), "portcullis-20261122T010203.007Z.backup");
        assert!(at(1_795_309_323_007) < at(1_795_309_323_010));
        assert!(at(1_795_309_323_999) < at(1_795_309_324_000));
        assert!(is_ours(&at(0)));
    }

    #[test]
    fn only_our_own_are_too_many_and_the_oldest_of_them_first() {
        let check = |names: &[&str], keep, gone: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned());
            assert_eq!(superseded(names, keep), gone, "keeping {keep}");
        };
        let (first, second, third) = (
            "portcullis-20261122T010203.000Z.backup",
            "portcullis-20261122T010204.000Z.backup",
            "portcullis-20261123T000000.000Z.backup",
        );
        check(&[third, first, second], 2, &[first]);
        check(&[third, first, second], 1, &[first, second]);
        check(&[third, first, second], 3, &[]);
        check(&[], 1, &[]);
        let others = [
            "portcullis.db",
            "portcullis-before-the-move.backup",
            "portcullis-20261122T010203.000Z.backup.gz",
            "portcullis-2026112xT010203.000Z.backup",
            "portcullis-20261122T010203.000Z",
            ".portcullis-20261122T010203.000Z.backup",
        ];
        check(&others, 0, &[]);
    }

    #[test]
    fn a_backup_is_stale_when_two_turns_were_missed() {
        assert_eq!(stale_after(Some(Duration::from_hours(6))), Duration::from_hours(12));
        assert_eq!(stale_after(None), Duration::from_hours(168));
    }
}
