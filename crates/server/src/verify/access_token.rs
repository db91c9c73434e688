//! Access tokens: JWTs signed with Ed25519, whose key comes from the server's secret, so every
//! node signs and verifies alike and nothing is stored. A good signature only names a session;
//! whether that session lives is asked of the store like any other credential (RFC 8725).

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use portcullis_domain::time::Time;
use serde::{Deserialize, Serialize};

/// The `typ` of our access tokens (RFC 9068, section 2.1).
const TYPE: &str = "at+jwt";

/// The `typ` of what we assert to upstreams. Never accepted as a credential.
const ASSERTION_TYPE: &str = "fwd+jwt";

/// What an access token says. Times are seconds since the Unix epoch.
#[derive(Debug, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it: the public address.
    pub iss: String,
    /// For whom it is meant: the public address, too.
    pub aud: String,
    /// The user's uuid.
    pub sub: String,
    /// The handle of the session it hangs on.
    pub sid: String,
    /// Its own id.
    pub jti: String,
    /// When it was issued.
    pub iat: i64,
    /// When it ends.
    pub exp: i64,
    /// The user's e-mail address.
    pub email: String,
    /// The user's role, by name.
    pub role: String,
    /// The organisation it speaks for; none yet.
    #[serde(rename = "organizationId")]
    pub organization_id: Option<String>,
}

/// Signs and verifies.
pub struct AccessTokens {
    signing: EncodingKey,
    verifying: DecodingKey,
    public: Vec<u8>,
    key_id: String,
    issuer: String,
}

impl AccessTokens {
    /// `seed`: the 32 bytes that the secret gives for signing. `issuer`: the public address.
    pub fn new(seed: &[u8; 32], issuer: &str) -> Result<Self, aws_lc_rs::error::Unspecified> {
        let pair =
            Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| aws_lc_rs::error::Unspecified)?;
        let public = pair.public_key().as_ref().to_vec();
        let pkcs8 = pair.to_pkcs8()?;
        let key_id =
            URL_SAFE_NO_PAD.encode(digest(&SHA256, &public).as_ref().get(..8).unwrap_or_default());
        Ok(Self {
            signing: EncodingKey::from_ed_der(pkcs8.as_ref()),
            verifying: DecodingKey::from_ed_der(&public),
            public,
            key_id,
            issuer: issuer.to_owned(),
        })
    }

    /// Who the tokens are issued by and meant for.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The signed token.
    pub fn sign(&self, claims: &Claims) -> Result<String, jsonwebtoken::errors::Error> {
        self.sign_as(TYPE, claims)
    }

    /// A signed statement for an upstream; it opens no door of ours.
    pub fn sign_assertion(
        &self,
        claims: &impl Serialize,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        self.sign_as(ASSERTION_TYPE, claims)
    }

    fn sign_as(
        &self,
        kind: &str,
        claims: &impl Serialize,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(kind.to_owned());
        header.kid = Some(self.key_id.clone());
        jsonwebtoken::encode(&header, claims, &self.signing)
    }

    /// The claims of a token that we signed, for us, and that has not run out at `now`. Anything
    /// else is `None`, whatever was wrong with it.
    pub fn verify(&self, token: &str, now: Time) -> Option<Claims> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        let is_ours = header.typ.as_deref() == Some(TYPE)
            && header.kid.as_deref() == Some(self.key_id.as_str());
        if !is_ours {
            return None;
        }
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The clock is ours, so that tests can move it; expiry is checked below.
        validation.validate_exp = false;
        let claims =
            jsonwebtoken::decode::<Claims>(token, &self.verifying, &validation).ok()?.claims;
        (now.secs() < claims.exp).then_some(claims)
    }

    /// The public key as a JSON Web Key Set (RFC 7517, RFC 8037).
    pub fn key_set(&self) -> serde_json::Value {
        serde_json::json!({"keys": [{
            "kty": "OKP",
            "crv": "Ed25519",
            "use": "sig",
            "alg": "EdDSA",
            "kid": self.key_id,
            "x": URL_SAFE_NO_PAD.encode(&self.public),
        }]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_795_309_323_000);

    fn claims(issuer: &str) -> Claims {
        Claims {
            iss: issuer.to_owned(),
            aud: issuer.to_owned(),
            sub: "u".to_owned(),
            sid: "s".to_owned(),
            jti: "j".to_owned(),
            iat: NOW.secs(),
            exp: NOW.secs() + 60,
            email: "ada@example.com".to_owned(),
            role: "user".to_owned(),
            organization_id: None,
        }
    }

    #[test]
    fn an_assertion_is_no_access_token_whatever_it_claims() {
        let tokens = AccessTokens::new(&[7; 32], "https://gate.example").unwrap();
        let claims = claims("https://gate.example");
        let token = tokens.sign(&claims).unwrap();
        assert!(tokens.verify(&token, NOW).is_some(), "control");
        let assertion = tokens.sign_assertion(&claims).unwrap();
        assert!(tokens.verify(&assertion, NOW).is_none());
    }
}
