//! What an access token says, read only after its signature was found good.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::SessionHandle;
use crate::time::Time;

/// How far the clocks of two nodes may be apart: a token is good that seems to come from so far in the
/// future. Nothing is good for longer because of it.
pub const LEEWAY: Duration = Duration::from_mins(1);
/// Tokens are issued as good from so long ago, for whoever verifies them by a clock that is behind.
const ISSUED_BEFORE: Duration = Duration::from_secs(30);

/// The name of one token: 32 lower-case hexadecimal digits. It opens nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenId(String);

impl TokenId {
    /// From 128 random bits.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(hex::encode(bytes))
    }

    /// Reads back what [`Self::as_str`] gave; `None` for any other form.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 32 && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    /// The 32 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The claims. Times are whole seconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Who issued it: the public address.
    pub iss: String,
    /// For whom it is meant: the public address, too.
    pub aud: String,
    /// The user's uuid.
    pub sub: String,
    /// The handle of the session it hangs on.
    pub sid: String,
    /// Its own name.
    pub jti: String,
    /// When it was issued.
    pub iat: i64,
    /// From when on it is good.
    pub nbf: i64,
    /// When it ends.
    pub exp: i64,
    /// The user's e-mail address when it was issued.
    pub email: String,
    /// The user's role then, by name.
    pub role: String,
    /// The organisation it speaks for; none yet.
    #[serde(rename = "organizationId")]
    pub organization_id: Option<String>,
}

/// Why claims do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotCounted {
    /// They once did.
    Expired,
    /// They are not such as we write.
    NotOurs,
}

impl Claims {
    /// When a token that is issued at `now` says that it is good from.
    pub fn good_from(now: Time) -> i64 {
        now.minus(ISSUED_BEFORE).secs()
    }

    /// Reads the claims of a token whose signature is good. Members that are missing, twice there,
    /// unknown or of another type make it none of ours.
    pub fn parse(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    /// Whether they count at `now` for whoever is `issuer` and gives tokens that live no longer than
    /// `longest`; then of which session, and under which name.
    pub fn count(
        &self,
        issuer: &str,
        longest: Duration,
        now: Time,
    ) -> Result<(SessionHandle, TokenId), NotCounted> {
        let (soon, longest) = (now.plus(LEEWAY).secs(), i64::try_from(longest.as_secs()));
        let is_for_us = self.iss == issuer && self.aud == issuer && !self.sub.is_empty();
        let has_begun = self.iat <= soon && self.nbf <= soon && self.nbf >= 0;
        let life = self.exp.checked_sub(self.iat);
        let lives_no_longer =
            life.is_some_and(|life| life > 0 && longest.is_ok_and(|it| life <= it));
        let names = SessionHandle::parse(&self.sid).zip(TokenId::parse(&self.jti));
        let names = names.filter(|_| is_for_us && has_begun && lives_no_longer);
        let names = names.ok_or(NotCounted::NotOurs)?;
        if now.secs() < self.exp { Ok(names) } else { Err(NotCounted::Expired) }
    }
}
