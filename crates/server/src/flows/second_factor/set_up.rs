//! Beginning to set a second factor up: its secret and the codes for a lost phone, shown once. Nothing
//! asks for it until its first code came (`enable`).

use portcullis_domain::backup_code::{self, BackupCode};
use portcullis_domain::id::SessionId;
use portcullis_domain::second_factor::PENDING_FOR;
use portcullis_domain::secret::Mac;
use portcullis_domain::time::Time;
use portcullis_domain::totp::TotpSecret;
use portcullis_store::factors::{self, NewFactor};
use portcullis_store::users::{self, User};
use portcullis_store::{Error, Tx};
use zeroize::Zeroizing;

use super::check::unreadable;
use crate::app::App;
use crate::flows::proof::Holder;

/// Who begins to set one up. Nobody else sees its key or completes it, not even another session of the
/// same user: it may be somebody's copy.
#[derive(Clone, Copy)]
pub(in crate::flows) enum Beginner<'a> {
    Session(&'a SessionId),
    /// A sign-in that waits, by what is kept of its ticket.
    SignIn(&'a Mac),
}

impl Beginner<'_> {
    fn text(self) -> String {
        match self {
            Self::Session(session) => format!("session {}", session.as_str()),
            Self::SignIn(ticket) => format!("ticket {}", hex::encode(ticket.as_bytes())),
        }
    }
}

/// What came of it.
pub enum SetUp {
    Begun(Begun),
    /// There is one that is asked for.
    Enabled,
    /// There is no such user any more.
    Gone,
}

/// What its owner needs, and nobody else sees. No `Debug`.
pub struct Begun {
    pub key: Key,
    pub backup_codes: Vec<BackupCode>,
    /// Until when the first code must come.
    pub until: Time,
}

/// What an app makes codes from.
pub struct Key {
    /// In base32.
    pub secret: Zeroizing<String>,
    /// The same for an app to read from a QR code.
    pub otpauth_url: Zeroizing<String>,
}

impl Key {
    pub(super) fn of(app: &App, secret: &TotpSecret, user: &User) -> Self {
        let issuer = app.public_url.host().to_string();
        let otpauth_url = secret.otpauth_url(&issuer, user.email.as_str());
        Self { secret: secret.reveal(), otpauth_url }
    }
}

/// Begins anew, whatever was begun before.
pub async fn set_up(app: &App, holder: &Holder) -> Result<SetUp, Error> {
    let mut tx = app.db.write().await?;
    let Some(user) = users::by_id(&mut tx, holder.user).await? else { return Ok(SetUp::Gone) };
    let by = Beginner::Session(&holder.session);
    let Some(begun) = begin(app, &mut tx, &user, by).await? else { return Ok(SetUp::Enabled) };
    tx.commit().await?;
    Ok(SetUp::Begun(begun))
}

/// The same in a transaction of the caller's; `None` if there is one that is asked for.
pub(in crate::flows) async fn begin(
    app: &App,
    tx: &mut Tx,
    user: &User,
    by: Beginner<'_>,
) -> Result<Option<Begun>, Error> {
    let now = app.clock.now();
    let (id, until) = (app.random.row_id(now), now.plus(PENDING_FOR));
    let secret = TotpSecret::from_random(app.random.bytes());
    let sealed = app.keys.factor.seal((user.id, &id), &secret, app.random.bytes());
    let sealed = sealed.map_err(|_| unreadable(&id))?;
    let (backup_codes, macs) = draw_codes(app, &id);
    let new = NewFactor {
        id: &id,
        user: user.id,
        begun_by: &by.text(),
        secret: &sealed,
        backup_codes: &macs,
        expires_at: until,
    };
    if !factors::begin(tx, &new, now).await? {
        return Ok(None);
    }
    Ok(Some(Begun { key: Key::of(app, &secret, user), backup_codes, until }))
}

/// What was begun, by its id and with its secret.
pub(super) async fn pending(
    app: &App,
    tx: &mut Tx,
    user: &User,
    by: Beginner<'_>,
) -> Result<Option<(String, TotpSecret)>, Error> {
    let pending = factors::pending(tx, user.id, &by.text(), app.clock.now()).await?;
    let Some(pending) = pending else { return Ok(None) };
    let secret = app.keys.factor.open((user.id, &pending.id), &pending.secret);
    let secret = secret.map_err(|_| unreadable(&pending.id))?;
    Ok(Some((pending.id, secret)))
}

/// New codes for a lost phone, and what is kept of them.
pub(super) fn draw_codes(app: &App, factor: &str) -> (Vec<BackupCode>, Vec<Mac>) {
    let draw = |_| BackupCode::from_random(app.random.bytes());
    let codes: Vec<BackupCode> = (0..backup_code::COUNT).map(draw).collect();
    let mac = |code| app.keys.credential.backup_code_mac(factor, code);
    let macs = codes.iter().map(mac).collect();
    (codes, macs)
}
