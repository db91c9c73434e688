//! Personal data beside the log: sealed under a key of the person, so that destroying the key
//! destroys it wherever it was copied to, and committed to in the entry by a salted hash, so that it
//! cannot be changed unseen. Not here: whose key it is, and where it is kept.

use std::borrow::Cow;

use aws_lc_rs::aead::NONCE_LEN;
use aws_lc_rs::{digest, hmac};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::entry::{Person, Spelled};
use super::pending::PendingKey;
use crate::id::UserId;
use crate::sealed::{open, seal};
use crate::secret::leading;

const SALT_LEN: usize = 32;

/// What is committed to: SHA-256 over a random salt and the canonical JSON (RFC 8785). Without the
/// salt nobody can try out addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commitment([u8; 32]);

impl Commitment {
    /// The commitment to this JSON under this salt.
    pub fn to(salt: &[u8], json: &[u8]) -> Self {
        Self::to_both(&[salt, json].concat())
    }

    /// The same of the two in one piece.
    fn to_both(salt_and_json: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, salt_and_json).as_ref());
        Self(bytes)
    }
}

impl Serialize for Commitment {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Commitment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let parse = |text: &str| hex::decode_to_array(text).ok().map(Self);
        from.deserialize_str(Spelled { what: "a commitment", parse })
    }
}

/// The parts of personal data that an entry may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// Where it came from: addresses and the program of the client.
    From,
    /// What came from outside: reasons, paths, words of devices.
    Texts,
}

impl Part {
    /// The word that the store keeps.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::From => "from",
            Self::Texts => "texts",
        }
    }

    /// Whose it is, of those an event is about: where it came from is of whoever acted, and the texts are
    /// of whomever it was done to; each of the other where that is nobody.
    pub fn owner<T>(self, actor: Option<T>, subject: Option<T>) -> Option<T> {
        match self {
            Self::From => actor.or(subject),
            Self::Texts => subject.or(actor),
        }
    }

    /// The part of a stored word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::From, Self::Texts].into_iter().find(|part| part.as_str() == word)
    }
}

/// The key of one person's data.
#[derive(Clone)]
pub struct PersonKey(Zeroizing<[u8; 32]>);

/// What was sealed: a salt, and behind it the canonical JSON of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened(Zeroizing<Vec<u8>>);

/// The personal data cannot be sealed or cannot be read: the key is another, or the bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("personal data of the audit log cannot be sealed or read")]
pub struct Sealed;

/// Random bytes of one sealing, each used once.
#[derive(Clone, Copy)]
pub struct Drawn {
    pub salt: [u8; SALT_LEN],
    pub nonce: [u8; NONCE_LEN],
}

impl PersonKey {
    /// A new key from random bytes.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Seals one part of an entry's personal data; its commitment, and the bytes to keep.
    pub fn seal(
        &self,
        index: u64,
        part: Part,
        data: &Map<String, Value>,
        drawn: Drawn,
    ) -> Result<(Commitment, Vec<u8>), Sealed> {
        let json = serde_json_canonicalizer::to_vec(data).map_err(|_| Sealed)?;
        let mut inside = Zeroizing::new(drawn.salt.to_vec());
        inside.extend_from_slice(&json);
        let sealed = seal(&self.0, &place(index, part), drawn.nonce, &inside).ok_or(Sealed)?;
        Ok((Commitment::to_both(&inside), sealed))
    }

    /// Opens one part of an entry's personal data.
    pub fn open(&self, index: u64, part: Part, sealed: &[u8]) -> Result<Opened, Sealed> {
        let inside = open(&self.0, &place(index, part), sealed).ok_or(Sealed)?;
        if inside.len() < SALT_LEN {
            return Err(Sealed);
        }
        Ok(Opened(inside))
    }
}

impl Opened {
    /// What the entry commits to, if this is what was sealed.
    pub fn commitment(&self) -> Commitment {
        Commitment::to_both(&self.0)
    }

    /// The salt.
    pub fn salt(&self) -> &[u8] {
        self.0.get(..SALT_LEN).unwrap_or_default()
    }

    /// The address it came from, where it says one; the rest is passed over.
    pub fn ip(&self) -> Option<Cow<'_, str>> {
        #[derive(Deserialize)]
        struct From<'a> {
            #[serde(borrow)]
            ip: Cow<'a, str>,
        }
        serde_json::from_slice(self.json()).ok().map(|From { ip }| ip)
    }

    /// The members.
    pub fn members(&self) -> Result<Map<String, Value>, Sealed> {
        serde_json::from_slice(self.json()).map_err(|_| Sealed)
    }

    fn json(&self) -> &[u8] {
        self.0.get(SALT_LEN..).unwrap_or_default()
    }
}

/// The keys of the log that come from the secret.
#[derive(Clone)]
pub struct AuditKeys {
    wrapping: Zeroizing<[u8; 32]>,
    nobody: PersonKey,
    address: hmac::Key,
    pending: PendingKey,
    signing_seed: Zeroizing<[u8; 32]>,
}

impl AuditKeys {
    /// From five keys that were derived for this.
    pub(crate) fn new(
        wrapping: Zeroizing<[u8; 32]>,
        nobody: Zeroizing<[u8; 32]>,
        address: hmac::Key,
        pending: hmac::Key,
        signing_seed: Zeroizing<[u8; 32]>,
    ) -> Self {
        let (nobody, pending) = (PersonKey(nobody), PendingKey::new(pending));
        Self { wrapping, nobody, address, pending, signing_seed }
    }

    /// The key of what belongs to no known person.
    pub fn nobody(&self) -> &PersonKey {
        &self.nobody
    }

    /// The seed of the Ed25519 key that signs checkpoints.
    pub fn signing_seed(&self) -> &[u8; 32] {
        &self.signing_seed
    }

    /// The key by which what waits for its place is vouched for.
    pub fn pending(&self) -> &PendingKey {
        &self.pending
    }

    /// A person's key as the store keeps it: it says for which user the person stands, too.
    pub fn wrap(
        &self,
        person: Person,
        user: UserId,
        key: &PersonKey,
        nonce: [u8; NONCE_LEN],
    ) -> Result<Vec<u8>, Sealed> {
        seal(&self.wrapping, &stands_for(person, user), nonce, &*key.0).ok_or(Sealed)
    }

    /// A person's key from what the store keeps. It does not open where the person is said to stand for
    /// somebody else.
    pub fn unwrap(&self, person: Person, user: UserId, sealed: &[u8]) -> Result<PersonKey, Sealed> {
        let inside = open(&self.wrapping, &stands_for(person, user), sealed).ok_or(Sealed)?;
        let bytes = inside.as_slice().try_into().map_err(|_| Sealed)?;
        Ok(PersonKey(Zeroizing::new(bytes)))
    }

    /// A key that was kept before it said whose it is, as it is kept now: once, when a database comes to
    /// that version. The nonce is made of all that is sealed, so it comes again with the same only.
    pub fn bind(&self, person: Person, user: UserId, sealed: &[u8]) -> Result<Vec<u8>, Sealed> {
        let inside = open(&self.wrapping, &person.number().to_be_bytes(), sealed).ok_or(Sealed)?;
        let place = stands_for(person, user);
        let made_of = Zeroizing::new([b"bind".as_slice(), &place, &inside].concat());
        let nonce = leading(&hmac::sign(&self.address, &made_of));
        seal(&self.wrapping, &place, nonce, &inside).ok_or(Sealed)
    }

    /// By what events from one address are found: HMAC-SHA-256, its first 16 bytes.
    pub fn address_mac(&self, address: &str) -> [u8; 16] {
        let tag = hmac::sign(&self.address, address.as_bytes());
        let mut mac = [0; 16];
        mac.copy_from_slice(tag.as_ref().first_chunk::<16>().unwrap_or(&[0; 16]));
        mac
    }
}

/// A key that was moved to another person, or a person to another user, does not open.
fn stands_for(person: Person, user: UserId) -> [u8; 16] {
    let mut place = [0; 16];
    let (first, second) = place.split_at_mut(8);
    first.copy_from_slice(&person.number().to_be_bytes());
    second.copy_from_slice(&user.0.to_be_bytes());
    place
}

/// Bytes that were moved to another entry do not open.
fn place(index: u64, part: Part) -> Vec<u8> {
    [&index.to_be_bytes(), part.as_str().as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::secret::{Keys, MasterSecret};

    const DRAWN: Drawn = Drawn { salt: [3; 32], nonce: [4; 12] };

    fn data() -> Map<String, Value> {
        json!({"ip": "192.0.2.1", "user_agent": "a\nb"}).as_object().unwrap().clone()
    }

    #[test]
    fn what_is_sealed_opens_at_its_place_and_matches_its_commitment() {
        let key = PersonKey::from_random([1; 32]);
        let (commitment, sealed) = key.seal(5, Part::From, &data(), DRAWN).unwrap();
        assert!(!sealed.windows(9).any(|bytes| bytes == b"192.0.2.1"));
        let opened = key.open(5, Part::From, &sealed).unwrap();
        assert_eq!((opened.commitment(), opened.members().unwrap()), (commitment, data()));
        assert_eq!((opened.salt(), opened.ip().as_deref()), (&[3; 32][..], Some("192.0.2.1")));

        let refused = |key: &PersonKey, index, part, sealed: &[u8]| {
            assert_eq!(key.open(index, part, sealed), Err(Sealed));
        };
        refused(&key, 6, Part::From, &sealed);
        refused(&key, 5, Part::Texts, &sealed);
        refused(&PersonKey::from_random([2; 32]), 5, Part::From, &sealed);
        for at in 0..sealed.len() {
            let mut other = sealed.clone();
            *other.get_mut(at).unwrap() ^= 1;
            refused(&key, 5, Part::From, &other);
            refused(&key, 5, Part::From, sealed.get(..at).unwrap());
        }
    }

    #[test]
    fn a_part_is_somebodys() {
        let check = |part: Part, actor, subject, owner: Option<i64>| {
            assert_eq!(part.owner(actor, subject), owner, "{part:?} {actor:?} {subject:?}");
        };
        check(Part::From, Some(1), Some(2), Some(1));
        check(Part::From, None, Some(2), Some(2));
        check(Part::Texts, Some(1), Some(2), Some(2));
        check(Part::Texts, Some(1), None, Some(1));
        check(Part::Texts, None, None, None);
    }

    #[test]
    fn a_commitment_depends_on_the_salt() {
        let key = PersonKey::from_random([1; 32]);
        let with = |salt| key.seal(5, Part::From, &data(), Drawn { salt, ..DRAWN }).unwrap().0;
        assert_eq!(with([1; 32]), with([1; 32]));
        assert_ne!(with([1; 32]), with([2; 32]));
    }

    #[test]
    fn a_key_opens_for_its_person_and_the_user_he_stands_for() {
        let keys = Keys::derive(&MasterSecret::from_random([9; 32])).unwrap().audit;
        let [one, other] = [1, 2].map(|number| Person::from_number(number).unwrap());
        let key = PersonKey::from_random([7; 32]);
        let (ada, eve) = (UserId(5), UserId(6));
        let wrapped = keys.wrap(one, ada, &key, [0; 12]).unwrap();
        assert_eq!(*keys.unwrap(one, ada, &wrapped).unwrap().0, [7; 32]);
        assert!(keys.unwrap(other, ada, &wrapped).is_err());
        assert!(keys.unwrap(one, eve, &wrapped).is_err());
        let foreign = Keys::derive(&MasterSecret::from_random([8; 32])).unwrap().audit;
        assert!(foreign.unwrap(one, ada, &wrapped).is_err());
    }

    #[test]
    fn a_key_of_an_older_version_is_bound_once() {
        let keys = Keys::derive(&MasterSecret::from_random([9; 32])).unwrap().audit;
        let (one, other) = (Person::from_number(1).unwrap(), Person::from_number(2).unwrap());
        let (ada, eve) = (UserId(5), UserId(6));
        let old = seal(&keys.wrapping, &one.number().to_be_bytes(), [4; 12], &[7; 32]).unwrap();
        assert!(keys.unwrap(one, ada, &old).is_err(), "it is not believed as it was");
        let bound = keys.bind(one, ada, &old).unwrap();
        assert_eq!(*keys.unwrap(one, ada, &bound).unwrap().0, [7; 32]);
        assert!(keys.unwrap(one, eve, &bound).is_err());
        let again = keys.bind(one, eve, &old).unwrap();
        assert_ne!(again[..12], bound[..12], "no nonce is used for two");
        assert!(keys.bind(one, ada, &bound).is_err(), "not twice");
        assert!(keys.bind(other, ada, &old).is_err());
    }

    #[test]
    fn addresses_are_found_under_the_same_secret_only() {
        let mac = |secret, address| {
            let keys = Keys::derive(&MasterSecret::from_random([secret; 32])).unwrap();
            keys.audit.address_mac(address)
        };
        assert_eq!(mac(1, "192.0.2.1"), mac(1, "192.0.2.1"));
        assert_ne!(mac(1, "192.0.2.1"), mac(1, "192.0.2.2"));
        assert_ne!(mac(1, "192.0.2.1"), mac(2, "192.0.2.1"));
    }
}
