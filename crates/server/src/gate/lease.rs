//! How long an answer or a tunnel may go on: as long as the credential that opened it is good and
//! the rule still lets its caller pass. Asked again more often than the revocation bound, so that
//! what was revoked dies on open connections, too. Decides nothing by itself.

use std::sync::Arc;
use std::time::Duration;

use portcullis_domain::rule::{CallerFacts, Decision, decide};

use crate::app::{App, Parts};
use crate::verify::{Proof, Verified};
use crate::web::caller::{Caller, scope};
use crate::web::request::Facts;

/// A lease is not asked about more often than this, even where every request reads the store.
const SHORTEST: Duration = Duration::from_millis(500);

/// The right of one caller to what one request opened.
#[derive(Clone)]
pub struct Lease {
    app: App,
    facts: Arc<Facts>,
    proof: Proof,
}

impl Lease {
    /// Of a caller who was let in.
    pub fn new(app: &App, facts: &Arc<Facts>, caller: &Caller) -> Self {
        Self { app: app.clone(), facts: Arc::clone(facts), proof: caller.proof() }
    }

    /// How often to ask, and how long to wait for the answer. With an answer that may be twice as
    /// old, a revoked credential lives here for the bound at the longest.
    pub fn every(&self) -> Duration {
        (self.app.config.session.revocation_bound / 4).max(SHORTEST)
    }

    /// Whether it may go on. What cannot be found out, or not soon, is no.
    pub async fn holds(self) -> bool {
        let Parts { verifier, db, clock, .. } = &*self.app;
        let asked = verifier.verify_within(self.every() * 2, db, clock, self.proof);
        let holds = match tokio::time::timeout(self.every(), asked).await {
            Ok(Ok(Verified::Live(live))) => {
                let found = live.found();
                let facts = &self.facts;
                let gate = &self.app.config.gate;
                let (path, method) = (facts.target.path(), facts.method.as_str());
                let rule = gate.rules.choose(&facts.host, path, method);
                let caller = CallerFacts {
                    account_type: found.user.account_type,
                    grants: &found.role.grants,
                    scope: scope(found, method),
                };
                decide(rule, gate.default, Some(caller)) == Decision::Allow
            }
            Ok(Ok(Verified::Dead(_) | Verified::Unknown) | Err(_)) | Err(_) => false,
        };
        if !holds {
            let id = &self.facts.id;
            tracing::info!(request_id = id, "what this request opened ends with its credential");
        }
        holds
    }

    /// Ready when it may not go on any longer.
    pub async fn ended(self) {
        loop {
            tokio::time::sleep(self.every()).await;
            if !self.clone().holds().await {
                return;
            }
        }
    }
}
