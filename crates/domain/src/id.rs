//! Typed identifiers, so that one kind is never passed where another belongs.
//!
//! Not secrets: knowing an identifier gives no access. Random bytes come in as arguments.

use std::fmt;

use serde::Serialize;

/// The documented integer id of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct UserId(pub i64);

impl fmt::Display for UserId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// The integer id of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct RoleId(pub i64);

impl fmt::Display for RoleId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// A session as the server knows it: 32 lower-case hex digits. CSRF tokens are bound to it, so it
/// has no `Serialize` and no `Display` and never leaves the server.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(Ascii<32>);

impl SessionId {
    /// From 128 random bits.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(Ascii::filled(&hex::encode(bytes)))
    }

    /// Reads back what [`Self::as_str`] gave; `None` for any other form.
    pub fn parse(text: &str) -> Option<Self> {
        is_lower_hex(text, 32).then(|| Self(Ascii::filled(text)))
    }

    /// The 32 digits.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SessionId({})", self.as_str())
    }
}

/// A series of secrets that a remembered browser shows one after the other: 32 lower-case hex digits.
/// The browser holds it, and it opens nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId(String);

impl SeriesId {
    /// From 128 random bits.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(hex::encode(bytes))
    }

    /// Reads back what [`Self::as_str`] gave; `None` for any other form.
    pub fn parse(text: &str) -> Option<Self> {
        is_lower_hex(text, 32).then(|| Self(text.to_owned()))
    }

    /// The 32 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What clients may name something by: a prefix and 24 lower-case hex digits.
macro_rules! handle {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Ascii<{ $prefix.len() + 24 }>);

        impl $name {
            /// From 96 random bits.
            pub fn from_random(bytes: [u8; 12]) -> Self {
                Self(Ascii::filled(&format!("{}{}", $prefix, hex::encode(bytes))))
            }

            /// Reads what a client sent; `None` for any other form.
            pub fn parse(text: &str) -> Option<Self> {
                let digits = text.strip_prefix($prefix)?;
                is_lower_hex(digits, 24).then(|| Self(Ascii::filled(text)))
            }

            /// The handle as text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.as_str().fmt(out)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "{}({})", stringify!($name), self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
            }
        }
    };
}

handle! {
    /// A session as clients may name it: `sess_` and 24 lower-case hex digits. It opens nothing.
    SessionHandle, "sess_"
}

handle! {
    #[derive(Copy)]
    /// An API key as clients may name it: `key_` and 24 lower-case hex digits. It opens nothing.
    KeyId, "key_"
}

handle! {
    #[derive(Copy)]
    /// A check of files: `chk_` and 24 lower-case hex digits.
    CheckId, "chk_"
}

handle! {
    #[derive(Copy)]
    /// A deployment: `dep_` and 24 lower-case hex digits.
    DeploymentId, "dep_"
}

handle! {
    #[derive(Copy)]
    /// What was found at one moment: `sgt_` and 24 lower-case hex digits.
    SightingId, "sgt_"
}

/// A text of exactly `N` ASCII characters, held in place: the server remembers a million of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Ascii<const N: usize>([u8; N]);

impl<const N: usize> Ascii<N> {
    /// The callers have seen to length and characters.
    fn filled(text: &str) -> Self {
        let mut bytes = [b'0'; N];
        for (to, from) in bytes.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        Self(bytes)
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

fn is_lower_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_ids_read_back() {
        let id = SessionId::from_random([0xab; 16]);
        assert_eq!(id.as_str(), "ab".repeat(16));
        assert_eq!(SessionId::parse(id.as_str()), Some(id));

        let series = SeriesId::from_random([0xcd; 16]);
        assert_eq!(SeriesId::parse(series.as_str()), Some(series));

        let handle = SessionHandle::from_random([0x01; 12]);
        assert_eq!(handle.as_str(), format!("sess_{}", "01".repeat(12)));
        assert_eq!(SessionHandle::parse(handle.as_str()), Some(handle));

        let key = KeyId::from_random([0x02; 12]);
        assert_eq!(key.as_str(), format!("key_{}", "02".repeat(12)));
        assert_eq!(KeyId::parse(key.as_str()), Some(key));
    }

    #[test]
    fn other_forms_are_refused() {
        let session = |text: &str| {
            assert_eq!(SessionId::parse(text), None, "{text}");
            assert_eq!(SeriesId::parse(text), None, "{text}");
        };
        session("");
        session(&"a".repeat(31));
        session(&"a".repeat(33));
        session(&"A".repeat(32));
        session(&"g".repeat(32));

        let handle = |text: &str| assert_eq!(SessionHandle::parse(text), None, "{text}");
        handle("sess_");
        handle(&"a".repeat(24));
        handle(&format!("SESS_{}", "a".repeat(24)));
        handle(&format!("sess_{}", "A".repeat(24)));
        handle(&format!("sess_{}", "a".repeat(25)));

        let key = |text: &str| assert_eq!(KeyId::parse(text), None, "{text}");
        key("key_");
        key(&format!("sess_{}", "a".repeat(24)));
        key(&format!("key_{}", "A".repeat(24)));
        key(&format!("key_{}", "a".repeat(23)));
    }
}
