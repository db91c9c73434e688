//! `POST /api/auth/change-password`: one path for two families, told apart by the keys of the body
//! (contract C7): `currentPassword` of S (S17), `current_password` of Z (Z5). In both every other
//! session of the user ends, and this one goes on.

use http::StatusCode;
use portcullis_domain::csrf::AuthKind;
use portcullis_domain::password::{self, PolicyFault};
use serde_json::json;

use crate::flows::change_password::change;
use crate::flows::new_password::{Accepted, Judge, Person, min_length};
use crate::flows::proof::Refusal;
use crate::web::caller::{Caller, SignedIn};
use crate::web::error::{Documented, Error, Fault};
use crate::web::renewal::{claim, hand_over, locked, too_many};
use crate::web::reply::{Reply, json_reply};
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub const POST: Doc = Doc {
    id: "change_password",
    summary: "Sets a new password in the place of the current one. Everything else that is signed in \
              to the account is signed out. S sends currentPassword and newPassword (201), Z \
              current_password, new_password and confirm_password (200).",
    fields: &[
        ("currentPassword", false, "The current password (S)."),
        ("newPassword", false, "The new one (S)."),
        ("current_password", false, "The current password (Z)."),
        ("new_password", false, "The new one (Z)."),
        ("confirm_password", false, "The new one again (Z)."),
    ],
    answer: (201, r#"{"success":true,"message":"Password changed successfully"}"#),
    ..Doc::USUAL
};

/// Whose keys the body has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    S,
    Z,
}

/// `POST /api/auth/change-password`.
pub async fn post(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let dialect = dialect(&call, &caller);
    let (current, new) = read(&call, dialect).map_err(Error::Invalid)?;
    let new = accept(&call, &caller, new, dialect.new_field()).await?;
    let answer = change(&call.app, &claim(&call, &caller, current), &new).await?;
    call.facts.set_limit_standing(answer.standing);
    match answer.outcome {
        Ok(renewed) => {
            hand_over(&call, &renewed);
            Ok(done(dialect))
        }
        Err(Refusal::Wrong) => Err(wrong(dialect)),
        Err(Refusal::Gone) => Err(Error::SignIn("session_ended")),
        Err(Refusal::Locked { retry_after }) => Err(locked(retry_after)),
        Err(Refusal::TooMany { retry_after }) => Err(too_many(retry_after)),
    }
}

/// The faults of a new password, as those of the field.
pub(in crate::web) fn weak(field: &'static str, faults: &[PolicyFault]) -> Error {
    let told =
        |fault: &PolicyFault| Fault { field, code: fault.code(), detail: fault.to_string().into() };
    Error::Invalid(faults.iter().map(told).collect())
}

async fn accept<'a>(
    call: &Call,
    caller: &Caller,
    new: &'a str,
    field: &'static str,
) -> Result<Accepted<'a>, Error> {
    let min_chars = min_length(&call.app, caller.user_id()).await?;
    let whose = Person::from(&*caller.found().user);
    let accepted = Judge::of(&call.app).accept(new, min_chars, &whose).await;
    accepted.map_err(|faults| weak(field, &faults))
}

fn dialect(call: &Call, caller: &Caller) -> Dialect {
    let fields = &call.fields;
    let (is_z, is_s) = (fields.has("current_password"), fields.has("currentPassword"));
    // Neither: as the credential is.
    let by_credential = !is_s && caller.auth == AuthKind::Cookie;
    if is_z || by_credential { Dialect::Z } else { Dialect::S }
}

/// The current password and the new one, or the faults of all fields at once.
fn read(call: &Call, dialect: Dialect) -> Result<(&str, &str), Vec<Fault>> {
    let text = |name| call.fields.required(name, password::MAX_BYTES);
    let current = text(dialect.current_field()).and_then(|text| {
        let is_too_long = password::is_too_long(text);
        let fault = Fault::invalid(dialect.current_field(), "is too long");
        if is_too_long { Err(fault) } else { Ok(text) }
    });
    let new = text(dialect.new_field());
    let confirmed = match dialect {
        Dialect::S => Ok(()),
        Dialect::Z => text("confirm_password").and_then(|again| match &new {
            Ok(new) if *new != again => {
                Err(Fault::invalid("confirm_password", "Your passwords do not match."))
            }
            Ok(_) | Err(_) => Ok(()),
        }),
    };
    match (current, new, confirmed) {
        (Ok(current), Ok(new), Ok(())) => Ok((current, new)),
        (current, new, confirmed) => {
            Err(current.err().into_iter().chain(new.err()).chain(confirmed.err()).collect())
        }
    }
}

fn done(dialect: Dialect) -> Reply {
    match dialect {
        Dialect::S => {
            let body = json!({"success": true, "message": "Password changed successfully"});
            json_reply(StatusCode::CREATED, &body)
        }
        Dialect::Z => json_reply(StatusCode::OK, &json!({"success": true})),
    }
}

fn wrong(dialect: Dialect) -> Error {
    match dialect {
        Dialect::S => Error::Documented(WRONG),
        Dialect::Z => Error::Invalid(vec![Fault::invalid(
            "current_password",
            "Current password is incorrect.",
        )]),
    }
}

pub(super) const WRONG: Documented = Documented {
    status: StatusCode::UNAUTHORIZED,
    code: "wrong_password",
    text: "Current password is incorrect",
};

impl Dialect {
    fn current_field(self) -> &'static str {
        match self {
            Self::S => "currentPassword",
            Self::Z => "current_password",
        }
    }

    fn new_field(self) -> &'static str {
        match self {
            Self::S => "newPassword",
            Self::Z => "new_password",
        }
    }
}
