//! Everything that verification needs to know about a credential, in one statement.

use std::sync::Arc;
use std::time::Duration;

use portcullis_domain::account::AccountStatus;
use portcullis_domain::id::{SessionHandle, SessionId};
use portcullis_domain::role::Role;
use portcullis_domain::secret::Mac;
use portcullis_domain::session::{CredentialFacts, Life, SignInForm};
use portcullis_domain::time::Time;

use super::CredentialKind;
use crate::api_keys::KeyFacts;
use crate::driver::{Row, Tx, params};
use crate::error::{Result, corrupt};
use crate::roles;
use crate::sessions::{self, Session};
use crate::user_grants;
use crate::users::{self, User};

/// A credential with what it hangs on: no more than requests ask for, because a server remembers
/// a million of them. Nothing here says that it is alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub grounds: Grounds,
    pub user: Arc<User>,
    /// The user's role, with all that the user holds: its grants, and those he was given beside it.
    pub role: Arc<Role>,
    /// Whether he was given any beside it, so that his role is not that of others.
    pub has_own_grants: bool,
}

/// What a credential hangs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grounds {
    /// A session, which handed it out.
    Session(SessionGrounds),
    /// Itself: an API key hangs on nothing but its owner.
    Key(Box<KeyFacts>),
}

/// What a session handed out, and the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionGrounds {
    pub credential: Credential,
    pub session: SessionFacts,
}

/// The life of a credential. That of a child is bounded by its parent's: it ends with it, and a
/// child whose parent is gone has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    pub kind: CredentialKind,
    pub life: Life,
    /// When its use was last written down.
    pub last_active: Time,
    /// It, its parent or its session was ended on purpose.
    pub has_ended: bool,
}

/// What requests ask of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFacts {
    pub id: SessionId,
    pub handle: SessionHandle,
    /// The user's epoch when it began.
    pub user_epoch: i64,
    /// How it began.
    pub form: SignInForm,
    pub csrf_epoch: i64,
    pub auth_time: Time,
}

impl Found {
    /// What decides whether the credential counts, with what it hangs on.
    pub fn facts(&self) -> CredentialFacts {
        let user_active = self.user.status == AccountStatus::Active;
        let user_epoch = self.user.epoch;
        match &self.grounds {
            Grounds::Session(SessionGrounds { credential, session }) => CredentialFacts {
                ended: credential.has_ended,
                expires_at: credential.life.expires_at,
                idle: credential.life.idle,
                last_active: credential.last_active,
                user_active,
                session_epoch: session.user_epoch,
                user_epoch,
            },
            Grounds::Key(key) => CredentialFacts {
                ended: key.has_ended,
                expires_at: key.expires_at,
                idle: None,
                // How its use is written down is another matter (`api_keys::usage`).
                last_active: Time(0),
                user_active: user_active && !key.is_kept_out,
                // A new password does not stop integrations.
                session_epoch: user_epoch,
                user_epoch,
            },
        }
    }

    /// The session with the credential that it handed out; none where that is an API key.
    pub fn session(&self) -> Option<&SessionGrounds> {
        match &self.grounds {
            Grounds::Session(grounds) => Some(grounds),
            Grounds::Key(_) => None,
        }
    }

    /// The API key; none where the credential is a session's.
    pub fn key(&self) -> Option<&KeyFacts> {
        match &self.grounds {
            Grounds::Session(_) => None,
            Grounds::Key(key) => Some(key),
        }
    }

    /// The name under which it is written down that somebody acted through this: it opens nothing.
    pub fn handle(&self) -> &str {
        match &self.grounds {
            Grounds::Session(grounds) => grounds.session.handle.as_str(),
            Grounds::Key(key) => key.id.as_str(),
        }
    }
}

/// The credential of a MAC.
pub async fn find(tx: &mut Tx, mac: &Mac) -> Result<Option<Found>> {
    const SQL: &str = concat!(
        "SELECT c.kind AS credential_kind, c.expires_at, c.idle_ms, c.renew_until, c.last_active, c.ended_at, \
         c.parent_mac IS NOT NULL AS is_child, p.expires_at AS parent_expires_at, \
         p.ended_at AS parent_ended_at, ",
        sessions::columns!(),
        ", ",
        users::columns!(),
        ", ",
        roles::columns!(),
        ", ",
        user_grants::column!(),
        " FROM credentials c \
         JOIN sessions s ON s.id = c.session_id \
         JOIN users u ON u.id = s.user_id \
         JOIN roles r ON r.id = u.role_id \
         LEFT JOIN credentials p ON p.mac = c.parent_mac \
         WHERE c.mac = $1"
    );
    tx.fetch_optional(SQL, params![mac]).await?.as_ref().map(found).transpose()
}

fn found(row: &Row) -> Result<Found> {
    let session = sessions::session(row)?;
    let user = users::user(row)?;
    let own = user_grants::own(row, user.id)?;
    let credential = credential(row, &session)?;
    let session = SessionFacts {
        id: session.id,
        handle: session.handle,
        user_epoch: session.user_epoch,
        form: session.form,
        csrf_epoch: session.csrf_epoch,
        auth_time: session.auth_time,
    };
    Ok(Found {
        grounds: Grounds::Session(SessionGrounds { credential, session }),
        role: Arc::new(roles::role(row)?.with(&own)),
        has_own_grants: !own.is_empty(),
        user: Arc::new(user),
    })
}

fn credential(row: &Row, session: &Session) -> Result<Credential> {
    let fault = || corrupt("credentials", "kind", session.id.as_str());
    let kind: String = row.get("credential_kind")?;
    let (parent_ends, parent_has_ended) = parent(row)?;
    let expires_at = Time(row.get("expires_at")?);
    let has_ended = time(row, "ended_at")?.or(session.ended_at).is_some();
    Ok(Credential {
        kind: CredentialKind::parse(&kind).ok_or_else(fault)?,
        life: Life {
            expires_at: parent_ends.map_or(expires_at, |end| end.min(expires_at)),
            idle: idle(row.get("idle_ms")?, session)?,
            renew_until: time(row, "renew_until")?,
        },
        last_active: Time(row.get("last_active")?),
        has_ended: has_ended || parent_has_ended,
    })
}

/// When the parent of a child ends, and whether it was ended or is gone.
fn parent(row: &Row) -> Result<(Option<Time>, bool)> {
    let is_child: bool = row.get("is_child")?;
    let ends = time(row, "parent_expires_at")?;
    let was_ended = time(row, "parent_ended_at")?.is_some();
    Ok((ends, is_child && (ends.is_none() || was_ended)))
}

fn time(row: &Row, column: &'static str) -> Result<Option<Time>> {
    Ok(row.get::<Option<i64>>(column)?.map(Time))
}

fn idle(millis: Option<i64>, session: &Session) -> Result<Option<Duration>> {
    let fault = |_| corrupt("credentials", "idle_ms", session.id.as_str());
    millis.map(|millis| u64::try_from(millis).map(Duration::from_millis).map_err(fault)).transpose()
}
