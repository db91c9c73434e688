//! From a request to the caller it acts as. A bad explicit credential is refused here and now; a
//! bad cookie only means that nobody is signed in, which each door judges for itself.

use portcullis_domain::csrf::AuthKind;
use portcullis_domain::event::Event;
use portcullis_domain::secret::{Mac, Opaque, Purpose};
use portcullis_domain::session;
use portcullis_domain::time::Time;
use portcullis_store::credentials::{self, SessionGrounds};

use super::caller::Caller;
use super::door;
use super::error::Error;
use super::key_use;
use super::request::Facts;
use crate::app::App;
use crate::flows::record;
use crate::verify::presented::{Presented, present, present_or_basic};
use crate::verify::{Proof, Verified};

/// The caller, or the stable word for why there is none.
pub type Who = Result<Caller, &'static str>;

/// Finds out who sent the request. A credential that is refused is written down.
pub async fn identify(app: &App, facts: &Facts) -> Result<Who, Error> {
    identify_by(app, facts, present(&facts.headers, &app.cookies)).await
}

/// The same where an API key may come as the password of HTTP Basic.
pub async fn identify_or_basic(app: &App, facts: &Facts) -> Result<Who, Error> {
    identify_by(app, facts, present_or_basic(&facts.headers, &app.cookies)).await
}

async fn identify_by(app: &App, facts: &Facts, presented: Presented) -> Result<Who, Error> {
    let found = find(app, facts, presented).await;
    if let Err(Error::SignIn(code)) = found {
        let event = Event::CredentialRefused { code };
        Box::pin(door::record_of_stranger(app, facts, event)).await;
    }
    found
}

/// The same where everybody may pass: a credential that is not ours is somebody else's business.
pub async fn identify_if_ours(app: &App, facts: &Facts) -> Result<Who, Error> {
    match find(app, facts, present(&facts.headers, &app.cookies)).await {
        Err(Error::SignIn(code) | Error::Malformed(code)) => Ok(Err(code)),
        found => found,
    }
}

async fn find(app: &App, facts: &Facts, presented: Presented) -> Result<Who, Error> {
    let found = look_for(app, facts, presented).await;
    if let Ok(Ok(caller)) = &found {
        facts.note_user(caller.found().user.id);
    }
    found
}

async fn look_for(app: &App, facts: &Facts, presented: Presented) -> Result<Who, Error> {
    match presented {
        Presented::Nothing => Ok(Err("credential_missing")),
        Presented::Cookie(secret) => by_cookie(app, facts, &secret).await,
        Presented::Bearer(secret) => explicit(look_up_bearer(app, &secret).await?),
        Presented::AccessToken(token) => explicit(by_access_token(app, &token).await?),
        Presented::ApiKey(secret) => by_key(app, facts, &secret).await,
        Presented::Unusable("session_unknown") => Ok(Err("session_unknown")),
        Presented::Unusable(code) => Err(Error::SignIn(code)),
        Presented::Malformed(code) => Err(Error::Malformed(code)),
        Presented::Tossed => {
            facts.after().cookies.extend(app.cookies.forget_session());
            let event = Event::CookieTossed { cookie: app.cookies.session_name() };
            door::record_of_stranger(app, facts, event).await;
            Ok(Err("cookie_tossed"))
        }
    }
}

/// Who a bearer token stands for, wherever it was found.
pub async fn look_up_bearer(app: &App, secret: &Opaque) -> Result<Who, Error> {
    let mac = app.keys.credential.credential_mac(Purpose::Bearer, secret);
    look_up(app, AuthKind::Bearer, mac).await
}

/// Who a caller is by now. A body may take its time, and whoever was let in when it began may have been
/// signed out when it ends.
pub async fn by_now(app: &App, caller: &Caller) -> Result<Who, Error> {
    look_up(app, caller.auth, caller.mac).await
}

/// Whose live session cookie came along, whatever else did. For sign-in, which replaces it.
pub async fn by_cookie_alone(app: &App, facts: &Facts) -> Result<Option<Caller>, Error> {
    let mut values = app.cookies.session_values(&facts.headers);
    let Some(secret) = values.next().and_then(Opaque::parse) else { return Ok(None) };
    if values.next().is_some() {
        return Ok(None);
    }
    let mac = app.keys.credential.credential_mac(Purpose::Cookie, &secret);
    Ok(look_up(app, AuthKind::Cookie, mac).await?.ok())
}

/// A credential that was sent on purpose never falls back to a weaker one.
fn explicit(who: Who) -> Result<Who, Error> {
    who.map(Ok).map_err(Error::SignIn)
}

async fn by_cookie(app: &App, facts: &Facts, secret: &Opaque) -> Result<Who, Error> {
    let mac = app.keys.credential.credential_mac(Purpose::Cookie, secret);
    let who = look_up(app, AuthKind::Cookie, mac).await?;
    match &who {
        Ok(caller) => renew_if_due(app, facts, caller, secret).await?,
        Err(_) => facts.after().cookies.extend(app.cookies.forget_session()),
    }
    Ok(who)
}

/// A key counts where it may be used from, and as often as it may be.
async fn by_key(app: &App, facts: &Facts, secret: &Opaque) -> Result<Who, Error> {
    let mac = app.keys.credential.credential_mac(Purpose::ApiKey, secret);
    let who = look_up(app, AuthKind::Key, mac).await?;
    if let Ok(caller) = &who {
        key_use::admit(app, facts, caller).await?;
    }
    explicit(who.map_err(key_use::code))
}

/// Whom an access token stands for, wherever it was found.
pub async fn by_access_token(app: &App, token: &str) -> Result<Who, Error> {
    match app.access_tokens.verify(&app.db, &app.clock, token).await.map_err(Error::store)? {
        Ok(mac) => look_up(app, AuthKind::Jwt, mac).await,
        Err(code) => Ok(Err(code)),
    }
}

/// What the verifier says of a credential that came in this way.
pub(super) async fn look_up(app: &App, auth: AuthKind, mac: Mac) -> Result<Who, Error> {
    let (verifier, telemetry) = (&app.verifier, &app.telemetry);
    let verify = verifier.verify(&app.db, &app.clock, Proof { auth, mac });
    let verified = telemetry.spans.around("verify credential", verify).await;
    telemetry.metrics.verification.note(&verified);
    match verified.map_err(Error::store)? {
        Verified::Live(live) => Ok(Ok(Caller::new(auth, mac, live))),
        Verified::Dead(dead) => Ok(Err(dead.code())),
        Verified::Unknown => Ok(Err("credential_unknown")),
    }
}

/// Lengthens a cookie that slides (the username form's) when little of its life is left, and sends
/// it again.
async fn renew_if_due(
    app: &App,
    facts: &Facts,
    caller: &Caller,
    secret: &Opaque,
) -> Result<(), Error> {
    let Some(SessionGrounds { credential, .. }) = caller.found().session() else { return Ok(()) };
    let life = credential.life;
    let Some(whole) = app.config.session.username_login else { return Ok(()) };
    match session::renewal(life.expires_at, life.renew_until, whole, app.clock.now()) {
        Some(until) => Box::pin(renew(app, facts, caller, secret, (life.expires_at, until))).await,
        None => Ok(()),
    }
}

/// One of several parallel requests wins; the others carry on with the old expiry.
async fn renew(
    app: &App,
    facts: &Facts,
    caller: &Caller,
    secret: &Opaque,
    (expires, until): (Time, Time),
) -> Result<(), Error> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let renewed = credentials::renew(&mut tx, &caller.mac, expires, until).await?;
    if renewed {
        let event = Event::SessionRenewed { until };
        record(&mut tx, app.random, &event, &facts.context_of(caller), now).await?;
    }
    tx.commit().await?;
    if renewed {
        facts.after().cookies.push(app.cookies.session(&secret.reveal(), now, until));
    }
    Ok(())
}
