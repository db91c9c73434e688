//! One's own sessions on the account page: which there are, and ending them.

use std::time::Duration;

use http::StatusCode;
use portcullis_domain::id::SessionHandle;
use portcullis_domain::revocation::Refusal;
use portcullis_domain::session::SignInForm;
use portcullis_domain::time::Time;
use portcullis_store::sessions::{Filter, LiveSession};

use super::in_words;
use crate::flows::sessions::{self, Part};
use crate::flows::terminate::Terminate;
use crate::web::api::account_sessions::{current, own as of_caller, terminate};
use crate::web::caller::{InSession, SignedIn};
use crate::web::error::Error;
use crate::web::reply::redirect_reply;
use crate::web::request::Call;
use crate::web::sessions::{Showing, Shown};
use crate::web::table::{Answer, Doc};

pub(super) const END_PATH: &str = "/-/account/sessions/end";
pub(super) const END_OTHERS_PATH: &str = "/-/account/sessions/end-others";
/// Back to the list.
const BACK: &str = "/-/account#sessions";
/// Nobody reads more on a page; the rest can be ended all the same.
const SHOWN: u64 = 50;

/// A session as a line of a page.
pub(super) struct Line {
    pub(super) shown: Shown,
    /// How it began, for people.
    pub(super) kind: &'static str,
    pub(super) began: String,
    pub(super) active: String,
}

impl Line {
    pub(super) fn of(showing: &mut Showing<'_>, session: LiveSession, now: Time) -> Self {
        let (form, began, active) = (session.form, session.created_at, session.last_active);
        let shown = showing.show(session);
        let active = if shown.is_current { now } else { active };
        Self { shown, kind: in_short(form), began: began.to_the_minute(), active: ago(now, active) }
    }
}

/// One's own sessions, as far as they are shown.
pub(super) struct OwnSessions {
    pub(super) lines: Vec<Line>,
    /// How many there are beside this one.
    pub(super) others: u64,
}

pub(super) async fn own(call: &Call, caller: &InSession) -> Result<OwnSessions, Error> {
    let filter = Filter { user: Some(caller.user_id()), ..Filter::default() };
    let part = Part { limit: SHOWN, offset: 0, after: None };
    let listing = sessions::list(&call.app, &filter, &part).await?.ok_or(Error::NotFound)?;
    let (mut showing, now) = (Showing::to(&call.app, caller), call.app.clock.now());
    let line = |session| Line::of(&mut showing, session, now);
    let lines = listing.sessions.into_iter().map(line).collect();
    Ok(OwnSessions { lines, others: listing.total.saturating_sub(1) })
}

pub(super) const END: Doc = Doc {
    id: "submit_end_session",
    summary: "Ends another session of your own from the account page.",
    fields: &[("session_id", true, "The session."), ("csrf_token", true, "The token of the form.")],
    answer: (303, ""),
    ..Doc::USUAL
};

/// `POST /-/account/sessions/end`. One that is over already is as good as ended.
pub(super) async fn end(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let refused = |fault| Error::Invalid(vec![fault]);
    let named = call.fields.required("session_id", 64).map_err(refused)?;
    let handle = SessionHandle::parse(named).ok_or(Error::NotFound)?;
    match terminate(&call, &caller, &handle).await? {
        Terminate::Done | Terminate::Unknown | Terminate::Refused(Refusal::NotYours) => {
            Ok(redirect_reply(StatusCode::SEE_OTHER, BACK))
        }
        Terminate::Refused(_) => Err(current(&call, &caller).await),
    }
}

pub(super) const END_OTHERS: Doc = Doc {
    id: "submit_end_other_sessions",
    summary: "Ends every session of your own but this one, from the account page.",
    fields: &[("csrf_token", true, "The token of the form.")],
    answer: (303, ""),
    ..Doc::USUAL
};

/// `POST /-/account/sessions/end-others`.
pub(super) async fn end_others(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let context = call.facts.context_of(&caller);
    sessions::end_others(&call.app, of_caller(&caller), &context).await?;
    Ok(redirect_reply(StatusCode::SEE_OTHER, BACK))
}

fn in_short(form: SignInForm) -> &'static str {
    match form {
        SignInForm::Page => "Sign-in page",
        SignInForm::Remembered => "Came back by itself",
        SignInForm::Mobile => "Mobile app",
        SignInForm::Username => "API, by username",
        SignInForm::Email => "API, by email",
        SignInForm::MagicLink => "Link in a mail",
    }
}

/// Uses are written down a minute or more apart.
fn ago(now: Time, then: Time) -> String {
    let span = now.since(then);
    if span < Duration::from_mins(2) {
        return "just now".to_owned();
    }
    format!("{} ago", in_words(span))
}
