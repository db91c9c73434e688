//! Browsers that stay signed in. A sign-in that asks for it begins a series of secrets, of which each
//! brings the browser back once and gives it the next: whoever shows one that was spent before shows
//! that two have it. Not here: cookies, rows, and the sessions that a series brings.

use std::time::Duration;

use aws_lc_rs::hmac;
use subtle::ConstantTimeEq as _;

use crate::id::SeriesId;
use crate::secret::{leading, lower_hex};
use crate::session::{self, CredentialFacts, Dead, Life, Lifetimes, SignInForm, Terms};
use crate::time::Time;

/// How long the secret before the current one still leads to the session that the current one came
/// with: the tabs that a browser opens at once all send the same.
pub const GRACE: Duration = Duration::from_secs(20);

/// The key of the secrets. They are computed and not stored: the store knows only how many of a
/// series were given out.
#[derive(Clone)]
pub struct RememberKey(hmac::Key);

/// Which secret of which series a genuine cookie holds. It proves nothing by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    pub series: SeriesId,
    /// How many came before it.
    pub counter: u32,
}

impl RememberKey {
    pub(crate) fn new(key: hmac::Key) -> Self {
        Self(key)
    }

    /// The value of the cookie: 32 lower-case hexadecimal digits of the series, 8 of the counter, and
    /// the 64 of the secret.
    pub fn seal(&self, ticket: &Ticket) -> String {
        let counter = hex::encode(ticket.counter.to_be_bytes());
        format!("{}{counter}{}", ticket.series.as_str(), hex::encode(self.secret(ticket)))
    }

    /// Reads a cookie; `None` if its secret is none that this key made.
    pub fn open(&self, value: &str) -> Option<Ticket> {
        let (series, rest) = value.split_at_checked(32)?;
        let (counter, secret) = rest.split_at_checked(8)?;
        let secret: [u8; 32] = lower_hex(secret)?;
        let ticket = Ticket {
            series: SeriesId::parse(series)?,
            counter: u32::from_be_bytes(lower_hex(counter)?),
        };
        bool::from(self.secret(&ticket).ct_eq(&secret)).then_some(ticket)
    }

    fn secret(&self, ticket: &Ticket) -> [u8; 32] {
        let mut mac = hmac::Context::with_key(&self.0);
        mac.update(ticket.series.as_str().as_bytes());
        mac.update(&ticket.counter.to_be_bytes());
        leading(&mac.sign())
    }
}

/// A series as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesFacts {
    /// The counter of the current secret.
    pub counter: u32,
    /// When the current secret took the place of the one before.
    pub rotated_at: Time,
    /// Whether the series still counts, by the same rules as every credential.
    pub life: CredentialFacts,
}

/// What a genuine secret is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The current one: it brings a new session, and the next secret takes its place.
    Current,
    /// The one before, a moment later: it leads to the session that there is.
    Previous,
    /// It was spent: somebody has a copy.
    Spent,
    /// The series does not count any more, whatever the secret.
    Dead(Dead),
}

/// Judges the secret with this counter.
pub fn judge(series: &SeriesFacts, counter: u32, now: Time) -> Verdict {
    if let Err(dead) = session::alive(&series.life, now) {
        return Verdict::Dead(dead);
    }
    match series.counter.checked_sub(counter) {
        Some(0) => Verdict::Current,
        Some(1) if now < series.rotated_at.plus(GRACE) => Verdict::Previous,
        Some(_) => Verdict::Spent,
        // Ours, and not given out as far as the store knows: it was put back to an earlier day.
        None => Verdict::Dead(Dead::Ended),
    }
}

/// What a series brings at `from`: what the sign-in page gives, but nothing past the end of the series.
pub fn terms(lifetimes: &Lifetimes, from: Time, series_ends: Time) -> Terms {
    let terms = lifetimes.terms(SignInForm::Remembered, true, from);
    let within = |life: Life| Life { expires_at: life.expires_at.min(series_ends), ..life };
    Terms { cookie: terms.cookie.map(within), ..terms }
}

/// What a browser says of where a request came from; `None` for a header that is not there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FetchMetadata<'h> {
    /// `Sec-Fetch-Site`.
    pub site: Option<&'h str>,
    /// `Sec-Fetch-Mode`.
    pub mode: Option<&'h str>,
    /// `Sec-Fetch-Dest`.
    pub dest: Option<&'h str>,
}

/// Whether a request may bring its browser back. Not if another site embeds it: browsers keep no
/// cookies that come with such answers, so the next secret would be lost, and the spent one would look
/// stolen. A link from there that somebody follows is another matter.
pub fn may_bring_back(from: &FetchMetadata<'_>) -> bool {
    match from.site {
        None | Some("none" | "same-origin" | "same-site") => true,
        Some("cross-site") => from.mode == Some("navigate") && from.dest == Some("document"),
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_795_309_323_000);
    const DAY: Duration = Duration::from_hours(24);

    fn key(byte: u8) -> RememberKey {
        RememberKey::new(hmac::Key::new(hmac::HMAC_SHA256, &[byte; 32]))
    }

    fn ticket(series: u8, counter: u32) -> Ticket {
        Ticket { series: SeriesId::from_random([series; 16]), counter }
    }

    #[test]
    fn a_cookie_has_one_spelling_and_one_key() {
        let value = key(1).seal(&ticket(0xab, 258));
        assert_eq!(value.len(), 104);
        assert!(value.starts_with(&format!("{}00000102", "ab".repeat(16))), "{value}");
        let check = |value: &str, expected: Option<Ticket>| {
            assert_eq!(key(1).open(value), expected, "{value}");
        };
        check(&value, Some(ticket(0xab, 258)));
        let rest = &value[40..];
        check(&format!("{}00000102{rest}", "ac".repeat(16)), None);
        check(&format!("{}00000103{rest}", "ab".repeat(16)), None);
        check(&key(2).seal(&ticket(0xab, 258)), None);
        check(&value.to_uppercase(), None);
        check(&value[1..], None);
        check(&format!("{value}0"), None);
        check(&format!("{}{}", &value[..103], "é"), None);
        check(&"é".repeat(52), None);
        check("", None);
    }

    #[test]
    fn no_secret_of_a_series_tells_of_another() {
        let secrets: std::collections::BTreeSet<_> = (0..100)
            .flat_map(|counter| [ticket(1, counter), ticket(2, counter)])
            .map(|ticket| key(1).seal(&ticket).split_off(40))
            .collect();
        assert_eq!(secrets.len(), 200);
    }

    #[test]
    fn a32_each_secret_brings_back_once() {
        let life = CredentialFacts {
            ended: false,
            expires_at: NOW.plus(DAY),
            idle: None,
            last_active: NOW,
            user_active: true,
            session_epoch: 3,
            user_epoch: 3,
        };
        let series = SeriesFacts { counter: 5, rotated_at: NOW, life };
        let check = |series: SeriesFacts, counter, seconds: u64, expected| {
            let now = NOW.plus(Duration::from_secs(seconds));
            assert_eq!(judge(&series, counter, now), expected, "{counter} {seconds}");
        };
        check(series, 5, 0, Verdict::Current);
        check(series, 5, 86_399, Verdict::Current);
        check(series, 4, 0, Verdict::Previous);
        check(series, 4, 19, Verdict::Previous);
        check(series, 4, 20, Verdict::Spent);
        check(series, 3, 0, Verdict::Spent);
        check(series, 0, 19, Verdict::Spent);
        check(series, 6, 0, Verdict::Dead(Dead::Ended));
        let first = SeriesFacts { counter: 0, ..series };
        check(first, 0, 0, Verdict::Current);
        check(first, u32::MAX, 0, Verdict::Dead(Dead::Ended));
        let with = |life| SeriesFacts { life, ..series };
        for counter in [5, 4, 3] {
            check(series, counter, 86_400, Verdict::Dead(Dead::Expired));
            let ended = with(CredentialFacts { ended: true, ..life });
            check(ended, counter, 0, Verdict::Dead(Dead::Ended));
            let changed = with(CredentialFacts { user_epoch: 4, ..life });
            check(changed, counter, 0, Verdict::Dead(Dead::Epoch));
            let disabled = with(CredentialFacts { user_active: false, ..life });
            check(disabled, counter, 0, Verdict::Dead(Dead::UserDisabled));
        }
    }

    #[test]
    fn a_session_never_outlives_its_series() {
        let lifetimes = Lifetimes::default();
        let check = |left: Duration, expected: Duration| {
            let terms = terms(&lifetimes, NOW, NOW.plus(left));
            let cookie = Life {
                expires_at: NOW.plus(expected),
                idle: Some(lifetimes.idle),
                renew_until: None,
            };
            let only_cookie =
                Terms { cookie: Some(cookie), api_token: None, mobile_token: None, access: None };
            assert_eq!(terms, only_cookie, "{left:?}");
        };
        check(30 * DAY, lifetimes.absolute);
        check(lifetimes.absolute, lifetimes.absolute);
        check(Duration::from_mins(1), Duration::from_mins(1));
    }

    #[test]
    fn no_other_site_embeds_what_brings_back() {
        let check = |site, mode, dest, expected| {
            let from = FetchMetadata { site, mode, dest };
            assert_eq!(may_bring_back(&from), expected, "{from:?}");
        };
        let (cross, navigate) = (Some("cross-site"), Some("navigate"));
        check(None, None, None, true);
        check(Some("none"), navigate, Some("document"), true);
        check(Some("same-origin"), Some("cors"), Some("empty"), true);
        check(Some("same-origin"), Some("no-cors"), Some("image"), true);
        check(Some("same-site"), Some("no-cors"), Some("image"), true);
        check(cross, navigate, Some("document"), true);
        check(cross, navigate, Some("iframe"), false);
        check(cross, navigate, None, false);
        check(cross, Some("no-cors"), Some("image"), false);
        check(cross, Some("cors"), Some("empty"), false);
        check(cross, Some("websocket"), Some("document"), false);
        check(cross, None, None, false);
        check(Some(""), navigate, Some("document"), false);
        check(Some("Cross-Site"), navigate, Some("document"), false);
    }
}
