//! How long a sign-in lasts: what each form of it gives, when a credential is dead, when it is
//! renewed, when its use is written down. Not here: cookies, tokens and rows.

use std::time::Duration;

use crate::time::Time;

/// What a sign-in by username or by an API gave is renewed up to this long after it.
const RENEWED_UP_TO: Duration = Duration::from_hours(90 * 24);

/// The way somebody signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignInForm {
    /// An API call with the key `username`.
    Username,
    /// An API call with the key `email`.
    Email,
    /// The sign-in page.
    Page,
    /// The mobile endpoint.
    Mobile,
    /// A browser that stays signed in came back.
    Remembered,
    /// A link in a mail.
    MagicLink,
}

crate::word::written_as!(SignInForm, as_str);

impl SignInForm {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Username, Self::Email, Self::Page, Self::Mobile, Self::Remembered, Self::MagicLink];

    /// Reads back what [`Self::as_str`] gave; `None` for any other word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.as_str() == text)
    }

    /// The word for it in events and rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Username => "username",
            Self::Email => "email",
            Self::Page => "page",
            Self::Mobile => "mobile",
            Self::Remembered => "remembered",
            Self::MagicLink => "magic_link",
        }
    }
}

/// The settings that a sign-in's life comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// Life of a cookie, whatever is done with it.
    pub absolute: Duration,
    /// Life of a cookie that is not used.
    pub idle: Duration,
    /// Life of the cookie of a sign-in by username; `None` gives it the life of all others.
    pub username_login: Option<Duration>,
    /// Life of a bearer token for an API.
    pub api: Duration,
    /// Life of a mobile bearer token.
    pub mobile: Duration,
    /// Life of a mobile bearer token that is not used; `None` for no such bound.
    pub mobile_idle: Option<Duration>,
    /// Life of a signed access token.
    pub access: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        let days = |days: u64| Duration::from_hours(24 * days);
        Self {
            absolute: Duration::from_hours(2),
            idle: Duration::from_mins(30),
            username_login: Some(days(14)),
            api: days(90),
            mobile: days(365),
            mobile_idle: None,
            access: days(1),
        }
    }
}

/// The life of one credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// When it ends, unless it is renewed.
    pub expires_at: Time,
    /// How long it lives without being used; `None` for no such bound.
    pub idle: Option<Duration>,
    /// Until when it can be renewed; `None` if never.
    pub renew_until: Option<Time>,
}

/// What one sign-in gives. Everything hangs on one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The session cookie.
    pub cookie: Option<Life>,
    /// The bearer token of an API client.
    pub api_token: Option<Life>,
    /// The bearer token of a mobile application.
    pub mobile_token: Option<Life>,
    /// The signed access token.
    pub access: Option<Life>,
}

impl Lifetimes {
    /// What a sign-in at `now` gives. A browser gets no bearer token for an API, so that pages do not
    /// collect them; `shows_browser`: the request carries `Origin` or any `Sec-Fetch-*`.
    pub fn terms(&self, form: SignInForm, shows_browser: bool, now: Time) -> Terms {
        let fixed = |life, idle| Life { expires_at: now.plus(life), idle, renew_until: None };
        let web = fixed(self.absolute, Some(self.idle));
        let renew_until = Some(now.plus(RENEWED_UP_TO));
        let long = self.username_login.map(|life| Life { renew_until, ..fixed(life, None) });
        let access = Some(Life { renew_until, ..fixed(self.access, None) });
        let none = Terms { cookie: None, api_token: None, mobile_token: None, access: None };
        match form {
            SignInForm::Username => Terms { cookie: Some(long.unwrap_or(web)), access, ..none },
            SignInForm::Email | SignInForm::MagicLink => {
                let api_token = (!shows_browser).then(|| fixed(self.api, None));
                Terms { cookie: Some(web), api_token, access, ..none }
            }
            SignInForm::Page | SignInForm::Remembered => Terms { cookie: Some(web), ..none },
            SignInForm::Mobile => {
                Terms { mobile_token: Some(fixed(self.mobile, self.mobile_idle)), ..none }
            }
        }
    }
}

/// What decides whether a credential still counts. For a credential that hangs on others (its session,
/// its parent) the facts are those of all: ended if one has ended, expiring with the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CredentialFacts {
    /// It, its session or its parent was ended on purpose.
    pub ended: bool,
    /// When it ends by itself.
    pub expires_at: Time,
    /// How long it lives without being used.
    pub idle: Option<Duration>,
    /// When its use was last written down.
    pub last_active: Time,
    /// Whether the account may be used.
    pub user_active: bool,
    /// The user's epoch when the session began.
    pub session_epoch: i64,
    /// The user's epoch now. It moves when everything issued before must die.
    pub user_epoch: i64,
}

/// Why a credential does not count any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dead {
    /// Ended on purpose: signed out, replaced, revoked.
    Ended,
    /// Its time is over.
    Expired,
    /// It was not used for too long.
    Idle,
    /// The account is disabled.
    UserDisabled,
    /// The account changed, and everything issued before died with it.
    Epoch,
}

impl Dead {
    /// The stable word for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Ended => "session_ended",
            Self::Expired => "session_expired",
            Self::Idle => "session_idle",
            Self::UserDisabled => "account_disabled",
            Self::Epoch => "session_revoked",
        }
    }
}

/// Whether a credential counts at `now`.
pub fn alive(facts: &CredentialFacts, now: Time) -> Result<(), Dead> {
    let idle_end = facts.idle.map(|idle| facts.last_active.plus(idle));
    if facts.ended {
        Err(Dead::Ended)
    } else if now >= facts.expires_at {
        Err(Dead::Expired)
    } else if idle_end.is_some_and(|end| now >= end) {
        Err(Dead::Idle)
    } else if facts.session_epoch != facts.user_epoch {
        Err(Dead::Epoch)
    } else if !facts.user_active {
        Err(Dead::UserDisabled)
    } else {
        Ok(())
    }
}

/// The new end of a cookie that is due for renewal: less than a seventh of its `life` is left, and
/// `renew_until` (from [`Life`]) lets it live longer than it would. The time that is left also keeps
/// the cookie from being written again with every request.
pub fn renewal(
    expires_at: Time,
    renew_until: Option<Time>,
    life: Duration,
    now: Time,
) -> Option<Time> {
    let due = now < expires_at && expires_at.since(now) < life / 7;
    renew_until
        .filter(|_| due)
        .map(|until| until.min(now.plus(life)))
        .filter(|renewed| *renewed > expires_at)
}

/// The life of an access token that takes the place of one with this life: it, too, is replaced up to
/// the same moment, and never lives beyond it. `None` if there is nothing left to live.
pub fn refreshed(old: Life, access: Duration, now: Time) -> Option<Life> {
    let until = old.renew_until?;
    (until > now).then(|| Life { expires_at: until.min(now.plus(access)), ..old })
}

/// How old `last_active` may be before it is written again: a minute, or less where the idle bound is
/// short, so that the stored time errs by a tenth of the bound at most, and early.
pub fn touch_after(idle: Option<Duration>) -> Duration {
    const LONGEST: Duration = Duration::from_mins(1);
    idle.map_or(LONGEST, |idle| LONGEST.min(idle / 10))
}

/// Whether the use of a credential is to be written down.
pub fn touch_due(last_active: Time, idle: Option<Duration>, now: Time) -> bool {
    now >= last_active.plus(touch_after(idle))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_795_309_323_000);
    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn each_form_has_its_terms() {
        let life = |life, idle, renew: Option<Duration>| {
            let renew_until = renew.map(|renew| NOW.plus(renew));
            Some(Life { expires_at: NOW.plus(life), idle, renew_until })
        };
        let web = life(2 * DAY / 24, Some(DAY / 48), None);
        let access = life(DAY, None, Some(90 * DAY));
        let check = |settings: Lifetimes, form, browser, expected: [Option<Life>; 4]| {
            let [cookie, api_token, mobile_token, access] = expected;
            let expected = Terms { cookie, api_token, mobile_token, access };
            assert_eq!(settings.terms(form, browser, NOW), expected, "{form:?} {browser}");
        };
        let usual = Lifetimes::default();
        let long = life(14 * DAY, None, Some(90 * DAY));
        check(usual, SignInForm::Username, false, [long, None, None, access]);
        check(usual, SignInForm::Username, true, [long, None, None, access]);
        check(usual, SignInForm::Email, false, [web, life(90 * DAY, None, None), None, access]);
        check(usual, SignInForm::Email, true, [web, None, None, access]);
        let mailed = SignInForm::MagicLink;
        check(usual, mailed, false, [web, life(90 * DAY, None, None), None, access]);
        check(usual, mailed, true, [web, None, None, access]);
        check(usual, SignInForm::Page, true, [web, None, None, None]);
        check(usual, SignInForm::Remembered, true, [web, None, None, None]);
        check(usual, SignInForm::Mobile, false, [None, None, life(365 * DAY, None, None), None]);
        let short = Lifetimes { username_login: None, mobile_idle: Some(DAY), ..usual };
        check(short, SignInForm::Username, false, [web, None, None, access]);
        check(
            short,
            SignInForm::Mobile,
            true,
            [None, None, life(365 * DAY, Some(DAY), None), None],
        );
    }

    #[test]
    fn a_credential_dies_for_one_reason_at_a_time() {
        let good = CredentialFacts {
            ended: false,
            expires_at: Time(NOW.0 + 1),
            idle: Some(DAY),
            last_active: Time(NOW.0 - 86_400_000 + 1),
            user_active: true,
            session_epoch: 3,
            user_epoch: 3,
        };
        let check = |facts: CredentialFacts, expected| {
            assert_eq!(alive(&facts, NOW).map_err(Dead::code), expected, "{facts:?}");
        };
        check(good, Ok(()));
        check(CredentialFacts { ended: true, ..good }, Err("session_ended"));
        check(CredentialFacts { expires_at: NOW, ..good }, Err("session_expired"));
        let yesterday = Time(NOW.0 - 86_400_000);
        check(CredentialFacts { last_active: yesterday, ..good }, Err("session_idle"));
        check(CredentialFacts { last_active: Time(0), idle: None, ..good }, Ok(()));
        check(CredentialFacts { user_epoch: 4, ..good }, Err("session_revoked"));
        check(CredentialFacts { user_epoch: 2, ..good }, Err("session_revoked"));
        check(CredentialFacts { user_active: false, ..good }, Err("account_disabled"));
        check(CredentialFacts { ended: true, user_active: false, ..good }, Err("session_ended"));
    }

    #[test]
    fn the_long_cookie_slides_up_to_its_bound() {
        let life = 14 * DAY;
        let check = |left: Duration, bound: Option<Duration>, expected: Option<Duration>| {
            let renewed = renewal(NOW.plus(left), bound.map(|bound| NOW.plus(bound)), life, NOW);
            assert_eq!(renewed, expected.map(|end| NOW.plus(end)), "{left:?} {bound:?}");
        };
        let second = Duration::from_secs(1);
        let less_than_two_days = Duration::from_secs(2 * 86_400 - 1);
        check(14 * DAY, Some(90 * DAY), None);
        check(2 * DAY, Some(78 * DAY), None);
        check(less_than_two_days, Some(78 * DAY), Some(14 * DAY));
        check(second, Some(78 * DAY), Some(14 * DAY));
        check(Duration::ZERO, Some(78 * DAY), None);
        check(DAY, Some(3 * DAY), Some(3 * DAY));
        check(DAY, Some(DAY), None);
        check(DAY, None, None);
    }

    #[test]
    fn an_access_token_is_refreshed_up_to_its_bound() {
        let check = |bound: Option<Duration>, expected: Option<Duration>| {
            let renew_until = bound.map(|bound| NOW.plus(bound));
            let old = Life { expires_at: NOW.plus(DAY / 24), idle: None, renew_until };
            let life = refreshed(old, DAY, NOW);
            let end = life.map(|life| (life.expires_at, life.renew_until));
            assert_eq!(end, expected.map(|end| (NOW.plus(end), renew_until)), "{bound:?}");
        };
        check(Some(90 * DAY), Some(DAY));
        check(Some(DAY), Some(DAY));
        check(Some(DAY / 24), Some(DAY / 24));
        check(Some(Duration::ZERO), None);
        check(None, None);
    }

    #[test]
    fn use_is_written_down_now_and_then() {
        let check = |ago: u64, idle: Option<u64>, expected: bool| {
            let last_active = Time(NOW.0 - i64::try_from(ago).unwrap() * 1000);
            let idle = idle.map(Duration::from_secs);
            assert_eq!(touch_due(last_active, idle, NOW), expected, "{ago} {idle:?}");
        };
        check(59, None, false);
        check(60, None, true);
        check(59, Some(1800), false);
        check(60, Some(1800), true);
        check(5, Some(60), false);
        check(6, Some(60), true);
    }
}
