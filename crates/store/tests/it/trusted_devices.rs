//! Trusted devices: recognised in their time, by their own user, under the same epoch; a few at most.

use portcullis_domain::id::UserId;
use portcullis_store::trusted_devices::{self, NewDevice};
use portcullis_store::{Error, Tx, users};

use crate::harness::{NOW, ada, each, later, mac, new_user, role};

const MOST: i64 = 3;

#[tokio::test]
async fn a_device_is_recognised_in_its_time_by_its_own_user() {
    each(async |test| {
        let mut tx = test.write().await;
        let ada = ada(&mut tx).await;
        let role = role(&mut tx, "others", 5).await;
        let grace = users::insert(&mut tx, &new_user("grace", role), NOW).await.unwrap();
        trust(&mut tx, 1, ada, 0).await;
        let check = async |tx: &mut Tx, user, secret, at, expected: Option<&str>| {
            let found = trusted_devices::recognise(tx, user, &mac(secret), later(at)).await;
            assert_eq!(found.unwrap().as_deref(), expected, "{user:?} {secret} {at}");
        };
        check(&mut tx, ada, 1, 5, Some("1")).await;
        check(&mut tx, ada, 2, 5, None).await;
        check(&mut tx, grace, 1, 5, None).await;
        check(&mut tx, ada, 1, 59, Some("1")).await;
        check(&mut tx, ada, 1, 60, None).await;

        let list = trusted_devices::list(&mut tx, ada, later(59)).await.unwrap();
        let [device] = list.as_slice() else { panic!("{list:?}") };
        assert_eq!((device.name.as_str(), device.ip.as_str()), ("Firefox on Linux", "192.0.2.7"));
        assert_eq!((device.created_at, device.last_used_at), (NOW, Some(later(59))));
        assert_eq!(trusted_devices::list(&mut tx, ada, later(60)).await.unwrap(), []);
        assert_eq!(trusted_devices::list(&mut tx, grace, NOW).await.unwrap(), []);

        trust(&mut tx, 2, ada, 0).await;
        users::bump_epoch(&mut tx, ada).await.unwrap();
        check(&mut tx, ada, 1, 5, None).await;
        assert_eq!(trusted_devices::list(&mut tx, ada, NOW).await.unwrap(), []);
        assert_eq!(trusted_devices::count(&mut tx, ada, NOW).await.unwrap(), 0);
        assert!(!trusted_devices::end(&mut tx, ada, "2", NOW).await.unwrap());
        trust(&mut tx, 3, ada, 1).await;
        check(&mut tx, ada, 3, 5, Some("3")).await;
    })
    .await;
}

#[tokio::test]
async fn a_device_is_ended_by_its_own_user_once() {
    each(async |test| {
        let mut tx = test.write().await;
        let ada = ada(&mut tx).await;
        trust(&mut tx, 1, ada, 0).await;
        trust(&mut tx, 2, ada, 0).await;
        assert!(!trusted_devices::end(&mut tx, UserId(99), "1", later(1)).await.unwrap());
        assert!(!trusted_devices::end(&mut tx, ada, "9", later(1)).await.unwrap());
        assert_eq!(trusted_devices::count(&mut tx, ada, later(1)).await.unwrap(), 2);
        assert!(trusted_devices::end(&mut tx, ada, "1", later(1)).await.unwrap());
        assert!(!trusted_devices::end(&mut tx, ada, "1", later(1)).await.unwrap());
        let found = trusted_devices::recognise(&mut tx, ada, &mac(1), later(1)).await.unwrap();
        assert_eq!(found, None);
        assert_eq!(trusted_devices::count(&mut tx, ada, later(1)).await.unwrap(), 1);

        assert_eq!(trusted_devices::sweep(&mut tx, later(1), 9).await.unwrap(), 0);
        assert_eq!(trusted_devices::sweep(&mut tx, later(2), 9).await.unwrap(), 1, "ended");
        assert_eq!(trusted_devices::sweep(&mut tx, later(61), 9).await.unwrap(), 1, "ran out");
    })
    .await;
}

#[tokio::test]
async fn one_more_takes_the_place_of_the_oldest() {
    each(async |test| {
        let mut tx = test.write().await;
        let ada = ada(&mut tx).await;
        for number in 1..=5 {
            trust(&mut tx, number, ada, 0).await;
        }
        let list = trusted_devices::list(&mut tx, ada, NOW).await.unwrap();
        let ids: Vec<&str> = list.iter().map(|device| device.id.as_str()).collect();
        assert_eq!(ids, ["5", "4", "3"]);
        let again = trusted_devices::insert(&mut tx, &new(5, "6", ada, 0), MOST, NOW).await;
        assert!(matches!(again, Err(Error::Conflict)), "a secret is of one device");
    })
    .await;
}

async fn trust(tx: &mut Tx, number: u8, user: UserId, user_epoch: i64) {
    let id = number.to_string();
    trusted_devices::insert(tx, &new(number, &id, user, user_epoch), MOST, NOW).await.unwrap();
}

fn new(secret: u8, id: &str, user_id: UserId, user_epoch: i64) -> NewDevice<'_> {
    NewDevice {
        id,
        user_id,
        user_epoch,
        mac: mac(secret),
        name: "Firefox on Linux",
        device_type: "browser",
        fingerprint: "",
        ip: "192.0.2.7",
        expires_at: later(60),
    }
}
