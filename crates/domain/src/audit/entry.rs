//! One entry of the log: what is written of an event for good, and the exact bytes that are hashed.
//! Personal data is not in it, only the commitment to it. Not here: the tree over the entries.

use std::fmt;

use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::personal::Commitment;
use crate::time::Time;

/// The version of the members below.
pub const VERSION: u32 = 1;

/// A person in the log: a random number that says nothing of the account it stands for. It is
/// written as 16 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Person(i64);

impl Person {
    /// A new one from random bytes.
    pub fn from_random(bytes: [u8; 8]) -> Self {
        Self(i64::from_be_bytes(bytes) & i64::MAX)
    }

    /// The person of a number that the store kept.
    pub fn from_number(number: i64) -> Option<Self> {
        (number >= 0).then_some(Self(number))
    }

    /// The number that the store keeps.
    pub fn number(self) -> i64 {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let has_one_spelling = text.len() == 16 && text.bytes().all(is_digit);
        Self::from_number(i64::from_str_radix(text, 16).ok().filter(|_| has_one_spelling)?)
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Person {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Person {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Spelled { what: "a person", parse: Self::parse })
    }
}

/// Reads what is written as text, without a copy of the text.
pub(super) struct Spelled<T> {
    pub(super) what: &'static str,
    pub(super) parse: fn(&str) -> Option<T>,
}

impl<T> Visitor<'_> for Spelled<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// One entry. A member that has no value is not written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// See [`VERSION`].
    #[serde(rename = "v")]
    pub version: u32,
    /// Its place in the log, from 0.
    #[serde(rename = "i")]
    pub index: u64,
    /// When it happened, in milliseconds since the Unix epoch.
    #[serde(with = "millis")]
    pub at: Time,
    /// When it got its place; never before that of the entry before it.
    #[serde(with = "millis")]
    pub logged: Time,
    /// The id of the event, a `UUIDv7`.
    pub id: String,
    /// The name of the event.
    pub event: String,
    pub outcome: String,
    pub severity: String,
    /// Who acted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub actor: Option<Person>,
    /// Whose account it is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<Person>,
    /// The public handle of the session.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session: Option<String>,
    /// The id of the request.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request: Option<String>,
    /// The fields of the event that are words of our own.
    #[serde(skip_serializing_if = "Map::is_empty", default)]
    pub detail: Map<String, Value>,
    /// What is committed to of where it came from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<Commitment>,
    /// What is committed to of what people wrote.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub texts: Option<Commitment>,
}

/// What was to be an entry cannot be written as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an entry of the audit log could not be written")]
pub struct Unwritable;

impl Entry {
    /// The bytes that are stored and hashed: JSON in its canonical form (RFC 8785).
    pub fn leaf(&self) -> Result<Vec<u8>, Unwritable> {
        serde_json_canonicalizer::to_vec(self).map_err(|_| Unwritable)
    }

    /// Reads bytes that are compared with the tree themselves: whether they are canonical is not
    /// looked at, which takes most of the time of [`Self::parse`].
    pub fn read(leaf: &[u8]) -> Option<Self> {
        serde_json::from_slice(leaf).ok()
    }

    /// Reads stored bytes; `None` if they are not what [`Self::leaf`] writes.
    pub fn parse(leaf: &[u8]) -> Option<Self> {
        let entry = Self::read(leaf)?;
        (entry.leaf().ok()? == leaf).then_some(entry)
    }
}

/// A time as a number.
mod millis {
    use super::{Deserialize, Deserializer, Serializer, Time};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
    pub(super) fn serialize<S: Serializer>(time: &Time, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(time.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Time, D::Error> {
        i64::deserialize(from).map(Time)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry() -> Entry {
        Entry {
            version: VERSION,
            index: 7,
            at: Time(1_795_309_323_000),
            logged: Time(1_795_309_323_001),
            id: "01".to_owned(),
            event: "authn_login_fail".to_owned(),
            outcome: "failure".to_owned(),
            severity: "warning".to_owned(),
            actor: None,
            subject: Person::from_number(10),
            session: None,
            request: Some("r\n\"".to_owned()),
            detail: json!({"reason": "wrong_password", "known": true}).as_object().unwrap().clone(),
            from: None,
            texts: None,
        }
    }

    #[test]
    fn a_leaf_is_canonical_and_reads_back() {
        let leaf = entry().leaf().unwrap();
        let text = r#"{"at":1795309323000,"detail":{"known":true,"reason":"wrong_password"},"event":"authn_login_fail","i":7,"id":"01","logged":1795309323001,"outcome":"failure","request":"r\n\"","severity":"warning","subject":"000000000000000a","v":1}"#;
        assert_eq!(String::from_utf8(leaf.clone()).unwrap(), text);
        assert_eq!(Entry::parse(&leaf), Some(entry()));
    }

    #[test]
    fn only_the_canonical_bytes_are_an_entry() {
        let leaf = String::from_utf8(entry().leaf().unwrap()).unwrap();
        for other in [
            leaf.replace(":7,", ": 7,"),
            leaf.replace("\"v\":1", "\"v\":1.0"),
            leaf.replace("\"v\":1", "\"v\":1,\"w\":2"),
            leaf.replace("000a", "000A"),
            leaf.replace("000000000000000a", "a"),
            leaf.replace("\"i\":7,", ""),
            format!("{leaf} "),
        ] {
            assert_ne!(other, leaf);
            assert_eq!(Entry::parse(other.as_bytes()), None, "{other}");
        }
    }

    /// RFC 8785, sections 3.2.2 and 3.2.3: the sample object, and how members are sorted.
    #[test]
    fn canonical_form_is_that_of_the_standard() {
        let check = |given: &str, expected: &str| {
            let value: Value = serde_json::from_str(given).unwrap();
            assert_eq!(serde_json_canonicalizer::to_string(&value).unwrap(), expected);
        };
        check(
            r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],
                "string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#,
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
             \"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}",
        );
        check(
            r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh",
                "1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control",
                "\u00f6":"Latin Small Letter O With Diaeresis"}"#,
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\
             \"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\
             \"😀\":\"Emoji: Grinning Face\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}",
        );
    }

    #[test]
    fn a_person_is_sixteen_digits() {
        assert_eq!(Person::from_random([0xff; 8]).to_string(), "7fffffffffffffff");
        assert_eq!(Person::from_number(-1), None);
        assert_eq!(Person::parse("000000000000000a"), Person::from_number(10));
        for bad in ["a", "000000000000000A", "ffffffffffffffff", "+00000000000000a", ""] {
            assert_eq!(Person::parse(bad), None, "{bad}");
        }
    }
}
