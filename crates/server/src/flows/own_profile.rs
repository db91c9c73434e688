//! What people change of their own account: what they are called, what they sign in as, and the
//! address of their picture. Nothing that gives rights, and no address: that one is proved first.
//!
//! Not here: changing other people's accounts, which is in [`super::users`].

use portcullis_domain::account::AccountStatus;
use portcullis_domain::event::{Context, Event};
use portcullis_domain::id::UserId;
use portcullis_domain::text::{Name, Username};
use portcullis_store::users::{self, Profile, User};
use portcullis_store::{Error, Tx};
use url::Url;

use super::record;
use crate::app::App;

/// What is to be different; `None` leaves it as it is.
#[derive(Debug, Default)]
pub struct Wanted {
    pub username: Option<Username>,
    pub first_name: Option<Name>,
    pub last_name: Option<Name>,
    pub picture: Picture,
}

/// What is to become of the address of the picture.
#[derive(Debug, Default)]
pub enum Picture {
    #[default]
    Stays,
    Goes,
    Is(Url),
}

/// What became of it.
pub enum Update {
    /// As the account is now.
    Done(Box<User>),
    /// The username is somebody else's, as username or as address.
    UsernameTaken,
    /// The username is an address, and not one that is known to be the account's own.
    UsernameIsAddress,
    /// The account was closed meanwhile.
    Gone,
}

/// Changes the account of whoever asks: all that is wanted, or nothing.
pub async fn update(
    app: &App,
    id: UserId,
    wanted: &Wanted,
    context: &Context,
) -> Result<Update, Error> {
    let mut tx = app.db.write().await?;
    // Nobody takes the name between the look and the writing.
    users::hold(&mut tx).await?;
    let open = |user: &User| user.status == AccountStatus::Active;
    let Some(user) = users::by_id(&mut tx, id).await?.filter(open) else {
        return Ok(Update::Gone);
    };
    if is_foreign(&mut tx, &user, wanted).await? {
        return Ok(Update::UsernameIsAddress);
    }
    let mut fields = describe(app, &mut tx, &user, wanted).await?;
    match rename(app, &mut tx, &user, wanted).await {
        Ok(false) => {}
        Ok(true) => fields.push("username"),
        Err(Error::Conflict) => return Ok(Update::UsernameTaken),
        Err(error) => return Err(error),
    }
    if fields.is_empty() {
        return Ok(Update::Done(Box::new(user)));
    }
    let context = Context { subject: Some(id), ..context.clone() };
    let event = Event::ProfileChanged { fields };
    record(&mut tx, app.random, &event, &context, app.clock.now()).await?;
    let after = users::by_id(&mut tx, id).await?.ok_or(Error::Conflict)?;
    tx.commit().await?;
    Ok(Update::Done(Box::new(after)))
}

/// Whether the new name is an address that may be somebody else's. Looked at before whose it is, so that
/// the answer tells nobody which addresses are known here.
async fn is_foreign(tx: &mut Tx, user: &User, wanted: &Wanted) -> Result<bool, Error> {
    let Some(name) = wanted.username.as_ref().filter(|name| Some(*name) != user.username.as_ref())
    else {
        return Ok(false);
    };
    if name.folded() == user.email.folded() {
        return Ok(users::email_verified_at(tx, user.id).await?.is_none());
    }
    Ok(name.is_address_but(&user.email))
}

/// Names and picture; which of them changed.
async fn describe(
    app: &App,
    tx: &mut Tx,
    user: &User,
    wanted: &Wanted,
) -> Result<Vec<&'static str>, Error> {
    let now = app.clock.now();
    let first = wanted.first_name.as_ref().unwrap_or(&user.first_name);
    let last = wanted.last_name.as_ref().unwrap_or(&user.last_name);
    let differs =
        [("first_name", *first != user.first_name), ("last_name", *last != user.last_name)];
    let mut fields: Vec<_> =
        differs.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect();
    if !fields.is_empty() {
        let new = Profile {
            first_name: first.clone(),
            last_name: last.clone(),
            phone: user.phone.clone(),
            branch_id: user.branch_id,
        };
        users::set_profile(tx, user.id, &new, now).await?;
    }
    let url = match &wanted.picture {
        Picture::Stays => return Ok(fields),
        Picture::Goes => None,
        Picture::Is(url) => Some(url.as_str()),
    };
    if users::set_avatar_url(tx, user.id, url, now).await? {
        fields.push("avatar_url");
    }
    Ok(fields)
}

/// Whether there was another name. [`Error::Conflict`] if it is taken.
async fn rename(app: &App, tx: &mut Tx, user: &User, wanted: &Wanted) -> Result<bool, Error> {
    let Some(name) = wanted.username.as_ref() else { return Ok(false) };
    if user.username.as_ref() == Some(name) {
        return Ok(false);
    }
    users::set_identity(tx, user.id, &user.email, Some(name), app.clock.now()).await
}
