//! A link that somebody uses: it signs in, or shows a code, or names its account first. Only what signs
//! in spends it; looking at it does not come here at all.

use portcullis_domain::event::{Context, Event, LinkRefusal};
use portcullis_domain::magic_link::{self, Use, Verdict};
use portcullis_domain::one_time_code::Code;
use portcullis_domain::one_time_link;
use portcullis_domain::secret::{Mac, Opaque};
use portcullis_domain::text::Email;
use portcullis_store::one_time_codes::{self, NewCode};
use portcullis_store::one_time_links::{self, Asked};
use portcullis_store::{Tx, users};

use super::{Arrival, CODE, Ended, PURPOSE, spend};
use crate::app::App;
use crate::fault::Failure;
use crate::flows::limits::{self, LimitStanding};
use crate::flows::record;
use crate::flows::sign_in::Outcome;

/// What became of a link.
pub enum Redeemed {
    /// It was spent, or too many were tried from this address.
    Ended(Ended),
    /// It was asked for in another browser, where this code is to be typed. It is still good.
    Elsewhere(Code),
    /// A program asked for it, and whoever holds it out is to say whether this is his account. It is
    /// still good.
    Named(Email),
    Refused(LinkRefusal),
}

/// What became of it, and what the limit headers say.
pub struct RedeemAnswer {
    pub redeemed: Redeemed,
    pub standing: Option<LimitStanding>,
}

/// Uses a link, once the try was counted by its address.
pub async fn redeem(
    app: &App,
    token: Option<&Opaque>,
    used: Use,
    arrival: &Arrival<'_>,
) -> Result<RedeemAnswer, Failure> {
    let standing = limits::admit_token(app, &arrival.from, &arrival.context).await?;
    if let Some(retry_after) = standing.and_then(|standing| standing.retry_after) {
        app.telemetry.metrics.magic_link("limited");
        let redeemed = Redeemed::Ended(Ended::early(Outcome::TooMany { retry_after }));
        return Ok(RedeemAnswer { redeemed, standing });
    }
    let redeemed = match token {
        Some(token) => judge(app, token, used, arrival).await?,
        None => Redeemed::Refused(LinkRefusal::Unknown),
    };
    match &redeemed {
        Redeemed::Ended(_) => {}
        Redeemed::Elsewhere(_) => app.telemetry.metrics.magic_link("elsewhere"),
        Redeemed::Named(_) => app.telemetry.metrics.magic_link("named"),
        Redeemed::Refused(_) => app.telemetry.metrics.magic_link("refused"),
    }
    Ok(RedeemAnswer { redeemed, standing })
}

async fn judge(
    app: &App,
    token: &Opaque,
    used: Use,
    arrival: &Arrival<'_>,
) -> Result<Redeemed, Failure> {
    let now = app.clock.now();
    let link = app.keys.credential.credential_mac(PURPOSE.of_secret(), token);
    let mut tx = app.db.write().await?;
    let asked = one_time_links::asked(&mut tx, PURPOSE, &link).await?;
    let facts = asked.as_ref().map(|asked| asked.facts);
    let (Some(asked), None) = (asked, one_time_link::refusal(facts, now)) else {
        let refusal = one_time_link::refusal(facts, now).unwrap_or(LinkRefusal::Unknown);
        return Ok(Redeemed::Refused(refusal));
    };
    match (magic_link::judge(asked.browser, arrival.browser(app), used), asked.browser) {
        (Verdict::SignIn, _) => {
            let ended = spend(app, tx, arrival, &link, now).await?;
            // Somebody was faster.
            Ok(ended.map_or(Redeemed::Refused(LinkRefusal::Used), Redeemed::Ended))
        }
        (Verdict::ShowCode, Some(browser)) => {
            show_code(app, tx, (&link, &browser), &asked, arrival).await.map(Redeemed::Elsewhere)
        }
        (Verdict::ShowCode | Verdict::NameAccount, _) => {
            let user = users::by_id(&mut tx, asked.user_id).await?;
            let unknown = Redeemed::Refused(LinkRefusal::Unknown);
            Ok(user.map_or(unknown, |user| Redeemed::Named(user.email)))
        }
    }
}

/// From now on the code is good where the link was asked for, as long as the link is. Before anybody has
/// the mail there is nothing to guess at.
async fn show_code(
    app: &App,
    mut tx: Tx,
    (link, browser): (&Mac, &Mac),
    asked: &Asked,
    arrival: &Arrival<'_>,
) -> Result<Code, Failure> {
    let now = app.clock.now();
    let code = app.keys.credential.code_of_link(link, browser);
    let Some(user) = users::by_id(&mut tx, asked.user_id).await? else { return Ok(code) };
    let new = NewCode {
        ticket: *browser,
        purpose: CODE,
        user_id: user.id,
        user_epoch: user.epoch,
        code: app.keys.credential.code_mac(browser, &code),
        detail: &hex::encode(link.as_bytes()),
        expires_at: asked.facts.expires_at,
    };
    one_time_codes::issue_once(&mut tx, &new, now).await?;
    let context = Context { subject: Some(user.id), ..arrival.context.clone() };
    record(&mut tx, app.random, &Event::MagicLinkElsewhere, &context, now).await?;
    tx.commit().await?;
    Ok(code)
}
