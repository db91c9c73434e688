//! The bytes of a token: 32 of them, printed as 64 lower-case hexadecimal digits, for every kind.
//! Not here: who may use which kind (`verdict`).
//!
//! | bytes | content |
//! |---|---|
//! | 0 | kind (3 bits), key generation (5 bits) |
//! | 1–3 | minute of issue since 2026-01-01T00:00Z, big-endian |
//! | 4–15 | nonce: 5 bytes of milliseconds since then, 7 random bytes ([`nonce`]) |
//! | 16–31 | the first 16 bytes of HMAC-SHA-256 over `csrf1`, kind, minute, nonce and the binding |

use std::time::Duration;

use aws_lc_rs::hmac;
use subtle::ConstantTimeEq as _;

use super::{AuthKind, Kind};
use crate::secret::{leading, lower_hex};
use crate::time::Time;

/// 2026-01-01T00:00Z, in minutes since the Unix epoch.
const FIRST_MINUTE: i64 = 1_767_225_600 / 60;
/// The minute has 24 bits, which last until late 2057.
const LAST_MINUTE: i64 = 0xff_ffff;
/// Nodes may disagree about the time by this much.
const AHEAD: Duration = Duration::from_mins(2);

/// What tells one token of a session from the next: the millisecond of its making, then 56 random
/// bits. Unique is all it must be (the MAC is what cannot be guessed); in order of time, the rows of
/// spent tokens lie side by side in the store, and a batch of them touches few pages.
pub fn nonce(now: Time, random: [u8; 7]) -> [u8; 12] {
    let millis = (now.0 - FIRST_MINUTE * 60_000).max(0).to_be_bytes();
    let mut nonce = [0; 12];
    let (time, rest) = nonce.split_at_mut(5);
    for (to, from) in time.iter_mut().zip(millis.iter().skip(3)) {
        *to = *from;
    }
    rest.copy_from_slice(&random);
    nonce
}

/// What a token is bound to. It is not in the token, only in its MAC.
#[derive(Debug, Clone, Copy)]
pub enum Binding<'a> {
    /// A browser without a session: the id of its pre-session cookie, or empty where the cookie
    /// profile has none.
    Browser(&'a str),
    /// A session.
    Session {
        /// The internal id, which never leaves the server.
        id: &'a str,
        /// The session's CSRF epoch, which moves at every change of rights.
        epoch: i64,
        /// The credential that the token goes with; `None` for every credential of the session,
        /// because one sign-in gives several credentials and one token.
        auth: Option<AuthKind>,
    },
}

/// The key that makes and checks tokens.
#[derive(Clone)]
pub struct CsrfKeys {
    kid: u8,
    key: hmac::Key,
}

impl CsrfKeys {
    /// The lower five bits of `kid` are the key's generation.
    pub fn new(kid: u8, key: hmac::Key) -> Self {
        Self { kid: kid & 0x1f, key }
    }

    /// Makes a token. It costs one HMAC and writes nothing.
    pub fn mint(&self, kind: Kind, binding: &Binding<'_>, now: Time, nonce: [u8; 12]) -> Token {
        let minute = (now.0.div_euclid(60_000) - FIRST_MINUTE).clamp(0, LAST_MINUTE);
        let [.., m2, m1, m0] = minute.to_be_bytes();
        let [n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11] = nonce;
        let head = (kind as u8) << 5 | self.kid;
        let body = [head, m2, m1, m0, n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11];
        Token { kind, body, tag: self.tag(&body, binding) }
    }

    /// Whether the token was made by this key for this binding, in constant time.
    pub fn opens(&self, token: &Token, binding: &Binding<'_>) -> bool {
        let [head, ..] = token.body;
        head & 0x1f == self.kid && bool::from(self.tag(&token.body, binding).ct_eq(&token.tag))
    }

    fn tag(&self, body: &[u8; 16], binding: &Binding<'_>) -> [u8; 16] {
        let [head, minute_and_nonce @ ..] = body;
        let mut mac = hmac::Context::with_key(&self.key);
        mac.update(b"csrf1");
        mac.update(&[head >> 5]);
        mac.update(minute_and_nonce);
        binding.write(&mut mac);
        leading(&mac.sign())
    }
}

impl Binding<'_> {
    /// Length first, so that no two bindings give the same bytes.
    fn write(&self, mac: &mut hmac::Context) {
        let length = |bytes: usize| (bytes as u64).to_be_bytes();
        match *self {
            Self::Browser(id) => {
                mac.update(&length(id.len()));
                mac.update(id.as_bytes());
            }
            Self::Session { id, epoch, auth } => {
                let auth = match auth {
                    None => 0,
                    Some(AuthKind::Cookie) => 1,
                    Some(AuthKind::Bearer) => 2,
                    Some(AuthKind::Jwt) => 3,
                    Some(AuthKind::Key) => 4,
                };
                let [e0, e1, e2, e3, e4, e5, e6, e7] = epoch.to_be_bytes();
                mac.update(&length(id.len() + 9));
                mac.update(id.as_bytes());
                mac.update(&[e0, e1, e2, e3, e4, e5, e6, e7, auth]);
            }
        }
    }
}

/// A token whose form has been checked, not its truth. No `Debug`: it is a secret of its session.
#[derive(Clone)]
pub struct Token {
    kind: Kind,
    body: [u8; 16],
    tag: [u8; 16],
}

impl Token {
    /// Exactly 64 lower-case hexadecimal digits that begin with a kind of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 32] = lower_hex(text)?;
        let body = *bytes.first_chunk::<16>()?;
        let tag = *bytes.last_chunk::<16>()?;
        let [head, ..] = body;
        let kind = match head >> 5 {
            1 => Kind::Anonymous,
            2 => Kind::Session,
            3 => Kind::DoubleSubmit,
            4 => Kind::OneTime,
            _ => return None,
        };
        Some(Self { kind, body, tag })
    }

    /// The text for the client: 64 lower-case hexadecimal digits.
    pub fn to_hex(&self) -> String {
        let mut text = hex::encode(self.body);
        text.push_str(&hex::encode(self.tag));
        text
    }

    /// What the token is good for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What tells this token from the others of its session.
    pub fn nonce(&self) -> [u8; 12] {
        let [_, _, _, _, nonce @ ..] = self.body;
        nonce
    }

    /// When the token was made, to the minute.
    pub fn issued_at(&self) -> Time {
        let [_, m2, m1, m0, ..] = self.body;
        let minute = i64::from(u32::from_be_bytes([0, m2, m1, m0]));
        Time((minute + FIRST_MINUTE) * 60_000)
    }

    /// Whether the token was made more than two minutes after `now`.
    pub fn is_from_the_future(&self, now: Time) -> bool {
        self.issued_at() > now.plus(AHEAD)
    }

    /// Whether the token was made longer than `life` ago, counted from the end of its minute.
    pub fn is_older_than(&self, life: Duration, now: Time) -> bool {
        self.issued_at().plus(Duration::from_mins(1)).plus(life) < now
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2026-11-22T01:02:03Z.
    const NOW: Time = Time(1_795_309_323_000);

    fn keys(kid: u8, byte: u8) -> CsrfKeys {
        CsrfKeys::new(kid, hmac::Key::new(hmac::HMAC_SHA256, &[byte; 32]))
    }

    fn session(id: &str, epoch: i64, auth: Option<AuthKind>) -> Binding<'_> {
        Binding::Session { id, epoch, auth }
    }

    #[test]
    fn the_layout_is_as_written() {
        let token = keys(1, 7).mint(Kind::OneTime, &session("s1", 5, None), NOW, [0xee; 12]);
        let minute = u32::try_from(NOW.0 / 60_000 - FIRST_MINUTE).unwrap();
        let mut message = b"csrf1\x04".to_vec();
        message.extend(&minute.to_be_bytes()[1..]);
        message.extend([0xee; 12]);
        message.extend(11u64.to_be_bytes());
        message.extend(b"s1\x00\x00\x00\x00\x00\x00\x00\x05\x00");
        let tag = hmac::sign(&keys(1, 7).key, &message);
        let expected = format!(
            "81{}{}{}",
            hex::encode(&minute.to_be_bytes()[1..]),
            "ee".repeat(12),
            hex::encode(&tag.as_ref()[..16])
        );
        assert_eq!(token.to_hex(), expected);
        assert_eq!(token.issued_at(), Time(NOW.0 - NOW.0 % 60_000));
    }

    #[test]
    fn only_the_exact_form_is_read() {
        let check = |text: &str, good: bool| {
            assert_eq!(Token::parse(text).is_some(), good, "{text:?}");
        };
        let good = keys(1, 7).mint(Kind::Session, &Binding::Browser(""), NOW, [0; 12]).to_hex();
        check(&good, true);
        check(&good.to_uppercase(), false);
        check(&good[1..], false);
        check(&format!("{good}0"), false);
        check(&format!(" {good}"), false);
        check("", false);
        for unknown_kind in ["0", "1", "a", "c", "e"] {
            check(&format!("{unknown_kind}{}", &good[1..]), false);
        }
    }

    #[test]
    fn a_token_opens_with_its_key_and_binding_only() {
        let keys_here = keys(1, 7);
        let bound = session("s1", 5, Some(AuthKind::Cookie));
        let token = keys_here.mint(Kind::Session, &bound, NOW, [1; 12]);
        let check = |keys: &CsrfKeys, binding: Binding<'_>, good: bool| {
            assert_eq!(keys.opens(&token, &binding), good, "{binding:?}");
        };
        check(&keys_here, bound, true);
        check(&keys(2, 7), bound, false);
        check(&keys(1, 8), bound, false);
        check(&keys_here, session("s2", 5, Some(AuthKind::Cookie)), false);
        check(&keys_here, session("s1", 6, Some(AuthKind::Cookie)), false);
        check(&keys_here, session("s1", 5, Some(AuthKind::Bearer)), false);
        check(&keys_here, session("s1", 5, None), false);
        check(&keys_here, Binding::Browser("s1"), false);
        check(&keys_here, Binding::Browser(""), false);
    }

    #[test]
    fn time_is_read_to_the_minute() {
        let minute = NOW.0 - NOW.0 % 60_000;
        let token = keys(1, 7).mint(Kind::Anonymous, &Binding::Browser(""), NOW, [0; 12]);
        let check = |at: i64, future: bool, older_than_an_hour: bool| {
            let at = Time(minute + at * 1000);
            assert_eq!(token.is_from_the_future(at), future, "{at:?}");
            assert_eq!(
                token.is_older_than(Duration::from_hours(1), at),
                older_than_an_hour,
                "{at:?}"
            );
        };
        check(-121, true, false);
        check(-120, false, false);
        check(0, false, false);
        check(3660, false, false);
        check(3661, false, true);
    }

    #[test]
    fn times_out_of_range_do_not_wrap() {
        let check = |now: i64, issued_at_minute: i64| {
            let token = keys(1, 7).mint(Kind::Anonymous, &Binding::Browser(""), Time(now), [0; 12]);
            assert_eq!(token.issued_at().0 / 60_000 - FIRST_MINUTE, issued_at_minute);
        };
        check(i64::MIN, 0);
        check(0, 0);
        check(i64::MAX, LAST_MINUTE);
    }

    fn any_kind() -> impl Strategy<Value = Kind> {
        prop::sample::select(vec![
            Kind::Anonymous,
            Kind::Session,
            Kind::DoubleSubmit,
            Kind::OneTime,
        ])
    }

    fn any_auth() -> impl Strategy<Value = Option<AuthKind>> {
        prop::sample::select(vec![
            None,
            Some(AuthKind::Cookie),
            Some(AuthKind::Bearer),
            Some(AuthKind::Jwt),
            Some(AuthKind::Key),
        ])
    }

    proptest! {
        #[test]
        fn round_trip(
            kind in any_kind(), auth in any_auth(), id in "[0-9a-f]{32}", epoch: i64,
            minutes in 0..LAST_MINUTE, nonce: [u8; 12],
        ) {
            let keys = keys(1, 7);
            let now = Time((minutes + FIRST_MINUTE) * 60_000);
            let text = keys.mint(kind, &session(&id, epoch, auth), now, nonce).to_hex();
            let token = Token::parse(&text).unwrap();
            prop_assert_eq!(text.len(), 64);
            prop_assert_eq!(token.to_hex(), text);
            prop_assert_eq!(token.kind(), kind);
            prop_assert_eq!(token.nonce(), nonce);
            prop_assert_eq!(token.issued_at(), now);
            prop_assert!(keys.opens(&token, &session(&id, epoch, auth)));
        }

        #[test]
        fn any_flipped_bit_is_refused(kind in any_kind(), nonce: [u8; 12], bit in 0..256_usize) {
            let keys = keys(1, 7);
            let binding = session("0123", 3, Some(AuthKind::Bearer));
            let mut bytes = hex::decode(keys.mint(kind, &binding, NOW, nonce).to_hex()).unwrap();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let flipped = Token::parse(&hex::encode(bytes));
            prop_assert!(flipped.is_none_or(|token| !keys.opens(&token, &binding)));
        }

        #[test]
        fn a_foreign_binding_is_refused(
            (mine, other) in ("[0-9a-f]{0,40}", "[0-9a-f]{0,40}"),
            (epoch, other_epoch) in (0..9_i64, 0..9_i64),
            (auth, other_auth) in (any_auth(), any_auth()),
        ) {
            let keys = keys(1, 7);
            let same = mine == other && epoch == other_epoch && auth == other_auth;
            let token = keys.mint(Kind::Session, &session(&mine, epoch, auth), NOW, [0; 12]);
            prop_assert_eq!(keys.opens(&token, &session(&other, other_epoch, other_auth)), same);
            prop_assert!(!keys.opens(&token, &Binding::Browser(&mine)));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,80}") {
            prop_assert!(Token::parse(&text).is_none_or(|token| token.to_hex() == text));
        }
    }
}
