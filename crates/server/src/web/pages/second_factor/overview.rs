//! How it stands with one's own second factor, as a page: since when, how many backup codes are left,
//! where it is not asked for; and switching it off by the password.

use askama::Template;
use http::StatusCode;
use portcullis_domain::csrf::Kind;
use portcullis_domain::password::is_too_long;
use portcullis_domain::required_factor::Standing;
use portcullis_domain::time::Time;

use super::{OVERVIEW, backup_codes, set_up};
use crate::flows::second_factor::{self as flow, Disabled, Guessed};
use crate::flows::{required_factor, trusted_devices};
use crate::web::caller::{InSession, SignedIn};
use crate::web::door;
use crate::web::error::Error;
use crate::web::pages::problem::{Problem, show_form};
use crate::web::pages::trusted_devices::{self as devices, DeviceRow};
use crate::web::renewal::{claim, hand_over};
use crate::web::reply::redirect_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub(super) const TURN_OFF_PATH: &str = "/-/account/second-factor/turn-off";

pub(super) const SHOW: Doc = Doc {
    id: "show_own_second_factor",
    summary: "How it stands with your second factor, as a page.",
    ..Doc::USUAL
};

/// `GET /-/account/second-factor`.
pub(super) async fn show(call: Call, SignedIn(caller): SignedIn) -> Answer {
    page(&call, &caller, None).await
}

/// The page, and why something was not done.
pub(super) async fn with_problem(call: &Call, caller: &InSession, problem: &Problem) -> Answer {
    page(call, caller, Some(problem)).await
}

pub(super) const TURN_OFF: Doc = Doc {
    id: "submit_second_factor_turn_off",
    summary: "Switches your second factor off, by the password.",
    fields: &[
        ("current_password", true, "The current password."),
        ("csrf_token", true, "The token of the form."),
    ],
    answer: (303, ""),
    ..Doc::USUAL
};

/// `POST /-/account/second-factor/turn-off`. The password is the fresh proof.
pub(super) async fn turn_off(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let password = call.fields.text("current_password").unwrap_or_default();
    if password.is_empty() || is_too_long(password) {
        let problem = Problem::missing("Enter your password.", "current_password");
        return with_problem(&call, &caller, &problem).await;
    }
    let claim = claim(&call, &caller, password);
    let (disabled, standing) = flow::disable_by_password(&call.app, &claim).await?;
    call.facts.set_limit_standing(standing);
    let problem = match disabled {
        Disabled::Done(renewed) => {
            hand_over(&call, &renewed);
            return Ok(redirect_reply(StatusCode::SEE_OTHER, OVERVIEW));
        }
        Disabled::NotEnabled => return Ok(redirect_reply(StatusCode::SEE_OTHER, OVERVIEW)),
        Disabled::Required => {
            let lines = ["Your role needs a second factor: it cannot be switched off."];
            Problem::new(StatusCode::FORBIDDEN, "second_factor_required", lines)
        }
        Disabled::ShortPassword => {
            let lines = [
                "Your password is too short to stand alone.",
                "Set a longer one on your account page before you switch the second factor off.",
            ];
            Problem::new(StatusCode::BAD_REQUEST, "password_too_short", lines)
        }
        Disabled::WrongPassword => Problem::wrong_password(),
        Disabled::Locked { of: Guessed::Password, retry_after } => Problem::locked(retry_after),
        Disabled::TooMany { retry_after } => Problem::too_many(retry_after),
        // No code was asked for.
        Disabled::WrongCode | Disabled::Exhausted | Disabled::Locked { of: Guessed::Code, .. } => {
            return Err(Error::Internal);
        }
        Disabled::Gone => return Err(Error::SignIn("session_ended")),
    };
    with_problem(&call, &caller, &problem).await
}

#[derive(Template)]
#[template(path = "second_factor/overview.html")]
struct Page<'a> {
    csrf_token: String,
    set_up: &'static str,
    backup_codes: &'static str,
    turn_off: &'static str,
    distrust: &'static str,
    /// For whoever keeps passwords.
    email: &'a str,
    /// `None` where there is no factor.
    since: Option<String>,
    /// Whether codes of the app are not taken any more.
    is_exhausted: bool,
    codes_left: i64,
    devices: Vec<DeviceRow<'a>>,
    /// Whether the role asks for one.
    is_required: bool,
    /// What is said to somebody whose role asks for one, and who has none.
    due: Option<String>,
    problem: Option<&'a Problem>,
}

async fn page(call: &Call, caller: &InSession, problem: Option<&Problem>) -> Answer {
    let (app, found) = (&call.app, caller.found());
    let user = &found.user;
    let status = flow::status(app, user.id).await?;
    let trusted = trusted_devices::list(&app.db, user.id, app.clock.now()).await?;
    let page = Page {
        csrf_token: door::mint(app, caller.session(), Kind::Session),
        set_up: set_up::PATH,
        backup_codes: backup_codes::PATH,
        turn_off: TURN_OFF_PATH,
        distrust: devices::PATH,
        email: user.email.as_str(),
        since: status.enabled_at.map(Time::to_the_minute),
        is_exhausted: status.is_exhausted,
        codes_left: status.backup_codes_left,
        devices: trusted.iter().map(DeviceRow::of).collect(),
        is_required: app.config.sign_in.second_factor.covers(&found.role),
        due: due(call, caller).await?,
        problem,
    };
    show_form(&page, problem)
}

/// What is said to somebody whose role asks for a second factor, and who has none.
pub(in crate::web::pages) async fn due(
    call: &Call,
    caller: &InSession,
) -> Result<Option<String>, Error> {
    let found = caller.found();
    let standing = required_factor::standing(&call.app, &found.user, &found.role).await?;
    Ok(match standing {
        Standing::Free => None,
        Standing::Until(due) => Some(format!(
            "Your role needs a second factor. Please set one up before {}.",
            due.to_the_minute()
        )),
        Standing::Overdue => {
            Some("Your role needs a second factor. The next sign-in will ask for one.".to_owned())
        }
    })
}
