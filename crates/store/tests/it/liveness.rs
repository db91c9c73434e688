//! Whether a session is in the list of the living agrees with what verification says of every one of its
//! credentials, whatever the store does to them, in any order.

use std::collections::BTreeMap;
use std::time::Duration;

use portcullis_domain::account::AccountStatus;
use portcullis_domain::event::EndReason;
use portcullis_domain::id::{SessionId, UserId};
use portcullis_domain::secret::Mac;
use portcullis_domain::session::{self, Life};
use portcullis_domain::time::Time;
use portcullis_store::credentials::{self, CredentialKind, NewCredential};
use portcullis_store::sessions::{self, Filter, NewSession};
use portcullis_store::{Tx, users};

use crate::harness::{NOW, each, full_user, later, new_session, role};
use crate::live::{handles, list};

/// A world of three users, to which things are done in an order that follows from a number.
struct World {
    users: Vec<UserId>,
    sessions: Vec<SessionId>,
    credentials: Vec<(Mac, SessionId, Time)>,
    now: Time,
    dice: u64,
}

#[tokio::test]
async fn the_list_agrees_with_verification_whatever_is_done() {
    each(async |test| {
        let mut tx = test.write().await;
        let role = role(&mut tx, "clerk", 20).await;
        let mut users = Vec::new();
        for name in ["ada", "bob", "eve"] {
            users.push(users::insert(&mut tx, &full_user(name, role), NOW).await.unwrap());
        }
        let (sessions, credentials) = (Vec::new(), Vec::new());
        let mut world = World { users, sessions, credentials, now: NOW, dice: 1 };
        for _ in 0..3 {
            world.sign_in(&mut tx).await;
        }
        for step in 0..300 {
            let done = world.do_something(&mut tx).await;
            let expected = world.alive(&mut tx).await;
            let listed = list(&mut tx, &Filter::default(), world.now).await;
            assert_eq!(handles(&listed), expected, "step {step}: {done}");
            for user in &world.users {
                let filter = Filter { user: Some(*user), ..Filter::default() };
                let of_user = listed.iter().filter(|session| session.user_id == *user).count();
                assert_eq!(list(&mut tx, &filter, world.now).await.len(), of_user, "{done}");
            }
        }
        assert!(world.sessions.len() > 20, "the dice were kind to every part of it");
    })
    .await;
}

impl World {
    async fn do_something(&mut self, tx: &mut Tx) -> &'static str {
        let before = self.now.minus(Duration::from_secs(15));
        match self.roll(16) {
            0..=2 => self.sign_in(tx).await,
            3 => self.add_child(tx).await,
            4..=5 => {
                let macs = [self.credential().0];
                credentials::touch(tx, &macs, self.now).await.unwrap();
                "a touch"
            }
            6 => {
                let index = self.roll(self.credentials.len());
                let (mac, _, expires) = self.credentials.get_mut(index).unwrap();
                let longer = expires.plus(Duration::from_mins(10));
                if credentials::renew(tx, mac, *expires, longer).await.unwrap() {
                    *expires = longer;
                }
                "a renewal"
            }
            7 => {
                credentials::end(tx, &self.credential().0, self.now).await.unwrap();
                "the end of a credential"
            }
            8 => {
                let (user, spared) = (self.user(), self.session());
                credentials::end_api_tokens_of_user(tx, user, &spared, self.now).await.unwrap();
                "the end of the API tokens of a user"
            }
            9 => {
                let session = self.session();
                sessions::end(tx, &session, EndReason::Logout, self.now).await.unwrap();
                "the end of a session"
            }
            10 => {
                let (user, spared) = (self.user(), self.session());
                let reason = EndReason::Replaced;
                sessions::end_all_of_user(tx, user, Some(&spared), reason, self.now).await.unwrap();
                "the end of all sessions of a user but one"
            }
            11 if self.roll(4) == 0 => {
                users::bump_epoch(tx, self.user()).await.unwrap();
                "another epoch"
            }
            12 => {
                let status =
                    [AccountStatus::Disabled, AccountStatus::Active, AccountStatus::Active];
                let status = self.pick(&status);
                users::set_status(tx, self.user(), status, self.now).await.unwrap();
                "another status"
            }
            13 => {
                sessions::move_on(tx, self.now, 9).await.unwrap();
                sessions::let_go(tx, before, 9).await.unwrap();
                "the job"
            }
            _ => {
                let seconds = u64::try_from(1 + self.roll(200)).unwrap();
                self.now = self.now.plus(Duration::from_secs(seconds));
                "time"
            }
        }
    }

    /// A session with one to three credentials of unlike lives.
    async fn sign_in(&mut self, tx: &mut Tx) -> &'static str {
        let number = u8::try_from(self.sessions.len()).unwrap();
        let user = self.user();
        let user_epoch = users::by_id(tx, user).await.unwrap().unwrap().epoch;
        let new = NewSession { user_epoch, ..new_session(number, user) };
        sessions::insert(tx, &new, self.now).await.unwrap();
        self.sessions.push(new.id.clone());
        for kind in [CredentialKind::Cookie, CredentialKind::Api, CredentialKind::Access] {
            let idle = self.pick(&[None, Some(60), Some(300)]).map(Duration::from_secs);
            let life = Life {
                expires_at: self
                    .now
                    .plus(Duration::from_secs(u64::try_from(30 + self.roll(1200)).unwrap())),
                idle,
                renew_until: Some(later(1_000_000)),
            };
            self.add(tx, &new.id, kind, None, life).await;
            if self.roll(2) == 0 {
                break;
            }
        }
        "a sign-in"
    }

    async fn add_child(&mut self, tx: &mut Tx) -> &'static str {
        let (parent, session, expires) = self.credential();
        let found = credentials::find(tx, &parent).await.unwrap().unwrap();
        if session::alive(&found.facts(), self.now).is_ok() {
            let life = Life {
                expires_at: expires,
                idle: self.pick(&[None, Some(Duration::from_secs(100))]),
                renew_until: None,
            };
            self.add(tx, &session, CredentialKind::Child, Some(parent), life).await;
        }
        "a child"
    }

    async fn add(
        &mut self,
        tx: &mut Tx,
        session: &SessionId,
        kind: CredentialKind,
        parent: Option<Mac>,
        life: Life,
    ) {
        let number = u32::try_from(self.credentials.len()).unwrap();
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        let mac = Mac::from_bytes(&bytes).unwrap();
        let new = NewCredential {
            mac,
            session_id: session.clone(),
            kind,
            parent,
            platform: None,
            device_type: None,
            app_version: None,
            life,
        };
        if parent.is_some() {
            credentials::replace_child(tx, &new, self.now).await.unwrap();
        } else {
            credentials::insert(tx, &new, self.now).await.unwrap();
        }
        self.credentials.push((mac, session.clone(), life.expires_at));
    }

    /// What verification says, credential by credential.
    async fn alive(&self, tx: &mut Tx) -> Vec<String> {
        let mut alive = BTreeMap::new();
        for (mac, session, _) in &self.credentials {
            let Some(found) = credentials::find(tx, mac).await.unwrap() else { continue };
            if session::alive(&found.facts(), self.now).is_ok() {
                let began = sessions::by_id(tx, session).await.unwrap().unwrap().created_at;
                let place = (began, session.as_str().to_owned());
                alive.insert(place, found.session().unwrap().session.handle.as_str().to_owned());
            }
        }
        alive.into_values().rev().collect()
    }

    fn user(&mut self) -> UserId {
        let users = self.users.clone();
        self.pick(&users)
    }

    fn session(&mut self) -> SessionId {
        let sessions = self.sessions.clone();
        self.pick(&sessions)
    }

    /// Late ones are more likely to be alive.
    fn credential(&mut self) -> (Mac, SessionId, Time) {
        let late: Vec<_> = self.credentials.iter().rev().take(30).cloned().collect();
        self.pick(&late)
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        let index = self.roll(from.len());
        from.get(index).unwrap().clone()
    }

    fn roll(&mut self, sides: usize) -> usize {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let rolled = usize::try_from(self.dice >> 33).unwrap();
        rolled.checked_rem(sides).unwrap()
    }
}
