//! Two who act at once: of those who take each other's rights away one wins, and an owner is left.

use serde_json::json;

use super::*;
use crate::harness::on_each_database;
use crate::harness::people::STAFF;

const OWNERS: [Person; 2] = [STAFF, staff("second@example.com", "second", "owner")];

#[tokio::test(flavor = "multi_thread")]
async fn two_owners_who_demote_each_other_leave_one() {
    demote_at_once([1, 0], |first, second| {
        let done = [&first, &second].iter().filter(|answer| answer.status == 200).count();
        assert_eq!(done, 1, "{first:?} {second:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_owners_who_both_step_down_leave_one() {
    demote_at_once([0, 1], |first, second| {
        let mut verdicts = [first.verdict(), second.verdict()];
        verdicts.sort_unstable();
        assert_eq!(verdicts, ["200", "409 last_owner"]);
    })
    .await;
}

/// Five times over, each of the two owners demotes one of them at the same moment.
async fn demote_at_once(whom: [usize; 2], judge: impl Fn(Answer, Answer)) {
    on_each_database(async |server| {
        make_roles(server).await;
        let clerk = role_id(server, "clerk").await.0;
        let uuids = [server.add(&OWNERS[0]).await.uuid, server.add(&OWNERS[1]).await.uuid];
        let bodies = whom.map(|whom| on("update_role", &uuids[whom], &json!({"role_id": clerk})));
        for _ in 0..5 {
            let clients = [server.sign_in(&OWNERS[0]).await, server.sign_in(&OWNERS[1]).await];
            let (first, second) = tokio::join!(
                post(&clients[0], USERS, &bodies[0]),
                post(&clients[1], USERS, &bodies[1]),
            );
            judge(first, second);
            restore(server, &OWNERS).await;
        }
    })
    .await;
}

/// Makes owners of both again.
async fn restore(server: &TestApp, people: &[Person]) {
    let owner = role_id(server, "owner").await;
    let now = server.app.clock.now();
    let mut tx = server.app.db.write().await.unwrap();
    for person in people {
        let email = portcullis_domain::text::Email::parse(person.email).unwrap();
        let user = portcullis_store::users::by_email(&mut tx, &email).await.unwrap().unwrap();
        portcullis_store::users::set_role(&mut tx, user.id, owner, now).await.unwrap();
    }
    tx.commit().await.unwrap();
}
