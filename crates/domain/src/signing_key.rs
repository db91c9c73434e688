//! The keys that sign access tokens and assertions: what they sign with, and their life, which its
//! moments alone tell, so that every node agrees without a word: published, signing, retired, gone.
//! Not here: how a key signs, and where it is kept.

use std::time::Duration;

use aws_lc_rs::aead::NONCE_LEN;
use zeroize::Zeroizing;

use crate::sealed;
use crate::time::Time;

/// How long anybody may remember the published keys without asking again.
pub const KEYS_MAX_AGE: Duration = Duration::from_mins(5);
/// How long a new key is published before it signs: by then whoever remembers the published keys has
/// asked again, and every node has heard of it.
pub const PUBLISHED_BEFORE: Duration = Duration::from_mins(10);
/// How much longer than its last token a key is known: clocks differ, and nobody is in a hurry.
const KEPT_AFTER: Duration = Duration::from_mins(5);
/// How long after its time a rotation that did not happen is something to worry about.
const LATE_AFTER: Duration = Duration::from_hours(1);

/// What a key signs with (RFC 7518, RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSA of 2048 bits, PKCS #1 v1.5 with SHA-256.
    Rs256,
}

impl Algorithm {
    /// All of them, the usual one first.
    pub const ALL: [Self; 3] = [Self::EdDsa, Self::Es256, Self::Rs256];

    /// The name in `alg`, in the configuration and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// Reads exactly what [`Self::name`] gave.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == text)
    }
}

/// The moments of a key's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyLife {
    /// From then on everybody can verify with it.
    pub published_at: Time,
    /// From then on it signs, until another one does.
    pub signs_from: Time,
    /// From then on another one signs; `None` while there is none after it.
    pub retired_at: Option<Time>,
    /// From then on nothing that it signed is good.
    pub gone_at: Option<Time>,
}

/// How far a key is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Others learn of it, and it signs nothing yet.
    Published,
    /// It signs.
    Signing,
    /// It signs no more; what it signed is good until it runs out.
    Retired,
    /// Nothing that it signed is good.
    Gone,
}

crate::word::written_as!(Stage, as_str);

impl Stage {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Signing => "signing",
            Self::Retired => "retired",
            Self::Gone => "gone",
        }
    }
}

impl KeyLife {
    /// The first key of all signs at once: there is nobody who waits for another.
    pub fn of_first(now: Time) -> Self {
        Self { published_at: now, signs_from: now, retired_at: None, gone_at: None }
    }

    /// How far it is.
    pub fn stage(&self, now: Time) -> Stage {
        let has_come = |moment: Option<Time>| moment.is_some_and(|moment| moment <= now);
        if has_come(self.gone_at) {
            Stage::Gone
        } else if has_come(self.retired_at) {
            Stage::Retired
        } else if self.signs_from <= now {
            Stage::Signing
        } else {
            Stage::Published
        }
    }
}

/// Which of these, the newest first, signs now: the last one to begin. A node whose clock is behind that of the one that
/// made the very first key signs with it all the same.
pub fn signer<K>(keys: &[K], life: impl Fn(&K) -> KeyLife, now: Time) -> Option<&K> {
    // Of two that begin at one moment the newest, which is the last that is looked at.
    let known = || keys.iter().rev().filter(|key| life(key).stage(now) != Stage::Gone);
    let begun = known().filter(|key| life(key).signs_from <= now);
    let last_begun = begun.max_by_key(|key| life(key).signs_from);
    last_begun.or_else(|| known().min_by_key(|key| life(key).signs_from))
}

/// How a key takes the place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Published first; what the old one signed runs out by itself.
    Planned,
    /// At once, with everything that the old ones signed: somebody may have one of them.
    AtOnce,
}

/// A key takes the place of the newest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// The life of the new key.
    pub life: KeyLife,
    /// When the old one signs its last.
    pub old_retired_at: Time,
    /// When nothing that the old one signed is good any more.
    pub old_gone_at: Time,
}

impl Rotation {
    /// A rotation at `now`; `longest`: how long what is signed may live.
    pub fn new(pace: Pace, longest: Duration, now: Time) -> Self {
        let (signs_from, old_gone_at) = match pace {
            Pace::Planned => {
                let signs_from = now.plus(PUBLISHED_BEFORE);
                (signs_from, signs_from.plus(longest).plus(KEPT_AFTER))
            }
            Pace::AtOnce => (now, now),
        };
        let life = KeyLife { published_at: now, signs_from, retired_at: None, gone_at: None };
        Self { life, old_retired_at: signs_from, old_gone_at }
    }
}

/// What the configuration wants of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPlan {
    /// What new keys sign with.
    pub algorithm: Algorithm,
    /// How long a key signs; `None`: until somebody says otherwise.
    pub every: Option<Duration>,
    /// How long what is signed may live.
    pub longest: Duration,
}

impl KeyPlan {
    /// Whether the newest key is to be replaced: another algorithm is wanted, or it has signed for
    /// long enough. One that does not sign yet is waited for.
    pub fn is_due(&self, newest: &KeyLife, signs_with: Algorithm, now: Time) -> bool {
        let has_begun = newest.signs_from <= now;
        has_begun && (signs_with != self.algorithm || self.is_over(newest, Duration::ZERO, now))
    }

    /// Whether the newest key should have been replaced long ago.
    pub fn is_late(&self, newest: &KeyLife, now: Time) -> bool {
        self.is_over(newest, LATE_AFTER, now)
    }

    fn is_over(&self, newest: &KeyLife, margin: Duration, now: Time) -> bool {
        self.every.is_some_and(|every| newest.signs_from.plus(every).plus(margin) <= now)
    }
}

/// Seals private keys for the store. Comes from the server's secret.
#[derive(Clone)]
pub struct KeySeal(Zeroizing<[u8; 32]>);

impl KeySeal {
    pub(crate) fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    /// The private key as it is kept: under its own name and algorithm, so that no row can stand in
    /// for another; `None` if the library refuses.
    pub fn seal(
        &self,
        kid: &str,
        algorithm: Algorithm,
        nonce: [u8; NONCE_LEN],
        private: &[u8],
    ) -> Option<Vec<u8>> {
        sealed::seal(&self.0, &place(kid, algorithm), nonce, private)
    }

    /// What [`Self::seal`] sealed; `None` for anything else.
    pub fn open(
        &self,
        kid: &str,
        algorithm: Algorithm,
        sealed: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        sealed::open(&self.0, &place(kid, algorithm), sealed)
    }
}

fn place(kid: &str, algorithm: Algorithm) -> Vec<u8> {
    [algorithm.name().as_bytes(), b" ", kid.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{Keys, MasterSecret};

    const NOW: Time = Time(1_795_309_323_000);
    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn a_key_is_published_signs_retires_and_goes() {
        let at = |minutes: u64| NOW.plus(Duration::from_mins(minutes));
        let life = KeyLife {
            published_at: NOW,
            signs_from: at(10),
            retired_at: Some(at(20)),
            gone_at: Some(at(30)),
        };
        let check = |life: &KeyLife, now: Time, expected: &str| {
            assert_eq!(life.stage(now).as_str(), expected, "{now:?}");
        };
        check(&life, NOW, "published");
        check(&life, Time(at(10).0 - 1), "published");
        check(&life, at(10), "signing");
        check(&life, Time(at(20).0 - 1), "signing");
        check(&life, at(20), "retired");
        check(&life, at(30), "gone");
        check(&KeyLife::of_first(NOW), NOW, "signing");
        check(&KeyLife::of_first(NOW), at(1_000_000), "signing");
    }

    #[test]
    fn one_key_signs_at_every_moment() {
        let first = KeyLife::of_first(NOW);
        let planned = Rotation::new(Pace::Planned, DAY, NOW.plus(DAY));
        let retired = KeyLife {
            retired_at: Some(planned.old_retired_at),
            gone_at: Some(planned.old_gone_at),
            ..first
        };
        let signs_from = planned.life.signs_from;
        let check = |keys: &[KeyLife], now: Time, expected: Option<usize>| {
            let found = signer(keys, |life| *life, now);
            let index = found.and_then(|found| keys.iter().position(|life| life == found));
            assert_eq!(index, expected, "{now:?}");
        };
        check(&[], NOW, None);
        check(&[first], NOW, Some(0));
        check(&[first], Time(NOW.0 - 5_000), Some(0));
        let both = [planned.life, retired];
        check(&both, NOW.plus(DAY), Some(1));
        check(&both, Time(signs_from.0 - 1), Some(1));
        check(&both, signs_from, Some(0));
        check(&both, planned.old_gone_at, Some(0));
        let twin = KeyLife { published_at: Time(0), ..first };
        check(&[twin, first], NOW, Some(0));

        // Whatever the old one signed at its last moment is over before it is gone.
        assert!(planned.old_gone_at > signs_from.plus(DAY));
        assert!(signs_from >= planned.life.published_at.plus(KEYS_MAX_AGE * 2));

        let at_once = Rotation::new(Pace::AtOnce, DAY, NOW.plus(DAY));
        let (now, gone) = (NOW.plus(DAY), Some(at_once.old_gone_at));
        let both = [at_once.life, KeyLife { retired_at: gone, gone_at: gone, ..first }];
        check(&both, now, Some(0));
        assert_eq!(both.map(|life| life.stage(now)), [Stage::Signing, Stage::Gone]);
    }

    #[test]
    fn keys_are_replaced_when_their_time_is_over_or_another_algorithm_is_wanted() {
        let plan = KeyPlan { algorithm: Algorithm::EdDsa, every: Some(90 * DAY), longest: DAY };
        let newest = KeyLife::of_first(NOW);
        let check =
            |plan: KeyPlan, life: &KeyLife, signs_with, days: u32, due: bool, late: bool| {
                let now = NOW.plus(DAY * days);
                let found = (plan.is_due(life, signs_with, now), plan.is_late(life, now));
                assert_eq!(found, (due, late), "{plan:?} {days}");
            };
        check(plan, &newest, Algorithm::EdDsa, 89, false, false);
        check(plan, &newest, Algorithm::EdDsa, 90, true, false);
        check(plan, &newest, Algorithm::EdDsa, 91, true, true);
        check(plan, &newest, Algorithm::Rs256, 0, true, false);
        let never = KeyPlan { every: None, ..plan };
        check(never, &newest, Algorithm::EdDsa, 9_000, false, false);
        check(never, &newest, Algorithm::Es256, 1, true, false);
        let waiting = KeyLife { signs_from: NOW.plus(DAY * 2), ..newest };
        check(plan, &waiting, Algorithm::Rs256, 1, false, false);
    }

    #[test]
    fn a_sealed_key_opens_under_its_name_and_algorithm_alone() {
        let seal = |byte| Keys::derive(&MasterSecret::from_random([byte; 32])).unwrap().signing;
        let sealed = seal(1).seal("one", Algorithm::EdDsa, [7; 12], b"private").unwrap();
        assert!(!sealed.windows(7).any(|bytes| bytes == b"private"));
        let check = |byte, kid, algorithm, expected: bool| {
            let opened = seal(byte).open(kid, algorithm, &sealed);
            assert_eq!(opened.is_some_and(|key| *key == b"private"), expected, "{kid}");
        };
        check(1, "one", Algorithm::EdDsa, true);
        check(2, "one", Algorithm::EdDsa, false);
        check(1, "two", Algorithm::EdDsa, false);
        check(1, "one", Algorithm::Rs256, false);
    }

    #[test]
    fn an_algorithm_has_one_spelling() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::parse(algorithm.name()), Some(algorithm));
        }
        for other in ["none", "None", "HS256", "eddsa", "ES256 ", ""] {
            assert_eq!(Algorithm::parse(other), None, "{other}");
        }
    }
}
