//! What a user may do beside his role: giving, taking away, and setting the whole of it.
//!
//! What the role gives anyway is not given once more, so that it goes when the role goes; and what
//! the role gives cannot be taken from one of those who have it.

use portcullis_domain::administration::Act;
use portcullis_domain::event::{Context, Event, Text};
use portcullis_domain::permission::{Grant, Grants};
use portcullis_store::user_grants;

use crate::app::App;
use crate::flows::administration::{Account, Desk, Halt};
use crate::flows::barrier;

/// How the permissions are to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// These more.
    Grant,
    /// These less.
    Revoke,
    /// These and no others.
    Sync,
}

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Changed {
    /// What the user holds beside his role now.
    pub own: Grants,
    pub granted: usize,
    pub revoked: usize,
}

/// Changes what the user of this UUID was given beside his role: all of it or nothing.
pub async fn change(
    app: &App,
    context: &Context,
    uuid: &str,
    change: Change,
    named: &Grants,
) -> Result<Changed, Halt> {
    let mut desk = Desk::open(app, context).await?;
    let account = desk.account(uuid).await?;
    desk.judge(&account, Act::Revoke)?;
    let (more, less) = plan(&account, change, named)?;
    desk.judge(&account, Act::Grant(&more))?;
    let (mut granted, mut revoked) = (0, 0);
    for grant in &more {
        granted += usize::from(give(&mut desk, &account, grant).await?);
    }
    for grant in &less {
        revoked += usize::from(take(&mut desk, &account, grant).await?);
    }
    let own = user_grants::list(&mut desk.tx, account.user.id).await?;
    desk.close().await?;
    if revoked > 0 {
        barrier::felt_everywhere(app).await;
    }
    Ok(Changed { own, granted, revoked })
}

/// What is to be given, and what is to be taken away.
fn plan(account: &Account, change: Change, named: &Grants) -> Result<(Grants, Grants), Halt> {
    let (own, role) = (&account.target.own, &account.target.role.grants);
    let without = |these: &Grants, those: &Grants| {
        these.iter().filter(|one| !those.contains(one)).cloned().collect()
    };
    let beside_role: Grants = named.iter().filter(|one| !role.covers(one)).cloned().collect();
    match change {
        Change::Grant => Ok((without(&beside_role, own), Grants::default())),
        Change::Sync => Ok((without(&beside_role, own), without(own, &beside_role))),
        Change::Revoke => {
            if named.iter().any(|one| role.covers(one)) {
                return Err(Halt::Conflict("held_by_role"));
            }
            let left: Grants = without(own, named);
            if named.iter().any(|one| left.covers(one)) {
                return Err(Halt::Conflict("permission_kept"));
            }
            Ok((Grants::default(), named.clone()))
        }
    }
}

async fn give(desk: &mut Desk<'_>, account: &Account, grant: &Grant) -> Result<bool, Halt> {
    let given = user_grants::grant(&mut desk.tx, account.user.id, grant, desk.now).await?;
    record(desk, account, grant, given, true).await
}

async fn take(desk: &mut Desk<'_>, account: &Account, grant: &Grant) -> Result<bool, Halt> {
    let taken = user_grants::revoke(&mut desk.tx, account.user.id, grant).await?;
    record(desk, account, grant, taken, false).await
}

async fn record(
    desk: &mut Desk<'_>,
    account: &Account,
    grant: &Grant,
    happened: bool,
    granted: bool,
) -> Result<bool, Halt> {
    if happened {
        let event = Event::OwnPermissionsChanged { key: Text::clip(&grant.to_string()), granted };
        desk.record(&event, Some(account.user.id)).await?;
    }
    Ok(happened)
}
