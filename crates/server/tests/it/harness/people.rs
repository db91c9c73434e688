//! The people of the contract's cases, and the ways in which they sign in.

use std::sync::OnceLock;

use portcullis_domain::account::AccountType;
use portcullis_domain::password::{self, Memory, Params};
use portcullis_domain::permission::Grant;
use portcullis_domain::role::Level;
use portcullis_domain::text::{Email, Name, Username};
use portcullis_store::roles::{self, NewRole};
use portcullis_store::users::{self, NewUser, User};
use serde_json::json;

use super::TestApp;
use super::client::{Answer, Client};

/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Somebody who may sign in.
pub(crate) struct Person {
    pub(crate) email: &'static str,
    pub(crate) username: Option<&'static str>,
    pub(crate) account_type: AccountType,
    pub(crate) role: &'static str,
}

/// Staff with every key of the documents, and of the usual rules.
pub(crate) const STAFF: Person = Person {
    email: "staff@example.com",
    username: Some("staff"),
    account_type: AccountType::Staff,
    role: "owner",
};

/// Staff whose role allows nothing.
pub(crate) const STAFF0: Person = Person {
    email: "staff0@example.com",
    username: Some("staff0"),
    account_type: AccountType::Staff,
    role: "nothing",
};

/// An agent whose role has every key.
pub(crate) const AGENT: Person = Person {
    email: "agent@example.com",
    username: Some("agent"),
    account_type: AccountType::Agent,
    role: "owner",
};

/// A tenant with the built-in role of users.
pub(crate) const TENANT: Person = Person {
    email: "tenant@example.com",
    username: Some("tenant"),
    account_type: AccountType::Tenant,
    role: "user",
};

/// The user of the documents of the Z family.
pub(crate) const Z1: Person = Person {
    email: "fred@example.com",
    username: Some("Fredkiss3"),
    account_type: AccountType::Staff,
    role: "worker",
};

impl TestApp {
    /// Makes a person's account. The roles `nothing` (no key) and `worker` (the keys of the usual
    /// rules) are made when somebody first has them.
    pub(crate) async fn add(&self, person: &Person) -> User {
        let now = self.app.clock.now();
        let mut tx = self.app.db.write().await.unwrap();
        let known = roles::by_name(&mut tx, person.role).await.unwrap();
        let role_id = if let Some(role) = known {
            role.id
        } else {
            let name = Name::parse(person.role).unwrap();
            let level = Level::new(20).unwrap();
            let id = roles::insert(&mut tx, &NewRole { name, level }, now).await.unwrap();
            for key in grants_of(person.role) {
                roles::grant(&mut tx, id, &Grant::parse(key).unwrap()).await.unwrap();
            }
            id
        };
        let new = NewUser {
            uuid: uuid::Uuid::from_bytes(self.app.random.bytes()).to_string(),
            email: Email::parse(person.email).unwrap(),
            username: person.username.map(|name| Username::parse(name).unwrap()),
            first_name: Name::parse("Jane").unwrap(),
            last_name: Name::parse("Smith").unwrap(),
            phone: Some("07700000001".to_owned()),
            branch_id: 1,
            account_type: person.account_type,
            role_id,
            password: Some(users::NewPassword::unseen(phc())),
        };
        let id = users::insert(&mut tx, &new, now).await.unwrap();
        let user = users::by_id(&mut tx, id).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        user
    }

    /// Makes a person's account and signs them in by username: a client with a session cookie.
    pub(crate) async fn by_cookie(&self, person: &Person) -> Client {
        self.add(person).await;
        self.sign_in(person).await
    }

    /// Signs in by username: a client with a session cookie.
    pub(crate) async fn sign_in(&self, person: &Person) -> Client {
        let client = self.client();
        let answer = sign_in(&client, person.username.unwrap(), PASSWORD).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        client
    }

    /// Signs in by e-mail as a browser that is to stay signed in.
    pub(crate) async fn remembered(&self, person: &Person) -> Client {
        let client = self.client();
        let body = json!({"email": person.email, "password": PASSWORD, "remember": true});
        let sending = client.post("/api/auth/login").from_own_page().json(&body);
        let answer = sending.send().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert!(answer.set_cookie("remember").is_some(), "{answer:?}");
        client
    }

    /// Makes a person's account and a mobile bearer token: a client that sends it.
    pub(crate) async fn by_bearer(&self, person: &Person) -> Client {
        self.add(person).await;
        self.mobile(person).await
    }

    /// A new mobile bearer token: a client that sends it.
    pub(crate) async fn mobile(&self, person: &Person) -> Client {
        self.client().bearer(&self.mobile_token(person).await)
    }

    /// A new mobile bearer token.
    pub(crate) async fn mobile_token(&self, person: &Person) -> String {
        let body = json!({"email": person.email, "password": PASSWORD});
        let answer = self.client().post("/api/security/mobile-auth").json(&body).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["data"]["token"].as_str().unwrap().to_owned()
    }

    /// The whole answer to a sign-in by e-mail.
    pub(crate) async fn login_by_email(&self, person: &Person) -> Answer {
        let body = json!({"email": person.email, "password": PASSWORD});
        let answer = self.client().post("/api/auth/login").json(&body).send().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer
    }
}

/// `POST /api/auth/login` by username.
pub(crate) async fn sign_in(client: &Client, username: &str, password: &str) -> Answer {
    let body = json!({"username": username, "password": password});
    client.post("/api/auth/login").json(&body).send().await
}

fn grants_of(role: &str) -> &'static [&'static str] {
    match role {
        "worker" => &[
            "api.jobs.manage.manage",
            "api.leads.list",
            "api.projects.manage",
            "api.security.mobile_auth.use",
        ],
        _ => &[],
    }
}

/// The hash of everybody's password, made once.
pub(crate) fn phc() -> &'static str {
    static PHC: OnceLock<String> = OnceLock::new();
    PHC.get_or_init(|| {
        let params = Params { memory_kib: 8, iterations: 1, parallelism: 1 };
        password::hash(&params, &mut Memory::default(), PASSWORD, &[3; 16]).unwrap()
    })
}
