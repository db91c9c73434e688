//! Making the session and the credentials that a sign-in gives: everything that one sign-in hands
//! out hangs on one session, with its own expiry, and ends with it.

use portcullis_domain::access_token::{Claims, TokenId};
use portcullis_domain::csrf::{Binding, Kind};
use portcullis_domain::event::{Context, Event, Text, TokenKind};
use portcullis_domain::id::{SessionHandle, SessionId};
use portcullis_domain::second_factor::SecondFactor;
use portcullis_domain::secret::{Mac, Opaque, Purpose};
use portcullis_domain::session::{Life, SignInForm, Terms};
use portcullis_domain::time::Time;
use portcullis_store::credentials::{self, CredentialKind, NewCredential};
use portcullis_store::sessions::{self, NewSession};
use portcullis_store::users::User;
use portcullis_store::{Error, Tx};

use super::record;
use super::remember::Origin;
use crate::app::App;
use crate::fault::Failure;

/// What a client says of the device it runs on.
#[derive(Debug, Clone, Default)]
pub struct Device {
    pub platform: Option<String>,
    pub device_type: Option<String>,
    pub app_version: Option<String>,
}

/// What one sign-in gives, secrets and all. It goes to the client and nowhere else.
pub struct Issued {
    /// When, so that what is told of its life agrees with its expiry.
    pub at: Time,
    pub session: SessionId,
    pub handle: SessionHandle,
    pub cookie: Option<(Opaque, Life)>,
    pub api_token: Option<(Opaque, Life)>,
    pub mobile_token: Option<(Opaque, Life)>,
    /// The access token's name and life; see [`sign_access_token`].
    pub access: Option<(TokenId, Life)>,
}

/// How a sign-in came about, and what it gives.
#[derive(Clone, Copy)]
pub struct Occasion<'a> {
    pub form: SignInForm,
    pub second_factor: SecondFactor,
    /// The time that the terms count from.
    pub now: Time,
    pub terms: Terms,
    pub device: &'a Device,
    /// For the session of a browser that stays signed in; `None` for any other.
    pub origin: Option<Origin<'a>>,
}

/// Makes a session with its credentials, and writes their events.
pub async fn issue(
    app: &App,
    tx: &mut Tx,
    user: &User,
    occasion: &Occasion<'_>,
    context: &Context,
) -> Result<Issued, Error> {
    let Occasion { form, now, terms, device, .. } = *occasion;
    let issued = Issued {
        at: now,
        session: SessionId::from_random(app.random.bytes()),
        handle: SessionHandle::from_random(app.random.bytes()),
        cookie: terms.cookie.map(|life| (Opaque::from_random(app.random.bytes()), life)),
        api_token: terms.api_token.map(|life| (Opaque::from_random(app.random.bytes()), life)),
        mobile_token: terms
            .mobile_token
            .map(|life| (Opaque::from_random(app.random.bytes()), life)),
        access: terms.access.map(|life| (TokenId::from_random(app.random.bytes()), life)),
    };
    let context = Context {
        actor: Some(user.id),
        subject: Some(user.id),
        session: Some(issued.handle.as_str().to_owned()),
        ..context.clone()
    };
    sessions::insert(tx, &session_row(&issued, user, occasion, &context), now).await?;
    record(tx, app.random, &Event::SessionCreated { form }, &context, now).await?;
    for (kind, mac, life) in rows(app, user, &issued) {
        credentials::insert(tx, &credential_row(&issued, kind, mac, life, device), now).await?;
        // The cookie is what the session's own event tells of.
        if kind != CredentialKind::Cookie {
            let event = token_created(token_kind(kind), device);
            record(tx, app.random, &event, &context, now).await?;
        }
    }
    Ok(issued)
}

/// Whom an access token is about.
#[derive(Clone, Copy)]
pub struct About<'a> {
    pub user: &'a User,
    /// His role, by name.
    pub role: &'a str,
    pub session: &'a SessionHandle,
}

/// A signed access token of this name and life.
pub fn sign_access_token(
    app: &App,
    about: About<'_>,
    id: &TokenId,
    life: Life,
    now: Time,
) -> Result<String, Failure> {
    let About { user, role, session } = about;
    let claims = Claims {
        iss: app.access_tokens.issuer().to_owned(),
        aud: app.access_tokens.issuer().to_owned(),
        sub: user.uuid.clone(),
        sid: session.as_str().to_owned(),
        jti: id.as_str().to_owned(),
        iat: now.secs(),
        nbf: Claims::good_from(now),
        exp: life.expires_at.secs(),
        email: user.email.as_str().to_owned(),
        role: role.to_owned(),
        organization_id: None,
    };
    Ok(app.access_tokens.sign(&claims, now)?)
}

/// A CSRF token for a session that has just begun; good with every credential of it.
pub fn first_csrf_token(app: &App, session: &SessionId, kind: Kind) -> String {
    let binding = Binding::Session { id: session.as_str(), epoch: 0, auth: None };
    app.mint_csrf(kind, &binding)
}

/// The event of a token's making.
pub fn token_created(kind: TokenKind, device: &Device) -> Event {
    let text = |text: &Option<String>| text.as_deref().map(Text::clip);
    Event::TokenCreated {
        kind,
        platform: text(&device.platform),
        device_type: text(&device.device_type),
        app_version: text(&device.app_version),
    }
}

fn session_row(
    issued: &Issued,
    user: &User,
    occasion: &Occasion<'_>,
    context: &Context,
) -> NewSession {
    let Occasion { form, second_factor, now, device, origin, .. } = *occasion;
    NewSession {
        id: issued.session.clone(),
        handle: issued.handle.clone(),
        user_id: user.id,
        user_epoch: user.epoch,
        form,
        second_factor,
        auth_time: origin.map_or(now, |origin| origin.auth_time),
        ip: context.ip.clone().unwrap_or_default(),
        peer: context.peer.clone().unwrap_or_default(),
        user_agent: context
            .user_agent
            .as_deref()
            .map_or_else(String::new, |agent| Text::clip(agent).as_str().to_owned()),
        platform: device.platform.clone(),
        device_type: device.device_type.clone(),
        app_version: device.app_version.clone(),
        remember_series: origin.map(|origin| origin.series.clone()),
    }
}

fn rows(
    app: &App,
    user: &User,
    issued: &Issued,
) -> impl Iterator<Item = (CredentialKind, Mac, Life)> {
    let mac = |purpose, secret: &Opaque| app.keys.credential.credential_mac(purpose, secret);
    let opaque = |kind, purpose, made: &Option<(Opaque, Life)>| {
        made.as_ref().map(|(secret, life)| (kind, mac(purpose, secret), *life))
    };
    let access = issued.access.as_ref().map(|(id, life)| {
        let mac = app.keys.credential.access_mac(id, &issued.handle, &user.uuid);
        (CredentialKind::Access, mac, *life)
    });
    [
        opaque(CredentialKind::Cookie, Purpose::Cookie, &issued.cookie),
        opaque(CredentialKind::Api, Purpose::Bearer, &issued.api_token),
        opaque(CredentialKind::Mobile, Purpose::Bearer, &issued.mobile_token),
        access,
    ]
    .into_iter()
    .flatten()
}

fn credential_row(
    issued: &Issued,
    kind: CredentialKind,
    mac: Mac,
    life: Life,
    device: &Device,
) -> NewCredential {
    NewCredential {
        mac,
        session_id: issued.session.clone(),
        kind,
        parent: None,
        platform: device.platform.clone(),
        device_type: device.device_type.clone(),
        app_version: device.app_version.clone(),
        life,
    }
}

/// The word of events for what the store calls a credential.
pub fn token_kind(kind: CredentialKind) -> TokenKind {
    match kind {
        CredentialKind::Cookie => TokenKind::Cookie,
        CredentialKind::Api => TokenKind::Api,
        CredentialKind::Mobile => TokenKind::Mobile,
        CredentialKind::Child => TokenKind::Child,
        CredentialKind::Access => TokenKind::Access,
    }
}
