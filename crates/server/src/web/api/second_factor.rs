//! `POST /api/auth/second-factor`: goes on with a sign-in that stopped for its second factor, whatever
//! form it had. It answers as the sign-in would have.

use portcullis_domain::second_factor::MAX_CODE;
use portcullis_domain::session::SignInForm;

use super::{login, mobile_auth};
use crate::flows::sign_in::{Finished, Given, finish};
use crate::web::caller::Anyone;
use crate::web::error::{Error, Fault};
use crate::web::input::both;
use crate::web::remember;
use crate::web::request::Call;
use crate::web::table::{Answer, Csrf, Doc};

/// The longest ticket that is looked at, in characters.
const MAX_TICKET: usize = 128;

pub const POST: Doc = Doc {
    id: "give_second_factor",
    summary: "Goes on with a sign-in that was answered with second_factor_needed, and answers as it \
              would have.",
    csrf: Csrf::Exempt,
    fields: &[
        ("ticket", true, "From the answer to the sign-in; good for five minutes."),
        ("code", true, "The code of the authenticator app, or a backup code."),
        ("trustDevice", false, "true: on this device no code is asked for in the next 30 days."),
    ],
    answer: login::POST.answer,
    ..Doc::USUAL
};

/// `POST /api/auth/second-factor`.
pub async fn post(call: Call, _: Anyone) -> Answer {
    let next = login::wanted_next(&call)?;
    let (ticket, code) = match read(&call) {
        Ok(read) => read,
        Err(faults) => {
            login::count_nameless(&call).await?;
            return Err(Error::Invalid(faults));
        }
    };
    let (form, outcome) = match give(&call, ticket, code).await? {
        Finished::Went(form, outcome) => (form, outcome),
        Finished::TooMany(retry_after) => {
            return Err(Error::TooMany { code: "too_many_requests", retry_after });
        }
        Finished::Over => return Err(Error::SignIn("second_factor_over")),
    };
    let signed_in = login::signed_in(outcome)?;
    if form == SignInForm::Mobile {
        return mobile_auth::issued(&signed_in);
    }
    login::welcome(&call, &signed_in, next.as_ref())
}

/// Gives a second factor, whichever form it came in.
pub async fn give(call: &Call, ticket: &str, code: &str) -> Result<Finished, Error> {
    let (app, facts) = (&call.app, &call.facts);
    let given = Given {
        ticket,
        code,
        trust: call.fields.says_yes("trustDevice") || call.fields.says_yes("trust_device"),
        from: facts.client,
        before: login::before(app, facts).await?,
        replaces: remember::ticket(app, facts),
        context: facts.context(),
    };
    let answer = finish(app, &given).await?;
    facts.set_limit_standing(answer.standing);
    Ok(answer.finished)
}

fn read(call: &Call) -> Result<(&str, &str), Vec<Fault>> {
    both(call.fields.required("ticket", MAX_TICKET), call.fields.required("code", MAX_CODE))
}
