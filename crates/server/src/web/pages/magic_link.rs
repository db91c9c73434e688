//! The pages of signing in by a link in a mail: where one asks for it and waits (`ask`), and where the
//! link leads (`press`). Each works without scripts. Not here: what they do, which is in `flows`.
//!
//! No page of another site can press the button: the origin wall and the token of the form stand before
//! it. Nor does it help to lure somebody to our own page with a link to another's account: asked for in
//! another browser it shows a code, and asked for by a program it names the account first.

mod ask;
mod press;

use http::{Method, StatusCode};
use portcullis_domain::redirect::Next;

use super::sign_in;
use crate::flows::magic_link::{Ended, PAGE};
use crate::flows::sign_in::Outcome;
use crate::web::api::{login, magic_link as api};
use crate::web::reply::redirect_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Row, row};

/// Where one asks for a link.
const ASK: &str = "/-/magic/ask";
/// Where one waits for it, and types its code.
const WAIT: &str = "/-/magic/wait";

/// The rows of these pages.
pub(super) fn rows() -> Vec<Row> {
    vec![
        row(Method::GET, ASK, ask::SHOW, ask::show),
        row(Method::POST, ASK, ask::SUBMIT, ask::submit),
        row(Method::GET, WAIT, ask::SHOW_WAIT, ask::show_wait),
        row(Method::POST, WAIT, ask::SUBMIT_CODE, ask::submit_code),
        row(Method::GET, PAGE, press::SHOW, press::show),
        row(Method::POST, PAGE, press::SUBMIT, press::submit),
    ]
}

/// The address of the page to ask for a link; `None` where there are none.
pub(super) fn way_to_ask(call: &Call, next: &Next) -> Option<String> {
    call.app.config.sign_in.magic_link.map(|_| with_next(ASK, next))
}

fn with_next(path: &str, next: &Next) -> String {
    if *next == Next::home() {
        return path.to_owned();
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    format!("{path}?{}", query.append_pair("next", next.as_str()).finish())
}

/// How a sign-in by a link ends: as one on the page does.
fn end(call: &Call, ended: Ended) -> Answer {
    let next = sign_in::next(&call.app, ended.next.as_deref());
    if let Outcome::SignedIn(signed_in) = &ended.outcome {
        login::set_cookies(call, signed_in);
        api::forget_mark(call);
        // The form was shown before anybody knew where it leads, and some browsers hold the redirect
        // against the policy of its page: whoever goes on to another site goes by a page of ours.
        let there = if next.is_local() {
            next.as_str().to_owned()
        } else {
            with_next(super::SIGN_IN, &next)
        };
        return Ok(redirect_reply(StatusCode::SEE_OTHER, &there));
    }
    let again = |status, problem| sign_in::empty(call, status, &next, problem);
    sign_in::end(call, ended.outcome, &next, again)
}
