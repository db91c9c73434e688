//! The mixed work during which the server is killed. Each worker goes on until no answer comes, and
//! tells what it was promised.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use portcullis_server::clock::Clock;

use super::factor::{Codes, Factor};
use super::ledger::{Credential, Ledger, Promise, spend};
use super::server::{FORGETFUL, OWNER, Server, address_of};
use crate::harness::client::{Answer, Client};
use crate::harness::people::PASSWORD;
use crate::second_factor::code_at;

/// Those who work.
pub(super) struct Workers(JoinSet<Vec<Promise>>);

/// What a worker does, over and over.
#[derive(Clone, Copy)]
enum Work {
    SignInAndOut,
    EndTokens,
    Terminate,
    Blacklist,
    ChangePassword,
    Spend,
    Reset,
    Factor,
}

impl Work {
    const ALL: [Self; 8] = [
        Self::SignInAndOut,
        Self::EndTokens,
        Self::Terminate,
        Self::Blacklist,
        Self::ChangePassword,
        Self::Spend,
        Self::Reset,
        Self::Factor,
    ];

    /// Whose account it is about: nobody else's work is. Few letters about a forgotten password go to
    /// one person, so each round has another.
    fn person(self, round: usize) -> &'static str {
        match self {
            Self::SignInAndOut => "ada",
            Self::EndTokens => "ben",
            Self::Terminate => "cleo",
            Self::Blacklist => "dan",
            Self::ChangePassword => "eve",
            Self::Spend => "finn",
            Self::Factor => "pia",
            Self::Reset => FORGETFUL[round % FORGETFUL.len()],
        }
    }
}

/// One who works.
struct Worker {
    server: SocketAddr,
    person: &'static str,
    /// The documented id of the person.
    id: i64,
    password: String,
    outbox: PathBuf,
    told: Vec<Promise>,
}

pub(super) fn start(server: &Server, ledger: &Ledger, round: usize) -> Workers {
    let mut workers = JoinSet::new();
    for work in Work::ALL {
        let person = work.person(round);
        let mut worker = Worker {
            server: server.address(),
            person,
            id: server.id_of(person),
            password: ledger.password(person),
            outbox: server.outbox(),
            told: Vec::new(),
        };
        workers.spawn(async move {
            while worker.turn(work).await.is_some() {}
            worker.told
        });
    }
    Workers(workers)
}

impl Workers {
    /// Once the server is gone, everybody stops by themselves.
    pub(super) async fn finish(self) -> Vec<Promise> {
        self.0.join_all().await.into_iter().flatten().collect()
    }
}

impl Worker {
    /// One piece of work; `None` if the server was gone before it was done.
    async fn turn(&mut self, work: Work) -> Option<()> {
        match work {
            Work::SignInAndOut => self.sign_in_and_out().await,
            Work::EndTokens => self.end_tokens().await,
            Work::Terminate => self.terminate().await,
            Work::Blacklist => self.blacklist().await,
            Work::ChangePassword => self.change_password().await,
            Work::Spend => self.spend().await,
            Work::Reset => self.reset().await,
            Work::Factor => self.factor().await,
        }
    }

    async fn sign_in_and_out(&mut self) -> Option<()> {
        let stays = self.sign_in().await?;
        self.told.push(Promise::Alive(Credential::of(&stays)));
        let leaves = self.sign_in().await?;
        let (credential, token) = (Credential::of(&leaves), session_token(&leaves).await?);
        let sending = leaves.request(Method::DELETE, "/api/auth/logout");
        let answer = sending.header("x-csrf-token", &token).try_send().await?;
        assert_eq!(answer.status, 204, "{answer:?}");
        self.is_written(&answer);
        self.told.push(Promise::Dead(credential));
        Some(())
    }

    async fn end_tokens(&mut self) -> Option<()> {
        let body = json!({"email": address_of(self.person), "password": self.password});
        let answer = post(&self.anybody(), "/api/security/mobile-auth", None, &body).await?;
        self.is_written(&answer);
        let token = answer.json()["data"]["token"].as_str().unwrap().to_owned();
        let client = self.anybody().bearer(&token);
        let sending = client.request(Method::DELETE, "/api/security/mobile-auth");
        let answer = sending.try_send().await?;
        assert_eq!(answer.status, 200, "{answer:?}");
        self.is_written(&answer);
        self.told.push(Promise::Dead(Credential::Bearer(token)));
        Some(())
    }

    async fn terminate(&mut self) -> Option<()> {
        let victim = self.sign_in().await?;
        let (owner, token) = self.owner().await?;
        let mine = victim.get("/api/account/sessions").try_send().await?.json();
        let current = mine.as_array().unwrap().iter().find(|one| one["is_current"] == true);
        let id = current.unwrap()["session_id"].clone();
        let body = json!({"action": "terminate", "session_id": id, "csrf_token": token});
        let answer = owner.post("/api/security/sessions").json(&body).try_send().await?;
        assert_eq!(answer.json()["message"], "Session terminated", "{answer:?}");
        self.is_written(&answer);
        self.told.push(Promise::Dead(Credential::of(&victim)));
        Some(())
    }

    /// On the blacklist, and off it again in the next turn.
    async fn blacklist(&mut self) -> Option<()> {
        let (owner, token) = self.owner().await?;
        let signed_in = sign_in(self.anybody(), self.person, &self.password).await?;
        let add = signed_in.is_ok();
        let body = if add {
            json!({"action": "blacklist_add", "user_id": self.id, "reason": "x", "csrf_token": token})
        } else {
            json!({"action": "blacklist_remove", "user_id": self.id, "csrf_token": token})
        };
        self.told.push(Promise::Listed(self.person, None));
        let answer = owner.post("/api/security/sessions").json(&body).try_send().await?;
        assert_eq!(answer.status, 200, "{answer:?}");
        self.is_written(&answer);
        self.told.push(Promise::Listed(self.person, Some(add)));
        self.told.extend(signed_in.ok().map(|client| Promise::Dead(Credential::of(&client))));
        Some(())
    }

    async fn change_password(&mut self) -> Option<()> {
        let (client, other) = (self.sign_in().await?, self.sign_in().await?);
        let token = session_token(&client).await?;
        let new = self.next_password();
        let body = json!({
            "current_password": self.password, "new_password": new, "confirm_password": new,
        });
        self.may_have(&new);
        let answer = post(&client, "/api/auth/change-password", Some(&token), &body).await?;
        assert_eq!(answer.status, 200, "{answer:?}");
        self.is_written(&answer);
        self.has(new);
        self.told.push(Promise::Dead(Credential::of(&other)));
        Some(())
    }

    async fn spend(&mut self) -> Option<()> {
        let client = self.sign_in().await?;
        let answer = client.get("/api/security/csrf-token").try_send().await?.json();
        let token = answer["data"]["token"].as_str().unwrap().to_owned();
        assert_eq!(spend(&client, &token).await?, "400 invalid");
        self.told.push(Promise::Spent(Credential::of(&client), token));
        Some(())
    }

    async fn reset(&mut self) -> Option<()> {
        let body = json!({"action": "request", "email": address_of(self.person)});
        let answer = post(&self.anybody(), "/api/password-reset", None, &body).await?;
        assert_eq!(answer.status, 200, "{answer:?}");
        let new = self.next_password();
        self.may_have(&new);
        loop {
            let token = self.token_of_mail().await?;
            let body = json!({"action": "reset", "token": token, "password": new});
            let answer = post(&self.anybody(), "/api/password-reset", None, &body).await?;
            // A mail of before the last kill may arrive late; a newer one has voided its token.
            if answer.status == 200 {
                self.is_written(&answer);
                self.has(new);
                self.told.push(Promise::Reset(token));
                return Some(());
            }
            assert_eq!(answer.verdict(), "400 link_used");
        }
    }

    /// A second factor, switched on, used and switched off.
    async fn factor(&mut self) -> Option<()> {
        let client = self.sign_in().await?;
        let token = session_token(&client).await?;
        let setup = client.post("/api/two-factor/setup").header("x-csrf-token", &token);
        let begun = setup.try_send().await?;
        assert_eq!(begun.status, 201, "{begun:?}");
        let begun = begun.json();
        let mut codes = Codes::of(&begun);
        let code = code_at(begun["secret"].as_str().unwrap(), Clock::system().now());
        self.told.push(Promise::Factor(self.person, Factor::MayBeOn(codes.clone())));
        let body = json!({"code": code});
        let path = "/api/two-factor/verify-setup";
        let answer = post(&client, path, Some(&token), &body).await?;
        assert_eq!(answer.status, 201, "{answer:?}");
        self.is_written(&answer);
        codes.used.push(code);
        self.told.push(Promise::Factor(self.person, Factor::On(codes.clone())));

        let other = self.anybody();
        let body = json!({
            "email": address_of(self.person), "password": PASSWORD, "twoFactorCode": codes.backup[0],
        });
        let answer = post(&other, "/api/auth/login", None, &body).await?;
        assert_eq!(answer.status, 201, "{answer:?}");
        self.is_written(&answer);
        codes.used.push(codes.backup[0].clone());
        self.told.push(Promise::Factor(self.person, Factor::On(codes.clone())));

        let token = session_token(&client).await?;
        self.told.push(Promise::Factor(self.person, Factor::MayBeOff(codes)));
        let body = json!({"password": PASSWORD});
        let answer = post(&client, "/api/two-factor/disable", Some(&token), &body).await?;
        assert_eq!(answer.status, 201, "{answer:?}");
        self.is_written(&answer);
        self.told.push(Promise::Factor(self.person, Factor::Off));
        Some(())
    }

    /// The token of the mail to the person, which a job delivers every second.
    async fn token_of_mail(&self) -> Option<String> {
        loop {
            let mails = std::fs::read_dir(&self.outbox).unwrap().map(|entry| entry.unwrap().path());
            let end = format!("-{}.eml", address_of(self.person));
            for path in mails.filter(|path| path.to_string_lossy().ends_with(&end)) {
                let text = std::fs::read_to_string(&path).unwrap();
                std::fs::remove_file(&path).unwrap();
                if let Some((_, rest)) = text.split_once("X-Portcullis-Link: ") {
                    let link = rest.lines().next().unwrap();
                    return Some(link.rsplit('=').next().unwrap().trim().to_owned());
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.anybody().get("/healthz").try_send().await?;
        }
    }

    fn anybody(&self) -> Client {
        Client::new(self.server)
    }

    async fn sign_in(&self) -> Option<Client> {
        let client = sign_in(self.anybody(), self.person, &self.password).await?;
        Some(client.expect("the password is right"))
    }

    /// The owner, and a CSRF token of the owner's session.
    async fn owner(&self) -> Option<(Client, String)> {
        let owner = sign_in(self.anybody(), OWNER, PASSWORD).await?.expect("it is right");
        let token = session_token(&owner).await?;
        Some((owner, token))
    }

    /// What was just done is in the audit log.
    fn is_written(&mut self, answer: &Answer) {
        let request = answer.header("x-request-id").unwrap().to_owned();
        self.told.push(Promise::Written(request));
    }

    fn next_password(&self) -> String {
        let number: u32 = self.password.rsplit(' ').next().unwrap().parse().unwrap_or_default();
        format!("a password of {} number {}", self.person, number + 1)
    }

    /// From now on the old password is right, or the new one.
    fn may_have(&mut self, new: &str) {
        let both = vec![self.password.clone(), new.to_owned()];
        self.told.push(Promise::Password(self.person, both));
    }

    fn has(&mut self, new: String) {
        self.told.push(Promise::Password(self.person, vec![new.clone()]));
        self.password = new;
    }
}

/// `None` if no answer came.
async fn sign_in(client: Client, person: &str, password: &str) -> Option<Result<Client, Answer>> {
    let body = json!({"username": person, "password": password});
    let answer = post(&client, "/api/auth/login", None, &body).await?;
    Some(if answer.status == 201 { Ok(client) } else { Err(answer) })
}

/// A CSRF token that lives as long as the session.
async fn session_token(client: &Client) -> Option<String> {
    let answer = client.get("/api/security/csrf-token?use=session").try_send().await?.json();
    Some(answer["data"]["token"].as_str().unwrap().to_owned())
}

/// Asks again while all threads that hash are taken. `None` if no answer came.
async fn post(client: &Client, path: &str, token: Option<&str>, body: &Value) -> Option<Answer> {
    loop {
        let mut sending = client.post(path).json(body);
        if let Some(token) = token {
            sending = sending.header("x-csrf-token", token);
        }
        let answer = sending.try_send().await?;
        if answer.status != 503 {
            return Some(answer);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
