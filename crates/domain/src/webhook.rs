//! Messages to other systems, signed as the specification Standard Webhooks 1.0.0 says, so that the
//! receiver can use a library of their own. Not here: what is in them, and how they are sent.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::time::Time;

/// What a secret of these begins with.
const PREFIX: &str = "whsec_";
/// How long a secret is, in bytes.
const SECRET_LEN: std::ops::RangeInclusive<usize> = 24..=64;

/// The first pause after a message was not taken; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// No pause is longer: what waits arrives soon after the receiver is back.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// The secret that both sides know. No `Debug` of it.
#[derive(Clone)]
pub struct WebhookSecret(hmac::Key);

impl WebhookSecret {
    /// Reads `whsec_` and 24 to 64 bytes in Base64.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64_STANDARD.decode(text.trim().strip_prefix(PREFIX)?).ok()?;
        SECRET_LEN.contains(&bytes.len()).then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The header `webhook-signature` of a message: over its id, the time at which it is sent, in
    /// seconds, and its body. `id` has no full stop in it.
    pub fn sign(&self, id: &str, sent: Time, body: &[u8]) -> String {
        let mut mac = hmac::Context::with_key(&self.0);
        mac.update(format!("{id}.{}.", sent.secs()).as_bytes());
        mac.update(body);
        format!("v1,{}", BASE64_STANDARD.encode(mac.sign()))
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret")
    }
}

/// How long a receiver that took nothing so many times (1 or more) is left alone. The pause is spread
/// by a quarter in both directions.
pub fn pause(failures: i64, random: u8) -> Duration {
    let doublings = u32::try_from(failures.saturating_sub(1).clamp(0, 16)).unwrap_or_default();
    let usual = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
    usual.saturating_mul(3) / 4 + usual.saturating_mul(u32::from(random)) / (2 * 255)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    /// The example that the libraries of the specification are tested with.
    #[test]
    fn the_published_example_is_signed_as_published() {
        let secret = WebhookSecret::parse(SECRET).unwrap();
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signed = secret.sign(id, Time(1_614_265_330_000), br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let other = secret.sign(id, Time(1_614_265_331_000), br#"{"test": 2432232314}"#);
        assert_ne!(signed, other);
    }

    #[test]
    fn secrets_are_long_enough_and_show_nothing() {
        let check = |text: &str, is_good: bool| {
            assert_eq!(WebhookSecret::parse(text).is_some(), is_good, "{text}");
        };
        check(SECRET, true);
        check(&format!("{SECRET}\n"), true);
        check("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", false);
        check("whsec_", false);
        check("whsec_c2hvcnQ=", false);
        check("whsec_not base64 not base64 not base64!", false);
        check(&format!("whsec_{}", BASE64_STANDARD.encode([7; 23])), false);
        check(&format!("whsec_{}", BASE64_STANDARD.encode([7; 64])), true);
        check(&format!("whsec_{}", BASE64_STANDARD.encode([7; 65])), false);
        assert_eq!(format!("{:?}", WebhookSecret::parse(SECRET).unwrap()), "WebhookSecret");
    }

    #[test]
    fn pauses_grow_up_to_five_minutes() {
        let check = |failures: i64, usual: u64| {
            let (low, high) = (pause(failures, 0), pause(failures, u8::MAX));
            assert_eq!(low, Duration::from_millis(usual * 3 / 4), "{failures}");
            assert_eq!(high, Duration::from_millis(usual * 5 / 4), "{failures}");
        };
        check(1, 2_000);
        check(2, 4_000);
        check(8, 256_000);
        check(9, 300_000);
        check(i64::MAX, 300_000);
        check(0, 2_000);
    }
}
