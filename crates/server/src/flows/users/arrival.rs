//! Making an account on an administrator's word.

use portcullis_domain::account::AccountType;
use portcullis_domain::administration;
use portcullis_domain::event::{Context, Event, Text};
use portcullis_domain::id::RoleId;
use portcullis_domain::role;
use portcullis_domain::text::{Email, Name, Username};
use portcullis_store::{Error, roles, users};

use crate::app::App;
use crate::fault::Failure;
use crate::flows::administration::{Desk, Halt};
use crate::flows::new_password::{Accepted, NewPassword};

/// Who is to have an account.
pub struct Newcomer<'a> {
    pub email: Email,
    pub username: Option<Username>,
    pub first_name: Name,
    pub last_name: Name,
    pub phone: Option<String>,
    pub branch_id: i64,
    pub account_type: AccountType,
    /// `None`: the built-in role `user`.
    pub role: Option<RoleId>,
    /// `None`: the user sets one by "forgot password".
    pub password: Option<Accepted<'a>>,
}

/// Makes the account; its UUID.
pub async fn arrive(
    app: &App,
    context: &Context,
    new: &Newcomer<'_>,
) -> Result<Result<String, Halt>, Failure> {
    let password = match &new.password {
        None => None,
        Some(password) => Some(password.hash(&app.hasher, app.hasher.seat()?, app.random).await?),
    };
    Ok(insert(app, context, new, password.as_ref()).await)
}

async fn insert(
    app: &App,
    context: &Context,
    new: &Newcomer<'_>,
    password: Option<&NewPassword>,
) -> Result<String, Halt> {
    let mut desk = Desk::open(app, context).await?;
    let role = match new.role {
        Some(id) => desk.role(id).await?,
        None => roles::by_name(&mut desk.tx, role::USER).await?.ok_or(Error::Conflict)?,
    };
    role::may_assign(&desk.actor.authority, &role)?;
    administration::may_make(&desk.actor, new.account_type)?;
    if new.username.as_ref().is_some_and(|name| name.is_address_but(&new.email)) {
        return Err(Halt::UsernameIsAddress);
    }
    let row = users::NewUser {
        uuid: app.random.row_id(desk.now),
        email: new.email.clone(),
        username: new.username.clone(),
        first_name: new.first_name.clone(),
        last_name: new.last_name.clone(),
        phone: new.phone.clone(),
        branch_id: new.branch_id,
        account_type: new.account_type,
        role_id: role.id,
        password: password.map(NewPassword::row).cloned(),
    };
    let taken = users::by_email(&mut desk.tx, &new.email).await?.is_some();
    let id = match users::insert(&mut desk.tx, &row, desk.now).await {
        Ok(id) => id,
        Err(Error::Conflict) if taken => return Err(Halt::Conflict("email_taken")),
        Err(Error::Conflict) => return Err(Halt::Conflict("username_taken")),
        Err(error) => return Err(error.into()),
    };
    let event = Event::UserCreated { account_type: new.account_type, role: Text::clip(&role.name) };
    desk.record(&event, Some(id)).await?;
    desk.doubt_email(app, id).await?;
    desk.close().await?;
    Ok(row.uuid)
}
