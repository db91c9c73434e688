//! Second factors of people, as if they had set them up, and the codes of their apps.

use std::time::Duration;

use aws_lc_rs::hmac;
use portcullis_domain::id::UserId;
use portcullis_domain::totp::{Step, TotpSecret};
use portcullis_store::factors::{self, NewFactor};
use portcullis_store::users::User;

use super::TestApp;
use super::people::Person;

/// Somebody with a second factor, and what makes its codes.
pub(crate) async fn with_factor(server: &TestApp, person: &Person) -> (User, hmac::Key) {
    let user = server.add(person).await;
    let key = enable(server, user.id, person.email).await;
    (user, key)
}

/// Gives an account a factor that is asked for.
pub(crate) async fn enable(server: &TestApp, user: UserId, id: &str) -> hmac::Key {
    let (bytes, now) = ([7; 20], server.app.clock.now());
    let secret = TotpSecret::from_random(bytes);
    let sealed = server.app.keys.factor.seal((user, id), &secret, [1; 12]).unwrap();
    let new = NewFactor {
        begun_by: "somebody",
        id,
        user,
        secret: &sealed,
        backup_codes: &[],
        expires_at: now.plus(Duration::from_mins(1)),
    };
    let mut tx = server.app.db.write().await.unwrap();
    assert!(factors::begin(&mut tx, &new, now).await.unwrap());
    assert!(factors::enable(&mut tx, id, Step(0), now).await.unwrap());
    tx.commit().await.unwrap();
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &bytes)
}

/// What an authenticator app shows now (RFC 4226, section 5.3).
pub(crate) fn code(server: &TestApp, key: &hmac::Key) -> String {
    let Step(step) = Step::at(server.app.clock.now());
    let tag = hmac::sign(key, &step.to_be_bytes());
    let at = usize::from(tag.as_ref()[19] & 0x0f);
    let four: [u8; 4] = tag.as_ref()[at..at + 4].try_into().unwrap();
    format!("{:06}", (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000)
}
