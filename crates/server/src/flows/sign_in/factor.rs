//! The second factor of a sign-in whose password, or link, was right: asked of everybody who has one, by
//! whatever form. Who gives none gets a ticket; what the ticket and a code let go on is in `finish`.

use std::time::Duration;

use portcullis_domain::event::{Context, Event, FactorMethod, SignInFailure};
use portcullis_domain::second_factor::TICKET_LIFE;
use portcullis_domain::secret::{Mac, Opaque, Purpose};
use portcullis_domain::session::SignInForm;
use portcullis_store::sign_in_tickets::{self, NewTicket};
use portcullis_store::users::User;
use portcullis_store::{Error, Tx, factors};
use serde::{Deserialize, Serialize};

use super::{Asked, Attempt, Outcome, Proved};
use crate::app::App;
use crate::flows::credentials::Device;
use crate::flows::record;
use crate::flows::second_factor::{Checked, check};
use crate::flows::trusted_devices;

/// What the question comes to.
pub(super) enum Stepped {
    /// The user has no second factor.
    NotAsked,
    /// It was given, and is used.
    Passed,
    /// The device is one where this user is not asked.
    Spared,
    Stop(Outcome),
}

/// What of a sign-in waits for its second factor.
#[derive(Serialize, Deserialize)]
pub(super) struct Waiting {
    form: String,
    shows_browser: bool,
    remember: bool,
    platform: Option<String>,
    device_type: Option<String>,
    app_version: Option<String>,
    /// Wrong passwords before the right one.
    pub(super) failures: i64,
}

impl Waiting {
    /// What was written of a sign-in, by a program that knew no other forms than this one.
    pub(super) fn read(detail: &str) -> Option<(Self, SignInForm)> {
        let waiting: Self = serde_json::from_str(detail).ok()?;
        let form = SignInForm::parse(&waiting.form)?;
        Some((waiting, form))
    }

    /// The sign-in that waited, from where its second factor is given.
    pub(super) fn attempt(self, form: SignInForm, now: Attempt<'_>) -> Attempt<'_> {
        let Self { shows_browser, remember, platform, device_type, app_version, .. } = self;
        let device = Device { platform, device_type, app_version };
        Attempt { form, shows_browser, device, remember, ..now }
    }
}

/// Asks for the second factor, or looks at the one that came along.
pub(super) async fn step(
    app: &App,
    tx: &mut Tx,
    attempt: &Attempt<'_>,
    proved: &Proved,
    context: &Context,
) -> Result<Stepped, Error> {
    let user = &proved.user;
    if factors::active(tx, user.id).await?.is_none() {
        return Ok(Stepped::NotAsked);
    }
    match attempt.factor {
        Some(code) => give(app, tx, user, (attempt.form, code), context).await,
        None if trusted_devices::recognise(app, tx, user.id, attempt.trusted).await? => {
            let event = Event::FactorPassed { method: FactorMethod::TrustedDevice, left: None };
            record(tx, app.random, &event, context, app.clock.now()).await?;
            Ok(Stepped::Spared)
        }
        None => wait(app, tx, attempt, proved, context).await.map(Stepped::Stop),
    }
}

/// Looks at what was given.
pub(super) async fn give(
    app: &App,
    tx: &mut Tx,
    user: &User,
    (form, code): (SignInForm, &str),
    context: &Context,
) -> Result<Stepped, Error> {
    let (reason, outcome) = match check(app, tx, user, code, context).await? {
        Checked::Passed => return Ok(Stepped::Passed),
        Checked::NoFactor => return Ok(Stepped::NotAsked),
        Checked::Wrong => (SignInFailure::WrongFactor, Outcome::WrongFactor),
        Checked::Exhausted => (SignInFailure::FactorLocked, Outcome::FactorExhausted),
        Checked::Locked { retry_after } => {
            (SignInFailure::FactorLocked, Outcome::FactorLocked { retry_after })
        }
    };
    // What became of the code is written down already. That a sign-in failed by it is what is counted.
    let event = Event::SignInFailed { form, reason, known: true };
    record(tx, app.random, &event, context, app.clock.now()).await?;
    Ok(Stepped::Stop(outcome))
}

/// Under what the store keeps a ticket.
pub(super) fn mac(app: &App, ticket: &Opaque) -> Mac {
    app.keys.credential.credential_mac(Purpose::SecondFactorTicket, ticket)
}

async fn wait(
    app: &App,
    tx: &mut Tx,
    attempt: &Attempt<'_>,
    proved: &Proved,
    context: &Context,
) -> Result<Outcome, Error> {
    let kind = (Purpose::SecondFactorTicket, TICKET_LIFE);
    let asked = issue(app, tx, attempt, proved, kind).await?;
    let event = Event::FactorAsked { form: attempt.form };
    record(tx, app.random, &event, context, app.clock.now()).await?;
    Ok(Outcome::NeedsFactor(asked))
}

/// Makes a ticket. Others that were made stay good: somebody may sign in at two machines at once, and
/// wrong codes are counted for the user.
pub(super) async fn issue(
    app: &App,
    tx: &mut Tx,
    attempt: &Attempt<'_>,
    proved: &Proved,
    (purpose, life): (Purpose, Duration),
) -> Result<Asked, Error> {
    let (now, user) = (app.clock.now(), &proved.user);
    let device = attempt.device.clone();
    let waiting = Waiting {
        form: attempt.form.as_str().to_owned(),
        shows_browser: attempt.shows_browser,
        remember: attempt.remember,
        platform: device.platform,
        device_type: device.device_type,
        app_version: device.app_version,
        failures: proved.failures,
    };
    let ticket = Opaque::from_random(app.random.bytes());
    let new = NewTicket {
        mac: app.keys.credential.credential_mac(purpose, &ticket),
        user: user.id,
        user_epoch: user.epoch,
        // A value of ours, which can always be written.
        detail: &serde_json::to_string(&waiting).unwrap_or_default(),
        expires_at: now.plus(life),
    };
    sign_in_tickets::insert(tx, &new, now).await?;
    Ok(Asked { ticket, life })
}
