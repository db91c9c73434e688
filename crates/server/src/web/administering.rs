//! What a caller is told whose act on an account or a role was not done, and what is written down of
//! it. Not here: why, which the domain decides.

use portcullis_domain::administration::Refusal;
use portcullis_domain::role;
use portcullis_domain::session::Dead;

use super::caller::Caller;
use super::door;
use super::error::{Error, Fault, Forbidden};
use super::request::Call;
use crate::flows::administration::Halt;

/// What is said of a username that reads as somebody else's address.
pub const USERNAME_IS_ADDRESS: &str = "must not be an email address, except the account's own";

/// The refusal for the client; what he was not allowed is written down.
pub async fn refused(call: &Call, caller: &Caller, halt: Halt) -> Error {
    let error = if let Halt::Refused(Refusal::Yourself) = halt {
        own_account(named(call))
    } else {
        error(halt)
    };
    door::record_denial(&call.app, &call.facts, Some(caller), error).await
}

/// The field by which the request named the account.
fn named(call: &Call) -> &'static str {
    const NAMES: [&str; 6] = ["user_uuid", "uuid", "user_uuids", "uuids", "user_id", "email"];
    let is_sent = |name: &&str| call.fields.has(name) || call.facts.query(name).is_some();
    NAMES.into_iter().find(is_sent).unwrap_or("uuid")
}

fn own_account(field: &'static str) -> Error {
    let detail = "is your own account".into();
    Error::Invalid(vec![Fault { field, code: "own_account", detail }])
}

/// Why, as the client is told.
pub fn error(halt: Halt) -> Error {
    match halt {
        Halt::UnknownUser | Halt::UnknownRole => Error::NotFound,
        Halt::Refused(refusal) => of_refusal(refusal),
        Halt::UsernameIsAddress => {
            Error::Invalid(vec![Fault::invalid("username", USERNAME_IS_ADDRESS)])
        }
        Halt::Conflict(code) => Error::Conflict(code),
        Halt::Store(error) => error.into(),
    }
}

fn of_refusal(refusal: Refusal) -> Error {
    let denied = |code| Error::Forbidden(Forbidden::Permission { code, rule: None });
    match refusal {
        Refusal::Yourself => own_account("uuid"),
        Refusal::AboveLevel => denied("above_level"),
        Refusal::Lacking => denied("lacking_permission"),
        Refusal::StaffOnly => denied("account_type"),
        Refusal::Missing(key) => Error::Forbidden(Forbidden::Permission {
            code: "permission_missing",
            rule: Some(key.to_owned()),
        }),
        Refusal::SignedOut => Error::SignIn(Dead::Ended.code()),
        Refusal::LastOwner => Error::Conflict("last_owner"),
        Refusal::Full(role::Refusal::TooManyRoles) => Error::Invalid(vec![Fault::invalid(
            "name",
            "is one more than the 500 roles there may be",
        )]),
        Refusal::Full(_) => Error::Invalid(vec![Fault::invalid(
            "permissions",
            "are more than the 500 that a role may have",
        )]),
        Refusal::BuiltIn => Error::Conflict("built_in_role"),
    }
}
