//! An API key in a request: whether it may be used from there and as often as that. Not here: what it may
//! do, which the door and the gate ask, and how its use is written down (`crate::key_usage`).

use portcullis_domain::event::LimitName;

use super::caller::Caller;
use super::door;
use super::error::{Error, Forbidden};
use super::limits;
use super::request::Facts;
use crate::app::App;

/// Refuses a key from elsewhere, and one that was used too often. A request counts once, however often
/// it is asked who sent it.
pub async fn admit(app: &App, facts: &Facts, caller: &Caller) -> Result<(), Error> {
    let Some(key) = caller.found().key() else { return Ok(()) };
    if !facts.note_key(key.id) {
        return Ok(());
    }
    if !key.addresses.admit(facts.client.ip) {
        let error = Error::Forbidden(Forbidden::Permission { code: "key_address", rule: None });
        // Boxed, as below: whoever passes need not carry the room for a refusal.
        return Err(Box::pin(door::record_denial(app, facts, Some(caller), error)).await);
    }
    match app.key_limiter.admit(Some(key.limit), key.id, app.clock.now()) {
        Ok(standing) => {
            facts.after().key_standing = standing;
            Ok(())
        }
        Err(refused) => Err(Box::pin(limits::refuse(app, facts, refused, LimitName::ApiKey)).await),
    }
}

/// Why a key is not good, where sessions have another word for it.
pub fn code(of_session: &'static str) -> &'static str {
    match of_session {
        "session_ended" => "key_revoked",
        "session_expired" => "key_expired",
        other => other,
    }
}
