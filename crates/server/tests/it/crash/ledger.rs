//! What was promised to clients, and whether it is kept.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::factor::{self, Factor};
use super::server::{Server, address_of};
use crate::harness::client::Client;
use crate::harness::people::{PASSWORD, sign_in};

/// Old promises that are looked at once more after every later round.
const KEPT: usize = 60;

/// What a client holds.
pub(super) enum Credential {
    Cookie(String),
    Bearer(String),
}

/// Something that a client may rely on.
pub(super) enum Promise {
    /// The credential is over.
    Dead(Credential),
    /// The credential is good.
    Alive(Credential),
    /// The one-time token was used in the live session of this credential.
    Spent(Credential, String),
    /// The audit log has what this request did.
    Written(String),
    /// The token of a mail about a forgotten password was used.
    Reset(String),
    /// One of these is the person's password, and it is the only one if there is only one.
    Password(&'static str, Vec<String>),
    /// How it stands with the person's second factor.
    Factor(&'static str, Factor),
    /// Whether the person is on the blacklist; `None` if the last change was not acknowledged.
    Listed(&'static str, Option<bool>),
}

impl Credential {
    pub(super) fn of(client: &Client) -> Self {
        Self::Cookie(client.cookie("sessionid").unwrap())
    }

    fn at(&self, server: &Server) -> Client {
        match self {
            Self::Cookie(value) => {
                let client = server.client();
                client.set_cookie("sessionid", value);
                client
            }
            Self::Bearer(token) => server.client().bearer(token),
        }
    }
}

#[derive(Default)]
pub(super) struct Ledger {
    /// Of the last round.
    fresh: Vec<Promise>,
    /// Of earlier rounds, for ever true.
    kept: Vec<Promise>,
    passwords: BTreeMap<&'static str, Vec<String>>,
    /// Passwords that a person had before.
    former: BTreeMap<&'static str, Vec<String>>,
    /// The last word about a person; `None` if it was not acknowledged.
    listed: BTreeMap<&'static str, Option<bool>>,
    factors: BTreeMap<&'static str, Factor>,
    /// The requests whose acts are in the audit log.
    written: BTreeSet<String>,
    counts: BTreeMap<&'static str, usize>,
}

impl Ledger {
    /// What the person signs in with.
    pub(super) fn password(&self, person: &str) -> String {
        let known = self.passwords.get(person).and_then(|list| list.first());
        known.map_or_else(|| PASSWORD.to_owned(), Clone::clone)
    }

    pub(super) fn take(&mut self, promises: Vec<Promise>) {
        for promise in promises {
            *self.counts.entry(word(&promise)).or_default() += 1;
            match promise {
                Promise::Password(person, list) => {
                    let before = self.passwords.insert(person, list.clone()).unwrap_or_default();
                    let gone = before.into_iter().filter(|old| !list.contains(old));
                    self.former.entry(person).or_default().extend(gone);
                }
                Promise::Listed(person, listed) => drop(self.listed.insert(person, listed)),
                Promise::Factor(person, factor) => drop(self.factors.insert(person, factor)),
                Promise::Written(request) => drop(self.written.insert(request)),
                promise @ (Promise::Dead(_)
                | Promise::Alive(_)
                | Promise::Spent(..)
                | Promise::Reset(_)) => self.fresh.push(promise),
            }
        }
    }

    /// Asks a server that has started again for everything.
    pub(super) async fn check(&mut self, server: &Server, when: &str) {
        for promise in &self.kept {
            check(server, promise, when).await;
        }
        for promise in std::mem::take(&mut self.fresh) {
            check(server, &promise, when).await;
            let is_for_ever = matches!(promise, Promise::Dead(_) | Promise::Reset(_));
            if is_for_ever {
                self.kept.push(promise);
            }
        }
        let too_many = self.kept.len().saturating_sub(KEPT);
        self.kept.drain(..too_many);
        self.check_passwords(server, when).await;
        for (person, factor) in std::mem::take(&mut self.factors) {
            factor::check(server, person, factor, when).await;
        }
        let missing: Vec<_> = self.written.difference(&server.written().await).cloned().collect();
        assert!(missing.is_empty(), "{when}: not in the audit log: {missing:?}");
        for (person, listed) in &self.listed {
            let is_in = signs_in(server, person, PASSWORD).await;
            assert!(listed.is_none_or(|listed| is_in != listed), "{when}: {person} {listed:?}");
        }
    }

    /// One of those that it can be is the password, and none that it was before.
    async fn check_passwords(&mut self, server: &Server, when: &str) {
        for (person, list) in &mut self.passwords {
            let mut right = Vec::new();
            for password in list.iter() {
                if signs_in(server, person, password).await {
                    right.push(password.clone());
                }
            }
            assert_eq!(right.len(), 1, "{when}: {person} has one of {list:?}, and it is {right:?}");
            *list = right;
            if let Some(former) = self.former.get(person).and_then(|former| former.last()) {
                assert!(!signs_in(server, person, former).await, "{when}: {person} {former}");
            }
        }
    }

    /// Of what too little was promised so far, and how often it was. A test that promised nothing would have
    /// kept it all.
    pub(super) fn lacks(&self) -> Vec<(&'static str, usize)> {
        let enough = [
            ("dead", 20),
            ("alive", 20),
            ("spent", 20),
            ("reset", 3),
            ("password", 20),
            ("listed", 10),
            ("factor", 60),
            ("written", 60),
        ];
        let count = |word| self.counts.get(word).copied().unwrap_or_default();
        let found = enough.map(|(word, enough)| (word, count(word), enough));
        let lacking = found.into_iter().filter(|(_, count, enough)| count < enough);
        lacking.map(|(word, count, _)| (word, count)).collect()
    }
}

async fn check(server: &Server, promise: &Promise, when: &str) {
    match promise {
        Promise::Dead(credential) => {
            let answer = me(server, credential).await;
            assert_eq!(answer, 401, "{when}: it was acknowledged that the session is over");
        }
        Promise::Alive(credential) => {
            let answer = me(server, credential).await;
            assert_eq!(answer, 200, "{when}: it was acknowledged that somebody is signed in");
        }
        Promise::Spent(credential, token) => {
            let again = spend(&credential.at(server), token).await.unwrap();
            assert_eq!(again, "403 csrf_used", "{when}");
        }
        Promise::Reset(token) => {
            let body =
                json!({"action": "reset", "token": token, "password": "another one that is long"});
            let answer = server.client().post("/api/password-reset").json(&body).send().await;
            assert_eq!(answer.status, 400, "{when}: {answer:?}");
        }
        // Looked at together.
        Promise::Password(..) | Promise::Listed(..) | Promise::Factor(..) | Promise::Written(_) => {
        }
    }
}

/// Uses a token on a request that does nothing else: the action is unknown.
pub(super) async fn spend(client: &Client, token: &str) -> Option<String> {
    let sending = client.post("/api/security/sessions").header("x-csrf-token", token);
    Some(sending.json(&json!({"action": "nothing"})).try_send().await?.verdict())
}

async fn me(server: &Server, credential: &Credential) -> u16 {
    credential.at(server).get("/api/auth/me").send().await.status.as_u16()
}

async fn signs_in(server: &Server, person: &str, password: &str) -> bool {
    let answer = sign_in(&server.client(), &address_of(person), password).await;
    match answer.status.as_u16() {
        201 => true,
        401 | 403 => false,
        _ => panic!("{answer:?}"),
    }
}

fn word(promise: &Promise) -> &'static str {
    match promise {
        Promise::Dead(_) => "dead",
        Promise::Alive(_) => "alive",
        Promise::Spent(..) => "spent",
        Promise::Reset(_) => "reset",
        Promise::Password(..) => "password",
        Promise::Listed(..) => "listed",
        Promise::Factor(..) => "factor",
        Promise::Written(_) => "written",
    }
}
