//! The page that shows backup codes, once: when a second factor was switched on, and when others took
//! their place.

use askama::Template;
use http::StatusCode;
use portcullis_domain::backup_code::BackupCode;

use super::OVERVIEW;
use crate::flows::second_factor::{self as flow, BackupCodes};
use crate::web::caller::{Fresh, SignedIn};
use crate::web::error::Error;
use crate::web::pages;
use crate::web::renewal::{hand_over, holder};
use crate::web::reply::redirect_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub(super) const PATH: &str = "/-/account/second-factor/backup-codes";

/// It stands in the page.
const SCRIPT: &str = include_str!("../../../../templates/second_factor/codes.js");

pub(super) const SUBMIT: Doc = Doc {
    id: "submit_backup_codes",
    summary: "Makes new backup codes in the place of all earlier ones, and shows them once.",
    fields: &[("csrf_token", true, "The token of the form.")],
    ..Doc::USUAL
};

/// `POST /-/account/second-factor/backup-codes`.
pub(super) async fn submit(call: Call, Fresh(SignedIn(caller)): Fresh<SignedIn>) -> Answer {
    let (holder, context) = (holder(&caller), call.facts.context_of(&caller));
    match flow::renew_backup_codes(&call.app, &holder, &context).await? {
        BackupCodes::Renewed(codes, renewed) => {
            hand_over(&call, &renewed);
            page(&call, &codes, caller.found().user.email.as_str(), Occasion::Renewed)
        }
        // Taken away in another window, perhaps.
        BackupCodes::NotEnabled => Ok(redirect_reply(StatusCode::SEE_OTHER, OVERVIEW)),
        BackupCodes::Gone => Err(Error::SignIn("session_ended")),
    }
}

/// Why codes are shown.
#[derive(Clone, Copy)]
pub(super) enum Occasion<'a> {
    /// The factor is on; where its owner goes on to.
    Enabled { next: &'a str },
    /// Others took their place.
    Renewed,
}

#[derive(Template)]
#[template(path = "second_factor/codes.html")]
struct Page<'a> {
    title: &'static str,
    codes: Vec<String>,
    /// Whether there were others before.
    replaces: bool,
    /// Whose they are, and where: for a sheet of paper.
    email: &'a str,
    place: String,
    next: &'a str,
    script: &'static str,
}

/// Shows them.
pub(super) fn page(
    call: &Call,
    codes: &[BackupCode],
    email: &str,
    occasion: Occasion<'_>,
) -> Answer {
    let (title, next, replaces) = match occasion {
        Occasion::Enabled { next } => ("Your second factor is on", next, false),
        Occasion::Renewed => ("Your new backup codes", OVERVIEW, true),
    };
    let page = Page {
        title,
        codes: codes.iter().map(BackupCode::reveal).collect(),
        replaces,
        email,
        place: call.app.public_url.to_string(),
        next,
        script: SCRIPT,
    };
    let mut reply = pages::show(StatusCode::OK, &page)?;
    pages::allow_script(&mut reply, SCRIPT);
    Ok(reply)
}
