//! Mobile applications: exchanging a bearer token for a session token of one device.

use portcullis_domain::account::AccountStatus;
use portcullis_domain::event::{Context, TokenKind};
use portcullis_domain::id::SessionId;
use portcullis_domain::secret::{Mac, Opaque, Purpose};
use portcullis_domain::session::Life;
use portcullis_store::credentials::{self, Credential, CredentialKind, NewCredential};
use portcullis_store::users::User;
use portcullis_store::{Error, Tx};

use super::credentials::{Device, token_created};
use super::record;
use crate::app::App;
use crate::config::Tokens;

/// What a token of a session is exchanged for another with.
pub struct Bearer<'a> {
    pub user: &'a User,
    pub session: &'a SessionId,
    pub credential: &'a Credential,
    pub mac: &'a Mac,
}

/// Makes the session token of a device in place of its earlier one, so a stolen bearer cannot mint
/// for ever. It hangs on the bearer: it ends with it, and never outlives it. `None` when the bearer
/// ended meanwhile.
pub async fn session_token(
    app: &App,
    bearer: &Bearer<'_>,
    device: &Device,
    context: &Context,
) -> Result<Option<Opaque>, Error> {
    let now = app.clock.now();
    let secret = Opaque::from_random(app.random.bytes());
    let Tokens { mobile, mobile_idle, .. } = app.config.tokens;
    let life = Life {
        expires_at: now.plus(mobile).min(bearer.credential.life.expires_at),
        idle: mobile_idle,
        renew_until: None,
    };
    let new = NewCredential {
        mac: app.keys.credential.credential_mac(Purpose::Bearer, &secret),
        session_id: bearer.session.clone(),
        kind: CredentialKind::Child,
        parent: Some(*bearer.mac),
        platform: device.platform.clone(),
        device_type: device.device_type.clone(),
        app_version: device.app_version.clone(),
        life,
    };
    let mut tx = app.db.write().await?;
    if !bearer.is_usable() || !credentials::replace_child(&mut tx, &new, now).await? {
        return Ok(None);
    }
    write_event(app, &mut tx, device, context).await?;
    tx.commit().await?;
    Ok(Some(secret))
}

impl Bearer<'_> {
    fn is_usable(&self) -> bool {
        self.user.status == AccountStatus::Active && !self.credential.has_ended
    }
}

async fn write_event(
    app: &App,
    tx: &mut Tx,
    device: &Device,
    context: &Context,
) -> Result<(), Error> {
    let event = token_created(TokenKind::Child, device);
    record(tx, app.random, &event, context, app.clock.now()).await
}
