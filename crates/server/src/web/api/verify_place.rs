//! `POST /api/auth/verify-place`: goes on with a sign-in that stopped at a new place, with the code from
//! the mail. It answers as the sign-in would have.

use portcullis_domain::event::PlaceRefusal;
use portcullis_domain::one_time_code::Code;

use super::login;
use crate::flows::sign_in::{Confirmed, Typed, confirm};
use crate::web::caller::Anyone;
use crate::web::error::{Error, Fault};
use crate::web::input::both;
use crate::web::remember;
use crate::web::request::Call;
use crate::web::table::{Answer, Csrf, Doc};

/// The longest ticket or code that is looked at, in characters.
const MAX_TEXT: usize = 128;

pub const POST: Doc = Doc {
    id: "verify_place",
    summary: "Goes on with a sign-in that was answered with new_place, and answers as it would have. \
              The code of the mail can be tried five times.",
    csrf: Csrf::Exempt,
    fields: &[
        ("ticket", true, "From the answer to the sign-in."),
        ("code", true, "The six digits of the mail."),
    ],
    answer: login::POST.answer,
    ..Doc::USUAL
};

/// `POST /api/auth/verify-place`.
pub async fn post(call: Call, _: Anyone) -> Answer {
    let next = login::wanted_next(&call)?;
    let (ticket, code) = match read(&call) {
        Ok(read) => read,
        Err(faults) => {
            login::count_nameless(&call).await?;
            return Err(Error::Invalid(faults));
        }
    };
    match try_code(&call, ticket, code).await? {
        Confirmed::Went(outcome) => {
            login::welcome(&call, &*login::signed_in(outcome)?, next.as_ref())
        }
        Confirmed::Wrong { .. } => Err(Error::SignIn("place_code_wrong")),
        Confirmed::Over(PlaceRefusal::Exhausted) => Err(Error::SignIn("place_code_exhausted")),
        Confirmed::Over(PlaceRefusal::WrongCode | PlaceRefusal::Over) => {
            Err(Error::SignIn("place_ticket_over"))
        }
    }
}

/// Tries a code, whichever form it came in.
pub async fn try_code(call: &Call, ticket: &str, code: Code) -> Result<Confirmed, Error> {
    let (app, facts) = (&call.app, &call.facts);
    let typed = Typed {
        ticket,
        code,
        from: facts.client,
        before: login::before(app, facts).await?,
        replaces: remember::ticket(app, facts),
        context: facts.context(),
    };
    let answer = confirm(app, &typed).await?;
    facts.set_limit_standing(answer.standing);
    Ok(answer.confirmed)
}

fn read(call: &Call) -> Result<(&str, Code), Vec<Fault>> {
    let ticket = call.fields.required("ticket", MAX_TEXT);
    let code = call.fields.required("code", MAX_TEXT).and_then(|text| {
        Code::parse(text).ok_or_else(|| Fault::invalid("code", "must be six digits"))
    });
    both(ticket, code)
}
