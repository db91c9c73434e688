//! Who acts on one account at the same time: each waits for the other, and both are done.

use std::net::Ipv4Addr;

use portcullis_domain::client_address::ClientAddress;
use portcullis_domain::event::Context;
use portcullis_domain::id::UserId;
use portcullis_domain::secret::Opaque;
use portcullis_domain::text::{Email, Username};
use portcullis_server::flows::email::{self, Change, Redeemed};
use portcullis_server::flows::own_profile::{self, Update, Wanted};
use portcullis_store::users;
use tokio::task::JoinSet;

use super::letters;
use crate::harness::people::{Person, Z1};
use crate::harness::{TestApp, on_each_database};

const PEOPLE: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn another_address_and_another_name_at_once_are_both_had() {
    on_each_database(async |server| {
        let mut people = Vec::new();
        for number in 0..PEOPLE {
            people.push(with_link(server, number).await);
        }
        let mut acts = JoinSet::new();
        for (number, (id, token)) in people.iter().enumerate() {
            let (app, token) = (server.app.clone(), Opaque::parse(token).unwrap());
            acts.spawn(async move {
                let redeemed = email::redeem(&app, Some(&token), &Context::default()).await;
                assert!(matches!(redeemed.unwrap(), Redeemed::Changed), "{number}");
            });
            let (app, id) = (server.app.clone(), *id);
            acts.spawn(async move {
                let name = Username::parse(&format!("renamed{number}")).unwrap();
                let wanted = Wanted { username: Some(name), ..Wanted::default() };
                let updated = own_profile::update(&app, id, &wanted, &Context::default()).await;
                assert!(matches!(updated.unwrap(), Update::Done(_)), "{number}");
            });
        }
        while let Some(act) = acts.join_next().await {
            act.unwrap();
        }
        let mut tx = server.app.db.read().await.unwrap();
        for (number, (id, _)) in people.iter().enumerate() {
            let user = users::by_id(&mut tx, *id).await.unwrap().unwrap();
            let username = user.username.unwrap();
            assert_eq!(user.email.as_str(), format!("new{number}@example.com"));
            assert_eq!(username.as_str(), format!("renamed{number}"));
        }
    })
    .await;
}

/// Somebody with a link for another address.
async fn with_link(server: &TestApp, number: usize) -> (UserId, String) {
    let email = format!("old{number}@example.com").leak();
    let username = format!("named{number}").leak();
    let id = server.add(&Person { email, username: Some(username), ..Z1 }).await.id;
    let wanted = format!("new{number}@example.com");
    let change = Change {
        user: id,
        email: Email::parse(&wanted).unwrap(),
        from: ClientAddress::derive(Ipv4Addr::LOCALHOST.into(), &[], &[]),
        context: Context::default(),
    };
    email::ask_to_change(&server.app, &change).await.unwrap();
    (id, letters(server, &wanted, 1).await.pop().unwrap().token())
}
