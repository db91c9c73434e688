//! An administrator at work: one transaction in which nobody else changes who is what, and in which
//! his own rights are read anew. What the door knew of him may be as old as the revocation bound, and
//! of two who take each other's rights away at once only the first still has them.
//!
//! Not here: the acts, which are in [`super::users`], [`super::roles`] and [`super::password_reset`].

use portcullis_domain::account::{AccountStatus, AccountType};
use portcullis_domain::administration::{self, Act, Actor, Refusal, Target};
use portcullis_domain::event::{Context, Event};
use portcullis_domain::id::{KeyId, RoleId, SessionHandle, UserId};
use portcullis_domain::role::{Authority, Role};
use portcullis_domain::time::Time;
use portcullis_store::users::{User, directory};
use portcullis_store::{Db, Error, Tx, api_keys, blacklist, roles, sessions, user_grants, users};

use super::roles::Acting;
use super::{email, record};
use crate::app::App;
use crate::random::Random;

/// The transaction, and who acts in it.
pub struct Desk<'a> {
    pub tx: Tx,
    pub now: Time,
    pub actor: Actor,
    pub random: Random,
    context: &'a Context,
}

/// An account and what it may do, as it is in the transaction.
pub struct Account {
    pub user: User,
    pub target: Target,
}

/// Why an act was not done. Nothing of it was.
#[derive(Debug)]
pub enum Halt {
    /// There is no such user.
    UnknownUser,
    /// There is no such role.
    UnknownRole,
    Refused(Refusal),
    /// The username is an address, and not the account's own.
    UsernameIsAddress,
    /// It is taken, in use, or kept by something else: the stable word for it.
    Conflict(&'static str),
    Store(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<Refusal> for Halt {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<portcullis_domain::role::Refusal> for Halt {
    fn from(refusal: portcullis_domain::role::Refusal) -> Self {
        Self::Refused(refusal.into())
    }
}

impl<'a> Desk<'a> {
    /// Waits for its turn.
    pub async fn open(app: &'a App, context: &'a Context) -> Result<Self, Halt> {
        let (tx, actor) = begin(&app.db, context).await?;
        Ok(Self { tx, now: app.clock.now(), actor, random: app.random, context })
    }

    /// The same for whoever has no [`App`]. How far the actor's word was thought to reach does not
    /// count: it is read here.
    pub async fn of(acting: &Acting<'a>) -> Result<Self, Halt> {
        let (tx, actor) = begin(acting.db, acting.context).await?;
        let (now, random, context) = (acting.now, acting.random, acting.context);
        Ok(Self { tx, now, actor, random, context })
    }

    /// The account of a UUID.
    pub async fn account(&mut self, uuid: &str) -> Result<Account, Halt> {
        let listed = directory::by_uuid(&mut self.tx, uuid).await?;
        self.about(listed.ok_or(Halt::UnknownUser)?.user).await
    }

    /// The account of a number.
    pub async fn account_of(&mut self, id: UserId) -> Result<Account, Halt> {
        let user = users::by_id(&mut self.tx, id).await?;
        let user = user.filter(|user| user.status != AccountStatus::Deleted);
        self.about(user.ok_or(Halt::UnknownUser)?).await
    }

    /// The account of a number, also one that was deleted.
    pub async fn anybody(&mut self, id: UserId) -> Result<Account, Halt> {
        let user = users::by_id(&mut self.tx, id).await?;
        self.about(user.ok_or(Halt::UnknownUser)?).await
    }

    async fn about(&mut self, user: User) -> Result<Account, Halt> {
        let target = target(&mut self.tx, &user).await?;
        Ok(Account { user, target })
    }

    /// The role of an id.
    pub async fn role(&mut self, id: RoleId) -> Result<Role, Halt> {
        roles::by_id(&mut self.tx, id).await?.ok_or(Halt::UnknownRole)
    }

    /// Refuses what the actor may not do to the account.
    pub fn judge(&self, account: &Account, act: Act<'_>) -> Result<(), Halt> {
        Ok(administration::judge(&self.actor, &account.target, act)?)
    }

    /// Writes an event of the actor, about a user if there is one.
    pub async fn record(&mut self, event: &Event, subject: Option<UserId>) -> Result<(), Error> {
        let context = Context { subject, ..self.context.clone() };
        record(&mut self.tx, self.random, event, &context, self.now).await
    }

    /// Doubts an address that was just given to somebody, until the link that is mailed there is used.
    pub async fn doubt_email(&mut self, app: &App, id: UserId) -> Result<(), Error> {
        let Some(user) = users::by_id(&mut self.tx, id).await? else { return Ok(()) };
        let context = Context { subject: Some(id), ..self.context.clone() };
        email::doubt(app, &mut self.tx, &user, &context, self.now).await
    }

    /// Makes it so.
    pub async fn close(self) -> Result<(), Halt> {
        Ok(self.tx.commit().await?)
    }
}

async fn begin(db: &Db, context: &Context) -> Result<(Tx, Actor), Halt> {
    let mut tx = db.write().await?;
    users::hold(&mut tx).await?;
    let actor = actor(&mut tx, context).await?.ok_or(Refusal::SignedOut)?;
    Ok((tx, actor))
}

/// Who acts, with the rights that he has in the transaction. `None` if he has been signed out, disabled
/// or put on the blacklist since the door let him in.
pub(super) async fn actor(tx: &mut Tx, context: &Context) -> Result<Option<Actor>, Error> {
    let Some(id) = context.actor else {
        let authority = Authority::operator();
        return Ok(Some(Actor { id: None, authority, account_type: AccountType::Staff }));
    };
    let Some(user) = users::by_id(tx, id).await? else { return Ok(None) };
    if !is_in(tx, &user, context.session.as_deref()).await? {
        return Ok(None);
    }
    let role = super::roles::of_user(tx, &user).await?.ok_or(Error::Conflict)?;
    let authority = Authority { level: role.level, grants: role.grants };
    Ok(Some(Actor { id: Some(id), authority, account_type: user.account_type }))
}

/// Whether he may act at all, in the session or by the API key if he acts through one.
async fn is_in(tx: &mut Tx, user: &User, session: Option<&str>) -> Result<bool, Error> {
    if user.status != AccountStatus::Active || blacklist::is_listed(tx, user.id).await? {
        return Ok(false);
    }
    let Some(handle) = session else { return Ok(true) };
    if let Some(key) = KeyId::parse(handle) {
        return api_keys::is_live(tx, key, user.id).await;
    }
    let Some(handle) = SessionHandle::parse(handle) else { return Ok(false) };
    let session = sessions::by_handle(tx, &handle).await?;
    Ok(session.is_some_and(|session| {
        session.ended_at.is_none() && session.user_id == user.id && session.user_epoch == user.epoch
    }))
}

async fn target(tx: &mut Tx, user: &User) -> Result<Target, Error> {
    let role = roles::by_id(tx, user.role_id).await?.ok_or(Error::Conflict)?;
    let own = user_grants::list(tx, user.id).await?;
    let may_be_last = administration::is_owner(&role) && user.status == AccountStatus::Active;
    let is_last_owner =
        may_be_last && !users::another_has_role(tx, user.id, role.id, user.account_type).await?;
    Ok(Target { id: user.id, role, own, is_last_owner })
}
