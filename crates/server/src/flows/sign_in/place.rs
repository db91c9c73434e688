//! The place of a sign-in whose password was right: learned, told to the owner, or asked about. Who is
//! asked gets a ticket, and a code by mail; what the ticket and the code let go on is in `confirm`.

use std::time::Duration;

use portcullis_domain::client_address::ClientAddress;
use portcullis_domain::device::Epochs;
use portcullis_domain::event::{Context, Event, LimitName, Text};
use portcullis_domain::one_time_code::{Code, CodePurpose};
use portcullis_domain::place::{self, Knowledge, Place, Verdict, Visitor};
use portcullis_domain::secret::Opaque;
use portcullis_domain::session::SignInForm;
use portcullis_domain::throttle::{self as domain, Limit};
use portcullis_domain::time::Time;
use portcullis_store::one_time_codes::{self, NewCode};
use portcullis_store::places::{self, Seen};
use portcullis_store::users::User;
use portcullis_store::{Error, Tx, throttle};
use serde::{Deserialize, Serialize};

use super::{Attempt, Outcome};
use crate::app::App;
use crate::device;
use crate::flows::limits::LimitStanding;
use crate::flows::record;
use crate::mail::{self, Letter, PlaceFacts};

/// Codes that an account is sent, whoever asks. Each can be guessed at five times, so that somebody
/// who knows the password needs a year for an even chance, and fills no mailbox.
const CODES: Limit = Limit { count: 5, period: Duration::from_hours(1) };

/// What somebody is asked for.
pub struct Asked {
    /// It goes to the browser, and to nobody else.
    pub ticket: Opaque,
    /// How long the code that was just made is good.
    pub life: Duration,
}

/// What the look at a place comes to.
pub(super) enum Looked {
    /// It goes on, and the browser gets this cookie.
    Go {
        device_cookie: String,
    },
    Stop(Outcome),
}

/// What of a sign-in waits for its code.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub(super) form: String,
    pub(super) shows_browser: bool,
    pub(super) remember: bool,
    /// The place that is asked about.
    pub(super) network: String,
    /// Wrong passwords before the right one.
    pub(super) failures: i64,
    /// The epoch of the account whose password was right.
    pub(super) epoch: i64,
    /// Whether its device spared it the second factor. It does not spare the question about the place.
    #[serde(default)]
    pub(super) is_spared: bool,
}

/// Whose place is looked at.
pub(super) struct Who<'a> {
    pub(super) user: &'a User,
    /// Wrong passwords before the right one.
    pub(super) failures: i64,
    /// Whether the device spared him the second factor.
    pub(super) is_spared: bool,
}

/// Judges the place.
pub(super) async fn look(
    app: &App,
    tx: &mut Tx,
    attempt: &Attempt<'_>,
    Who { user, failures, is_spared }: Who<'_>,
    context: &Context,
) -> Result<Looked, Error> {
    let now = app.clock.now();
    let here = Place::of(attempt.from.ip);
    let knowledge = places::knowledge(tx, user.id, here).await?;
    let confirming = app.config.sign_in.confirm_new_place;
    let id = app.random.row_id(now);
    let seen = seen(&id, user, here, context);
    let visitor = visitor(app, tx, attempt, user).await?;
    match place::judge(knowledge, visitor, confirming) {
        Verdict::Pass => places::touch(tx, user.id, here, now).await?,
        Verdict::Learn => places::verify(tx, &seen, now).await?,
        Verdict::Tell => {
            places::told(tx, &seen, now).await?;
            tell(app, tx, attempt, user, context).await?;
        }
        Verdict::Ask => {
            let waiting = Waiting {
                form: attempt.form.as_str().to_owned(),
                shows_browser: attempt.shows_browser,
                remember: attempt.remember,
                network: here.to_string(),
                failures,
                epoch: user.epoch,
                is_spared,
            };
            let facts = facts(app, attempt, context, now);
            return ask(app, tx, user, &waiting, &facts, context).await.map(Looked::Stop);
        }
    }
    let device_cookie = match (knowledge, visitor, attempt.device_cookie) {
        (Knowledge::First | Knowledge::Verified, _, _) | (_, Visitor::Mailbox, _) => {
            vouching(app, tx, user).await?
        }
        // Away from home it stays what it is: good for no less, and no longer.
        (_, Visitor::KnownBrowser, Some(cookie)) => cookie.to_owned(),
        _ => app.keys.device.mint(user.id, app.random.bytes()),
    };
    Ok(Looked::Go { device_cookie })
}

/// Learns the place of somebody who is not asked about it, tells him where nobody knew it, and gives his
/// browser its cookie.
pub(super) async fn learn(
    app: &App,
    tx: &mut Tx,
    attempt: &Attempt<'_>,
    user: &User,
    context: &Context,
) -> Result<String, Error> {
    let now = app.clock.now();
    let id = app.random.row_id(now);
    let here = Place::of(attempt.from.ip);
    if places::knowledge(tx, user.id, here).await? == Knowledge::New {
        tell(app, tx, attempt, user, context).await?;
    }
    places::verify(tx, &seen(&id, user, here, context), now).await?;
    vouching(app, tx, user).await
}

/// Tells the owner of a sign-in at a place that nobody knew.
async fn tell(
    app: &App,
    tx: &mut Tx,
    attempt: &Attempt<'_>,
    user: &User,
    context: &Context,
) -> Result<(), Error> {
    let now = app.clock.now();
    let event = Event::PlaceTold { network: Text::clip(&Place::of(attempt.from.ip).to_string()) };
    record(tx, app.random, &event, context, now).await?;
    let letter = Letter::new_sign_in(&facts(app, attempt, context, now));
    mail::send(app, tx, &user.email, &letter, now).await
}

/// The cookie of a browser at a place of the user's own.
pub(super) async fn vouching(app: &App, tx: &mut Tx, user: &User) -> Result<String, Error> {
    let (epochs, now) = (epochs(tx, user).await?, app.clock.now());
    Ok(app.keys.device.mint_vouching(user.id, app.random.bytes(), epochs, now))
}

/// Makes a code in place of an earlier one, and mails it.
pub(super) async fn ask(
    app: &App,
    tx: &mut Tx,
    user: &User,
    waiting: &Waiting,
    facts: &PlaceFacts,
    context: &Context,
) -> Result<Outcome, Error> {
    let now = app.clock.now();
    let counted = throttle::reserve(tx, &format!("new_place:{}", user.id.0), CODES, now).await?;
    if let domain::Verdict::Refused { retry_after, .. } = counted {
        let event = Event::LimitExceeded { limit: LimitName::NewPlace };
        record(tx, app.random, &event, context, now).await?;
        return Ok(Outcome::TooMany { retry_after });
    }
    let purpose = CodePurpose::NewPlace;
    let (ticket, code) =
        (Opaque::from_random(app.random.bytes()), Code::from_random(app.random.bytes()));
    let mac = app.keys.credential.credential_mac(purpose.of_ticket(), &ticket);
    let until = now.plus(purpose.life());
    let new = NewCode {
        ticket: mac,
        purpose,
        user_id: user.id,
        user_epoch: user.epoch,
        code: app.keys.credential.code_mac(&mac, &code),
        // A value of ours, which can always be written.
        detail: &serde_json::to_string(waiting).unwrap_or_default(),
        expires_at: until,
    };
    one_time_codes::issue(tx, &new, now).await?;
    let event = Event::PlaceAsked { network: Text::clip(&waiting.network) };
    record(tx, app.random, &event, context, now).await?;
    mail::send(app, tx, &user.email, &Letter::new_place(code.reveal(), facts, until), now).await?;
    Ok(Outcome::NewPlace(Asked { ticket, life: purpose.life() }))
}

/// What the limit headers say of how a sign-in ended: no code more is a limit of its own.
pub(super) fn standing(
    outcome: &Outcome,
    counted: Option<LimitStanding>,
    now: Time,
) -> Option<LimitStanding> {
    if let Outcome::TooMany { retry_after } = outcome {
        Some(LimitStanding::used_up(CODES, *retry_after, now))
    } else {
        counted
    }
}

/// Somebody at a place, for its row.
pub(super) fn seen<'a>(id: &'a str, user: &User, place: Place, context: &'a Context) -> Seen<'a> {
    let user_agent = context.user_agent.as_deref().unwrap_or_default();
    Seen { id, user: user.id, place, user_agent }
}

fn facts(app: &App, attempt: &Attempt<'_>, context: &Context, at: Time) -> PlaceFacts {
    facts_of(app, &attempt.from, context, at)
}

/// Where a request comes from, for its owner to read. Of what the program calls itself only a name
/// that is known to be one: a mail is no place for a stranger's text.
pub(in crate::flows) fn facts_of(
    app: &App,
    from: &ClientAddress,
    context: &Context,
    at: Time,
) -> PlaceFacts {
    let address = from.ip.to_string();
    let location = app.geo.place(&address);
    PlaceFacts {
        address,
        location,
        device: context.user_agent.as_deref().and_then(device::label),
        at,
    }
}

/// The documented mobile endpoint has no form in which somebody could type a code.
async fn visitor(
    app: &App,
    tx: &mut Tx,
    attempt: &Attempt<'_>,
    user: &User,
) -> Result<Visitor, Error> {
    if attempt.form == SignInForm::MagicLink {
        return Ok(Visitor::Mailbox);
    }
    if let Some(cookie) = attempt.device_cookie {
        let (epochs, now) = (epochs(tx, user).await?, app.clock.now());
        if app.keys.device.vouches(user.id, cookie, epochs, now) {
            return Ok(Visitor::KnownBrowser);
        }
    }
    let types_codes = match attempt.form {
        SignInForm::Page => true,
        SignInForm::Username | SignInForm::Email => attempt.shows_browser,
        SignInForm::Mobile | SignInForm::Remembered | SignInForm::MagicLink => false,
    };
    Ok(if types_codes { Visitor::Browser } else { Visitor::Program })
}

async fn epochs(tx: &mut Tx, user: &User) -> Result<Epochs, Error> {
    Ok(Epochs { account: user.epoch, places: places::epoch(tx, user.id).await? })
}
