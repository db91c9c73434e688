//! How it stands with everybody's password: state by state.

use portcullis_domain::id::{RoleId, UserId};
use portcullis_domain::password::BreachState;
use portcullis_domain::text::Email;
use portcullis_store::Tx;
use portcullis_store::users::breach_status::{self, Counts};
use portcullis_store::users::directory::Page;
use portcullis_store::users::{self, Checked, NewPassword, NewUser};

use crate::harness::{NOW, each, full_user, later, new_user, role};

const ALL: Page = Page { limit: 50, offset: 0 };

/// Somebody whose password is in a state.
async fn person(tx: &mut Tx, name: &str, role: RoleId, state: BreachState) -> UserId {
    let checked = Checked { state: BreachState::Clear, corpus: "list".to_owned() };
    let password = NewPassword { checked, ..NewPassword::unseen("$argon2id$") };
    let password = match state {
        BreachState::Unchecked => NewPassword::unseen("$argon2id$"),
        BreachState::Clear | BreachState::Breached | BreachState::Deferred => password,
    };
    let new = NewUser { password: Some(password), ..full_user(name, role) };
    let id = users::insert(tx, &new, NOW).await.unwrap();
    if matches!(state, BreachState::Breached | BreachState::Deferred) {
        let checked = Checked { state, corpus: "list, online".to_owned() };
        let count = if state == BreachState::Breached { 42 } else { 0 };
        assert!(users::note_check(tx, id, NOW, (&checked, count), later(1)).await.unwrap());
    }
    id
}

fn counts(breached: i64, deferred: i64, unchecked: i64, clear: i64) -> Counts {
    [
        (BreachState::Breached, breached),
        (BreachState::Deferred, deferred),
        (BreachState::Unchecked, unchecked),
        (BreachState::Clear, clear),
    ]
}

async fn ids(tx: &mut Tx, state: BreachState, after: UserId, page: Page) -> Vec<UserId> {
    let rows = breach_status::page(tx, state, after, page).await.unwrap();
    rows.into_iter().map(|row| row.user.id).collect()
}

#[tokio::test]
async fn whoever_has_a_password_is_counted_and_listed_once() {
    each(async |test| {
        let mut tx = test.write().await;
        assert_eq!(breach_status::counts(&mut tx).await.unwrap(), counts(0, 0, 0, 0));
        let role = role(&mut tx, "clerk", 20).await;
        let mut expected = Vec::new();
        for (number, state) in BreachState::ALL.into_iter().cycle().take(11).enumerate() {
            let id = person(&mut tx, &format!("user{number}"), role, state).await;
            expected.push((state, id));
        }
        // Neither of them has a password, one any more.
        users::insert(&mut tx, &new_user("bare", role), NOW).await.unwrap();
        let gone = person(&mut tx, "gone", role, BreachState::Breached).await;
        let address = Email::parse("gone@deleted.invalid").unwrap();
        assert!(users::delete(&mut tx, gone, &address, role, later(2)).await.unwrap());
        assert_eq!(breach_status::counts(&mut tx).await.unwrap(), counts(3, 3, 3, 2));
        for state in BreachState::ALL {
            let of_state = expected.iter().filter(|(of, _)| *of == state);
            let of_state: Vec<_> = of_state.map(|(_, id)| *id).collect();
            assert_eq!(ids(&mut tx, state, UserId(0), ALL).await, of_state, "{state:?}");
            let one_by_one = Page { limit: 1, offset: 1 };
            assert_eq!(ids(&mut tx, state, UserId(0), one_by_one).await, of_state[1..2]);
            assert_eq!(ids(&mut tx, state, of_state[0], ALL).await, of_state[1..]);
        }
        let (after, last) = (expected[0].1, expected[4].1);
        let between = breach_status::between(&mut tx, after, last).await.unwrap();
        let of_range = expected[1..5].iter().map(|(state, id)| (*id, *state));
        assert_eq!(between, of_range.collect());
        let of_all = breach_status::between(&mut tx, UserId(0), UserId(i64::MAX)).await.unwrap();
        assert_eq!(of_all, expected.iter().map(|(state, id)| (*id, *state)).collect());
        let of_all = breach_status::page(&mut tx, BreachState::Breached, UserId(0), ALL).await;
        let first = &of_all.unwrap()[0];
        assert_eq!((first.breach.count, first.breach.checked_at), (42, Some(later(1))));
        assert_eq!(first.breach.corpus, "list, online");
        assert_eq!(first.user, users::by_id(&mut tx, first.user.id).await.unwrap().unwrap());
    })
    .await;
}

/// An account that was closed is still there, and may be opened again.
#[tokio::test]
async fn whoever_is_disabled_stays_in_the_list() {
    use portcullis_domain::account::AccountStatus;
    each(async |test| {
        let mut tx = test.write().await;
        let role = role(&mut tx, "clerk", 20).await;
        let id = person(&mut tx, "ada", role, BreachState::Breached).await;
        users::set_status(&mut tx, id, AccountStatus::Disabled, later(2)).await.unwrap();
        assert_eq!(ids(&mut tx, BreachState::Breached, UserId(0), ALL).await, [id]);
        assert_eq!(breach_status::counts(&mut tx).await.unwrap(), counts(1, 0, 0, 0));
    })
    .await;
}

#[tokio::test]
async fn both_go_by_the_index() {
    each(async |test| {
        if test.is_postgres() {
            return;
        }
        let page = "SELECT * FROM users WHERE breach_state = 'clear' AND id > 0 AND status <> 3
            AND password_phc IS NOT NULL ORDER BY id LIMIT 50";
        let plan = test.plan(page).await;
        assert_eq!(plan, "SEARCH users USING INDEX users_breach (breach_state=? AND id>?)");
        let count = "SELECT breach_state, COUNT(*), MIN(id) FROM users
            WHERE status <> 3 AND password_phc IS NOT NULL GROUP BY breach_state";
        let plan = test.plan(count).await;
        assert_eq!(plan, "SCAN users USING INDEX users_breach");
    })
    .await;
}
