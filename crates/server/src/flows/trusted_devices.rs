//! Devices where a sign-in is not asked for the second factor: trusted by whoever gave it, recognised by
//! a secret of ours, trusted no more. A new password, another second factor and signing out everywhere
//! end them all, by the epoch.

use portcullis_domain::event::{Context, Event, Text};
use portcullis_domain::id::UserId;
use portcullis_domain::secret::{Opaque, Purpose};
use portcullis_domain::text::Name;
use portcullis_domain::time::Time;
use portcullis_domain::trusted_device::{LIFE, MOST};
use portcullis_store::trusted_devices::{self, Device, NewDevice};
use portcullis_store::users::{self, User};
use portcullis_store::{Db, Error, Tx, factors};

use super::record;
use crate::app::App;
use crate::device;
use crate::mail::{self, Letter};

/// What a device is called, and what else it tells of itself: for people to read.
pub struct Described<'a> {
    pub name: Name,
    pub device_type: Name,
    pub fingerprint: &'a str,
}

/// A device that is trusted from now on.
pub struct Trusted {
    pub id: String,
    /// What it proves itself by. It is shown once.
    pub secret: Opaque,
    pub at: Time,
    pub until: Time,
}

/// What became of trusting a device.
pub enum Add {
    Done(Trusted),
    /// There is no second factor that it could be spared.
    NoFactor,
}

/// What became of trusting one no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    Done,
    /// There is no such device, or it is somebody else's.
    Unknown,
}

impl Described<'_> {
    /// A device, by what its program calls itself.
    pub fn of(context: &Context) -> Self {
        let label = context.user_agent.as_deref().and_then(device::label);
        // Labels are short words of our own, or plain ASCII.
        let named = |text: &str| Name::parse(text).unwrap_or_default();
        Self {
            name: named(label.as_deref().unwrap_or("Unknown device")),
            device_type: Name::default(),
            fingerprint: "",
        }
    }
}

/// Trusts a device of whoever gave the second factor in this transaction. The owner is told by mail:
/// a code may have been typed where somebody else used it.
pub(super) async fn trust(
    app: &App,
    tx: &mut Tx,
    user: &User,
    described: &Described<'_>,
    context: &Context,
) -> Result<Trusted, Error> {
    let now = app.clock.now();
    let (id, secret) = (app.random.row_id(now), Opaque::from_random(app.random.bytes()));
    let until = now.plus(LIFE);
    let new = NewDevice {
        id: &id,
        user_id: user.id,
        user_epoch: user.epoch,
        mac: app.keys.credential.credential_mac(Purpose::TrustedDevice, &secret),
        name: described.name.as_str(),
        device_type: described.device_type.as_str(),
        fingerprint: described.fingerprint,
        ip: context.ip.as_deref().unwrap_or_default(),
        expires_at: until,
    };
    trusted_devices::insert(tx, &new, MOST, now).await?;
    let event = Event::DeviceTrusted { id: Text::clip(&id), until };
    record(tx, app.random, &event, context, now).await?;
    let letter = Letter::device_trusted(described.name.as_str(), until);
    mail::send(app, tx, &user.email, &letter, now).await?;
    Ok(Trusted { id, secret, at: now, until })
}

/// Trusts a device because somebody who is signed in says so. The owner is told by mail: whoever holds
/// a copied token could ask for it, too.
pub async fn add(
    app: &App,
    user: UserId,
    described: &Described<'_>,
    context: &Context,
) -> Result<Add, Error> {
    let mut tx = app.db.write().await?;
    let user = users::by_id(&mut tx, user).await?.ok_or(Error::Conflict)?;
    if factors::active(&mut tx, user.id).await?.is_none() {
        return Ok(Add::NoFactor);
    }
    let trusted = trust(app, &mut tx, &user, described, context).await?;
    tx.commit().await?;
    Ok(Add::Done(trusted))
}

/// Whether a sign-in comes from a device where this user is not asked. `shown` is what came as its
/// secret.
pub(super) async fn recognise(
    app: &App,
    tx: &mut Tx,
    user: UserId,
    shown: Option<&str>,
) -> Result<bool, Error> {
    let Some(secret) = shown.and_then(Opaque::parse) else { return Ok(false) };
    let mac = app.keys.credential.credential_mac(Purpose::TrustedDevice, &secret);
    let found = trusted_devices::recognise(tx, user, &mac, app.clock.now()).await?;
    Ok(found.is_some())
}

/// The user's trusted devices, the newest first.
pub async fn list(db: &Db, user: UserId, now: Time) -> Result<Vec<Device>, Error> {
    trusted_devices::list(&mut db.read_once().await?, user, now).await
}

/// Trusts a device no more. Whoever is signed in there stays so.
pub async fn remove(app: &App, user: UserId, id: &str, by: &Context) -> Result<Removal, Error> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    if !trusted_devices::end(&mut tx, user, id, now).await? {
        return Ok(Removal::Unknown);
    }
    let event = Event::DeviceUntrusted { id: Text::clip(id) };
    record(&mut tx, app.random, &event, by, now).await?;
    tx.commit().await?;
    Ok(Removal::Done)
}
