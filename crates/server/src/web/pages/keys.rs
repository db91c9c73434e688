//! The page of one's API keys: made, shown once, made anew, taken back. What happens is the same as by
//! API, except that it always asks for a fresh sign-in.

use std::time::Duration;

use askama::Template;
use http::StatusCode;
use portcullis_domain::api_key::{Scope, State};
use portcullis_domain::csrf::Kind;
use portcullis_domain::id::KeyId;
use portcullis_domain::text::visible;
use portcullis_domain::time::Time;
use portcullis_store::api_keys::ApiKey;

use crate::flows::api_keys::{self, Change, Made, Reach};
use crate::flows::barrier;
use crate::web::acting::Actor;
use crate::web::api::api_keys::{created, keeper, make_anew, overlap, refused, take_back_named};
use crate::web::caller::{Fresh, InSession, SignedIn};
use crate::web::door;
use crate::web::error::{Error, Fault};
use crate::web::refusal::sentence;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub(super) const PATH: &str = "/-/account/keys";

pub(super) const SHOW: Doc =
    Doc { id: "show_own_keys", summary: "Your API keys, as a page.", ..Doc::USUAL };

/// `GET /-/account/keys`.
pub(super) async fn show(call: Call, Fresh(SignedIn(caller)): Fresh<SignedIn>) -> Answer {
    page(&call, &caller, StatusCode::OK, Told::default()).await
}

pub(super) const SUBMIT: Doc = Doc {
    id: "submit_own_keys",
    summary: "Does something to your API keys, from the page: create, regenerate, resume or revoke.",
    fields: &[
        ("action", true, "One of the actions."),
        ("id", false, "The key, except of one that is made."),
        ("name", false, "What a new one is for."),
        ("scopes", false, "What it may do, with commas or spaces between."),
        ("allowedIps", false, "The addresses and networks that it may be used from."),
        ("expiresAt", false, "The last day on which it can be used."),
        ("overlap", false, "Seconds for which the old value of one that is made anew goes on."),
        ("csrf_token", true, "The token of the form."),
    ],
    ..SHOW
};

/// `POST /-/account/keys`.
pub(super) async fn submit(call: Call, Fresh(SignedIn(caller)): Fresh<SignedIn>) -> Answer {
    match act(&call, &caller).await {
        Ok(made) => page(&call, &caller, StatusCode::OK, Told { made, problem: None }).await,
        Err(error @ (Error::Invalid(_) | Error::Conflict(_) | Error::Documented(_))) => {
            let told = Told { made: None, problem: Some(sentence(&error)) };
            page(&call, &caller, error.status(), told).await
        }
        Err(error) => Err(error),
    }
}

/// What the page tells beside the keys.
#[derive(Default)]
struct Told {
    made: Option<Made>,
    problem: Option<String>,
}

/// A key that was made, if one was.
async fn act(call: &Call, caller: &InSession) -> Result<Option<Made>, Error> {
    match call.fields.text("action").unwrap_or_default() {
        "create" => create(call, caller).await.map(Some),
        "regenerate" => {
            let overlap = overlap(&call.fields).map_err(invalid)?;
            make_anew(call, caller, named(call)?, overlap).await.map(Some)
        }
        "revoke" => take_back_named(call, caller, named(call)?).await.map(|_| None),
        "resume" => resume(call, caller).await.map(|()| None),
        _ => Err(Error::NotFound),
    }
}

async fn create(call: &Call, caller: &InSession) -> Result<Made, Error> {
    let terms = created(&call.fields, call.app.clock.now()).map_err(Error::Invalid)?;
    let actor = Actor::of(call, caller);
    let keeper = keeper(&call.app, actor.acting(&call.app), caller);
    api_keys::create(keeper, caller.user_id(), &terms).await?.map_err(refused)
}

async fn resume(call: &Call, caller: &InSession) -> Result<(), Error> {
    let reach = Reach::Own(caller.user_id());
    let seen = api_keys::one(&call.app.db, reach, named(call)?).await?.ok_or(Error::NotFound)?;
    let actor = Actor::of(call, caller);
    let keeper = keeper(&call.app, actor.acting(&call.app), caller);
    let change = Change { terms: seen.terms.clone(), state: Some(State::Active) };
    api_keys::change(keeper, &seen, &change).await?.map_err(refused)?;
    barrier::felt_everywhere(&call.app).await;
    Ok(())
}

fn named(call: &Call) -> Result<KeyId, Error> {
    call.fields.text("id").and_then(KeyId::parse).ok_or(Error::NotFound)
}

fn invalid(fault: Fault) -> Error {
    Error::Invalid(vec![fault])
}

#[derive(Template)]
#[template(path = "keys.html")]
struct Page {
    problem: Option<String>,
    /// The value of a key, and what it is called: shown this once.
    made: Option<(String, String)>,
    lines: Vec<Line>,
    /// What is often wanted of the scopes: as the form sends it, and in words.
    choices: [(&'static str, &'static str); 5],
    /// An hour and a day, in seconds.
    overlaps: [(u64, &'static str); 3],
    csrf_token: String,
}

/// A key as a line of a page.
pub(super) struct Line {
    pub(super) id: KeyId,
    pub(super) name: String,
    pub(super) prefix: String,
    pub(super) scopes: String,
    pub(super) from: String,
    pub(super) made: String,
    pub(super) used: Option<String>,
    pub(super) count: i64,
    pub(super) ends: Option<String>,
    pub(super) state: State,
}

impl Line {
    pub(super) fn of(key: &ApiKey, now: Time) -> Self {
        let words: Vec<_> = key.terms.scopes.iter().map(Scope::as_str).collect();
        let networks: Vec<_> = key.terms.addresses.iter().map(ToString::to_string).collect();
        Self {
            id: key.id,
            name: visible(&key.terms.name),
            prefix: key.prefix.clone(),
            scopes: words.join(", "),
            from: networks.join(", "),
            made: key.created_at.to_the_minute(),
            used: key.last_used_at.map(Time::to_the_minute),
            count: key.usage_count,
            ends: key.terms.expires_at.map(Time::to_the_minute),
            state: key.state(now),
        }
    }

    /// Whether there is something to take back.
    pub(super) fn is_usable(&self) -> bool {
        matches!(self.state, State::Active | State::Suspended)
    }

    fn is_suspended(&self) -> bool {
        self.state == State::Suspended
    }

    fn word(&self) -> &'static str {
        match self.state {
            State::Active => "",
            State::Revoked => "revoked",
            State::Expired => "over",
            State::Suspended => "waits after a restore",
        }
    }
}

async fn page(call: &Call, caller: &InSession, status: StatusCode, told: Told) -> Answer {
    const HOUR: Duration = Duration::from_hours(1);
    let now = call.app.clock.now();
    let keys = api_keys::list(&call.app.db, Reach::Own(caller.user_id())).await?;
    let page = Page {
        problem: told.problem,
        made: told.made.map(|made| (visible(&made.key.terms.name), made.value)),
        lines: keys.iter().map(|key| Line::of(key, now)).collect(),
        choices: [
            ("read", "Look (read)"),
            ("read write", "Look and change (read, write)"),
            ("read write delete", "Look, change and delete (read, write, delete)"),
            ("write", "Change without looking (write)"),
            ("admin", "Everything (admin)"),
        ],
        overlaps: [
            (0, "stops at once"),
            (HOUR.as_secs(), "goes on for an hour"),
            (HOUR.as_secs() * 24, "goes on for a day"),
        ],
        csrf_token: door::mint(&call.app, caller.session(), Kind::Session),
    };
    super::show(status, &page)
}
