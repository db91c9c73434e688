//! A caller as the one who acts on accounts and limits: how far their word reaches, and who it
//! is for the events. Not here: what they may ask for at all, which the door has decided.

use portcullis_domain::event::Context;
use portcullis_domain::role::Authority;

use super::caller::Caller;
use super::request::Call;
use crate::app::App;
use crate::flows::roles::Acting;

/// Who acts by a request.
pub struct Actor {
    authority: Authority,
    context: Context,
}

impl Actor {
    /// The caller of this request.
    pub fn of(call: &Call, caller: &Caller) -> Self {
        Self { authority: caller.authority(), context: call.facts.context_of(caller) }
    }

    /// On the store of the application, now.
    pub fn acting<'a>(&'a self, app: &'a App) -> Acting<'a> {
        Acting {
            db: &app.db,
            random: app.random,
            now: app.clock.now(),
            authority: &self.authority,
            context: &self.context,
        }
    }
}
