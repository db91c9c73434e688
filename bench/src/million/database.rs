//! The database of the sessions, written through the store, and their cookies, which follow from
//! their numbers.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use portcullis_domain::account::AccountType;
use portcullis_domain::id::{RoleId, SessionHandle, SessionId, UserId};
use portcullis_domain::second_factor::SecondFactor;
use portcullis_domain::secret::{Keys, MasterSecret, Opaque, Purpose};
use portcullis_domain::session::{Life, SignInForm};
use portcullis_domain::text::{Email, Name, Username};
use portcullis_domain::time::Time;
use portcullis_store::credentials::{self, CredentialKind, NewCredential};
use portcullis_store::migrate::{self, MigrateOptions};
use portcullis_store::sessions::{self, NewSession};
use portcullis_store::users::{self, NewUser};
use portcullis_store::{Db, Options, Tx, roles};

const SESSIONS_OF_A_USER: u64 = 10;
/// Those of [`CROWDED`].
pub(crate) const CROWD: u64 = 10_000;
/// The user of a varied database who is signed in ten thousand times.
pub(crate) const CROWDED: u64 = 1;
/// In one transaction.
const USERS_AT_ONCE: u64 = 2000;
/// Long, so that the database serves for many runs.
const LIFE: Duration = Duration::from_hours(24 * 365);

/// How the sessions of a database differ.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Not at all: ten for each user, all begun at once, from one address.
    Alike,
    /// The first user is an owner, the second is signed in ten thousand times; one begins a second
    /// before the other, ten from each address.
    Varied,
}

impl Shape {
    /// The first session of a user.
    pub(crate) fn first(self, user: u64) -> u64 {
        let extra =
            if self == Self::Varied && user > CROWDED { CROWD - SESSIONS_OF_A_USER } else { 0 };
        user * SESSIONS_OF_A_USER + extra
    }

    /// The address that a session is from.
    pub(crate) fn address(self, session: u64) -> String {
        match self {
            Self::Alike => "192.0.2.1".to_owned(),
            Self::Varied => {
                let [.., b, c, d] = (session / 10).to_be_bytes();
                format!("10.{b}.{c}.{d}")
            }
        }
    }

    fn began(self, session: u64, now: Time) -> Time {
        match self {
            Self::Alike => now,
            Self::Varied => now.minus(Duration::from_secs(session)),
        }
    }
}

/// The public name of a session.
pub(crate) fn handle(session: u64) -> SessionHandle {
    let mut handle = [0; 12];
    handle[4..].copy_from_slice(&session.to_be_bytes());
    SessionHandle::from_random(handle)
}

/// The cookie of a session.
pub(crate) fn secret_text(session: u64) -> String {
    secret(session).reveal()
}

/// Makes the database in a folder for Portcullis, in place of what is there.
#[expect(clippy::disallowed_methods, reason = "the sessions begin now")]
pub(crate) async fn make(folder: &Path, sessions: u64, shape: Shape) -> Result<()> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let now = Time(i64::try_from(since.as_millis())?);
    let part = folder.with_extension("part");
    for old in [folder, &part] {
        if old.exists() {
            fs::remove_dir_all(old)?;
        }
    }
    let data = part.join("data");
    DirBuilder::new().recursive(true).mode(0o700).create(&data)?;
    let master = MasterSecret::from_random([7; 32]);
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(data.join("secret"))?;
    file.write_all(master.to_file_text().as_bytes())?;

    let file = data.join("portcullis.db");
    let url = format!("sqlite:{}", file.display());
    let keys = Keys::derive(&master)?;
    let options =
        Options { sqlite_synchronous_full: false, ..Options::new(url, keys.audit.clone()) };
    let db = Db::open(&options).await?;
    let to = Filling { keys, sessions, shape, now };
    fill(&db, &to).await?;
    db.close().await;
    fs::rename(&part, folder).context("the finished database could not be put in place")
}

/// What a database is filled with.
struct Filling {
    keys: Keys,
    sessions: u64,
    shape: Shape,
    now: Time,
}

async fn fill(db: &Db, to: &Filling) -> Result<()> {
    let Filling { keys, sessions, shape, now } = to;
    migrate::run(db, &MigrateOptions { seal_check: keys.seal_check(), now: *now }).await?;
    let mut tx = db.write().await?;
    roles::ensure_built_in(&mut tx, *now).await?;
    let role = roles::by_name(&mut tx, "user").await?.context("no role `user`")?.id;
    let owner = roles::by_name(&mut tx, "owner").await?.context("no role `owner`")?.id;
    tx.commit().await?;
    let mut user = 0;
    while shape.first(user) < *sessions {
        let mut tx = db.write().await?;
        for each in user..user + USERS_AT_ONCE {
            let (first, next) = (shape.first(each), shape.first(each + 1).min(*sessions));
            if first >= *sessions {
                break;
            }
            let is_owner = *shape == Shape::Varied && each == 0;
            let role = if is_owner { owner } else { role };
            let id = users::insert(&mut tx, &new_user(each, role)?, *now).await?;
            for session in first..next {
                sign_in(&mut tx, to, id, session).await?;
            }
        }
        tx.commit().await?;
        user += USERS_AT_ONCE;
    }
    Ok(())
}

fn new_user(number: u64, role_id: RoleId) -> Result<NewUser> {
    Ok(NewUser {
        uuid: format!("00000000-0000-7000-8000-{number:012x}"),
        email: Email::parse(&format!("user-{number}@example.com"))?,
        username: Some(Username::parse(&format!("user-{number}"))?),
        first_name: Name::parse("Ada")?,
        last_name: Name::parse("Lovelace")?,
        phone: None,
        branch_id: 1,
        account_type: AccountType::Staff,
        role_id,
        password: None,
    })
}

/// One session with its cookie, as a sign-in by username leaves them.
async fn sign_in(tx: &mut Tx, to: &Filling, user_id: UserId, number: u64) -> Result<()> {
    let Filling { keys, shape, now, .. } = to;
    let began = shape.began(number, *now);
    let id = SessionId::from_random(u128::from(number).to_be_bytes());
    let session = NewSession {
        id: id.clone(),
        handle: handle(number),
        user_id,
        user_epoch: 0,
        form: SignInForm::Username,
        second_factor: SecondFactor::NotAsked,
        auth_time: began,
        ip: shape.address(number),
        peer: "127.0.0.1".to_owned(),
        user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".into(),
        platform: None,
        device_type: None,
        app_version: None,
        remember_series: None,
    };
    sessions::insert(tx, &session, began).await?;
    let cookie = NewCredential {
        mac: keys.credential.credential_mac(Purpose::Cookie, &secret(number)),
        session_id: id,
        kind: CredentialKind::Cookie,
        parent: None,
        platform: None,
        device_type: None,
        app_version: None,
        life: Life { expires_at: now.plus(LIFE), idle: None, renew_until: None },
    };
    Ok(credentials::insert(tx, &cookie, began).await?)
}

/// What the cookie of a session holds: anybody could work it out, and nobody is protected by it.
fn secret(session: u64) -> Opaque {
    let mut bytes = [0; 32];
    for (index, part) in (0_u64..).zip(bytes.chunks_exact_mut(8)) {
        part.copy_from_slice(&scattered(session * 4 + index).to_be_bytes());
    }
    Opaque::from_random(bytes)
}

/// The finalizer of `SplitMix64`: other numbers give other, unlike numbers.
pub(crate) fn scattered(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
