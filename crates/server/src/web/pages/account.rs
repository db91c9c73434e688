//! The page that tells people who they are here, what they may do, and how long.

use askama::Template;
use http::StatusCode;
use portcullis_domain::csrf::Kind;
use portcullis_domain::password::{BreachStanding, BreachState};
use portcullis_domain::role::Role;
use portcullis_store::factors;
use portcullis_store::places::{self, Verified};
use portcullis_store::sessions::{self, Session};
use portcullis_store::users::{self, User};

use super::sessions::Line;
use super::{admin, in_words, shown_name};
use crate::device;
use crate::flows::sign_in::breached_until;
use crate::flows::{self, places::Removal};
use crate::web::caller::SignedIn;
use crate::web::door;
use crate::web::error::Error;
use crate::web::reply::redirect_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub(super) const SHOW: Doc = Doc {
    id: "show_account",
    summary: "Who you are, what you may do and how long, as a page.",
    ..Doc::USUAL
};

/// `GET /-/account`.
pub(super) async fn show(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let found = caller.found();
    let life = caller.credential().life;
    let mut tx = call.app.db.read().await?;
    // Whoever came this far had a session a moment ago.
    let stored = sessions::by_id(&mut tx, &caller.session().id).await?.ok_or(Error::NotFound)?;
    let verified_at = users::email_verified_at(&mut tx, found.user.id).await?;
    let places = places::list(&mut tx, caller.user_id()).await?;
    let factor = factors::active(&mut tx, caller.user_id()).await?;
    let breach = users::breach_standing(&mut tx, caller.user_id()).await?;
    drop(tx);
    let own = super::sessions::own(&call, &caller).await?;
    let page = Account {
        name: shown_name(&found.user),
        user: &found.user,
        is_verified: verified_at.is_some(),
        role: &found.role,
        session: &stored,
        began: stored.created_at.to_the_minute(),
        ends: life.expires_at.to_the_minute(),
        idle: life.idle.map(in_words),
        others: own.others,
        lines: own.lines,
        factor_due: super::second_factor::due(&call, &caller).await?,
        breached: breach.and_then(|breach| breached(&call, &found.user, &breach)),
        factor: factor.map(|factor| factor.enabled_at.to_the_minute()),
        places: places.iter().map(PlaceRow::of).collect(),
        may_administer: admin::is_open_to(&caller),
        csrf_token: door::mint(&call.app, caller.session(), Kind::Session),
    };
    super::show(StatusCode::OK, &page)
}

#[derive(Template)]
#[template(path = "account.html")]
struct Account<'a> {
    name: String,
    user: &'a User,
    /// Whether the address was proved.
    is_verified: bool,
    role: &'a Role,
    session: &'a Session,
    began: String,
    ends: String,
    idle: Option<String>,
    /// How many sessions beside this one.
    others: u64,
    lines: Vec<Line>,
    /// What is said to somebody whose password is breached.
    breached: Option<String>,
    /// What is said to somebody whose role asks for a second factor, and who has none.
    factor_due: Option<String>,
    /// Since when there is a second factor; `None` where there is none.
    factor: Option<String>,
    places: Vec<PlaceRow<'a>>,
    /// Whether there is a page for staff that would open.
    may_administer: bool,
    csrf_token: String,
}

/// What is said to somebody whose password is breached, if it is.
fn breached(call: &Call, user: &User, standing: &BreachStanding) -> Option<String> {
    if standing.state != BreachState::Breached {
        return None;
    }
    let what = "Your password has appeared in a data breach: others have it on their lists.";
    Some(match breached_until(&call.app, user, standing) {
        None => what.to_owned(),
        Some(due) => format!("{what} It is accepted until {}.", due.to_the_minute()),
    })
}

struct PlaceRow<'a> {
    id: &'a str,
    network: String,
    device: Option<String>,
    last_seen: String,
}

impl<'a> PlaceRow<'a> {
    fn of(place: &'a Verified) -> Self {
        Self {
            id: &place.id,
            network: place.place.to_string(),
            device: device::label(&place.user_agent),
            last_seen: place.last_seen.to_the_minute(),
        }
    }
}

pub(super) const REMOVE_PLACE: Doc = Doc {
    id: "submit_place_removal",
    summary: "Asks for a code again at one of your places, from the page.",
    fields: &[("id", true, "The place."), ("csrf_token", true, "The token of the form.")],
    answer: (303, ""),
    ..Doc::USUAL
};

/// `POST /-/account/places`.
pub(super) async fn remove_place(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let id = call.fields.text("id").unwrap_or_default();
    let context = call.facts.context_of(&caller);
    match flows::places::remove(&call.app, caller.user_id(), id, &context).await? {
        // What is not there need not be removed.
        Removal::Done | Removal::Unknown => Ok(redirect_reply(StatusCode::SEE_OTHER, "/-/account")),
    }
}
