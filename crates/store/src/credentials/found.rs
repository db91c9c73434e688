//! Everything that verification needs to know about a credential, in one statement.

use std::time::Duration;

use portcullis_domain::account::AccountStatus;
use portcullis_domain::role::Role;
use portcullis_domain::secret::Mac;
use portcullis_domain::session::{CredentialFacts, Life};
use portcullis_domain::time::Time;

use super::CredentialKind;
use crate::driver::{Row, Tx, params};
use crate::error::{Result, corrupt};
use crate::roles;
use crate::sessions::{self, Session};
use crate::users::{self, User};

/// A credential with its session, its user and his role. Nothing here says that it is alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub credential: Credential,
    /// For a child. One whose parent is gone has a parent that ended.
    pub parent: Option<Parent>,
    pub session: Session,
    pub user: User,
    /// With its grants.
    pub role: Role,
}

/// The life of a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    pub kind: CredentialKind,
    pub platform: Option<String>,
    pub device_type: Option<String>,
    pub app_version: Option<String>,
    pub created_at: Time,
    pub life: Life,
    /// When its use was last written down.
    pub last_active: Time,
    pub ended_at: Option<Time>,
}

/// The life of a child's parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    pub expires_at: Time,
    pub ended_at: Option<Time>,
}

impl Found {
    /// What decides whether the credential counts, with what it hangs on.
    pub fn facts(&self) -> CredentialFacts {
        let parent = self.parent.as_ref();
        let life = self.credential.life;
        let ends =
            [self.credential.ended_at, self.session.ended_at, parent.and_then(|p| p.ended_at)];
        CredentialFacts {
            ended: ends.iter().any(Option::is_some),
            expires_at: parent.map_or(life.expires_at, |p| p.expires_at.min(life.expires_at)),
            idle: life.idle,
            last_active: self.credential.last_active,
            user_active: self.user.status == AccountStatus::Active,
            session_epoch: self.session.user_epoch,
            user_epoch: self.user.epoch,
        }
    }
}

/// The credential of a MAC.
pub async fn find(tx: &mut Tx, mac: &Mac) -> Result<Option<Found>> {
    const SQL: &str = concat!(
        "SELECT c.kind AS credential_kind, c.platform, c.device_type, c.app_version, \
         c.created_at, c.expires_at, c.idle_ms, c.renew_until, c.last_active, c.ended_at, \
         c.parent_mac IS NOT NULL AS is_child, p.expires_at AS parent_expires_at, \
         p.ended_at AS parent_ended_at, ",
        sessions::columns!(),
        ", ",
        users::columns!(),
        ", ",
        roles::columns!(),
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
    let is_child: bool = row.get("is_child")?;
    Ok(Found {
        credential: credential(row, &session)?,
        parent: if is_child { Some(parent(row)?) } else { None },
        user: users::user(row)?,
        role: roles::role(row)?,
        session,
    })
}

fn credential(row: &Row, session: &Session) -> Result<Credential> {
    let fault = || corrupt("credentials", "kind", session.id.as_str());
    let kind: String = row.get("credential_kind")?;
    let known = |column| row.get::<String>(column).map(|text| Some(text).filter(|t| !t.is_empty()));
    Ok(Credential {
        kind: CredentialKind::parse(&kind).ok_or_else(fault)?,
        platform: known("platform")?,
        device_type: known("device_type")?,
        app_version: row.get("app_version")?,
        created_at: Time(row.get("created_at")?),
        life: Life {
            expires_at: Time(row.get("expires_at")?),
            idle: idle(row.get("idle_ms")?, session)?,
            renew_until: time(row, "renew_until")?,
        },
        last_active: Time(row.get("last_active")?),
        ended_at: time(row, "ended_at")?,
    })
}

fn parent(row: &Row) -> Result<Parent> {
    Ok(match time(row, "parent_expires_at")? {
        Some(expires_at) => Parent { expires_at, ended_at: time(row, "parent_ended_at")? },
        None => Parent { expires_at: Time(0), ended_at: Some(Time(0)) },
    })
}

fn time(row: &Row, column: &'static str) -> Result<Option<Time>> {
    Ok(row.get::<Option<i64>>(column)?.map(Time))
}

fn idle(millis: Option<i64>, session: &Session) -> Result<Option<Duration>> {
    let fault = |_| corrupt("credentials", "idle_ms", session.id.as_str());
    millis.map(|millis| u64::try_from(millis).map(Duration::from_millis).map_err(fault)).transpose()
}
