//! An access token in the place of another, which ends at once. The session goes on. Of parallel
//! requests with one token one wins.

use std::time::Duration;

use portcullis_domain::access_token::TokenId;
use portcullis_domain::event::{Context, TokenKind};
use portcullis_domain::secret::Mac;
use portcullis_domain::session::{self, Life};
use portcullis_store::credentials::{CredentialKind, NewCredential, SessionFacts, replace_access};
use portcullis_store::users::User;

use super::credentials::{About, Device, sign_access_token, token_created};
use super::record;
use crate::app::App;
use crate::fault::Failure;

/// The token that is to be replaced.
pub struct Old<'a> {
    pub user: &'a User,
    /// His role, by name.
    pub role: &'a str,
    pub session: &'a SessionFacts,
    pub mac: &'a Mac,
    pub life: Life,
}

/// What came of it.
pub enum Refreshed {
    Made {
        token: String,
        expires_in: Duration,
    },
    /// It has ended: most likely another request was faster.
    Overtaken,
    /// The sign-in is so long ago that it has to be done anew.
    Over,
}

/// Makes another token in the place of this one.
pub async fn refresh(app: &App, old: &Old<'_>, context: &Context) -> Result<Refreshed, Failure> {
    let now = app.clock.now();
    let Some(life) = session::refreshed(old.life, app.config.tokens.access, now) else {
        return Ok(Refreshed::Over);
    };
    let id = TokenId::from_random(app.random.bytes());
    let session = &old.session.handle;
    let about = About { user: old.user, role: old.role, session };
    let token = sign_access_token(app, about, &id, life, now)?;
    let new = NewCredential {
        mac: app.keys.credential.access_mac(&id, session, &old.user.uuid),
        session_id: old.session.id.clone(),
        kind: CredentialKind::Access,
        parent: None,
        platform: None,
        device_type: None,
        app_version: None,
        life,
    };
    let mut tx = app.db.write().await?;
    if !replace_access(&mut tx, old.mac, &new, now).await? {
        return Ok(Refreshed::Overtaken);
    }
    let context = Context { subject: Some(old.user.id), ..context.clone() };
    let event = token_created(TokenKind::Access, &Device::default());
    record(&mut tx, app.random, &event, &context, now).await?;
    tx.commit().await?;
    Ok(Refreshed::Made { token, expires_in: life.expires_at.since(now) })
}
