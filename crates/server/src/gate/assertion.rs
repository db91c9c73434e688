//! What the gate swears to an upstream about the caller: `X-Auth-Assertion`, a JWT that anybody can
//! check with `/.well-known/jwks.json`. Method and path are not in it, so that it can be used again:
//! a signature costs more than all else that the gate does for a request (decision 0014).

use std::sync::Arc;

use http::HeaderValue;
use portcullis_domain::permission::Grants;
use portcullis_domain::time::Time;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde::Serialize;

use crate::verify::access_token::{self, AccessTokens};
use crate::web::caller::Caller;

/// How long an assertion is good, in seconds.
const LIFE: i64 = 60;
/// One that is good for less than this is not given out again.
const LEFT: i64 = 30;
/// Permissions longer than this, written with commas, are left out: a header has its limits.
const MOST_PERMISSIONS: usize = 4096;
/// Bytes of assertions that are remembered.
const CAPACITY: u64 = 64 * 1024 * 1024;
/// How many of the usual size that is.
const EXPECTED: usize = 32 * 1024;

/// The assertions that were made lately.
pub struct Assertions {
    made: Cache<Key, Arc<Made>, Weight>,
}

/// For whom it was made, and for which upstream.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    handle: String,
    audience: Arc<str>,
}

struct Made {
    email: String,
    role: String,
    grants: Grants,
    expires: i64,
    /// Of the key that signed it.
    generation: i64,
    header: HeaderValue,
}

/// What an assertion says. Times are seconds since the Unix epoch.
#[derive(Serialize)]
struct Claims<'a> {
    /// The gate's public address.
    iss: &'a str,
    /// The origin of the upstream, as configured.
    aud: &'a str,
    /// The user's uuid.
    sub: &'a str,
    /// The handle of the session, or the id of the API key.
    sid: &'a str,
    email: &'a str,
    role: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions_truncated: Option<bool>,
    iat: i64,
    exp: i64,
}

impl Default for Assertions {
    fn default() -> Self {
        Self { made: Cache::with_weighter(EXPECTED, CAPACITY, Weight) }
    }
}

/// How many bytes an assertion holds.
#[derive(Clone)]
struct Weight;

impl Weighter<Key, Arc<Made>> for Weight {
    fn weight(&self, _: &Key, made: &Arc<Made>) -> u64 {
        // Its texts once more, in base64, and what holds them together.
        u64::try_from(made.header.len() * 2 + 512).unwrap_or(u64::MAX)
    }
}

impl Assertions {
    /// The assertion about a caller for the upstream of this origin.
    pub fn about(
        &self,
        tokens: &AccessTokens,
        caller: &Caller,
        audience: &Arc<str>,
        now: Time,
    ) -> Result<HeaderValue, NotSigned> {
        let found = caller.found();
        let handle = found.handle().to_owned();
        let key = Key { handle, audience: Arc::clone(audience) };
        let (email, role) = (found.user.email.as_str(), found.role.name.as_str());
        let (moment, now) = (now, now.secs());
        if let Some(made) = self.made.get(&key) {
            let says_the_same =
                made.grants == found.role.grants && made.role == role && made.email == email;
            // A key that was withdrawn is published no more.
            let signed_now = tokens.generation(moment) == Some(made.generation);
            if says_the_same && signed_now && (LEFT..=LIFE).contains(&(made.expires - now)) {
                return Ok(made.header.clone());
            }
        }
        let permissions: Vec<_> = found.role.grants.iter().map(ToString::to_string).collect();
        let length: usize = permissions.iter().map(|key| key.len() + 1).sum();
        let fits = length <= MOST_PERMISSIONS;
        let (header, generation) = sign(
            tokens,
            moment,
            &Claims {
                iss: tokens.issuer(),
                aud: audience,
                sub: &found.user.uuid,
                sid: &key.handle,
                email,
                role,
                permissions: fits.then_some(&permissions),
                permissions_truncated: (!fits).then_some(true),
                iat: now,
                exp: now + LIFE,
            },
        )?;
        let made = Made {
            email: email.to_owned(),
            role: role.to_owned(),
            grants: found.role.grants.clone(),
            expires: now + LIFE,
            generation,
            header: header.clone(),
        };
        self.made.insert(key, Arc::new(made));
        Ok(header)
    }
}

/// Why there is no assertion.
#[derive(Debug, thiserror::Error)]
pub enum NotSigned {
    #[error("an assertion could not be signed")]
    Signing(#[from] access_token::NotSigned),
    #[error("an assertion is no header")]
    Header(#[from] http::header::InvalidHeaderValue),
}

fn sign(
    tokens: &AccessTokens,
    now: Time,
    claims: &Claims<'_>,
) -> Result<(HeaderValue, i64), NotSigned> {
    let (assertion, generation) = tokens.sign_assertion(claims, now)?;
    let mut header = HeaderValue::from_str(&assertion)?;
    header.set_sensitive(true);
    Ok((header, generation))
}
