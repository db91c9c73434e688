//! Codes of authenticator apps: RFC 6238 with SHA-1, six digits and steps of 30 seconds, which is what
//! every app takes. A code is good in its step and the one before and after, and no step is good twice.
//! Not here: how often one may be tried (`second_factor`), and the codes for a lost phone (`backup_code`).

use aws_lc_rs::aead::NONCE_LEN;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

use crate::base32;
use crate::id::UserId;
use crate::sealed;
use crate::time::Time;

/// Seconds that a code is of.
const PERIOD: i64 = 30;
const SECRET_LEN: usize = 20;
/// As RFC 3986 has it for what stands in a path or a query.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What an app and we share: 160 bits, as RFC 4226 recommends. It is shown once, when it is set up, and
/// kept sealed.
#[derive(Clone)]
pub struct TotpSecret(Zeroizing<[u8; SECRET_LEN]>);

/// Which 30 seconds since 1970 a code is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step(pub i64);

/// Six digits that somebody typed. No `Debug`: for half a minute they may be good.
#[derive(Clone, Copy)]
pub struct TotpCode(u32);

impl TotpCode {
    /// Exactly six ASCII digits: what is read in more than one spelling could be used once in each.
    pub fn parse(text: &str) -> Option<Self> {
        let is_code = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_code.then(|| text.parse().ok().map(Self)).flatten()
    }
}

impl Step {
    /// The step of a moment.
    pub fn at(now: Time) -> Self {
        Self(now.secs().div_euclid(PERIOD))
    }
}

impl TotpSecret {
    /// A new secret from bytes of a cryptographic generator.
    pub fn from_random(bytes: [u8; SECRET_LEN]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The step that the code is of, if it may be used now: around `now`, and after every step that was
    /// used before.
    pub fn accept(&self, code: TotpCode, now: Time, last: Step) -> Option<Step> {
        let current = Step::at(now).0;
        // All are looked at, so that the time tells nothing.
        let near = [current.saturating_sub(1), current, current.saturating_add(1)].map(Step);
        let good = near.map(|step| is_same(self.code(step), code.0).then_some(step));
        good.into_iter().flatten().find(|step| *step > last)
    }

    /// For its owner to type into an app: 32 characters of base32.
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(base32::encode(&*self.0))
    }

    /// For an app to read from a QR code. `issuer` is what it shows the account under; a colon would
    /// end it, so there is none.
    pub fn otpauth_url(&self, issuer: &str, account: &str) -> Zeroizing<String> {
        let encoded = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
        let issuer = encoded(&issuer.replace(':', " "));
        let (account, secret) = (encoded(account), self.reveal());
        Zeroizing::new(format!(
            "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits=6\
             &period={PERIOD}",
            *secret
        ))
    }

    /// RFC 4226, section 5.3, over the number of the step.
    fn code(&self, step: Step) -> u32 {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &*self.0);
        let tag = hmac::sign(&key, &step.0.to_be_bytes());
        let bytes = tag.as_ref();
        let offset = bytes.last().map_or(0, |last| usize::from(last & 0x0f));
        let four = bytes.get(offset..).and_then(|rest| rest.first_chunk::<4>());
        // There are 20 bytes, and the offset is 15 at most.
        let number = u32::from_be_bytes(*four.unwrap_or(&[0; 4])) & 0x7fff_ffff;
        number % 1_000_000
    }
}

fn is_same(one: u32, other: u32) -> bool {
    verify_slices_are_equal(&one.to_be_bytes(), &other.to_be_bytes()).is_ok()
}

/// The key that secrets are sealed under: a copy of the database makes no codes.
#[derive(Clone)]
pub struct FactorKey(Zeroizing<[u8; 32]>);

/// The secret of a factor cannot be sealed or read: the key is another, or the row is somebody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret of a second factor cannot be sealed or read")]
pub struct Unreadable;

impl FactorKey {
    pub(crate) fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    /// Seals a secret for one factor of one user, with a nonce that is used once: the bytes of one row
    /// are worthless in another.
    pub fn seal(
        &self,
        (user, factor): (UserId, &str),
        secret: &TotpSecret,
        nonce: [u8; NONCE_LEN],
    ) -> Result<Vec<u8>, Unreadable> {
        sealed::seal(&self.0, &place(user, factor), nonce, &*secret.0).ok_or(Unreadable)
    }

    /// Opens what [`Self::seal`] made.
    pub fn open(
        &self,
        (user, factor): (UserId, &str),
        sealed: &[u8],
    ) -> Result<TotpSecret, Unreadable> {
        let opened = sealed::open(&self.0, &place(user, factor), sealed);
        let secret = opened.and_then(|bytes| bytes.as_slice().try_into().ok());
        secret.map(TotpSecret::from_random).ok_or(Unreadable)
    }
}

/// What a sealed secret is bound to.
fn place(user: UserId, factor: &str) -> Vec<u8> {
    [b"totp".as_slice(), &user.0.to_be_bytes(), factor.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_795_309_323_000);

    /// The key of the vectors.
    fn ascii() -> TotpSecret {
        TotpSecret::from_random(*b"12345678901234567890")
    }

    fn code(digits: &str) -> TotpCode {
        TotpCode::parse(digits).unwrap()
    }

    /// RFC 4226, appendix D.
    #[test]
    fn counters_give_the_codes_of_rfc_4226() {
        let expected = [
            755_224, 287_082, 359_152, 969_429, 338_314, 254_676, 287_922, 162_583, 399_871,
            520_489,
        ];
        for (step, expected) in (0..).map(Step).zip(expected) {
            assert_eq!(ascii().code(step), expected, "{step:?}");
        }
    }

    /// RFC 6238, appendix B: the last six of its eight digits.
    #[test]
    fn moments_give_the_codes_of_rfc_6238() {
        let check = |seconds: i64, eight_digits: u32| {
            let step = Step::at(Time(seconds * 1000));
            assert_eq!(ascii().code(step), eight_digits % 1_000_000, "{seconds}");
        };
        check(59, 94_287_082);
        check(1_111_111_109, 7_081_804);
        check(1_111_111_111, 14_050_471);
        check(1_234_567_890, 89_005_924);
        check(2_000_000_000, 69_279_037);
        check(20_000_000_000, 65_353_130);
    }

    #[test]
    fn a62_a_code_is_good_around_its_step_and_once() {
        let (secret, now) = (ascii(), Step::at(NOW));
        let check = |offset: i64, last: i64, good: bool| {
            let (step, last) = (Step(now.0 + offset), Step(now.0 + last));
            let typed = code(&format!("{:06}", secret.code(step)));
            assert_eq!(secret.accept(typed, NOW, last), good.then_some(step), "{offset} {last:?}");
        };
        for offset in [-1, 0, 1] {
            check(offset, -2, true);
            check(offset, offset, false);
            check(offset, 2, false);
        }
        check(-1, 0, false);
        check(0, -1, true);
        check(1, 0, true);
        for offset in [-20, -2, 2, 20] {
            check(offset, -100, false);
        }
    }

    #[test]
    fn a_code_has_one_spelling() {
        let check = |text: &str, good: bool| {
            assert_eq!(
                TotpCode::parse(text).map(|code| code.0),
                good.then_some(12_345),
                "{text:?}"
            );
        };
        check("012345", true);
        for other in
            ["12345", "0012345", " 012345", "012345 ", "012 345", "+12345", "0x2345", "٠١٢٣٤٥", ""]
        {
            check(other, false);
        }
    }

    #[test]
    fn the_url_says_what_apps_need_and_nothing_breaks_out_of_it() {
        let url = ascii().otpauth_url("gate.example:8080", "ada+x@a&b=c%.example");
        assert_eq!(
            *url,
            "otpauth://totp/gate.example%208080:ada%2Bx%40a%26b%3Dc%25.example?secret=\
             GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=gate.example%208080&algorithm=SHA1&digits=6\
             &period=30"
        );
    }

    #[test]
    fn a_sealed_secret_is_good_in_its_own_row_alone() {
        let key = FactorKey::new(Zeroizing::new([1; 32]));
        let row = (UserId(7), "one");
        let sealed = key.seal(row, &ascii(), [2; 12]).unwrap();
        assert!(!sealed.windows(4).any(|bytes| bytes == b"1234"));
        let check = |key: &FactorKey, row, sealed: &[u8], good: bool| {
            let opened = key.open(row, sealed).map(|secret| *secret.0 == *ascii().0);
            assert_eq!(opened, if good { Ok(true) } else { Err(Unreadable) }, "{row:?}");
        };
        check(&key, row, &sealed, true);
        check(&key, (UserId(8), "one"), &sealed, false);
        check(&key, (UserId(7), "two"), &sealed, false);
        check(&FactorKey::new(Zeroizing::new([2; 32])), row, &sealed, false);
        check(&key, row, &sealed[1..], false);
        check(&key, row, &[], false);
    }
}
