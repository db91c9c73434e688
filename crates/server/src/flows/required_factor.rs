//! People whose role asks for a second factor, and who have none. They are told at a sign-in, and from
//! then on their time runs. Not here: where a sign-in leads them when it is over (`sign_in/set_up`).

use portcullis_domain::required_factor::Standing;
use portcullis_domain::role::Role;
use portcullis_store::users::{self, User};
use portcullis_store::{Error, Tx, factors, roles};

use crate::app::App;
use crate::mail::{self, Letter};

/// How somebody without a second factor stands who signs in. The first time is written down, and told by
/// mail, because a program shows nobody what it was answered.
pub(super) async fn tell(
    app: &App,
    tx: &mut Tx,
    user: &User,
    role: &Role,
) -> Result<Standing, Error> {
    let requirement = &app.config.sign_in.second_factor;
    if !requirement.covers(role) {
        return Ok(Standing::Free);
    }
    let now = app.clock.now();
    let is_first = users::tell_of_factor(tx, user.id, now).await?;
    let told = users::told_of_factor_at(tx, user.id).await?.unwrap_or(now);
    let standing = requirement.judge(role, told, now);
    if let (true, Standing::Until(due)) = (is_first, standing) {
        let letter = Letter::factor_due(due, &app.public_url.to_string());
        mail::send(app, tx, &user.email, &letter, now).await?;
    }
    Ok(standing)
}

/// How somebody stands who is signed in. It starts nobody's time.
pub async fn standing(app: &App, user: &User, role: &Role) -> Result<Standing, Error> {
    let requirement = &app.config.sign_in.second_factor;
    if !requirement.covers(role) {
        return Ok(Standing::Free);
    }
    let mut tx = app.db.read().await?;
    if factors::active(&mut tx, user.id).await?.is_some() {
        return Ok(Standing::Free);
    }
    let now = app.clock.now();
    let told = users::told_of_factor_at(&mut tx, user.id).await?.unwrap_or(now);
    Ok(requirement.judge(role, told, now))
}

/// The roles of the configuration that do not exist, of whose people nothing is asked.
pub async fn unknown_roles(app: &App) -> Result<Vec<&str>, Error> {
    let mut tx = app.db.read().await?;
    let mut unknown = Vec::new();
    for name in &app.config.sign_in.second_factor.roles {
        if roles::by_name(&mut tx, name).await?.is_none() {
            unknown.push(name.as_str());
        }
    }
    Ok(unknown)
}
