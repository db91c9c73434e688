//! Personal data of an entry as it is handed on: with the salt, so that whoever gets it can hold it
//! against what the entry commits to. One JSON object a line. Not here: how it is sealed (`personal`).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::personal::{Commitment, Opened, Part};

/// One part of an entry's personal data, or word that it was erased.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosure {
    /// Which entry.
    #[serde(rename = "i")]
    pub index: u64,
    part: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    salt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    data: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    erased: Option<bool>,
}

impl Disclosure {
    /// What was sealed; `None` if it is not JSON.
    pub fn of(index: u64, part: Part, opened: &Opened) -> Option<Self> {
        let data = opened.members().ok()?;
        let salt = Some(hex::encode(opened.salt()));
        let part = part.as_str().to_owned();
        Some(Self { index, part, salt, data: Some(data), erased: None })
    }

    /// It was erased.
    pub fn erased(index: u64, part: Part) -> Self {
        let part = part.as_str().to_owned();
        Self { index, part, salt: None, data: None, erased: Some(true) }
    }

    /// Which part; `None` if there is no such part.
    pub fn part(&self) -> Option<Part> {
        Part::parse(&self.part)
    }

    /// Whether it says that it was erased.
    pub fn is_erased(&self) -> bool {
        self.erased == Some(true) && self.data.is_none()
    }

    /// Whether it is what the entry commits to.
    pub fn matches(&self, commitment: &Commitment) -> bool {
        let salt = self.salt.as_ref().and_then(|salt| hex::decode(salt).ok());
        let json = self.data.as_ref().and_then(|data| serde_json_canonicalizer::to_vec(data).ok());
        let made = salt.zip(json).map(|(salt, json)| Commitment::to(&salt, &json));
        made.is_some_and(|made| made == *commitment)
    }

    /// The line, without its end.
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a line; `None` if it is none.
    pub fn parse(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::personal::{Drawn, PersonKey};
    use super::*;

    #[test]
    fn what_is_handed_on_matches_what_was_committed_to() {
        let key = PersonKey::from_random([1; 32]);
        let data = serde_json::json!({"user_agent": "é\n", "ip": "192.0.2.1"});
        let drawn = Drawn { salt: [3; 32], nonce: [4; 12] };
        let (commitment, sealed) =
            key.seal(5, Part::From, data.as_object().unwrap(), drawn).unwrap();
        let opened = key.open(5, Part::From, &sealed).unwrap();
        let line = Disclosure::of(5, Part::From, &opened).unwrap().line();
        let read = |line: &str| Disclosure::parse(line).unwrap();
        assert!(read(&line).matches(&commitment), "{line}");
        assert_eq!((read(&line).index, read(&line).part()), (5, Some(Part::From)));
        for (from, to) in [("192", "193"), ("0303", "0304"), ("\"ip\":", "\"IP\":")] {
            assert!(!read(&line.replacen(from, to, 1)).matches(&commitment), "{from}");
        }
        let erased = Disclosure::erased(5, Part::From);
        assert_eq!(erased.line(), r#"{"i":5,"part":"from","erased":true}"#);
        assert!(erased.is_erased() && !erased.matches(&commitment));
        assert_eq!(Disclosure::parse(&line.replacen('{', r#"{"x":1,"#, 1)), None);
    }
}
