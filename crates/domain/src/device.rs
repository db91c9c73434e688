//! The cookie of a browser in which somebody signed in. It names no one, and it does not sign in: it
//! keeps a lock-out of the network from reaching this device, and, if its sign-in was at a place of the
//! owner's own, vouches for the browser at a new one. Not here: what either is worth, which is in
//! `throttle` and `place`.

use std::time::Duration;

use aws_lc_rs::hmac;
use subtle::ConstantTimeEq as _;

use crate::id::UserId;
use crate::secret::{leading, lower_hex};
use crate::time::Time;

/// How long a browser vouches for its owner after it was last seen at a place of his own.
const VOUCHES_FOR: Duration = Duration::from_hours(180 * 24);

/// The digits of the part that every cookie has.
const MARK: usize = 64;

/// The key of device cookies.
#[derive(Clone)]
pub struct DeviceKey(hmac::Key);

/// The random id of a device, as its cookie carries it.
pub type DeviceNonce = [u8; 16];

/// What of an account ends what browsers of before vouch for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epochs {
    /// Raised by a new password, and by signing out everywhere.
    pub account: i64,
    /// Raised by taking places back.
    pub places: i64,
}

impl DeviceKey {
    pub(crate) fn new(key: hmac::Key) -> Self {
        Self(key)
    }

    /// The cookie of a browser in which `user` signed in, wherever that was: 64 lower-case hexadecimal
    /// digits, the nonce and a MAC over user and nonce. Nothing is stored.
    pub fn mint(&self, user: UserId, nonce: DeviceNonce) -> String {
        hex::encode(nonce) + &hex::encode(self.tag(&[&user.0.to_be_bytes(), &nonce]))
    }

    /// The same, and 48 digits more for a browser that was at a place of the user's own: the time, and
    /// a MAC over all of it and the epochs.
    pub fn mint_vouching(
        &self,
        user: UserId,
        nonce: DeviceNonce,
        epochs: Epochs,
        now: Time,
    ) -> String {
        let time = now.0.to_be_bytes();
        let tag = self.voucher(user, &nonce, epochs, time);
        self.mint(user, nonce) + &hex::encode(time) + &hex::encode(tag)
    }

    /// The device's nonce, if the cookie was made for this user.
    pub fn verify(&self, user: UserId, cookie: &str) -> Option<DeviceNonce> {
        let (mark, _) = cookie.split_at_checked(MARK)?;
        let bytes: [u8; 32] = lower_hex(mark)?;
        let nonce = bytes.first_chunk::<16>()?;
        let tag = bytes.last_chunk::<16>()?;
        let own = self.tag(&[&user.0.to_be_bytes(), nonce]);
        bool::from(own.ct_eq(tag)).then_some(*nonce)
    }

    /// Whether the cookie vouches for this user's browser at a new place.
    pub fn vouches(&self, user: UserId, cookie: &str, epochs: Epochs, now: Time) -> bool {
        let Some(nonce) = self.verify(user, cookie) else { return false };
        let rest = cookie.split_at_checked(MARK).and_then(|(_, rest)| lower_hex::<24>(rest));
        let Some(rest) = rest else { return false };
        let (Some(time), Some(tag)) = (rest.first_chunk::<8>(), rest.last_chunk::<16>()) else {
            return false;
        };
        let own = self.voucher(user, &nonce, epochs, *time);
        let is_own = bool::from(own.ct_eq(tag));
        is_own && now < Time(i64::from_be_bytes(*time)).plus(VOUCHES_FOR)
    }

    fn voucher(
        &self,
        user: UserId,
        nonce: &DeviceNonce,
        epochs: Epochs,
        time: [u8; 8],
    ) -> [u8; 16] {
        let (account, places) = (epochs.account.to_be_bytes(), epochs.places.to_be_bytes());
        self.tag(&[&user.0.to_be_bytes(), nonce, &account, &places, &time])
    }

    /// Of parts whose lengths are fixed: what is longer is never taken for what is shorter.
    fn tag(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut mac = hmac::Context::with_key(&self.0);
        for part in parts {
            mac.update(part);
        }
        leading(&mac.sign())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{Keys, MasterSecret};

    const NONCE: DeviceNonce = [3; 16];
    const EPOCHS: Epochs = Epochs { account: 4, places: 2 };
    const NOW: Time = Time(1_000_000);

    fn key(byte: u8) -> DeviceKey {
        Keys::derive(&MasterSecret::from_random([byte; 32])).unwrap().device
    }

    #[test]
    fn a_device_cookie_serves_its_own_user_only() {
        let (key, foreign) = (key(1), key(2));
        let check = |user, cookie: &str, expected| {
            assert_eq!(key.verify(UserId(user), cookie), expected, "{user} {cookie}");
        };
        let plain = key.mint(UserId(5), NONCE);
        assert_eq!(plain.len(), 64);
        for cookie in [plain, key.mint_vouching(UserId(5), NONCE, EPOCHS, NOW)] {
            check(5, &cookie, Some(NONCE));
            check(6, &cookie, None);
            check(5, &cookie.to_uppercase(), None);
            check(5, &cookie.replace('3', "4"), None);
            assert_eq!(foreign.verify(UserId(5), &cookie), None);
        }
        check(5, "", None);
        check(5, &"é".repeat(40), None);
    }

    #[test]
    fn a_browser_vouches_for_its_user_for_a_time_and_under_the_same_epochs() {
        let key = key(1);
        let cookie = key.mint_vouching(UserId(5), NONCE, EPOCHS, NOW);
        assert_eq!(cookie.len(), 112);
        let check = |user, cookie: &str, epochs, days: u64, expected| {
            let now = NOW.plus(Duration::from_hours(24 * days));
            let vouches = key.vouches(UserId(user), cookie, epochs, now);
            assert_eq!(vouches, expected, "{user} {cookie} {epochs:?} {days}");
        };
        check(5, &cookie, EPOCHS, 0, true);
        check(5, &cookie, EPOCHS, 179, true);
        check(5, &cookie, EPOCHS, 180, false);
        check(6, &cookie, EPOCHS, 0, false);
        check(5, &cookie, Epochs { account: 5, ..EPOCHS }, 0, false);
        check(5, &cookie, Epochs { places: 3, ..EPOCHS }, 0, false);
        check(5, &cookie, Epochs { account: 2, places: 4 }, 0, false);
        check(5, &key.mint(UserId(5), NONCE), EPOCHS, 0, false);
        check(5, &format!("{cookie}00"), EPOCHS, 0, false);
        let other = key.mint_vouching(UserId(5), [4; 16], EPOCHS, NOW);
        let (mark, rest) = (&cookie[..64], &other[64..]);
        check(5, &format!("{mark}{rest}"), EPOCHS, 0, false);
        let later = key.mint_vouching(UserId(5), NONCE, EPOCHS, Time(NOW.0 + 1));
        check(5, &format!("{}{}", &later[..80], &cookie[80..]), EPOCHS, 0, false);
    }
}
