//! Accounts on a real database: each refusal with what is allowed, and what a change leaves behind.

use portcullis_domain::administration::Refusal as Denied;
use portcullis_domain::permission::Grant;
use portcullis_domain::role::{Authority, Refusal};
use portcullis_domain::secret::{Keys, MasterSecret};
use portcullis_store::users::Password;
use portcullis_store::{outbox, user_grants};

use super::super::new_password::tests::accepted;
use super::super::password_reset::hand_out;
use super::super::reset_tokens::revoke;
use super::super::roles::tests::{Office, actor};
use super::*;

const PLACE: &str = "https://gate.example.com";

fn email(name: &str) -> Email {
    Email::parse(&format!("{name}@example.com")).unwrap()
}

async fn account(name: &str, role: &str) -> NewAccount {
    NewAccount {
        email: email(name),
        username: Some(Username::parse(name).unwrap()),
        first_name: Name::parse("Ada").unwrap(),
        last_name: Name::default(),
        phone: None,
        branch_id: 1,
        account_type: AccountType::Staff,
        role: role.to_owned(),
        password: Some(accepted("a first long password").await),
    }
}

async fn by_the_operator() -> Office {
    let mut office = Office::open(Authority::operator()).await;
    office.context.actor = None;
    office
}

async fn made(office: &Office, name: &str, role: &str) -> UserId {
    let created = create(&office.acting(), &account(name, role).await).await.unwrap();
    let Create::Created { id, .. } = created else { panic!("{created:?}") };
    id
}

async fn user(office: &Office, id: UserId) -> (User, Password) {
    let mut tx = office.db.read().await.unwrap();
    let user = users::by_id(&mut tx, id).await.unwrap().unwrap();
    (user, users::password(&mut tx, id).await.unwrap().unwrap())
}

#[tokio::test]
async fn an_account_is_made_with_its_event() {
    let office = Office::open(Authority::operator()).await;
    let id = made(&office, "ada", "STAFF").await;
    let (user, password) = user(&office, id).await;
    assert_eq!((user.email, user.status), (email("ada"), AccountStatus::Active));
    assert!(password.phc.is_some() && !password.disabled);
    let expected = format!(r#"user_created {id} {{"account_type":"Staff","role":"staff"}}"#);
    assert_eq!(office.events().await, [expected]);
    assert_eq!(find(&office.db, &email("ADA")).await.unwrap().map(|user| user.id), Some(id));
    assert_eq!(find(&office.db, &email("eve")).await.unwrap(), None);
}

#[tokio::test]
async fn a_name_belongs_to_one_user() {
    let office = Office::open(Authority::operator()).await;
    made(&office, "ada", "user").await;
    let check = async |new: NewAccount, expected: Create| {
        assert_eq!(create(&office.acting(), &new).await.unwrap(), expected);
    };
    let username = |name: &str| Some(Username::parse(name).unwrap());
    check(NewAccount { username: None, ..account("Ada", "user").await }, Create::EmailTaken).await;
    check(account("ada", "user").await, Create::EmailTaken).await;
    let same_name = NewAccount { username: username("ADA"), ..account("eve", "user").await };
    check(same_name, Create::UsernameTaken).await;
    for address in ["ada@example.com", "nobody@example.com"] {
        let borrowed = NewAccount { username: username(address), ..account("eve", "user").await };
        check(borrowed, Create::UsernameIsAddress).await;
    }
    check(account("eve", "nobody").await, Create::UnknownRole).await;
    assert_eq!(list(&office.db).await.unwrap().len(), 1);
    assert_eq!(office.events().await.len(), 1);
    made(&office, "eve", "user").await;
}

#[tokio::test]
async fn nobody_makes_or_touches_what_is_above_them() {
    let mut office = Office::open(Authority::operator()).await;
    let owner = made(&office, "olga", "owner").await;
    let helper = made(&office, "hugo", "user").await;
    let before = office.events().await.len();
    office.authority = actor(50, &["api.*"]);
    let acting = office.acting();
    let above = Refusal::AboveLevel;
    let new = account("eve", "owner").await;
    assert_eq!(create(&acting, &new).await.unwrap(), Create::Refused(above));
    let refused = Change::Refused(above.into());
    assert_eq!(disable(&acting, owner).await.unwrap(), refused);
    assert_eq!(enable(&acting, owner).await.unwrap(), refused);
    assert_eq!(office.events().await.len(), before);
    assert_eq!(user(&office, owner).await.0.epoch, 0);

    assert_eq!(disable(&acting, helper).await.unwrap(), Change::Done);
    let made = create(&acting, &account("eve", "user").await).await.unwrap();
    assert!(matches!(made, Create::Created { .. }), "{made:?}");
}

#[tokio::test]
async fn nobody_gives_a_role_that_holds_what_they_lack() {
    let mut office = Office::open(Authority::operator()).await;
    office.authority = actor(50, &["api.jobs.*"]);
    let lacking = create(&office.acting(), &account("eve", "user").await).await.unwrap();
    assert_eq!(lacking, Create::Refused(Refusal::Lacking));
    office.authority = actor(50, &["api.security.mobile_auth.use"]);
    made(&office, "eve", "user").await;
}

#[tokio::test]
async fn closing_an_account_ends_what_was_signed_in() {
    let office = Office::open(Authority::operator()).await;
    let (id, other) = (made(&office, "ada", "user").await, made(&office, "eve", "user").await);
    let acting = office.acting();
    let check = async |change: Change, expected: Change, status: AccountStatus, epoch: i64| {
        assert_eq!(change, expected);
        let (user, _) = user(&office, id).await;
        assert_eq!((user.status, user.epoch), (status, epoch));
    };
    let (active, disabled) = (AccountStatus::Active, AccountStatus::Disabled);
    check(enable(&acting, id).await.unwrap(), Change::Unchanged, active, 0).await;
    check(disable(&acting, id).await.unwrap(), Change::Done, disabled, 1).await;
    check(disable(&acting, id).await.unwrap(), Change::Unchanged, disabled, 1).await;
    check(enable(&acting, id).await.unwrap(), Change::Done, active, 1).await;
    assert_eq!(disable(&acting, UserId(99)).await.unwrap(), Change::Unknown);
    assert_eq!(user(&office, other).await.0.epoch, 0);
    let updated: Vec<String> = office.events().await;
    assert_eq!(
        updated.get(2..).unwrap_or_default(),
        [
            format!(r#"user_updated {id} {{"field":"status","sessions":0,"value":"disabled"}}"#),
            format!(r#"user_updated {id} {{"field":"status","value":"active"}}"#),
        ]
    );
}

#[tokio::test]
async fn what_lets_one_sign_in_takes_every_right_of_the_account() {
    // What the door thought of the actor: that he may do everything.
    let mut office = Office::open(Authority::operator()).await;
    let (helper, peer) =
        (made(&office, "hugo", "staff").await, made(&office, "peer", "staff").await);
    let (below, owner) = (made(&office, "ada", "user").await, made(&office, "olga", "owner").await);
    let more = Grant::parse("api.leads.list").unwrap();
    let mut tx = office.db.write().await.unwrap();
    user_grants::grant(&mut tx, peer, &more, Office::NOW).await.unwrap();
    tx.commit().await.unwrap();
    let key = Keys::derive(&MasterSecret::from_random([7; 32])).unwrap().credential;
    let password = accepted("a second long password").await;
    let tried = async |office: &Office, id: UserId| {
        let acting = office.acting();
        let by = PasswordChanger::Operator;
        let acts = [
            set_password(&acting, id, &password, by, PLACE).await.unwrap(),
            hand_out(&acting, &key, id)
                .await
                .map_or_else(|halt| undone(halt).unwrap(), |_| Change::Done),
            revoke(&acting, id).await.map_or_else(|halt| undone(halt).unwrap(), |_| Change::Done),
        ];
        acts.map(|change| if let Change::Refused(refusal) = change { Some(refusal) } else { None })
    };
    office.context.actor = Some(helper);
    assert_eq!(tried(&office, below).await, [None; 3], "control");
    assert_eq!(tried(&office, owner).await, [Some(Denied::AboveLevel); 3]);
    assert_eq!(tried(&office, peer).await, [Some(Denied::Lacking); 3]);
    // Whoever forgives wrong passwords knows none of it afterwards: the level is enough.
    let forgiven = async |id| unlock(&office.acting(), id).await.unwrap();
    assert!(!matches!(forgiven(peer).await, Change::Refused(_)));
    assert_eq!(forgiven(owner).await, Change::Refused(Denied::AboveLevel));
    let own = tried(&office, helper).await;
    let yourself = Some(Denied::Yourself);
    assert_eq!(own, [yourself, yourself, None], "taking back is free");
    let mut tx = office.db.write().await.unwrap();
    user_grants::grant(&mut tx, helper, &more, Office::NOW).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(tried(&office, peer).await, [None; 3], "control: now he holds it, too");
    let mut tx = office.db.write().await.unwrap();
    users::set_status(&mut tx, helper, AccountStatus::Disabled, Office::NOW).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(tried(&office, below).await, [Some(Denied::SignedOut); 3], "he lost it meanwhile");
}

#[tokio::test]
async fn a_new_password_starts_afresh() {
    let office = by_the_operator().await;
    let id = made(&office, "ada", "user").await;
    let mut tx = office.db.write().await.unwrap();
    users::password_failed(&mut tx, id).await.unwrap();
    users::disable_password(&mut tx, id).await.unwrap();
    tx.commit().await.unwrap();
    let (acting, by) = (office.acting(), PasswordChanger::Operator);
    let new = accepted("a second long password").await;
    assert_eq!(set_password(&acting, id, &new, by, PLACE).await.unwrap(), Change::Done);
    let (user, password) = user(&office, id).await;
    assert_eq!((user.epoch, password.failures, password.disabled), (1, 0, false));
    assert_eq!(password.phc.map(|phc| phc.reveal().to_owned()), Some(new.row().phc.clone()));
    let expected = format!(r#"authn_password_change {id} {{"by":"operator"}}"#);
    assert!(office.events().await.contains(&expected));
    let letters = outbox::list(&mut office.db.read().await.unwrap(), 9).await.unwrap();
    let letters: Vec<_> =
        letters.iter().map(|mail| (mail.recipient.as_str(), mail.subject.as_str())).collect();
    assert_eq!(letters, [("ada@example.com", "Your password was changed")]);
    let new = accepted("a third long password").await;
    assert_eq!(set_password(&acting, UserId(99), &new, by, PLACE).await.unwrap(), Change::Unknown);
}

#[tokio::test]
async fn unlocking_forgives_once() {
    let office = by_the_operator().await;
    let id = made(&office, "ada", "user").await;
    let acting = office.acting();
    assert_eq!(unlock(&acting, id).await.unwrap(), Change::Unchanged);
    assert_eq!(unlock(&acting, UserId(99)).await.unwrap(), Change::Unknown);
    let mut tx = office.db.write().await.unwrap();
    users::password_failed(&mut tx, id).await.unwrap();
    users::disable_password(&mut tx, id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(unlock(&acting, id).await.unwrap(), Change::Done);
    let (user, password) = user(&office, id).await;
    assert_eq!((user.epoch, password.failures, password.disabled), (0, 0, false));
    assert!(office.events().await.contains(&format!("user_unlocked {id} {{}}")));
}
