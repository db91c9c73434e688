//! API keys: what requests ask of one.

use portcullis_domain::api_key::{Addresses, Scopes};
use portcullis_domain::id::KeyId;
use portcullis_domain::throttle::Limit;
use portcullis_domain::time::Time;

/// What requests ask of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    pub id: KeyId,
    pub scopes: Scopes,
    /// Where it may be used from.
    pub addresses: Addresses,
    /// How often.
    pub limit: Limit,
    /// When this value of it stops, or the key.
    pub expires_at: Time,
    /// It was revoked, or has another value now.
    pub has_ended: bool,
    /// When its use was last written down.
    pub last_active: Time,
}
