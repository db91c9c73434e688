//! What a form lets one choose from: account types, and the roles that the caller may give.

use portcullis_domain::account::AccountType;
use portcullis_domain::role::{self, Role};
use portcullis_domain::text::visible;

use crate::flows::roles::list;
use crate::web::caller::InSession;
use crate::web::error::Error;
use crate::web::request::Call;

/// One line of a choice.
pub(super) struct Choice {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) is_chosen: bool,
}

/// The account types, one of them chosen.
pub(super) fn types(chosen: i64) -> Vec<Choice> {
    let choice = |kind: AccountType| Choice {
        id: kind.id(),
        name: kind.name().to_owned(),
        is_chosen: kind.id() == chosen,
    };
    AccountType::ALL.into_iter().map(choice).collect()
}

/// The roles that the caller may give, and the chosen one, whoever may give it.
pub(super) async fn roles(
    call: &Call,
    caller: &InSession,
    is_chosen: impl Fn(&Role) -> bool,
) -> Result<Vec<Choice>, Error> {
    let authority = caller.authority();
    let all = list(&call.app.db).await?;
    let offered =
        all.iter().filter(|role| is_chosen(role) || role::may_assign(&authority, role).is_ok());
    let choice = |role: &Role| Choice {
        id: role.id.0,
        name: format!("{} (level {})", visible(&role.name), role.level.get()),
        is_chosen: is_chosen(role),
    };
    Ok(offered.map(choice).collect())
}
