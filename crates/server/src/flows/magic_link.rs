//! Signing in by a link in a mail. Whoever asks in a browser gets a mark for it, and the link is worth a
//! session in that browser alone; opened elsewhere it shows a code, which is typed where it was asked
//! for. What stands in the way of anybody who signs in stands here, too: a closed account, the
//! blacklist, a second factor.
//!
//! Not here: the pages and endpoints, and what a link is worth where (`domain/magic_link`).

mod ask;
mod redeem;
mod typed;

use portcullis_domain::client_address::ClientAddress;
use portcullis_domain::event::{Context, Event};
use portcullis_domain::one_time_code::CodePurpose;
use portcullis_domain::one_time_link::LinkPurpose;
use portcullis_domain::remember::Ticket;
use portcullis_domain::secret::{Mac, Opaque};
use portcullis_domain::session::SignInForm;
use portcullis_domain::time::Time;
use portcullis_store::one_time_links;
use portcullis_store::{Tx, roles, users};
use serde::{Deserialize, Serialize};

use super::credentials::Device;
use super::record;
use super::sign_in::{self, Attempt, Before, Outcome, Proved};
use crate::app::App;
use crate::fault::Failure;

pub use ask::{Asked, Asker, ask};
pub use redeem::{RedeemAnswer, Redeemed, redeem};
pub use typed::{Typed, TypedAnswer, try_code};

/// The page that a mailed link leads to.
pub const PAGE: &str = "/-/magic";

const PURPOSE: LinkPurpose = LinkPurpose::MagicLink;
const CODE: CodePurpose = CodePurpose::MagicLink;

/// What goes on with a sign-in once its link is used. It stays with us and does not travel in the mail.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Errand {
    /// Where the person was on the way to. It is read anew before anybody is sent there.
    pub next: Option<String>,
    /// Whether the browser is to stay signed in.
    pub remember: bool,
}

/// Whoever uses a link, or types its code.
pub struct Arrival<'a> {
    /// The mark of the browser, if it has one.
    pub mark: Option<Opaque>,
    /// Whether the request shows a browser.
    pub shows_browser: bool,
    pub from: ClientAddress,
    /// The device cookie, if one came.
    pub device_cookie: Option<&'a str>,
    /// Whose session cookie came along: it is replaced.
    pub before: Option<Before>,
    /// What the cookie of a browser that stays signed in held: it is replaced.
    pub replaces: Option<Ticket>,
    pub context: Context,
}

/// A sign-in by a link that came to its end, good or bad.
pub struct Ended {
    pub outcome: Outcome,
    /// Where the person was on the way to, as it was asked for.
    pub next: Option<String>,
}

impl Ended {
    fn early(outcome: Outcome) -> Self {
        Self { outcome, next: None }
    }
}

impl Arrival<'_> {
    /// What the store keeps of the mark.
    fn browser(&self, app: &App) -> Option<Mac> {
        self.mark.as_ref().map(|mark| mac_of_mark(app, mark))
    }
}

fn mac_of_mark(app: &App, mark: &Opaque) -> Mac {
    app.keys.credential.credential_mac(CODE.of_ticket(), mark)
}

/// Spends a link and signs its user in, in the transaction that has judged it. `None`: somebody was
/// faster, or a newer link took its place.
async fn spend(
    app: &App,
    mut tx: Tx,
    arrival: &Arrival<'_>,
    link: &Mac,
    now: Time,
) -> Result<Option<Ended>, Failure> {
    let Some(asked) = one_time_links::asked(&mut tx, PURPOSE, link).await? else { return Ok(None) };
    let Some(spent) = one_time_links::spend(&mut tx, PURPOSE, link, now).await? else {
        return Ok(None);
    };
    let Some(user) = users::by_id(&mut tx, spent.user_id).await? else { return Ok(None) };
    let Some(role) = roles::by_id(&mut tx, user.role_id).await? else { return Ok(None) };
    let errand: Errand = serde_json::from_str(&asked.detail).unwrap_or_default();
    let context = Context { subject: Some(user.id), ..arrival.context.clone() };
    record(&mut tx, app.random, &Event::LinkUsed { purpose: PURPOSE }, &context, now).await?;
    // Whoever read the mail has the address.
    if let Some(email) = &spent.email
        && users::verify_email(&mut tx, user.id, email, now).await?
    {
        record(&mut tx, app.random, &Event::EmailVerified, &context, now).await?;
    }
    let attempt = attempt(arrival, errand.remember);
    let proved = Proved { user, role, failures: 0 };
    let outcome = sign_in::admit(app, tx, &attempt, proved).await?;
    app.telemetry.metrics.magic_link(outcome.word());
    Ok(Some(Ended { outcome, next: errand.next }))
}

fn attempt<'a>(arrival: &'a Arrival<'_>, remember: bool) -> Attempt<'a> {
    Attempt {
        form: SignInForm::MagicLink,
        name: "",
        password: "",
        factor: None,
        // Whoever reads the mail has proved less than whoever knows the password: a code is asked for.
        trusted: None,
        shows_browser: arrival.shows_browser,
        from: arrival.from,
        device_cookie: arrival.device_cookie,
        device: Device::default(),
        before: arrival.before.clone(),
        remember,
        ticket: arrival.replaces.clone(),
        context: arrival.context.clone(),
    }
}
