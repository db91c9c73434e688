//! Changing what accounts are: names, address, type, role, whether they are open. Any number of
//! accounts at once, all of them or none.

use portcullis_domain::account::{AccountStatus, AccountType};
use portcullis_domain::administration::Act;
use portcullis_domain::event::{Context, Event, Text};
use portcullis_domain::id::{RoleId, UserId};
use portcullis_domain::text::{Email, Identifier, Name, Username};
use portcullis_store::users::{self, Profile, User};

use crate::app::App;
use crate::flows::administration::{Account, Desk, Halt};
use crate::flows::barrier;
use crate::flows::sessions::alive_of;
use crate::mail::{self, Letter};

/// What the accounts are to be afterwards; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub first_name: Option<Name>,
    pub last_name: Option<Name>,
    /// `Some(None)` takes it away.
    pub phone: Option<Option<String>>,
    pub branch_id: Option<i64>,
    pub email: Option<Email>,
    /// `Some(None)` takes it away.
    pub username: Option<Option<Username>>,
    pub account_type: Option<AccountType>,
    pub role: Option<RoleId>,
    pub status: Option<Status>,
}

/// Open or closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Open,
    Closed,
    /// Whichever it is not.
    Other,
}

/// What became of it.
#[derive(Debug)]
pub struct Updated {
    /// How many accounts are no longer as they were.
    pub changed: usize,
    /// Whether anybody was signed out by it, or may do less.
    pub ended: bool,
}

/// What happened to one account.
#[derive(Clone, Copy, Default)]
struct Step {
    changed: bool,
    ended: bool,
}

/// Brings the accounts of these UUIDs to what is wanted.
pub async fn update(
    app: &App,
    context: &Context,
    uuids: &[String],
    wanted: &Wanted,
) -> Result<Updated, Halt> {
    let mut desk = Desk::open(app, context).await?;
    let mut updated = Updated { changed: 0, ended: false };
    for uuid in uuids {
        let step = update_one(app, &mut desk, uuid, wanted).await?;
        updated.changed += usize::from(step.changed);
        updated.ended |= step.ended;
    }
    desk.close().await?;
    if updated.ended {
        barrier::felt_everywhere(app).await;
    }
    Ok(updated)
}

async fn update_one(
    app: &App,
    desk: &mut Desk<'_>,
    uuid: &str,
    wanted: &Wanted,
) -> Result<Step, Halt> {
    let account = desk.account(uuid).await?;
    let described = describe(desk, &account, wanted).await?;
    let retyped = retype(desk, &account, wanted.account_type).await?;
    let assigned = assign(desk, &account, wanted.role).await?;
    let identified = identify(app, desk, &account, wanted).await?;
    let status = set_status(desk, &account, wanted.status).await?;
    Ok(Step {
        changed: described || retyped || assigned.changed || identified || status.changed,
        ended: retyped || assigned.ended || identified || status.ended,
    })
}

async fn describe(desk: &mut Desk<'_>, account: &Account, wanted: &Wanted) -> Result<bool, Halt> {
    let user = &account.user;
    let new = Profile {
        first_name: wanted.first_name.clone().unwrap_or_else(|| user.first_name.clone()),
        last_name: wanted.last_name.clone().unwrap_or_else(|| user.last_name.clone()),
        phone: wanted.phone.clone().unwrap_or_else(|| user.phone.clone()),
        branch_id: wanted.branch_id.unwrap_or(user.branch_id),
    };
    let fields = differences(user, &new);
    if fields.is_empty() {
        return Ok(false);
    }
    if fields != ["branch_id"] {
        desk.judge(account, Act::Describe)?;
    }
    if fields.contains(&"branch_id") {
        desk.judge(account, Act::Move)?;
    }
    users::set_profile(&mut desk.tx, user.id, &new, desk.now).await?;
    desk.record(&Event::ProfileChanged { fields }, Some(user.id)).await?;
    Ok(true)
}

fn differences(user: &User, new: &Profile) -> Vec<&'static str> {
    let all = [
        ("first_name", user.first_name != new.first_name),
        ("last_name", user.last_name != new.last_name),
        ("phone", user.phone != new.phone),
        ("branch_id", user.branch_id != new.branch_id),
    ];
    all.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()
}

async fn retype(
    desk: &mut Desk<'_>,
    account: &Account,
    wanted: Option<AccountType>,
) -> Result<bool, Halt> {
    let user = &account.user;
    let Some(account_type) = wanted.filter(|wanted| *wanted != user.account_type) else {
        return Ok(false);
    };
    desk.judge(account, Act::Type(account_type))?;
    users::set_account_type(&mut desk.tx, user.id, account_type, desk.now).await?;
    desk.record(&Event::AccountTypeChanged { account_type }, Some(user.id)).await?;
    Ok(true)
}

async fn assign(
    desk: &mut Desk<'_>,
    account: &Account,
    wanted: Option<RoleId>,
) -> Result<Step, Halt> {
    let (user, old) = (&account.user, &account.target.role);
    let Some(id) = wanted.filter(|wanted| *wanted != user.role_id) else {
        return Ok(Step::default());
    };
    let role = desk.role(id).await?;
    desk.judge(account, Act::Assign(&role))?;
    users::set_role(&mut desk.tx, user.id, id, desk.now).await?;
    let from = Text::clip(&old.name);
    desk.record(&Event::RoleAssigned { role: Text::clip(&role.name), from }, Some(user.id)).await?;
    let loses = role.level < old.level || old.grants.iter().any(|held| !role.grants.covers(held));
    Ok(Step { changed: true, ended: loses })
}

/// Another address or username. Whoever holds a link that was mailed to the earlier address is not
/// to use it, and whoever signed in by it signs in anew.
async fn identify(
    app: &App,
    desk: &mut Desk<'_>,
    account: &Account,
    wanted: &Wanted,
) -> Result<bool, Halt> {
    let user = &account.user;
    let email = wanted.email.as_ref().unwrap_or(&user.email);
    let username = wanted.username.as_ref().unwrap_or(&user.username).as_ref();
    let (readdressed, renamed) = (*email != user.email, username != user.username.as_ref());
    if !readdressed && !renamed {
        return Ok(false);
    }
    desk.judge(account, Act::Identify)?;
    // One's own address of before is a name that stays.
    if renamed && username.is_some_and(|name| name.is_address_but(email)) {
        return Err(Halt::UsernameIsAddress);
    }
    refuse_taken(desk, user.id, Some(email.as_str()), "email_taken").await?;
    refuse_taken(desk, user.id, username.map(Username::as_str), "username_taken").await?;
    users::set_identity(&mut desk.tx, user.id, email, username, desk.now).await?;
    users::bump_epoch(&mut desk.tx, user.id).await?;
    if readdressed {
        desk.record(&Event::EmailChanged, Some(user.id)).await?;
        let letter = Letter::email_changed();
        mail::send(app, &mut desk.tx, &user.email, &letter, desk.now).await?;
        desk.doubt_email(app, user.id).await?;
    }
    if renamed {
        let fields = vec!["username"];
        desk.record(&Event::ProfileChanged { fields }, Some(user.id)).await?;
    }
    Ok(true)
}

/// Refuses a name that signs somebody else in.
async fn refuse_taken(
    desk: &mut Desk<'_>,
    id: UserId,
    name: Option<&str>,
    code: &'static str,
) -> Result<(), Halt> {
    let Some(name) = name.and_then(|name| Identifier::parse(name).ok()) else { return Ok(()) };
    let holder = users::by_identifier(&mut desk.tx, &name).await?;
    let is_taken = holder.is_some_and(|holder| holder.id != id);
    if is_taken { Err(Halt::Conflict(code)) } else { Ok(()) }
}

async fn set_status(
    desk: &mut Desk<'_>,
    account: &Account,
    wanted: Option<Status>,
) -> Result<Step, Halt> {
    let user = &account.user;
    let is_open = user.status == AccountStatus::Active;
    let to_open = match wanted {
        None => return Ok(Step::default()),
        Some(Status::Open) => true,
        Some(Status::Closed) => false,
        Some(Status::Other) => !is_open,
    };
    if is_open == to_open {
        return Ok(Step::default());
    }
    if to_open {
        desk.judge(account, Act::Enable)?;
        users::set_status(&mut desk.tx, user.id, AccountStatus::Active, desk.now).await?;
        desk.record(&Event::UserEnabled, Some(user.id)).await?;
    } else {
        desk.judge(account, Act::Disable)?;
        let sessions = alive_of(&mut desk.tx, user.id, desk.now).await?;
        users::set_status(&mut desk.tx, user.id, AccountStatus::Disabled, desk.now).await?;
        users::bump_epoch(&mut desk.tx, user.id).await?;
        desk.record(&Event::UserDisabled { sessions }, Some(user.id)).await?;
    }
    Ok(Step { changed: true, ended: !to_open })
}
