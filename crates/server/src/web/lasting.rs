//! Answers that last: they go on only as long as the credential that asked for them is good and its user,
//! one of the staff, still has the permission. Not here: what they say.

use std::marker::PhantomData;
use std::time::Duration;

use portcullis_domain::account::AccountType;
use portcullis_domain::permission::Key;

use super::caller::{Caller, Permission};
use crate::app::App;
use crate::verify::{Proof, Verified};

/// How often it is asked whether an answer may go on.
const ASKED_EVERY: Duration = Duration::from_millis(500);

/// Why an answer ends before its end.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("the credential that asked for this answer is good no longer")]
    Ended,
    #[error("the server stops")]
    Stopping,
    #[error(transparent)]
    Store(#[from] portcullis_store::Error),
}

/// Who asked for an answer that lasts, with the permission `P`.
pub struct Lasting<P> {
    pub app: App,
    proof: Proof,
    asked_at: Duration,
    permission: PhantomData<P>,
}

impl<P: Permission> Lasting<P> {
    /// The door has just let them in.
    pub fn new(app: &App, caller: &Caller) -> Self {
        let (app, proof) = (app.clone(), caller.proof());
        let asked_at = app.clock.monotonic();
        Self { app, proof, asked_at, permission: PhantomData }
    }

    /// Asks again, if it is time.
    pub async fn may_go_on(&mut self) -> Result<(), Broken> {
        let app = &self.app;
        if app.stopping.is_cancelled() {
            return Err(Broken::Stopping);
        }
        let now = app.clock.monotonic();
        if now.saturating_sub(self.asked_at) < ASKED_EVERY {
            return Ok(());
        }
        self.asked_at = now;
        let bound = app.config.session.revocation_bound;
        let asked = app.verifier.verify_within(bound, &app.db, &app.clock, self.proof).await?;
        let Verified::Live(live) = asked else { return Err(Broken::Ended) };
        let found = live.found();
        let holds = Key::parse(P::KEY).is_ok_and(|key| found.role.grants.allows(&key));
        let may = holds && found.user.account_type == AccountType::Staff;
        if may { Ok(()) } else { Err(Broken::Ended) }
    }
}
